"""From checkout to verdict on the telco example, step by step: the commands of model-gate.yml, a folder a machine; then
those of the action for one job, on the default branch, where the model is promoted.

The framework's own share is everything but the user's training. What GitHub adds (starting machines, moving artifacts)
is not in it, and neither is the first install, which is shown by itself.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = 5
LIMIT, ONE = 10.0, 5.0  # seconds of the framework's own share, on two cores: of several jobs, and of one


class Machine:
    """One job: a checkout of its own, what was handed to it, and how long its steps took."""

    def __init__(self, folder: Path, name: str, took: list[tuple[str, str, float]]) -> None:
        self.name = name
        self.root = folder / name
        self.took = took
        self.handed = folder / f"{name}-handed"
        start = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(folder / "origin"), str(self.root)], check=True)  # noqa: S603, S607
        self.note("checkout", start)

    def note(self, step: str, start: float) -> None:
        """Remember how long a step took."""
        self.took.append((self.name, step, time.perf_counter() - start))

    def setup(self, home: Path) -> None:
        """As actions/setup, on a machine that has the wheels at hand."""
        start = time.perf_counter()
        subprocess.run([ROOT / "scripts/install", home, ROOT / "locks/gates.txt"], check=True, capture_output=True)  # noqa: S603
        self.note("setup", start)

    def take(self, name: str, source: Path) -> str:
        """Get a folder from another machine; gives its line of the digests."""
        shutil.copytree(source, self.handed / name)
        done = subprocess.run([PYTHON, "-c", DIGEST, source], check=True, capture_output=True, text=True)  # noqa: S603
        return f"{name} {done.stdout.strip()}"

    def gates(self, command: str, *arguments: str) -> None:
        """One command of gates; a failure ends the bench with what it said."""
        start = time.perf_counter()
        environ = {**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run([PYTHON.parent / "gates", command, *arguments], cwd=self.root, env=environ, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(f"gates {command} ended with {done.returncode}")
        self.note(f"gates {command}", start)


PYTHON = Path()
DIGEST = """
import sys
from pathlib import Path
from gates.system.files import folder_digest
print(folder_digest(Path(sys.argv[1])))
"""


def main() -> None:
    """Print a Markdown table of steps."""
    global PYTHON  # noqa: PLW0603 -- the environment that the first setup makes
    took: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        home = folder / "gates"
        prepare(folder / "origin")
        start = time.perf_counter()
        subprocess.run([ROOT / "scripts/install", home, ROOT / "locks/gates.txt"], check=True, capture_output=True)  # noqa: S603
        first = time.perf_counter() - start
        PYTHON = home / "bin/python"
        warm(PYTHON)
        took.clear()
        data, train, score, judge = (Machine(folder, name, took) for name in ("data", "train", "score", "judge"))
        for machine in (data, train, score, judge):
            machine.setup(home)
        data.gates("check-data")
        line = train.take("data", data.root / ".gates/data")
        train.gates("train", "--handed", str(train.handed), "--digests", line)
        lines = [line, score.take("candidate", train.root / ".gates/candidate")]
        score.take("data", data.root / ".gates/data")
        score.gates("score", "--model", "candidate", "--handed", str(score.handed), "--digests", "\n".join(lines))
        lines = [
            judge.take("served", data.root / ".gates/served"),
            judge.take("candidate", train.root / ".gates/candidate"),
        ]
        lines.append(judge.take("scores", score.root / ".gates/scored"))
        judge.gates("run", "--handed", str(judge.handed), "--digests", "\n".join(lines))
        alone = [training(train.root)]
        several = report("model-gate.yml", took, alone[0], LIMIT)
        took.clear()
        for run in range(RUNS):
            one_job(folder, home, str(run), took)
            alone.append(training(train.root))
    within = report("one job, medians of several runs", medians(took), statistics.median(alone), ONE)
    print(f"\nfirst install {first:.1f} s")
    sys.exit(0 if several and within else 1)


def one_job(folder: Path, home: Path, run: str, took: list[tuple[str, str, float]]) -> None:
    """All of the action for one job, in a repository of its own: what it says to GitHub is not in it."""
    place = folder / f"run-{run}"
    shutil.copytree(folder / "origin", place / "origin")
    machine = Machine(place, "one job", took)
    machine.setup(home)
    for command in ("run", "keep", "promote"):
        machine.gates(command)


def medians(took: list[tuple[str, str, float]]) -> list[tuple[str, str, float]]:
    """One row a step: the median of its runs."""
    steps = dict.fromkeys((job, step) for job, step, _ in took)
    return [(*one, statistics.median(seconds for *step, seconds in took if tuple(step) == one)) for one in steps]


def prepare(origin: Path) -> None:
    """The telco example in a repository."""
    shutil.copytree(ROOT / "configs/telco-churn", origin)
    author = ("-c", "user.name=dana", "-c", "user.email=dana@example.invalid")
    for command in (
        (sys.executable, "prepare.py"),
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "add", "--all", "--force"),
        ("git", *author, "commit", "--quiet", "--message=start"),
    ):
        subprocess.run(command, cwd=origin, check=True, capture_output=True)  # noqa: S603


def warm(python: Path) -> None:
    """Compile what is imported: an image that has gates ready has it compiled, too."""
    code = "import duckdb, mlflow.sklearn, pandas, sklearn"
    subprocess.run([python, "-c", code], check=True, capture_output=True)  # noqa: S603


def training(root: Path) -> float:
    """Seconds of the user's own command, run by itself."""
    environ = {**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}", "GATES_SEED": "0"}
    environ |= {"GATES_TRAIN": str(root / "data/train.parquet"), "GATES_OUT": str(root / "alone")}
    shutil.rmtree(root / "alone", ignore_errors=True)
    (root / "alone").mkdir()
    start = time.perf_counter()
    subprocess.run([PYTHON, "train.py"], cwd=root, env=environ, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - start


def report(title: str, took: list[tuple[str, str, float]], theirs: float, limit: float) -> bool:
    """Print the table; gives whether the share is within its limit."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(f"\n## {title}\n\n{machine}\n")
    print("| job | step | seconds |\n|:--|:--|--:|")
    for job, step, seconds in took:
        print(f"| {job} | {step} | {seconds:.2f} |")
    own = sum(seconds for _, _, seconds in took) - theirs
    print(f"\nthe user's training {theirs:.1f} s; the framework's own share {own:.2f} s, of at most {limit:.0f}")
    return own < limit


if __name__ == "__main__":
    main()
