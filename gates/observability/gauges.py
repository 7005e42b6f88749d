"""The gauges that gates writes for Prometheus: their names, meanings and labels. Published, so none changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GaugeRow:
    """One gauge: its name, what Prometheus says about it, and its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ("model",)


_BAR = ("model", "bar")
VERDICT: Final = GaugeRow(
    "gates_verdict",
    "1 for the verdict that a rule has, 0 for every other: pass, inconclusive, fail, error, not_judged.",
    (*_BAR, "verdict"),
)
VALUE: Final = GaugeRow("gates_bar_value", "What a rule's limit was compared with.", _BAR)
LOW: Final = GaugeRow("gates_bar_low", "The lower bound of that value.", _BAR)
HIGH: Final = GaugeRow("gates_bar_high", "The upper bound of that value.", _BAR)
LIMIT: Final = GaugeRow("gates_bar_limit", "The limit, on the scale of the value.", _BAR)
EVIDENCE: Final = GaugeRow(
    "gates_bar_evidence_ratio", "Evidence against a rule over what makes an alarm: 1 is an alarm.", _BAR
)
WINDOW_ROWS: Final = GaugeRow("gates_window_rows", "Rows of the newest window that was judged.")
WINDOW_LABELLED: Final = GaugeRow(
    "gates_window_labelled_rows", "Rows with a label of the newest window whose labels were judged."
)
WINDOW_END: Final = GaugeRow("gates_window_end_timestamp_seconds", "When the newest window that was judged ended.")
RECORD_TIME: Final = GaugeRow(
    "gates_record_timestamp_seconds", "When the newest record of a kind was written.", ("model", "kind")
)
SERVING: Final = GaugeRow(
    "gates_serving_info",
    "1 for each version that an alias names, where ledger and registry agree.",
    ("model", "alias", "version", "digest"),
)
BUDGET: Final = GaugeRow("gates_retrain_budget", "How many retrainings may still be started now.")
UNITS: Final = GaugeRow(
    "gates_experiment_units", "Closed units of each arm at the newest look at an experiment.", ("model", "arm")
)

GAUGES: Final = (
    *(VERDICT, VALUE, LOW, HIGH, LIMIT, EVIDENCE),
    *(WINDOW_ROWS, WINDOW_LABELLED, WINDOW_END, RECORD_TIME, SERVING, BUDGET, UNITS),
)
VERDICTS: Final = ("pass", "inconclusive", "fail", "error", "not_judged")
