"""The documentation is held to the code: commands go through the command line's own parser, links lead somewhere, and
nothing that is generated is old. ``docs/`` beside this file does what the pages say."""

import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import click
import pytest
import yaml
from pages import BLOCK, PAGES, ROOT, blocks

from gates.cli import cli
from gates.documents.decision import Code


def commands():
    """Every command of gates in the pages, in blocks for a shell and within sentences, as its words."""
    for page in PAGES:
        text = page.read_text()
        shown = [block for _, _, language, block in blocks(page) if language in ("sh", "yaml")]
        lines = [line.strip().removeprefix("- ").removeprefix("run: ") for line in "\n".join(shown).splitlines()]
        lines += re.findall(r"(?<!`)`(gates [^`]+)`(?!`)", BLOCK.sub("", text))
        for line in lines:
            for part in re.split(r"&&|[|;]", line):
                if part.strip().startswith("gates "):
                    yield page.name, part.strip()


@pytest.mark.parametrize("page", sorted({page for page, _ in commands()}))
def test_every_command_of_the_docs_is_one(page):
    for line in {line for name, line in commands() if name == page}:
        _, *words = shlex.split(line, comments=True)
        command, context = cli, click.Context(cli, info_name="gates", **cli.context_settings)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
            context = click.Context(command, context)
        command.make_parser(context).parse_args(words)  # an option that is not there raises


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_of_the_docs_is_python(page):
    for _, _, language, text in blocks(page):
        if language == "python":
            compile(text, page.name, "exec")


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
    promises = [row for row in rows if row.startswith("P")]
    assert len(promises) >= 12
    assert rows == [f"P{n}" for n in range(1, len(promises) + 1)] + [f"T{n}" for n in range(1, 19)]


def _source(path):
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(path.read_text()), f"{page.name}: {target}#{anchor}"


def anchors(text):
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_in_the_index(page):
    index = (ROOT / "docs/README.md").read_text()
    assert page.parent != ROOT / "docs" or page.name == "README.md" or f"]({page.name})" in index


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/pictures").glob("*.svg")), ids=lambda picture: picture.name)
def test_a_picture_is_small_says_what_is_seen_and_is_shown(picture):
    text = picture.read_text()
    assert len(text) < 8_000
    assert "prefers-color-scheme:dark" in text
    assert all(
        ElementTree.fromstring(text).findtext(f"{{http://www.w3.org/2000/svg}}{part}")  # noqa: S314 -- our own
        for part in ("title", "desc")
    )
    assert any(f"](pictures/{picture.name})" in page.read_text() for page in PAGES)


def test_the_report_page_tells_every_code():
    page = (ROOT / "docs/read-a-report.md").read_text()
    told = re.findall(r"`([a-z_]+)`", page.split("## Codes")[1])
    assert [code for code in Code if told.count(code) != 1] == []


def test_workflows_of_the_docs_give_inputs_that_there_are():
    seen = 0
    for page in PAGES:
        for _, _, language, text in blocks(page):
            jobs = (yaml.safe_load(text) or {}) if language == "yaml" else {}
            for job in jobs.get("jobs", {}).values() if isinstance(jobs, dict) else ():
                called = re.match(r"OWNER/gates/(\.github/workflows/[\w-]+\.yml)@", job.get("uses", ""))
                if called is None:
                    continue
                call = yaml.safe_load((ROOT / called[1]).read_text())[True]["workflow_call"]
                given, known = job.get("with", {}), call["inputs"]
                assert set(given) <= set(known), f"{page.name}: {called[1]}"
                assert {name for name, one in known.items() if one.get("required")} <= set(given), page.name
                seen += 1
    assert seen > 8
