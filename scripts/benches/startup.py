"""How long the light commands take, whole process: against a bare Python, and against importing what peers import."""

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
GATES = str(Path(sys.executable).parent / "gates")
RUNS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "gates --version": [GATES, "--version"],
    "gates check": [GATES, "check"],
    "gates judge": [GATES, "judge"],
    "gates report": [GATES, "report"],
    "import sklearn.metrics": [sys.executable, "-c", "import sklearn.metrics"],
    "import fairlearn.metrics": [sys.executable, "-c", "import fairlearn.metrics"],
    "import mlflow": [sys.executable, "-c", "import mlflow"],
}


def prepare(folder: Path) -> None:
    """The telco churn example with a champion and evidence on a second candidate."""
    shutil.copytree(ROOT / "configs/telco-churn", folder, dirs_exist_ok=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    steps = "python prepare.py && gates run && gates promote && cp candidates/better.json params.json && gates run"
    subprocess.run(["/bin/sh", "-ec", steps], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one whole process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603
    return time.perf_counter() - start


def main() -> None:
    """Print a Markdown table: medians in turn, so that a machine that slows down slows all alike."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        prepare(folder)
        for command in COMMANDS.values():
            seconds(command, folder)
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(RUNS):
            for name, command in COMMANDS.items():
                taken[name].append(seconds(command, folder))
    judged = statistics.median(taken["gates judge"])
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {RUNS} runs each\n")
    print("| command | median | min | max | against gates judge |\n|:--|--:|--:|--:|--:|")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"| `{name}` | {median:.3f} s | {min(times):.3f} | {max(times):.3f} | {median / judged:.1f}× |")


if __name__ == "__main__":
    main()
