"""How long metrics with intervals take, and how much memory: beside fairlearn, MLflow, and a bare scan.

    scripts/bench metrics [--rows 10000000] [--grow 1000000,100000000] [--runs 5] [--only frame,scan,grow]

Every measurement of ours is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

CELLS = [
    *("accuracy", "precision", "recall", "specificity", "false_positive_rate", "false_negative_rate"),
    *("false_discovery_rate", "false_omission_rate", "selection_rate", "f1", "balanced_accuracy", "matthews_corrcoef"),
]
FAIR = ["demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference"]
FRAME = ["accuracy", "recall", "selection_rate"]


def tables(folder: Path, rows: int, groups: int) -> None:
    """A holdout with a label and a group, and two models' scores of its rows, as Parquet."""
    engine = duckdb.connect()
    engine.execute("SELECT setseed(0.5)")
    engine.execute(
        f"CREATE TABLE drawn AS SELECT CAST(random() < 0.2 AS TINYINT) AS y, 'g' || CAST(floor(random() * {groups}) AS "
        f"INTEGER) AS g, random() AS u, random() AS v, random() AS w FROM range({rows})"
    )
    engine.execute(f"COPY (SELECT y, g FROM drawn) TO '{folder}/holdout.parquet'")
    for name, own in (("candidate", "v"), ("champion", "w")):
        (folder / name).mkdir()
        score = f"least(1, greatest(0, 0.25 * y + 0.45 * u + 0.3 * {own}))"
        engine.execute(f"COPY (SELECT {score} AS score FROM drawn) TO '{folder}/{name}/predictions.parquet'")


def policy(metrics: list[str], *, ranks: bool) -> dict[str, Any]:
    """Every metric against the champion, on the whole and on every slice."""
    limits = {"max_worsening": 0.05}
    plain = [one for one in metrics if one not in FAIR]
    gates: list[dict[str, Any]] = [
        {"metric": one, "slices": limits} | limits
        if one != "selection_rate"
        else {"metric": one, "slices": {"max": 0.99}}
        for one in plain
    ]
    gates += [{"metric": one, "by": "g"} | limits for one in metrics if one in FAIR]
    gates += [{"metric": "roc_auc", "slices": limits} | limits] if ranks else []
    return {
        "version": 1,
        "model": "bench",
        "data": {"holdout": "holdout.parquet", "label": "y"},
        "predict": {"threshold": 0.5},
        "train": {"run": "true"},
        "slices": ["g"],
        "gates": gates,
    }


