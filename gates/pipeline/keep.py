"""Keep the predictions of the default branch's models, for later pull requests to be compared with."""

from __future__ import annotations

from pathlib import Path

from gates.documents.base_model import SCHEMA, BaseModel
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.measure.holdout.models import output_of
from gates.pipeline.session import Session
from gates.schema.validation import read_json
from gates.system import files

AGAIN = "Run gates run, or hand over what its job made."


def describe(session: Session, evidence: Evidence) -> None:
    """Say beside the evidence which commit's model was measured on which rows, so that ``keep`` needs no data.

    Predictions by a key that is x-sensitive are not kept.
    """
    policy, contract = session.resolved.policy, session.resolved.contract
    commit = None if session.base_commit else _commit(session)
    if commit is None or evidence.candidate is None or (contract and policy.data.key in contract.hidden):
        return
    predictions = _predictions(session)
    counted = next(table.digest for table in evidence.tables if table.name == "holdout")  # the same, where a key is
    base = BaseModel(
        schema=SCHEMA,
        commit=commit,
        digest=evidence.candidate.digest,
        holdout=counted if policy.data.key else session.measurement.holdout_identity,
        predictions=files.sha256(predictions),
    )
    session.workspace.save(session.workspace.base_model, base)


def keep(session: Session) -> BaseModel | None:
    """Keep the predictions of the candidate that was judged here; None where they may not be kept, or have no room.

    Raises ``GatesError`` in the run of a pull request: its model is not the default branch's.
    """
    happened = session.happened
    if session.base_commit or (happened and (happened.pr is not None or happened.is_fork)):
        raise GatesError("a pull request's model is not one of the default branch: nothing is kept", where="keep")
    path = session.workspace.base_model
    if not path.exists() and session.workspace.load_evidence():
        session.steps.say("nothing is kept: the files were not those of a commit, or the key is x-sensitive")
        return None
    base = read_json(BaseModel, files.read(path, AGAIN), str(path))
    if base.commit != _commit(session):
        raise GatesError("was judged at another commit than this run's", where=str(path), hint=AGAIN)
    with session.steps.step("keep", f"{session.model} at {base.commit[:7]}"):
        kept = session.base_branch.keep(session.model, base, _predictions(session))
    return base if kept else None


def _predictions(session: Session) -> Path:
    """Return the candidate's predictions: those of the training, or those that its model was scored with."""
    scored = session.workspace.scored / "candidate.parquet"
    written = output_of(session.workspace.candidate)
    return scored if written.is_dir() else written


def _commit(session: Session) -> str | None:
    """Return the commit that is judged; None where the files are not those of one."""
    if session.happened:
        return session.happened.head_sha
    trained = session.workspace.trained_commit()
    if trained is None:
        git, _ = session.checkout or (None, None)
        return git.resolve("HEAD") if git and git.clean() else None
    return trained[0] if trained[1] else None
