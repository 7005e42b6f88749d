"""No value of a column marked `x-sensitive` is shown, wherever a policy may name the column, and no small group."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from edge_project import Done, Project, Rows, table
from hypothesis import given
from hypothesis import strategies as st

from gates.measure.engines import connect
from gates.measure.holdout.hidden import FEW, Hidden

pytestmark = pytest.mark.usefixtures("forked_children")

VALUES = ("Syphilis", "Zoster", "Angina")
RARE = "Quincke"
ENGINE = connect()


def rows(n: int = 240) -> Rows:
    return [row | {"illness": VALUES[at % 3], "code": f"P{at:04}-{row['id']}"} for at, row in enumerate(table(n))]


def marked(project: Project, *columns: str, **shown: Any) -> None:
    record = {"properties": {name: {"x-sensitive": True} for name in columns}}
    (project.root / "contract.yaml").write_text(json.dumps({"record": record, **({"shown": shown} if shown else {})}))


def everything(project: Project, done: Done) -> str:
    """All that was printed and written, but for the data itself."""
    kept = ("evidence.json", "decision.json", "report.md", "report.html", "junit.xml")
    files = [project.work / name for name in kept if (project.work / name).exists()]
    return "\n".join([done.out, done.err, *(file.read_text() for file in files)])


PLACES: dict[str, dict[str, Any]] = {
    "slices": {"slices": ["illness"], "gates": [{"metric": "recall", "slices": {"min": 0.99}}]},
    "by": {"gates": [{"metric": "recall_difference", "by": "illness", "max": 0.001}]},
    "crossed": {"slices": ["illness * sex"], "gates": [{"metric": "recall", "slices": {"min": 0.99}}]},
    "searched": {"slices": "auto", "gates": [{"metric": "recall", "slices": {"min": 0.99}}]},
}


@pytest.mark.parametrize("place", PLACES)
def test_groups_are_numbered_and_never_named(project: Project, place: str) -> None:
    held = rows()
    marked(project, "illness")
    project.ready(held, data={"contract": "contract.yaml"}, **PLACES[place])
    done = project.gates("run")
    assert done.code in (0, 1), done.err
    told = everything(project, done)
    assert not [value for value in VALUES if value in told]
    if place != "searched":
        assert "group 1 of 3" in told


def test_the_control_a_column_that_is_not_marked_is_named(project: Project) -> None:
    marked(project, "code")
    project.ready(rows(), data={"contract": "contract.yaml"}, **PLACES["slices"])
    assert all(value in everything(project, project.gates("run")) for value in VALUES)


def test_bins_are_the_policys_and_may_be_told(project: Project) -> None:
    marked(project, "age")
    project.ready(
        rows(), data={"contract": "contract.yaml"}, slices=[{"age": [40]}],
        gates=[{"metric": "recall", "slices": {"min": 0.99}}],
    )  # fmt: skip
    assert ">= 40" in everything(project, project.gates("run"))


SMALL: dict[str, dict[str, Any]] = {
    "bins": {"slices": [{"age": [18.5, 40]}]},
    "a crossing": {"slices": ["illness * region"]},
}


@pytest.mark.parametrize("place", SMALL)
def test_bins_and_crossings_with_a_small_group_are_refused(project: Project, place: str) -> None:
    held = rows()
    for at, row in enumerate(held):
        row |= {"age": 18 if at == 0 else 30, "region": "far" if at < 2 else "near"}
    marked(project, "illness", "age")
    gates = [{"metric": "recall", "slices": {"min": 0.1}}]
    project.ready(held, data={"contract": "contract.yaml"}, gates=gates, **SMALL[place])
    done = project.gates("run")
    assert done.code == 2
    assert "fewer than 5 rows" in done.err
    assert not [value for value in VALUES if value in everything(project, done)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda held: held[1:],  # a row without a prediction
        lambda held: [*held, held[0]],  # one that stands twice
        lambda held: [*held, held[0] | {"code": "P9999-x"}],  # one of no row
        lambda held: [held[0] | {"code": None}, *held[1:]],
    ],
)
@pytest.mark.parametrize("secret", [True, False])
def test_no_message_names_a_key(project: Project, spoil: Any, secret: bool) -> None:
    held = rows()
    marked(project, "code" if secret else "illness")
    project.ready(held, data={"contract": "contract.yaml", "key": "code"})
    project.predictions(spoil(held), "code", "score")
    done = project.gates("run")
    assert done.code == 2
    shown = re.findall(r"P\d{4}-\w+", everything(project, done))
    assert not shown if secret else shown or "no key" in done.err


def test_a_label_that_is_marked_is_refused(project: Project) -> None:
    marked(project, "churn")
    project.ready(rows(), data={"contract": "contract.yaml"})
    done = project.gates("check")
    assert (done.code, "churn is x-sensitive" in done.err) == (2, True), done.err


@pytest.mark.parametrize(("shown", "warned"), [({}, True), ({"min_cell": 20}, False)])
def test_check_warns_where_nobody_says_what_is_small(project: Project, shown: dict[str, int], warned: bool) -> None:
    marked(project, "illness", **shown)
    project.ready(rows(), data={"contract": "contract.yaml"}, **PLACES["slices"])
    done = project.gates("check")
    assert (done.code, "warning: illness is x-sensitive" in done.err) == (0, warned)


@given(
    st.lists(st.sampled_from([*"abcde", None]), min_size=1, max_size=60),
    st.integers(2, 9),
)
def test_no_group_is_smaller_than_is_asked(values: list[str | None], least: int) -> None:
    listed = ", ".join("(NULL)" if one is None else f"('{one}')" for one in values)
    source = "(SELECT CAST(v AS VARCHAR) AS c FROM (VALUES " + listed + ") t(v))"  # noqa: S608 -- our own values
    sql = Hidden(columns=frozenset("c"), least=least).grouped(ENGINE, "c", source, 100)
    asked = "SELECT g, count(*) FROM (SELECT " + sql + " AS g FROM " + source + ") GROUP BY g"  # noqa: S608
    found = dict(ENGINE.run(asked))
    assert sum(found.values()) == len(values)
    told = {name: size for name, size in found.items() if name is not None}
    assert all(re.fullmatch(rf"group \d of \d|{FEW}", name) for name in told)
    if len(values) >= least and len(found) > 1:
        assert all(size >= least for name, size in found.items() if name != FEW)
        assert found.get(FEW, least) >= least
    of_each = Counter(values)
    if least <= min(of_each.values()):
        assert sorted(found.values()) == sorted(of_each.values())


def test_few_people_are_one_group(project: Project) -> None:
    held = rows()
    held[0]["illness"] = held[1]["illness"] = RARE
    marked(project, "illness", min_cell=10)
    project.ready(held, data={"contract": "contract.yaml"}, **PLACES["slices"])
    told = everything(project, project.gates("run"))
    assert RARE not in told
    sizes = {tuple(value for _, value in one["key"]): one["rows"] for one in project.evidence["slices"] if one["key"]}
    assert all(size >= 10 for size in sizes.values()), sizes
    assert (FEW,) in sizes
    assert Path(project.work / "evidence.json").exists()
