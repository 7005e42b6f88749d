"""The models that a candidate is compared with: champion and anchor, held to what the ledger knows of them, and on a
pull request the base commit's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gates.documents.printed.standing import AliasState
from gates.errors import GatesError
from gates.ledger.alias import DisagreementError, agreed, known_of
from gates.pipeline.session import Session
from gates.policy import ResolvedPolicy

if TYPE_CHECKING:
    from gates.measure.holdout.models import RegisteredModel, Rivals


def rivals(session: Session) -> Rivals:
    """Find all that the candidate is compared with."""
    from gates.measure.holdout.models import Rivals

    serving = champion(session)
    base = _base(session) if session.base_commit else None
    if base and serving and base.digest == serving.digest:
        return Rivals(champion=serving, anchor=anchor(session))
    unbased = None
    if session.base_commit and base is None:
        unbased = f"no predictions of the base commit {session.base_commit[:7]}, or of one before it, are kept"
    return Rivals(champion=serving, anchor=anchor(session), base=base, unbased=unbased)


def _base(session: Session) -> RegisteredModel | None:
    """Find the model of the pull request's base commit, or of the newest one before it; None where none is kept."""
    commit = session.base_commit or ""
    with session.steps.step("base", commit[:7]):
        return session.base_branch.find(session.model, commit, session.workspace.work / "base-model")


def champion(session: Session) -> RegisteredModel | None:
    """Find the champion; None where nothing was promoted. No registry is made in order to look."""
    with session.steps.step("champion", "models:/{}@{}".format(*session.resolved.champion)):
        return champion_of(session, session.resolved, session.workspace.work)


def champion_of(session: Session, resolved: ResolvedPolicy, folder: Path) -> RegisteredModel | None:
    """Find a policy's champion: the version that the ledger says its alias names, which the registry must confirm."""
    name, alias = resolved.champion
    if session.unreachable:
        return None
    ledger, registry = session.ledger, None if session.no_registry else session.registry
    entry = agreed(ledger, ledger.head(), registry, name, alias)
    if entry is None:
        _unnamed(session, name, alias)
    after = entry.record.after if entry else None
    if entry is None or after is None:
        return None
    return session.registry.served(name, after.version, entry.record.model, folder / "champion")


def _unnamed(session: Session, name: str, alias: str) -> None:
    """Raise ``DisagreementError`` where nobody says which registry counts, the one of the repository has no champion,
    and MLflow's own file beside the policy has one: it may be the one that serves."""
    if session.mlflow_address is not None or session.environ.get("GATES_REGISTRY"):
        return
    from gates.registry.sqlite import named_in

    version = named_in(session.workspace.root / "mlflow.db", name, alias)
    if version is not None:
        raise DisagreementError(
            AliasState.UNKNOWN,
            f"{alias} names version {version} in mlflow.db, and nothing says whether that is the registry",
            where=f"models:/{name}@{alias}",
            hint="It is: MLFLOW_TRACKING_URI=sqlite:///mlflow.db. It is not: GATES_REGISTRY=git.",
        )


def anchor(session: Session) -> RegisteredModel | None:
    """Find the anchor, where the policy names one. Raises ``GatesError`` where the registry lacks that version."""
    return anchor_of(session, session.resolved, session.workspace.work)


def anchor_of(session: Session, resolved: ResolvedPolicy, folder: Path) -> RegisteredModel | None:
    """Find a policy's anchor; see ``anchor``."""
    version, (name, _) = resolved.policy.anchor, resolved.champion
    if version is None:
        return None
    with session.steps.step("anchor", f"models:/{name}/{version}"):
        found = None if session.no_registry else version_of(session, name, str(version), folder / "anchor")
    if found is None:
        raise GatesError(f"the registry has no version {version} of {name}", where="anchor", hint="Check `anchor:`.")
    return found


def version_of(session: Session, name: str, version: str, folder: Path) -> RegisteredModel | None:
    """Find a version by its number, held to what the ledger knows of it; None where the registry lacks it."""
    known = known_of(session.ledger, session.ledger.head(), name, version)
    return session.registry.served(name, version, known, folder)
