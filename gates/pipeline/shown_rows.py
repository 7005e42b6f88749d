"""Keep and find the rows that reports show: those that got worse and better against the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gates.documents.changed_rows import ChangedRows
from gates.documents.decision import Decision
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.pipeline.session import Session
from gates.schema.validation import read_json
from gates.system import files

if TYPE_CHECKING:
    from gates.measure.row_changes import RowsAsked


def keep(session: Session, evidence: Evidence) -> None:
    """Keep the rows that changed, beside the evidence that was just measured with them."""
    asked = _asked(session)
    changed = session.measurement.changed_rows(asked, evidence) if asked else None
    if changed:
        session.workspace.save(session.workspace.rows, changed)


def found(session: Session, decision: Decision, folder: Path | None = None) -> ChangedRows | None:
    """Return the rows that lie beside the evidence of a decision; None where they are none of its. ``folder``: where
    another job's evidence lies."""
    path = (folder or session.workspace.work) / session.workspace.rows.name
    if not path.exists():
        return None
    try:
        rows = read_json(ChangedRows, files.read(path, ""), str(path))
    except GatesError as error:
        session.steps.say(f"the rows that changed can't be read: {error}")
        return None
    return rows if rows.evidence == decision.evidence else None


def _asked(session: Session) -> RowsAsked | None:
    """Return what may be shown: what the policy asks for, and on a pull request its base commit's policies, too.

    Nobody sees labels or columns because of a change that nobody has approved yet; and in a fork's run there are none.
    """
    from gates.measure.row_changes import RowsAsked

    policies = (session.resolved, *session.base_policies)
    reports = [one.policy.report for one in policies]
    key = session.resolved.policy.data.key
    if key is None or (session.happened and session.happened.is_fork) or not all(reports):
        return None
    hidden = frozenset[str]().union(*(one.contract.hidden for one in policies if one.contract))
    if {key, session.resolved.policy.data.label} & hidden:
        return None
    wanted = [report for report in reports if report]
    columns = tuple(
        column
        for column in wanted[0].columns
        if column not in hidden and all(column in report.columns for report in wanted)
    )
    return RowsAsked(most=min(report.rows for report in wanted), key=key, columns=columns)
