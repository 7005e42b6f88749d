"""What asks to be promoted, and its evidence measured again from the predictions that were judged. Loads no model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gates.checkout.trusted_policy import TrustedPolicy
from gates.checkout.workspace import Workspace
from gates.documents.evidence import Evidence
from gates.documents.evidence import MeasuredModel as Measured
from gates.documents.record import Refused, TrainingCode
from gates.errors import Exit, GatesError
from gates.ledger.acceptances import Proven
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.measure.training_facts import LAUNCHED
from gates.measure.training_facts import NAME as FACTS
from gates.policy import ResolvedPolicy
from gates.promotion.transaction import Approve, RefusedError
from gates.system.files import digest_of

Found = Callable[[], RegisteredModel | None]
AGAIN = "Run gates run again."
OTHER_ROWS = "the holdout is not the one that the candidate was judged on, or predictions or evidence have changed"
changed = partial(RefusedError, hint=AGAIN, exit_code=Exit.INPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What lies in a workspace and asks to be promoted, and what it is verified with."""

    workspace: Workspace
    policy: TrustedPolicy
    measurement: Measurement
    code: TrainingCode
    served: Found  # asks the registry for the champion, again each time
    anchor: Found
    approve: Approve
    today: str  # YYYY-MM-DD, for waivers
    proven: Proven  # whether a waiver of the ledger holds, asked again each time
    uncompared: str | None = None  # why it shall be compared with nothing, where the champion can't be scored
    key: Path | None = None  # signs the decision

    @property
    def resolved(self) -> ResolvedPolicy:
        """The policy that counts."""
        return self.policy.resolved


def evidence_of(candidate: Candidate) -> Evidence:
    """Read the evidence, which must have been measured under the policy that counts."""
    resolved, evidence = candidate.resolved, candidate.workspace.load_evidence()
    if evidence.measured != resolved.measured:
        why = "the evidence was not measured under the policy that counts"
        raise RefusedError(Refused.POLICY_CHANGED, why, hint=_other_policy(candidate), exit_code=Exit.INPUT)
    unscored = evidence.champion is not None and evidence.champion.unscored is not None
    if candidate.uncompared and not unscored:
        raise GatesError(
            "the champion can be compared with; leave it out only if it can't be scored on this holdout",
            where="--uncompared",
            hint="Leave the option out.",
        )
    return replace(evidence, uncompared=candidate.uncompared)


def _other_policy(candidate: Candidate) -> str:
    """Say what helps where the policy here is not the one that counts."""
    ref = candidate.policy.ref
    try:
        here = candidate.workspace.load().digest
    except GatesError:
        here = None
    if here == ref.digest:
        return AGAIN
    return f"{ref.path} differs from the one on {ref.branch}, which counts: commit and merge it, then gates run."


def measure_again(candidate: Candidate, evidence: Evidence, served: RegisteredModel | None) -> tuple[Evidence, str]:
    """Measure candidate and champion again, from their predictions alone: no model is loaded. Gives the digest of the
    candidate's predictions, too."""
    measurement, work = candidate.measurement, candidate.workspace.work

    def kept(of: RegisteredModel, judged: Measured | None, name: str) -> Callable[[str], Path | None]:
        same = judged is not None and judged.digest == of.digest
        return lambda holdout: of.predictions(holdout) or (_found(work / "scored" / name) if same else None)

    def unloaded() -> Path:
        raise GatesError("there are no predictions of it on this holdout, and no model is loaded here", hint=AGAIN)

    def bare(of: RegisteredModel | None, judged: Measured | None, name: str) -> RegisteredModel | None:
        return replace(of, predictions=kept(of, judged, name), folder=unloaded) if of else None

    with tempfile.TemporaryDirectory() as beside:
        assert evidence.candidate  # noqa: S101 -- the caller has looked
        digests = [evidence.candidate.digest, *(run.digest for run in evidence.runs)]
        ours = [_copied(candidate.workspace, place, Path(beside), known) for place, known in enumerate(digests)]
        rivals = Rivals(
            champion=bare(served, evidence.champion, "champion"),
            anchor=bare(candidate.anchor(), evidence.anchor, "anchor"),
        )
        try:
            found = measurement.evidence(measurement.check(), ours, rivals, evidence.used)
            return replace(found, uncompared=evidence.uncompared), _predictions_digest(ours[0].folder)
        except GatesError as error:
            if error.exit_code is Exit.OUTSIDE:
                raise
            raise changed(Refused.EVIDENCE_CHANGED, f"{OTHER_ROWS}: {error.what}") from error


def _copied(workspace: Workspace, index: int, beside: Path, known: str) -> ModelOutput:
    """Copy a training's predictions and facts into a folder of their own; of further trainings the files are not
    kept."""
    file = predictions(workspace, index)
    folder = beside / str(index)
    folder.mkdir()
    shutil.copyfile(file, folder / f"predictions{file.suffix}")
    for name in (FACTS, LAUNCHED):
        said = workspace.trainings(index + 1)[index] / name
        if said.is_file():
            shutil.copyfile(said, folder / name)
    return ModelOutput(digest=known, folder=folder)


def _predictions_digest(folder: Path) -> str:
    made = _found(folder / "predictions")
    assert made is not None  # noqa: S101 -- just copied
    return digest_of([made], folder)


def predictions(workspace: Workspace, place: int = 0) -> Path:
    """Return the predictions that were judged: a training's own, or those made when its model was scored."""
    folder, name = workspace.trainings(place + 1)[place], f"candidate{place or ''}"
    found = _found(folder / "predictions") or _found(workspace.work / "scored" / name)
    if found is None:
        raise changed(Refused.EVIDENCE_CHANGED, "the judged predictions are gone")
    return found


def _found(stem: Path) -> Path | None:
    return next((path for path in map(stem.with_suffix, (".parquet", ".csv")) if path.is_file()), None)
