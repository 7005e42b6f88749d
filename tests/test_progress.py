"""Progress: a line a step; on a terminal what is left of the time that it took before."""

from __future__ import annotations

import io
import json
import re
import time

import pytest

from gates.system.progress import MOST_LINES, Steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(stream, took, seconds=0.0):
    with Steps(stream, colour=True, took=took).step("train", "python train.py"):
        time.sleep(seconds)
    return stream.getvalue()


@pytest.mark.parametrize(
    "before",
    [
        b'{"train": 30000}',
        b"{}",
        b"[1]",
        b'{"train": "soon"}',
        b"\xff",
        b'{"train": 1e999}',
        b'{"train": "30000"}',
        None,
    ],
)
def test_a_terminal_is_told_what_is_left(tmp_path, before):
    took = tmp_path / "took.json"
    if before is not None:
        took.write_bytes(before)
    said = told(Terminal(), took, 0.3)
    left = [int(seconds) for seconds in re.findall(r"about (\d+) s left", said)]
    assert bool(left) == (before in (b'{"train": 30000}', b'{"train": "30000"}'))
    assert all(29_000 < seconds <= 30_000 for seconds in left)
    assert ("s left" in said) == bool(left)
    assert re.search(r"✓ train     python train.py  \(\d+\.\d s\)", said)
    assert 0.2 < json.loads(took.read_bytes())["train"] < 1_000


def test_nobody_else_is_and_nothing_is_remembered(tmp_path):
    took = tmp_path / "took.json"
    took.write_text('{"train": 30}')
    assert "left" not in told(io.StringIO(), took)
    assert took.read_text() == '{"train": 30}'
    told(Terminal(), tmp_path / "nowhere/took.json")
    assert list(tmp_path.iterdir()) == [took]


def test_a_step_that_fails_is_not_remembered(tmp_path):
    with pytest.raises(ZeroDivisionError), Steps(Terminal(), colour=True, took=tmp_path / "took.json").step("train"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("live", [True, False])
def test_what_a_process_prints_is_shown_while_it_runs(tmp_path, live):
    log, stream = tmp_path / "train.log", Terminal() if live else io.StringIO()
    steps = Steps(stream, colour=live)
    seen = []
    with steps.step("train"), steps.follow(log), log.open("wb") as file:
        for line in (b"epoch 1\r\n", b" 10 %\r 90 %\r100 %\n", b"\x1b[31m::error::x\n"):
            file.write(line)
            file.flush()
            until = time.monotonic() + 60
            while stream.getvalue().count("  | ") <= len(seen) and time.monotonic() < until:
                time.sleep(0.01)
            seen.append(stream.getvalue())
        file.write(b"no end of line")
    said = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()).splitlines() if "  | " in line]
    assert "epoch 1" in seen[0]
    assert "error" not in seen[1]
    assert [line.partition("  | ")[2].rstrip() for line in said] == [
        "epoch 1",
        "100 %",
        " [31m::error::x" if not live else said[2].partition("  | ")[2].rstrip(),
        "no end of line",
    ]


def test_a_flood_of_lines_is_cut_and_counted(tmp_path):
    log, stream = tmp_path / "train.log", io.StringIO()
    with Steps(stream).follow(log):
        log.write_bytes(b"x\n" * (MOST_LINES + 17))
    *lines, last = stream.getvalue().splitlines()
    assert lines == ["  | x"] * MOST_LINES
    assert last == f"  | (and 17 more lines, in {log})"


def test_who_asked_for_quiet_gets_it(tmp_path):
    log, stream = tmp_path / "train.log", io.StringIO()
    with Steps(stream, quiet=True).follow(log):
        log.write_bytes(b"x\n")
    assert stream.getvalue() == ""
