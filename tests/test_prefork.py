"""A forked `gates` is to its caller what a process of its own is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefork import MODULES

sys.path.insert(0, str(Path(__file__).parent / "edge"))

from edge_project import soon, state

POLICY = {
    "version": 1, "model": "m", "data": {"holdout": "h.csv", "label": "y", "positive": "1", "key": "id"},
    "train": "cp p.csv $GATES_OUT/predictions.csv", "gates": [{"metric": "accuracy", "min": 0.5}],
}  # fmt: skip
TOOK = re.compile(rb"\(\d+\.\d s\)")
OWN = Path(sys.executable).parent  # the programs of processes of their own


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "gates.yaml").write_text(json.dumps(POLICY))
    (tmp_path / "h.csv").write_text("id,y\n" + "".join(f"{number},{number % 2}\n" for number in range(40)))
    (tmp_path / "p.csv").write_text("id,score\n" + "".join(f"{number},0.{number % 2}\n" for number in range(40)))
    return tmp_path


def ended(program: Path, home: Path, arguments: list[str], **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [program, *arguments], cwd=home, env=dict(os.environ) | environment, input=b"typed", capture_output=True,
        umask=0o027, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"], ["--help"], ["nothing"], ["check"], ["check", "--explain"], ["check", "--policy", "none.yaml"],
        ["status"], ["judge"], ["schema"], ["run"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_it_says_the_same_and_ends_the_same(forked: Path, home: Path, arguments: list[str]) -> None:
    forked_one, own = (ended(programs / "gates", home, arguments, NO_COLOR="1") for programs in (forked, OWN))
    assert [TOOK.sub(b"", text) for text in forked_one[1:]] == [TOOK.sub(b"", text) for text in own[1:]]
    assert forked_one[0] == own[0]
    assert (home / ".gates/evidence.json").exists() == (arguments == ["run"])


SEEN = """
import json, os, signal, sys
umask = os.umask(0)
ignored = [int(one) for one in (1, 2, 13, 15, 17) if signal.getsignal(one) == signal.SIG_IGN]
seen = [os.getcwd(), sys.stdin.read(), umask, ignored, dict(os.environ), os.isatty(1)]
open("seen.json", "w").write(json.dumps(seen, sort_keys=True))
"""


def test_a_training_sees_the_same(forked: Path, home: Path) -> None:
    (home / "seen.py").write_text(SEEN)
    (home / "gates.yaml").write_text(json.dumps(POLICY | {"train": f"exec {sys.executable} seen.py"}))
    found = []
    for programs in (forked, OWN):
        ended(programs / "gates", home, ["run"], ODD="x", TZ="Asia/Kathmandu", COLUMNS="33", PYTHONPATH="/odd")
        found.append((home / "seen.json").read_text())
        (home / "seen.json").unlink()
    assert found[0] == found[1]
    assert '"COLUMNS": "33"' in found[0]


def test_what_is_no_module_of_gates_is_run_by_the_real_python(forked: Path, home: Path) -> None:
    arguments = ["-c", "import sys; print(sys.executable, sys.argv, sys.stdin.read()); sys.exit(7)", "a", "-m"]
    assert ended(forked / "python", home, arguments) == ended(OWN / "python", home, arguments)
    assert ended(forked / "python", home, arguments)[0] == 7


@pytest.mark.parametrize("module", MODULES)
def test_a_module_of_gates_fails_as_it_does_alone(forked: Path, home: Path, module: str) -> None:
    found, alone = (ended(programs / "python", home, ["-m", module, "a"]) for programs in (forked, OWN))
    assert found[:2] == alone[:2] == (1, b"")
    assert found[2].splitlines()[-1] == alone[2].splitlines()[-1]


def begun(programs: Path, home: Path) -> tuple[subprocess.Popen[bytes], int]:
    """`gates run` at its training, and the process that waits for the training."""
    (home / "gates.yaml").write_text(json.dumps(POLICY | {"train": "echo $$ > pid; sleep 600"}))
    process = subprocess.Popen([programs / "gates", "run"], cwd=home, stderr=subprocess.PIPE)
    pid = home / "pid"
    assert soon(lambda: pid.exists() and pid.read_text())
    parent = int(Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[1])
    assert soon(lambda: state(parent) == "S")
    return process, parent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_it(forked: Path, home: Path, number: signal.Signals) -> None:
    told = []
    for programs in (forked, OWN):
        process, parent = begun(programs, home)
        process.send_signal(number)
        _, error = process.communicate()
        told.append((process.returncode, b"gates: stopped" in error))
        assert soon(lambda: state(int((home / "pid").read_text())) == "Z")
        assert soon(lambda parent=parent: state(parent) == "Z")
        (home / "pid").unlink()
    assert told[0] == told[1]


def test_it_is_killed_with_its_caller(forked: Path, home: Path) -> None:
    process, parent = begun(forked, home)
    assert parent != process.pid, "the control: another process does the work"
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert soon(lambda: state(parent) == "Z")
    os.kill(int((home / "pid").read_text()), signal.SIGKILL)
