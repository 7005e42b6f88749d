"""How long it takes to ask a real Prometheus what 50 gates want to know, and to judge what it answers.

Needs prometheus and promtool on the PATH (scripts/prometheus). Each gate has an expression of its own: half are shares
of events, half are values of an hour by five minutes.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ["PATH"] = f"{os.environ['PATH']}:{ROOT / '.prometheus'}"

from prometheus_server import NOON, served  # noqa: E402

from gates.kinds.promql.promql_verdict import held  # noqa: E402
from gates.measure.prometheus.asking import answered  # noqa: E402
from gates.measure.prometheus.prometheus_api import PrometheusApi  # noqa: E402
from gates.policy import Gate  # noqa: E402

RUNS = 5
GATES = 50


def gate(number: int) -> Gate:
    """One of the gates; no two ask the same."""
    if number % 2:
        steps = {"max": 1000, "over": "1h", "step": "5m"}
        return Gate.read({"promql": f'sum(rate(requests_total{{model="churn"}}[{number}m]))'} | steps)
    bad, total = (
        f'sum(increase(requests_total{{model="churn"{more}}}[{number + 10}m]))' for more in (',code="500"', "")
    )
    return Gate.read({"promql": {"bad": bad, "total": total}, "max": 0.5})


def main() -> None:
    """Print a Markdown table."""
    rules = [gate(number).rule for number in range(1, GATES + 1)]
    questions = frozenset(question for rule in rules for question in rule.questions)
    taken: dict[str, list[float]] = {"ask": [], "judge": []}
    with tempfile.TemporaryDirectory() as made, served(Path(made)) as url:
        for _ in range(RUNS):
            start = time.perf_counter()
            (answers,) = answered(PrometheusApi(url, ""), questions, [NOON], print)
            asked = time.perf_counter()
            verdicts = [one.verdict for rule in rules for one in held(rule, answers, 0.95)]
            taken["ask"].append(asked - start)
            taken["judge"].append(time.perf_counter() - asked)
    if set(map(str, verdicts)) != {"pass"}:
        raise SystemExit(f"not every gate passed: {set(verdicts)}")
    print(f"{GATES} gates, {len(questions)} questions. Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print("| | median | min | max |\n|:--|--:|--:|--:|")
    for name, times in taken.items():
        print(f"| {name} | {statistics.median(times):.3f} s | {min(times):.3f} | {max(times):.3f} |")


if __name__ == "__main__":
    main()
