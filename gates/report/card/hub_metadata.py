"""Write what the Hugging Face hub reads of a model: the card's front matter, and results of a benchmark.

The hub's documentation names the keys: Model Cards, and Evaluation Results (``.eval_results/*.yaml``).
"""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Decision, GateVerdict
from gates.documents.evidence import Evidence
from gates.documents.record import Record
from gates.errors import GatesError
from gates.policy import Card, ResolvedPolicy
from gates.schema.canonical import digest
from gates.schema.fields import Plain
from gates.schema.yaml_text import dump
from gates.wording import number, percent, rows

PIPELINES = {  # the hub's name for a task; it has none for the others
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
LIBRARIES = {  # a flavour of MLflow -> the hub's name of the library
    "sklearn": "sklearn",
    "keras": "keras",
    "transformers": "transformers",
    "sentence_transformers": "sentence-transformers",
    "spacy": "spacy",
    "fastai": "fastai",
    "pytorch": "pytorch",
    "onnx": "onnx",
}


def front_matter(
    about: Card, resolved: ResolvedPolicy, evidence: Evidence, decision: Decision, record: Record | None
) -> str:
    """Return the card's metadata."""
    pipeline = about.pipeline_tag or PIPELINES.get(resolved.policy.task)
    library = about.library_name or _library(record)
    datasets = list(dict.fromkeys([*about.datasets, *([about.benchmark.dataset] if about.benchmark else [])]))
    front: dict[str, Plain] = {"model_name": decision.model}
    front |= {"pipeline_tag": pipeline} if pipeline else {}
    front |= {"library_name": library} if library else {}
    front |= {"license": about.license} if about.license else {}
    front |= {"datasets": datasets} if datasets else {}
    front |= {"tags": [pipeline, "gates"] if pipeline else ["gates"]}
    metrics = whole_holdout(decision)
    if metrics:
        holdout = next(table for table in evidence.tables if table.name == "holdout")
        hub = about.benchmark.dataset if about.benchmark else "tabular"
        result: dict[str, Plain] = {
            "task": {"type": pipeline or "other"},
            "dataset": {"type": hub, "name": holdout.name, "revision": holdout.digest},
            "metrics": [_metric(gate) for gate in metrics.values()],
        }
        front |= {"model-index": [{"name": decision.model, "results": [result]}]}
    return f"---\n{dump(front)}---"


def whole_holdout(decision: Decision) -> dict[str, GateVerdict]:
    """Return one rule of each metric on the whole holdout, in the policy's order: a metric's rules share its value."""
    metrics: dict[str, GateVerdict] = {}
    for gate in decision.gates:
        if gate.metric and not gate.slice and gate.candidate:
            metrics.setdefault(gate.id, gate)
    return metrics


def _metric(gate: GateVerdict) -> dict[str, Plain]:
    assert gate.candidate is not None  # noqa: S101 -- only such are chosen
    return {"type": gate.metric, "name": gate.id, "value": gate.candidate.value}


def _library(record: Record | None) -> str | None:
    """Return the library of a promoted model: that of the only flavour that the hub has a name for."""
    written = record.model.format if record and record.model else ""
    flavours = written.removeprefix("mlflow (").removesuffix(")").split(", ")
    known = [LIBRARIES[flavour] for flavour in flavours if flavour in LIBRARIES]
    return known[0] if len(known) == 1 else None


def benchmark_result(about: Card, decision: Decision) -> str | None:
    """Return the text of a file of ``.eval_results/``; None where the policy names no benchmark.

    Raises ``GatesError`` where the metric was not measured on the whole holdout.
    """
    benchmark = about.benchmark
    if benchmark is None:
        return None
    metrics = whole_holdout(decision)
    gate = metrics.get(benchmark.metric)
    if gate is None or gate.candidate is None:
        raise GatesError(
            f"{benchmark.metric} was not measured on the whole holdout",
            where="card.benchmark.metric",
            hint=f"Measured were: {', '.join(metrics) or 'none'}.",
        )
    entry: dict[str, Plain] = {
        "dataset": {"id": benchmark.dataset, "task_id": benchmark.task},
        "value": gate.candidate.value,
        "notes": "; ".join(_notes(gate, decision)),
    }
    return dump([entry])


def _notes(gate: GateVerdict, decision: Decision) -> Iterator[str]:
    assert gate.candidate is not None  # noqa: S101 -- the caller has looked
    confidence = f", each bound with {percent(decision.confidence)} confidence" if decision.confidence else ""
    yield f"{gate.id} between {number(gate.candidate.low)} and {number(gate.candidate.high)}{confidence}"
    yield rows(gate.n)
    yield f"gates, decision {digest(decision)}"
