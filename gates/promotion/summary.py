"""Say what people read of a judged model in the registry: metrics with their bounds, the data, and a description.

It holds whole-holdout numbers, digests and names that the policy gives: no slice, no group and no value of a column.
"""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Decision, Estimate, GateVerdict
from gates.documents.record import Record
from gates.errors import GatesError
from gates.policy import Card
from gates.promotion.transaction import PromotionContext
from gates.registry.interface import TAG_DECISION, TAG_DIGEST, TAG_HOLDOUT, StoredRun, Summary
from gates.report.escape import text
from gates.schema.canonical import digest
from gates.wording import number, percent, plural, rows, signed

MOST_METRICS = 100  # of a run: MLflow takes a thousand numbers at once, and a metric has six
MOST_LINES = 20  # of a description, of which MLflow keeps 5,000 characters


def summary(decision: Decision, record: Record, card: Card | None) -> Summary:
    """Summarize what was judged, whatever becomes of its promotion."""
    metrics = _metrics(decision)
    return Summary(
        metrics=dict(_numbers(metrics[:MOST_METRICS])),
        tables=record.data,
        tags=pointers(decision, record) | _source(record),
        version="\n\n".join(_version(decision, record, metrics)),
        model="\n\n".join(_model(record, card)),
    )


def show(desk: PromotionContext, kept: StoredRun, shown: Summary) -> None:
    """Show in the registry how good a stored model is. Nothing rests on it, so a failure is reported and stops
    nothing."""
    try:
        desk.registry.summarize(desk.name, kept, shown)
    except GatesError as error:
        desk.say(f"the registry does not show how good the model is: {error.what}")


def label(model: str, digest_: str) -> str:
    """Name the run that stores a model: ``churn-3f9c2a71``."""
    return f"{model}-{digest_[7:15]}"


def pointers(decision: Decision, record: Record) -> dict[str, str]:
    """Return the tags that lead to what counts, which is in the ledger."""
    model = record.model
    tables = {f"gates.data.{table.name}": table.digest for table in record.data}
    commit = {"gates.commit": record.source.commit} if record.source and record.source.commit else {}
    return {
        TAG_DIGEST: model.digest if model else "",
        TAG_HOLDOUT: model.holdout or "" if model else "",
        TAG_DECISION: digest(decision),
        **tables,
        **commit,
    }


def _source(record: Record) -> dict[str, str]:
    """Return MLflow's own tags for a commit and for what made a run."""
    commit = {"mlflow.source.git.commit": record.source.commit} if record.source and record.source.commit else {}
    return {"mlflow.source.name": "gates promote", "mlflow.source.type": "JOB", **commit}


def _metrics(decision: Decision) -> list[GateVerdict]:
    """Return one rule of each metric on the whole holdout: they share a value. No fairness, whose groups are people."""
    metrics: dict[str, GateVerdict] = {}
    for gate in decision.gates:
        if gate.metric and gate.candidate and not gate.slice and not gate.by:
            first = metrics.setdefault(gate.id, gate)
            if gate.difference and not gate.against and not first.difference:
                metrics[gate.id] = gate
    return list(metrics.values())


def _numbers(metrics: list[GateVerdict]) -> Iterator[tuple[str, float]]:
    for gate in metrics:
        assert gate.candidate is not None  # noqa: S101 -- only such are chosen
        yield from _estimate(gate.id, gate.candidate)
        if gate.difference and not gate.against:
            yield from _estimate(f"{gate.id}.difference", gate.difference)


def _estimate(name: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    yield name, estimate.value
    yield f"{name}.low", estimate.low
    yield f"{name}.high", estimate.high


def _version(decision: Decision, record: Record, metrics: list[GateVerdict]) -> Iterator[str]:
    accepted = f", accepted by {plural(len(record.waivers), 'waiver', 'waivers')}" if record.waivers else ""
    yield f"Judged by gates: **{decision.verdict}**{accepted}."
    if metrics:
        lines = ["| metric | value | between | less the champion's |", "|:--|--:|:--|--:|"]
        lines += [_line(gate) for gate in metrics[:MOST_LINES]]
        yield "\n".join(lines)
    if len(metrics) > MOST_LINES:
        yield f"And {len(metrics) - MOST_LINES} more, in the metrics of the run."
    holdout = next((table for table in record.data if table.name == "holdout"), None)
    on = f"Measured on {rows(holdout.rows)}. " if holdout else ""
    bounds = f"Each bound holds with {percent(decision.confidence)} confidence. " if decision.confidence else ""
    champion = decision.champion and decision.champion.version
    against = f"Compared with version {text(champion)}." if champion else "Compared with no champion."
    yield f"{on}{bounds}{against}"
    yield f"Decision `{digest(decision)}`. What counts is the ledger: `gates history` and `gates verify`."


def _line(gate: GateVerdict) -> str:
    assert gate.candidate is not None  # noqa: S101 -- only such are chosen
    low, high = number(gate.candidate.low), number(gate.candidate.high)
    difference = signed(gate.difference.value) if gate.difference and not gate.against else ""
    return f"| {text(gate.id)} | {number(gate.candidate.value)} | {low} to {high} | {difference} |"


def _model(record: Record, card: Card | None) -> Iterator[str]:
    if card and card.intended_use:
        yield text(card.intended_use)
    yield (
        f"Versions of `{record.name}` are registered, and its aliases moved, by gates. "
        "Why each version serves, and who approved it, is in the ledger: `gates history`."
    )
