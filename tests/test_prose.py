"""Prose reads like English: a short table of phrases that don't, each with a better one, and proselint's own checks.

It is held against every page, help text, message, docstring and comment, and the descriptions of actions.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT

PHRASES = {  # a regular expression of whole words -> what to write
    r"mend(?:s|ed|ing)?": "fix",
    r"is no (?:JSON|text|number|digest|commit|file|key|link|plain|person|part of|regular expression)": "is not a …",
    r"(?:can't|can not|cannot) be told(?! apart)": "can't be determined",
    r"(?:is|are|was|were) told (?:as|of|with|by|in|that)": "is reported as, is shown",
    r"tells? every mistake": "reports every mistake",
    r"stands? twice": "occurs twice",
    r"stands? (?:beside|in its place|half)": "is next to",
    r"(?:is|are) no days? to come": "is not in the future",
    r"(?:for|with) who (?:can|is|has|looks|sees|wants|only|holds)": "for whoever, for those who",
    r"dear(?:er|est)?": "expensive",
    r"for ever": "forever",
    r"anew": "again",
    r"(?:hangs?|leans?) on": "depends on",
    r"(?:at most|at least) so (?:many|much)": "at most this many",
    r"tak(?:e|es|en|ing) (?:it|them|the tag|the line) away": "remove it",
    r"lets? (?:\w+ ){1,4}name again": "moves … back to",
    r"as ever": "as always",
    r"by whose word": "who vouches for",
    r"of old": "old",
    r"turned round": "reversed",
    r"for want of": "because … is missing",
    r"half done": "incomplete",
    r"bars?(?! of characters)": "rule (what a gate asks), limit (its number)",
    r"lopsided": "skewed",
    r"laid down|lays? down": "creates",
}  # fmt: skip
PATTERNS = {
    re.compile(rf"(?<![\w`/.-])(?:{phrase})(?![\w`/]|-\w|\.\w)", re.IGNORECASE): better
    for phrase, better in PHRASES.items()
}
PATTERNS[re.compile("[«»“”‘’]")] = "straight quotes"
OFF = ("lexical_illusions", "typography", "weasel_words")  # of proselint: code looks like the first; we quote straight
PAGES = sorted(
    path
    for glob in (
        "*.md",
        "docs/*.md",
        "tests/README.md",
        "configs/*/README.md",
        "actions/*/README.md",
        "gates/template/**/*.md*",
    )
    for path in ROOT.glob(glob)
)
ACTIONS = sorted([*ROOT.glob("actions/*/action.yml"), *ROOT.glob(".github/workflows/*.yml")])
MODULES = sorted(path for path in (ROOT / "gates").rglob("*.py") if "template" not in path.parts)


def of_page(path: Path) -> Iterator[tuple[int, str]]:
    """(line, its text) outside of code."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", "`", line)


def of_module(path: Path) -> Iterator[tuple[int, str]]:
    """(line, its text) of strings of more than one word, docstrings, and comments."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            for offset, line in enumerate(node.value.split("\n")):
                yield node.lineno + offset, line
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def of_action(path: Path) -> Iterator[tuple[int, str]]:
    """(line, its text) of descriptions and comments."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "description:" in line or "#" in line:
            yield number, line


READERS = ((PAGES, of_page), (MODULES, of_module), (ACTIONS, of_action))
FILES = [pytest.param(path, reader, id=str(path.relative_to(ROOT))) for paths, reader in READERS for path in paths]


def found(lines: Iterator[tuple[int, str]]) -> list[str]:
    """``line 3: mend (better: fix)`` for each phrase of the table."""
    return [
        f"line {number}: {match[0]} (better: {better})"
        for number, line in lines
        for pattern, better in PATTERNS.items()
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize(("path", "reader"), FILES)
def test_no_phrase_of_the_table(path, reader):
    assert found(reader(path)) == []


def test_a_phrase_of_the_table_would_be_found():
    lines = enumerate(
        ("It is no JSON: mend it.", "`mend`, amend and mend.py are fine", "a bar of 0.8; a bar of characters"), 1
    )
    assert found(lines) == [
        "line 1: mend (better: fix)",
        "line 1: is no JSON (better: is not a …)",
        "line 3: bar (better: rule (what a gate asks), limit (its number))",
    ]


def complaints(folder: Path, texts: dict[str, dict[int, str]]) -> list[str]:
    """What proselint says of some files' lines, with their places."""
    for name, lines in texts.items():
        path = folder / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1)))
    config = folder / "proselint.json"
    config.write_text(json.dumps({"checks": dict.fromkeys(OFF, False)}))
    command = [Path(sys.executable).with_name("proselint"), "check", "--config", config, *sorted(texts)]
    done = subprocess.run(command, cwd=folder / "texts", capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_proselint_finds_nothing(tmp_path):
    texts = {str(path.relative_to(ROOT)): dict(of_page(path)) for path in PAGES}
    assert complaints(tmp_path, texts) == []


def test_proselint_would_find_something(tmp_path):
    (complaint,) = complaints(tmp_path, {"page.md": {2: "It stays there for ever."}})
    assert "page.md:2" in complaint
