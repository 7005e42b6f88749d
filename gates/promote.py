"""A plain promotion: what was judged and passed becomes the champion. Loads no model."""

from __future__ import annotations

from pathlib import Path

from gates.canonical import digest
from gates.decision import Decision, Verdict
from gates.errors import Exit, GatesError
from gates.evidence import Evidence
from gates.files import folder_digest
from gates.judge import judge
from gates.measure import Bench, Served
from gates.measure.tables import table_of
from gates.registry.mlflow import TAG_DECISION, TAG_DIGEST, TAG_HOLDOUT, Registry
from gates.workspace import Workspace


def verified(workspace: Workspace, bench: Bench, served: Served | None) -> Decision:
    """The decision, derived anew from the evidence. Raises ``GatesError`` for anything that is not as it was judged."""
    evidence = workspace.load_evidence()
    decision = judge(bench.bound, evidence)
    if decision.verdict is not Verdict.PASS or evidence.candidate is None:
        raise GatesError(
            f"the verdict is {decision.verdict}: {decision.reason}",
            where="promote",
            mend="Only a pass is promoted.",
            exit_code=Exit.STOP,
        )
    if folder_digest(workspace.trained()[0]) != evidence.candidate.digest:
        raise _changed("the candidate's files are not those that were judged")
    before = evidence.champion.version if evidence.champion else None
    now = served.version if served else None
    if before != now:
        raise _changed(f"the champion is {_name(now)}, but the candidate was judged against {_name(before)}")
    _same_rows(workspace, bench, evidence, served)
    return decision


def promote(workspace: Workspace, bench: Bench, registry: Registry, decision: Decision) -> str:
    """Register the judged files and move the alias; gives the new version."""
    name, alias = bench.bound.champion
    assert decision.candidate is not None  # noqa: S101 -- ``verified`` lets no other through
    tags = {
        TAG_DIGEST: decision.candidate.digest,
        TAG_HOLDOUT: bench.holdout_identity,
        TAG_DECISION: digest(decision),
    }
    return registry.promote(name, alias, workspace.candidate, _predictions(workspace), tags)


def _predictions(workspace: Workspace) -> Path:
    """The predictions that were judged: the training's own, or those made when the model was scored."""
    places = (workspace.candidate / "predictions", workspace.work / "scored" / "candidate")
    found = [place.with_suffix(suffix) for place in places for suffix in (".parquet", ".csv")]
    kept = next((path for path in found if path.is_file()), None)
    if kept is None:
        raise _changed("the judged predictions are gone")
    return kept


def _same_rows(workspace: Workspace, bench: Bench, evidence: Evidence, served: Served | None) -> None:
    """Holdout and predictions, counted again beside the same champion, give the counts that were judged."""
    judged = {table.name: table.digest for table in evidence.tables}
    same = table_of(bench.engine, bench.holdout).digest == judged.get("holdout")
    if not same or bench.recounted(_predictions(workspace), served) != evidence.slices:
        raise _changed("the holdout is not the one that the candidate was judged on, or its predictions have changed")


def _name(version: str | None) -> str:
    return f"version {version}" if version else "none"


def _changed(what: str) -> GatesError:
    return GatesError(what, where="promote", mend="Run gates run again.")