def measured(folder: Path, metrics: list[str], *, ranks: bool) -> dict[str, float]:
    """Seconds of each step, in this process, and its peak memory in MB."""
    from gates.judge.judge import judge
    from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
    from gates.measure.measurement import Measurement
    from gates.policy.policy_file import read

    resolved = read(json.dumps(policy(metrics, ranks=ranks)).encode(), "gates.yaml", lambda _: b"")
    start = time.perf_counter()
    bench = Measurement(resolved, folder, folder)
    ours = ModelOutput(digest="sha256:a", folder=folder / "candidate")
    champion = folder / "champion"
    theirs = RegisteredModel(
        version="1",
        digest="sha256:b",
        predictions=lambda _: champion / "predictions.parquet",
        folder=lambda: champion,
    )
    took: dict[str, float] = {}
    joined = bench._joined(
        bench._placed(ours.folder / "predictions.parquet", "candidate"), bench._serving(theirs, "champion")[0]
    )
    took["joined"] = time.perf_counter() - start
    start = time.perf_counter()
    bench._counting.slices(joined, {})
    took["counted"] = time.perf_counter() - start
    start = time.perf_counter()
    evidence = bench.evidence((), [ours], Rivals(champion=theirs))
    took["evidence"] = time.perf_counter() - start
    start = time.perf_counter()
    decision = judge(resolved, evidence)
    took["judged"] = time.perf_counter() - start
    took["verdicts"] = len(decision.gates)
    took["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return took


def ours(folder: Path, metrics: list[str], *, ranks: bool = False) -> dict[str, float]:
    """The same in a process of its own."""
    asked = json.dumps([str(folder), metrics, ranks])
    done = subprocess.run([sys.executable, __file__, "--child", asked], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def scan(folder: Path) -> float:
    """Seconds of a bare sum over the same columns."""
    engine = duckdb.connect()
    start = time.perf_counter()
    engine.execute(f"SELECT sum(y), max(g) FROM '{folder}/holdout.parquet'").fetchall()
    for name in ("candidate", "champion"):
        engine.execute(f"SELECT sum(score) FROM '{folder}/{name}/predictions.parquet'").fetchall()
    return time.perf_counter() - start


def frame(folder: Path) -> float:
    """Seconds of fairlearn's MetricFrame with 100 bootstrap samples: 3 metrics by group, one model."""
    import fairlearn.metrics as fm
    import pandas as pd
    import sklearn.metrics as sm

    held = pd.read_parquet(folder / "holdout.parquet")
    called = (pd.read_parquet(folder / "candidate" / "predictions.parquet")["score"] >= 0.5).astype(int)
    start = time.perf_counter()
    fm.MetricFrame(
        metrics={"accuracy": sm.accuracy_score, "recall": sm.recall_score, "selection_rate": fm.selection_rate},
        y_true=held["y"],
        y_pred=called,
        sensitive_features=held["g"],
        n_boot=100,
        ci_quantiles=[0.025, 0.975],
    )
    return time.perf_counter() - start


def evaluated(folder: Path) -> float:
    """Seconds of mlflow.models.evaluate on the candidate's calls of a static table: no slices, no intervals."""
    import mlflow
    import pandas as pd

    held = pd.read_parquet(folder / "holdout.parquet")
    held["called"] = (pd.read_parquet(folder / "candidate" / "predictions.parquet")["score"] >= 0.5).astype(int)
    with tempfile.TemporaryDirectory() as made:
        mlflow.set_tracking_uri(f"sqlite:///{made}/mlflow.db")
        with mlflow.start_run():
            start = time.perf_counter()
            mlflow.models.evaluate(
                data=held[["y", "called"]],
                targets="y",
                predictions="called",
                model_type="classifier",
                evaluators="default",
            )
            return time.perf_counter() - start


def median(what: Callable[[], float], runs: int) -> float:
    """Of some runs."""
    return statistics.median(what() for _ in range(runs))


def medians(what: Callable[[], dict[str, float]], runs: int) -> dict[str, float]:
    """Of each of what is measured."""
    found = [what() for _ in range(runs)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


HEAD = "| what | rows | scan | joined | counted | against the scan | whole evidence | judged | peak memory |"


def row(what: str, rows: int, bare: float, took: dict[str, float]) -> str:
    """A row of the table under ``HEAD``."""
    return (
        f"| {what} | {rows:,} | {bare:.3f} s | {took['joined']:.2f} s | {took['counted']:.2f} s | "
        f"{took['counted'] / bare:.1f}× | {took['evidence']:.2f} s | {took['judged']:.2f} s ({took['verdicts']:.0f} "
        f"verdicts) | {took['peak']:,.0f} MB |"
    )


def within(rows: int, groups: int, do: Callable[[Path], None]) -> None:
    """Do something with fresh tables."""
    with tempfile.TemporaryDirectory() as made:
        tables(Path(made), rows, groups)
        do(Path(made))


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--grow", default="1000000,10000000,100000000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="frame,scan,grow,mlflow")
    parser.add_argument("--child", default="")
    given = parser.parse_args()
    if given.child:
        folder, metrics, ranks = json.loads(given.child)
        print(json.dumps(measured(Path(folder), metrics, ranks=ranks)))
        return
    runs, only = given.runs, given.only.split(",")
    names = ", ".join(f"{one} {version(one)}" for one in ("duckdb", "fairlearn", "mlflow"))
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {names}, {os.cpu_count()} cores, median of {runs}, load {load:.1f}\n")

    def peers(folder: Path) -> None:
        took = medians(lambda: ours(folder, FRAME), runs)
        if "frame" in only:
            print("| 100,000 rows × 50 groups, 3 metrics with intervals | seconds | |\n|:--|--:|--:|")
            mine = took["counted"] + took["judged"]
            theirs = median(lambda: frame(folder), runs)
            print(f"| gates, counted and judged | {mine:.3f} | paired with a champion |")
            print(
                f"| gates, whole evidence and judged | {took['evidence'] + took['judged']:.3f} | files, digests too |"
            )
            print(f"| fairlearn MetricFrame(n_boot=100) | {theirs:.1f} | {theirs / mine:,.0f}× |")
        if "mlflow" in only:
            theirs = median(lambda: evaluated(folder), runs)
            print(f"| mlflow.models.evaluate, no groups, no intervals | {theirs:.2f} | |")

    if {"frame", "mlflow"} & set(only):
        within(100_000, 50, peers)

    def scanned(folder: Path, rows: int, *, ranks: bool) -> None:
        bare = median(lambda: scan(folder), runs)
        print(row("cells, fairness, paired", rows, bare, medians(lambda: ours(folder, CELLS + FAIR), runs)), flush=True)
        if ranks:
            took = medians(lambda: ours(folder, CELLS + FAIR, ranks=True), runs)
            print(row("with paired ROC-AUC", rows, bare, took), flush=True)

    sizes = [int(one) for one in given.grow.split(",")] if "grow" in only else []
    if "scan" in only and given.rows not in sizes:
        sizes.append(given.rows)
    if sizes:
        print(f"\n{HEAD}\n|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    for size in sorted(sizes):
        within(size, 50, lambda folder, size=size: scanned(folder, size, ranks="scan" in only and size == given.rows))


if __name__ == "__main__":
    main()
