"""The documentation is run: the quick start step by step, every policy and contract through their readers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gates.cli import cli
from gates.contract import read as contract
from gates.policy.read import read
from gates.source import parse

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "configs").glob("*/README.md")])
AUTHOR = {f"GIT_{who}_{what}": "dana@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
BLOCK = re.compile(r"(?:<!-- (file|run)(?:: ([^ ]+))? -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


def blocks(page):
    return [match.groups() for match in BLOCK.finditer(page.read_text())]


@pytest.mark.parametrize(
    ("page", "runs", "report", "told"),
    [
        ("quick-start", 4, ".gates/report.md", "do not merge"),
        ("template", 2, "tumours/.gates/report.md", "no champion yet"),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
def test_a_page_does_what_it_says(tmp_path, page, runs, report, told):
    environment = {**os.environ, **AUTHOR, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    ran = 0
    for action, argument, _, text in blocks(ROOT / f"docs/{page}.md"):
        if action == "file":
            (tmp_path / argument).write_text(text)
        elif action == "run":
            done = subprocess.run(
                ["/bin/sh", "-ec", text], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == int(argument or 0), f"{text}\n{done.stdout}\n{done.stderr}"
            ran += 1
    assert ran == runs
    assert told in (tmp_path / report).read_text()


def yaml_blocks():
    for page in PAGES:
        for index, (_, _, language, text) in enumerate(blocks(page)):
            if language == "yaml":
                yield pytest.param(text, id=f"{page.name}-{index}")


@pytest.mark.parametrize("text", yaml_blocks())
def test_every_yaml_of_the_docs_is_what_it_claims_to_be(text):
    value = yaml.safe_load(text)
    if isinstance(value, list):  # gates alone
        value = {"gates": value}
    if "jobs" in value:  # a workflow: tests/actions runs those
        return
    if "record" in value or "table" in value:
        assert list(contract.mistakes(parse(text.encode(), "contract.yaml"))) == []
        return
    whole = {
        "version": 1, "model": "m", "train": "t", "slices": ["contract"], "gates": [{"metric": "recall", "min": 0.5}],
        "data": {"train": "t.csv", "holdout": "h.csv", "label": "y", "contract": "c.yaml"},
    } | value  # fmt: skip
    read(yaml.safe_dump(whole).encode(), "gates.yaml", lambda _: b"table: [{rows: {min: 1}}]")


def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/generate", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_an_example_and_is_documented(name):
    assert "Example:" in cli.commands[name].help
    assert f"## `gates {name}`" in (ROOT / "docs/cli.md").read_text()


def test_every_test_that_the_security_page_names_exists():
    page = (ROOT / "docs/security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 40
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in _source(ROOT / file)]
    assert missing == []


def test_the_security_page_leaves_no_promise_and_no_threat_out():
    page = (ROOT / "docs/security.md").read_text()
    rows = re.findall(r"^\| ([PT]\d+) \|", page, re.MULTILINE)
    assert rows == [f"P{n}" for n in range(1, 13)] + [f"T{n}" for n in range(1, 19)]


def _source(path):
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
