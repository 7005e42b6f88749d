from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from gates.errors import Exit, GatesError
from gates.github import outputs

HOSTILE = [
    "plain",
    "",
    "two\nlines",
    "fine\nverdict=pass",
    "fine\r\nverdict=pass\r\n",
    "gates_00\nverdict<<X\npass\nX",
    "::set-output name=verdict::pass",
    "${{ secrets.GITHUB_TOKEN }}",
    "@team <!-- --> `x` | 100%",
    "\ud800 half a pair",
]


def as_the_runner_reads(content: str) -> dict[str, str]:
    """The runner's rules for its output file: NAME<<BORDER, lines, BORDER."""
    found: dict[str, str] = {}
    lines = iter(content.split("\n"))
    for line in lines:
        if not line:
            continue
        name, heredoc, border = line.partition("<<")
        if not heredoc:
            name, _, found[name] = line.partition("=")
            continue
        value = []
        for inner in lines:
            if inner == border:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


@pytest.mark.parametrize("reason", HOSTILE)
def test_no_line_of_a_value_becomes_an_output(tmp_path: Path, reason: str) -> None:
    environ = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    outputs.write_outputs(environ, {"verdict": "fail", "reason": reason})
    outputs.write_outputs(environ, {"report": ".gates/report.md"})
    found = as_the_runner_reads((tmp_path / "output").read_bytes().decode())
    reason = reason.encode("utf-8", "replace").decode()
    assert found == {"verdict": "fail", "reason": reason, "report": ".gates/report.md"}


def test_borders_differ_from_value_to_value(tmp_path: Path) -> None:
    outputs.write_outputs({"GITHUB_OUTPUT": str(tmp_path / "o")}, {"a": "x", "b": "y"})
    borders = re.findall(r"<<(\S+)", (tmp_path / "o").read_text())
    assert len(set(borders)) == 2
    assert all(re.fullmatch(r"gates_[0-9a-f]{32}", border) for border in borders)


@pytest.mark.parametrize("name", ["", "Verdict", "a b", "a\nb", "a=b", "a<<b"])
def test_names_are_plain_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an output"):
        outputs.write_outputs({"GITHUB_OUTPUT": str(tmp_path / "o")}, {name: "x"})


def test_outside_github_nothing_happens() -> None:
    outputs.write_outputs({}, {"verdict": "pass"})
    outputs.write_summary({}, "# fine")


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(GatesError, match="GITHUB_OUTPUT: can't be written") as caught:
        outputs.write_outputs({"GITHUB_OUTPUT": str(tmp_path)}, {"verdict": "pass"})
    assert caught.value.exit_code is Exit.OUTSIDE


def test_the_summary_grows_and_never_passes_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    environ = {"GITHUB_STEP_SUMMARY": str(file)}
    outputs.write_summary(environ, "# one")
    outputs.write_summary(environ, "# ü" + "x" * (outputs.SUMMARY_LIMIT - 100))
    assert file.read_text().startswith("# one\n# ü")
    outputs.write_summary(environ, "y" * 200)
    content = file.read_bytes()
    assert b"yy" not in content
    assert b"too long for this page" in content


def test_commands_are_stopped_with_a_word_that_nobody_can_guess() -> None:
    words = set()
    for _ in range(2):
        stream = io.StringIO()
        outputs.stop_commands({"GITHUB_ACTIONS": "true"}, stream)
        match = re.fullmatch(r"::stop-commands::([0-9a-f]{32})\n", stream.getvalue())
        assert match
        words.add(match[1])
    assert len(words) == 2


def test_on_a_laptop_nothing_is_printed_for_the_runner() -> None:
    stream = io.StringIO()
    outputs.stop_commands({}, stream)
    assert stream.getvalue() == ""
