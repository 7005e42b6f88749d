"""Judge models from Python: policies, evidence and decisions as typed values that a notebook shows. Heavy libraries
load with the first call that needs them.

Heavy libraries load with the first call that needs them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from gates import policy
from gates.checkout.workspace import Workspace, load_contract, read_contract
from gates.documents import decision, evidence
from gates.documents.printed import table_check
from gates.errors import GatesError
from gates.judge import judge as judges
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.session import Session
from gates.policy.sections import EngineName
from gates.report import notebook
from gates.schema.yaml_text import Source
from gates.system.progress import Steps

__all__ = [
    "GatesError", "ShownDecision", "ShownEvidence", "ShownPolicy", "ShownTableCheck", "check_data", "judge",
    "load_decision", "load_evidence", "load_policy", "measure", "run",
]  # fmt: skip
Place = str | PathLike[str]


class ShownPolicy(policy.ResolvedPolicy):
    """A policy with its contract."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return notebook.policy(self)


class ShownEvidence(evidence.Evidence):
    """What was measured: the same bytes whatever order the rows were in."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return notebook.evidence(self)


class ShownDecision(decision.Decision):
    """All verdicts of one candidate under one policy."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return notebook.decision(self)


class ShownTableCheck(table_check.Checked):
    """A table held to a contract."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return notebook.checked(self)


_T = TypeVar("_T")


def _shown(kind: type[_T], value: Any) -> _T:
    """Return the same value as one that shows itself in a notebook."""
    return kind(**{one.name: getattr(value, one.name) for one in fields(value) if one.init})


def load_policy(path: Place = "gates.yaml") -> ShownPolicy:
    """Read a policy with its contract. Raises ``GatesError`` with every mistake in them."""
    return _shown(ShownPolicy, Workspace(policy=Path(path)).load())


def load_evidence(folder: Place = ".gates") -> ShownEvidence:
    """Return the evidence that ``gates measure`` left in a folder. Raises ``GatesError`` where it is none."""
    return _shown(ShownEvidence, Workspace(policy=Path("gates.yaml")).load_evidence(Path(folder)))


def load_decision(path: Place = ".gates/decision.json") -> ShownDecision:
    """Return a decision that was made before. Raises ``GatesError`` where it is none."""
    return _shown(ShownDecision, Workspace(policy=Path("gates.yaml")).load_decision(Path(path)))


def judge(policy: policy.ResolvedPolicy, evidence: evidence.Evidence) -> ShownDecision:
    """Judge evidence by a policy: no clock, no network, no data, and the same decision each time.

    Raises ``GatesError`` for evidence that was measured for another policy.
    """
    return _shown(ShownDecision, judges.judge(policy, evidence))


def measure(path: Place = "gates.yaml") -> ShownEvidence:
    """Return what ``gates measure`` does: check the data, and measure the candidate that was trained beside the
    champion.

    Leaves the evidence in ``.gates``. Raises ``GatesError`` at the first step that can't be done.
    """
    return _shown(ShownEvidence, Pipeline(_session(path)).measure_trained())


def run(path: Place = "gates.yaml") -> ShownDecision:
    """Return what ``gates run`` does, up to the decision: check the data, train, measure, judge.

    Leaves evidence and decision in ``.gates``. Raises ``GatesError`` at the first step that can't be done.
    """
    session = _session(path)
    made = Pipeline(session).run()
    session.workspace.save(session.workspace.decision, made)
    return _shown(ShownDecision, made)


def _session(path: Place) -> Session:
    """Return a session whose steps say nothing but where they fail."""
    today = datetime.now(UTC).date().isoformat()
    steps = Steps(sys.stderr, quiet=True)
    return Session(workspace=Workspace(policy=Path(path)), steps=steps, environ=os.environ, today=today)


def check_data(
    table: Any,
    contract: Place | Mapping[str, Any],
    *,
    name: str = "table",
    engine: EngineName = "duckdb",
) -> ShownTableCheck:
    """Hold a table to a contract.

    ``table``: a path or a glob, or what ``engine`` calls a table; or an Arrow table, a pandas or polars frame, a
    relation of DuckDB's, a frame of Spark's, which ``name`` names in sentences. ``contract``: a path, or its value,
    such as ``Model.model_json_schema()``. Rules that look at training data are not looked at; ``skipped`` names them.

    A frame of Spark's is looked at in its own session, anything else in memory in DuckDB. Raises ``GatesError`` for
    a table that can't be read and for mistakes in the contract.
    """
    from gates.measure.engines import connect
    from gates.measure.holdout.tables import open_table, register
    from gates.pipeline.data_check import hold

    if isinstance(contract, Mapping):
        rules, root = read_contract(Source(name="contract", value=dict(contract), places={})), Path.cwd()
    else:
        rules, root = load_contract(Path(contract)), Path(contract).resolve().parent
    is_path = isinstance(table, str | PathLike)
    session = getattr(table, "sparkSession", None)
    kind: EngineName = "spark" if session is not None else engine if is_path else "duckdb"
    with closing(connect(engine=kind, session=session)) as opened:
        path = str(table)
        seen = open_table(opened, Path.cwd(), path, Path(path).name) if is_path else register(opened, table, name)
        return _shown(ShownTableCheck, hold(opened, seen, rules, root))
