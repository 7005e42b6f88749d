"""The Python API does what the commands do; its page is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edge_project import Project

from gates import api
from gates.errors import Exit
from gates.schema.canonical import canonical

PAGE = Path(__file__).parents[2] / "docs/python.md"


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.ready(gates=[{"metric": "roc_auc", "min": 0.6}])
    monkeypatch.chdir(project.root)
    return project


def test_it_decides_as_the_command_line_does(here: Project, capsys: pytest.CaptureFixture[str]) -> None:
    made = api.run()
    assert made.verdict == "pass"
    assert capsys.readouterr() == ("", "")
    assert canonical(api.load_decision()) == canonical(made)
    assert canonical(api.judge(api.load_policy(), api.measure())) == canonical(made)
    assert here.gates("judge").code == 0
    assert canonical(api.load_decision()) == canonical(made)


@pytest.mark.usefixtures("here")
def test_its_page_does_what_it_says() -> None:
    api.run()
    known: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, known)  # noqa: S102 -- our own
    decision, stricter = known["decision"], known["stricter"]
    assert isinstance(decision, api.ShownDecision)
    assert (str(decision.verdict), stricter["gates"][0]["min"]) == ("pass", 0.99)  # type: ignore[index]
    assert str(api.judge(api.load_policy("stricter.yaml"), api.load_evidence()).verdict) == "fail"


def test_its_page_names_what_there_is() -> None:
    named = set(re.findall(r"^\| `(\w+)\(", PAGE.read_text(), re.MULTILINE))
    assert named == {name for name in api.__all__ if name[0].islower()}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: api.load_policy("nowhere.yaml"), "nowhere.yaml"),
        (lambda: api.load_evidence("nowhere"), "Run gates measure first"),
        (lambda: api.load_decision("nowhere.json"), "Run gates judge first"),
        (api.measure, "no candidate yet"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_can_not_be_done_is_an_error_with_its_words(call: object, words: str) -> None:
    with pytest.raises(api.GatesError) as told:
        call()  # type: ignore[operator]
    assert words in str(told.value)
    assert told.value.exit_code is Exit.INPUT
