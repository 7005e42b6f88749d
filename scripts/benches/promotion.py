"""How long a first and a second promotion take, whole process: into a branch of the repository, and into MLflow."""

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
GATES = Path(sys.executable).parent / "gates"
RUNS = 7
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
OTHER = "cp candidates/better.json params.json && gates run"  # a policy that counts is that of the default branch


def shell(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Run what is not measured."""
    subprocess.run(["/bin/sh", "-ec", script], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603


def seconds(folder: Path, environment: dict[str, str]) -> float:
    """Wall time of one promotion, which must be one."""
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        [GATES, "promote"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    taken = time.perf_counter() - start
    assert "is now champion" in done.stdout, done.stdout  # noqa: S101
    return taken


def main() -> None:
    """Print a Markdown table: the registries in turn, so that a machine that slows down slows both."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "telco"
        shutil.copytree(ROOT / "configs/telco-churn", folder)
        environment = {**os.environ, "PATH": f"{GATES.parent}:{os.environ['PATH']}", "MLFLOW_TRACKING_URI": ""}
        shell(BEGIN, folder, environment)
        first, second = folder / ".gates", Path(made) / "first"
        shutil.copytree(first, second)
        taken: dict[tuple[str, str], list[float]] = {}
        for turn in range(RUNS + 1):  # the first turn warms up
            for name, uri in REGISTRIES.items():
                named = environment | {"MLFLOW_TRACKING_URI": uri}
                shell(AGAIN, folder, environment)
                for which, prepare in (("first", "true"), ("second", OTHER)):
                    shell(prepare, folder, named)
                    found = seconds(folder, named)
                    if turn:
                        taken.setdefault((name, which), []).append(found)
                shell("git checkout -q params.json", folder, environment)
                shutil.rmtree(first)
                shutil.copytree(second, first)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {RUNS} runs each\n")
    print("| registry | promotion | median | min | max |\n|:--|:--|--:|--:|--:|")
    for (name, which), times in taken.items():
        print(f"| {name} | {which} | {statistics.median(times):.2f} s | {min(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    main()
