"""How long a first and a second promotion take, whole process: into a branch of the repository, and into MLflow."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GATES = Path(sys.executable).parent / "gates"
RUNS = 5
REGISTRIES = {"a branch of the repository": "", "MLflow, an SQLite file": "sqlite:///mlflow.db"}
BEGIN = """
git init -q -b main && git init -q --bare ../origin.git && git remote add origin ../origin.git
python prepare.py && git add -A
git -c user.name=x -c user.email=x@example.invalid -c commit.gpgsign=false commit -qm x && git push -q origin main
gates run
"""
AGAIN = """
rm -rf mlflow.db* mlartifacts
for branch in gates-ledger gates-registry; do
  git -C ../origin.git update-ref -d refs/heads/$branch
  git update-ref -d refs/gates/$branch
done
"""
OTHER = "gates promote && cp candidates/better.json params.json && gates run && git checkout -q params.json"


def shell(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Run what is not measured."""
    subprocess.run(["/bin/sh", "-ec", script], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603


def processor() -> float:
    """Seconds of processor time that children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(folder: Path, judged: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor time of the promotion of what was judged before, which must be one."""
    shutil.rmtree(folder / ".gates")
    shutil.copytree(judged, folder / ".gates")
    start, used = time.perf_counter(), processor()
    done = subprocess.run(  # noqa: S603
        [GATES, "promote"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert "is now champion" in done.stdout, done.stdout  # noqa: S101
    return time.perf_counter() - start, processor() - used


def main() -> None:
    """Print a Markdown table: the registries in turn, so that a machine that slows down slows both."""
    with tempfile.TemporaryDirectory() as made:
        folder, judged = Path(made) / "telco", {name: Path(made) / name for name in ("first", "second")}
        shutil.copytree(ROOT / "configs/telco-churn", folder)
        environment = {**os.environ, "PATH": f"{GATES.parent}:{os.environ['PATH']}", "MLFLOW_TRACKING_URI": ""}
        for script, kept in zip((BEGIN, OTHER), judged.values(), strict=True):
            shell(script, folder, environment)
            shutil.copytree(folder / ".gates", kept)
        taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for turn in range(RUNS + 1):  # the first turn warms up
            for name, uri in REGISTRIES.items():
                shell(AGAIN, folder, environment)
                for which, kept in judged.items():
                    found = seconds(folder, kept, environment | {"MLFLOW_TRACKING_URI": uri})
                    if turn:
                        taken.setdefault((name, which), []).append(found)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {RUNS} runs each\n")
    print("| registry | promotion | median | min | max | processor, median |\n|:--|:--|--:|--:|--:|--:|")
    for (name, which), times in taken.items():
        wall, used = ([one[place] for one in times] for place in (0, 1))
        told = f"{statistics.median(wall):.2f} s | {min(wall):.2f} | {max(wall):.2f} | {statistics.median(used):.2f} s"
        print(f"| {name} | {which} | {told} |")


if __name__ == "__main__":
    main()
