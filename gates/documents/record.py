"""Record: one entry of the ledger, which says what was decided, promoted, refused, waived, adopted or rolled back.

A record names the digest of the one before it and its own place in the sequence. The documents that it names
(decision, evidence, policy, the model's manifest) are stored with it, each identified by the SHA-256 of its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gates.documents.evidence import LaunchedTraining
from gates.documents.live.experiment_step import ExperimentState, ExperimentStep
from gates.documents.live.retraining import Retraining
from gates.schema.fields import TIME_PATTERN, declare

SCHEMA: Literal["gates/record/v1"] = "gates/record/v1"
FILE = "record.json"
# branches that hold no code
LEDGER, PICTURES, REGISTRY, BASES = "gates-ledger", "gates-pictures", "gates-registry", "gates-base"
TIME = "%Y-%m-%dT%H:%M:%SZ"
DECISION, EVIDENCE, POLICY, MANIFEST = "decision.json", "evidence.json", "policy.json", "manifest.json"
CARD = "card.md"  # attached to a promotion: the model's card
STATEMENT = "statement.dsse.json"  # attached to one that was signed: the decision as a statement

_DIGEST = "^sha256:[0-9a-f]{64}$"


class RecordKind(StrEnum):
    """The kind of a record."""

    DECISION = "decision"  # a candidate was judged; nothing was moved
    INTENT = "intent"  # all was verified, and the registry is about to be changed
    PROMOTION = "promotion"  # an alias names the model that was judged
    ROLLBACK = "rollback"  # an alias names again what an earlier record had promoted
    REFUSAL = "refusal"  # a promotion or rollback was not begun
    FAILURE = "failure"  # one was begun and undone
    WAIVER = "waiver"  # somebody accepts a named verdict
    ADOPTION = "adoption"  # what an alias names, though gates did not promote it, is the champion from now on
    MONITOR = "monitor"  # windows of live rows were judged; nothing was moved
    MIGRATION = "migration"  # a model's versions were copied into another registry, where they have other numbers
    RETRAIN = "retrain"  # whether a candidate is to be trained was decided by the records before
    EXPERIMENT = "experiment"  # two models share the users: it was started, looked at or stopped; nothing was moved


_JUDGED = ("verdict", "decision", "evidence", "policy")
_PREDICTED = ("model.predictions", "model.holdout")
_MODEL = ("alias", "policy", "model")
# What a record of each kind must hold, and what it must not. Checked by kind, not by what happens to be there: a
# promotion without a decision is no promotion.
HOLDS: Mapping[RecordKind, tuple[str, ...]] = {
    RecordKind.DECISION: (*_JUDGED, "model"),
    RecordKind.INTENT: (*_MODEL, "holder", "lease"),
    RecordKind.PROMOTION: (*_JUDGED, *_MODEL, "intent", "after"),
    RecordKind.ROLLBACK: (*_MODEL, "intent", "after", "target"),
    RecordKind.REFUSAL: ("alias", "policy", "code"),
    RecordKind.FAILURE: (*_MODEL, "intent", "code"),
    RecordKind.WAIVER: (*_JUDGED, "waivers"),
    RecordKind.ADOPTION: (*_MODEL, "after"),
    RecordKind.MONITOR: (*_JUDGED, "alias"),
    RecordKind.MIGRATION: ("policy", "versions"),
    RecordKind.RETRAIN: ("alias", "policy", "retrain"),
    RecordKind.EXPERIMENT: ("alias", "policy", "experiment"),
}
LACKS: Mapping[RecordKind, tuple[str, ...]] = {
    RecordKind.DECISION: ("intent", "target", "after", "code"),
    RecordKind.INTENT: ("intent", "code"),
    RecordKind.PROMOTION: ("target", "code", "holder", "lease"),
    RecordKind.ROLLBACK: ("code", "holder", "lease"),
    RecordKind.REFUSAL: ("intent", "holder", "lease"),
    RecordKind.FAILURE: ("after", "holder", "lease"),
    RecordKind.WAIVER: ("alias", "intent", "target", "before", "after", "code", "holder", "lease"),
    RecordKind.ADOPTION: ("verdict", "decision", "evidence", "intent", "target", "code", "holder", "lease", "waivers"),
    RecordKind.MONITOR: ("model", "intent", "target", "before", "after", "code", "holder", "lease", "waivers"),
    RecordKind.MIGRATION: ("alias", "verdict", "decision", "evidence", "model", "intent", "target", "before", "after",
                           "code", "holder", "lease", "waivers"),
    RecordKind.RETRAIN: ("verdict", "decision", "evidence", "model", "intent", "target", "before", "after", "code",
                         "holder", "lease", "waivers"),
    RecordKind.EXPERIMENT: ("model", "intent", "target", "before", "after", "code", "holder", "lease", "waivers"),
}  # fmt: skip
OUTCOMES = (RecordKind.PROMOTION, RecordKind.ROLLBACK, RecordKind.FAILURE)  # what closes an intent
MOVES = (
    RecordKind.PROMOTION,
    RecordKind.ROLLBACK,
    RecordKind.ADOPTION,
)  # after these an alias is known to name a version


class Refused(StrEnum):
    """Why a promotion was refused or failed. Codes are stable and never reused."""

    VERDICT = "verdict"
    CANDIDATE_CHANGED = "candidate_changed"
    EVIDENCE_CHANGED = "evidence_changed"
    DECISION_CHANGED = "decision_changed"
    POLICY_CHANGED = "policy_changed"
    CHAMPION_CHANGED = "champion_changed"
    NOT_DEFAULT_BRANCH = "not_default_branch"
    STAGE_ORDER = "stage_order"
    APPROVALS = "approvals"
    STORED_BYTES = "stored_bytes"
    ALIAS_MOVED = "alias_moved"
    OTHER_REGISTRY = "other_registry"
    NOT_ADOPTED = "not_adopted"
    NOTHING_TO_ROLL_BACK = "nothing_to_roll_back"
    INTERRUPTED = "interrupted"
    SIGNATURE = "signature"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who. ``id`` is what stays the same when somebody takes another name."""

    WRITTEN = "whole"
    id: int | None = declare("GitHub's numeric id; null outside GitHub.")
    login: str = declare("GitHub's login, or the name that git knows.")
    type: str | None = declare("User, Bot, Organization; null if GitHub did not say.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A GitHub environment."""

    WRITTEN = "whole"
    id: int = declare("GitHub's numeric id.")
    name: str = declare("Its name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A reviewer's answer, as GitHub's API reports it afterwards."""

    WRITTEN = "whole"
    role: str = declare("The role that the policy asks for.")
    environment: Environment | None = declare("The environment; null for a review of a promotion pull request.")
    user: User = declare("Who answered.")
    state: str = declare("approved or rejected, as GitHub writes it.")
    comment: str = declare("The comment.")
    meaning: str = declare("approval, review or responsibility.")
    not_before: str | None = declare("The earliest time that the API proves.", pattern=TIME_PATTERN)
    not_after: str | None = declare("The latest time that the API proves.", pattern=TIME_PATTERN)
    time_source: str = declare("What the two times were read from.")
    quoted_digest: bool = declare("Whether the comment quotes the first 12 digits of the model's digest.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody's acceptance of one verdict of one decision, for a time."""

    WRITTEN = "whole"
    decision: str = declare("Digest of the decision.", pattern=_DIGEST)
    gate: str = declare("The gate's id.")
    rule: str = declare("The gate's rule: min, max, max_worsening, min_improvement, or the contract's rule.")
    slice: dict[str, str | None] | None = declare("Null for the whole holdout.")
    against: str | None = declare("The model compared with, if it is the anchor and not the champion.")
    verdict: Literal["inconclusive", "fail"] = declare("What is accepted; an error never is.")
    value: float | None = declare("The judged number, which is accepted and no worse.")
    bound: float | None = declare("Its bound on the side of blame, which is accepted and no worse.")
    who: User = declare("Who accepts it.")
    reason: str = declare("Why.", minLength=1)
    until: str = declare("The last day on which it holds (UTC).", pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Which policy judged, and where it stood."""

    WRITTEN = "whole"
    digest: str = declare("Digest of the policy with its contract.", pattern=_DIGEST)
    path: str = declare("Path in the repository, or the file's name outside one.")
    branch: str | None = declare("The default branch that it was read from; null outside a repository.")
    commit: str | None = declare("The commit that it was read from; null outside a repository.")
    committed_at: str | None = declare("When that commit was made, according to itself.", pattern=TIME_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedModel:
    """The model, identified by its files."""

    WRITTEN = "whole"
    digest: str = declare("Digest of the sorted file manifest.", pattern=_DIGEST)
    format: str = declare("mlflow with its flavours, or predictions.")
    pickled: tuple[str, ...] = declare("Files that hold pickles: loading them runs code.")
    parameters: dict[str, str] | None = declare("Parameters that the training logged to MLflow; null: no run is known.")
    predictions: str | None = declare(
        "Digest of the sorted manifest of the predictions that it was judged by; null if it was not judged.",
        default=None,
        pattern=_DIGEST,
    )
    holdout: str | None = declare(
        "Digest of the holdout's rows that those predictions are about; without a key, of their order, too.",
        default=None,
        pattern=_DIGEST,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTable:
    """A table that model or verdict rests on."""

    WRITTEN = "whole"
    name: str = declare("train or holdout")
    path: str = declare("As the policy names it.")
    digest: str = declare("Digest of column names, types and the multiset of rows.")
    rows: int = declare("Number of rows.")
    files: str | None = declare("Digest of the sorted manifest of its files' bytes.")
    pointer: str | None = declare(
        "What DVC or Git LFS says of it: dvc:md5:... and lfs:sha256:... were held to the files; dvc:etag, dvc:checksum "
        "and dvc:cloud can't be. What gates fetch copied, fetched:..., with an object's version or ETag, or a query's "
        "digest, rows and time; fetched:no-receipt where this machine did not copy it."
    )
    since: str | None = declare(
        "The first second that its rows are of, by snapshot.json.", default=None, late=True, pattern=TIME_PATTERN
    )
    until: str | None = declare(
        "The second after the last one that its rows are of.", default=None, late=True, pattern=TIME_PATTERN
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCode:
    """The code that trained."""

    WRITTEN = "whole"
    commit: str | None = declare("The commit checked out; null outside a repository.")
    clean: bool | None = declare("Whether no tracked file differed from it.")
    locks: dict[str, str] = declare("Lock files next to the policy and in the repository: path to SHA-256.")
    training: tuple[LaunchedTraining, ...] = declare(
        "The jobs that trained it, one a seed, where they were jobs.", default=(), late=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who and what wrote the record."""

    WRITTEN = "whole"
    provider: Literal["github", "jenkins", "local"] = declare("GitHub Actions, Jenkins, or another machine.")
    repository: str | None = declare("owner/name on GitHub.")
    repository_id: int | None = declare("GitHub's numeric id.")
    run_id: int | None = declare("The workflow run; on Jenkins the build's number.")
    run_attempt: int | None = declare("Its attempt, from 1.")
    event: str | None = declare("What started it.")
    actor: User = declare("Who started it.")
    triggering_actor: User | None = declare("Who started it again, if anybody did.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version in the registry."""

    WRITTEN = "whole"
    version: str = declare("Its number.")
    digest: str = declare("Digest of the sorted file manifest of its bytes.")
    registry: Literal["git", "mlflow"] | None = declare(
        "The kind of registry: a branch of the repository, or MLflow. Records of an older gates don't have it.",
        default=None,
        late=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedVersion:
    """A version that was copied into another registry."""

    WRITTEN = "whole"
    before: Version = declare("What it was there.")
    after: Version = declare("What it is now.")
    aliases: tuple[str, ...] = declare("The aliases that name it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry of the ledger."""

    WRITTEN = "whole"
    schema: Literal["gates/record/v1"] = declare("Format of this document.")
    kind: RecordKind = declare("The kind of record.")
    sequence: int = declare("Its number in the ledger, from 1.", minimum=1)
    previous: str | None = declare("Digest of the record before; null for the first.", pattern=_DIGEST)
    at: str = declare("When it was written, UTC.", pattern=TIME_PATTERN)
    time_source: str = declare("Whose clock that is.")
    tool: str = declare("The version of gates that wrote it.")
    python: str = declare("The version of Python that ran it.")
    name: str = declare("The registered model's name.")
    alias: str | None = declare("The alias that it is about; null if it is about none.")
    reason: str = declare("Why, in one plain sentence.")
    code: Refused | None = declare("The reason of a refusal or failure as a stable word.")
    verdict: str | None = declare("The decision's verdict; null if nothing was decided.")
    decision: str | None = declare("Digest of the decision, stored with the record.", pattern=_DIGEST)
    evidence: str | None = declare("Digest of the evidence, stored with the record.", pattern=_DIGEST)
    policy: PolicyRef | None = declare("The policy, stored with the record together with its contract.")
    model: RecordedModel | None = declare("The model, whose file manifest is stored with the record.")
    data: tuple[RecordedTable, ...] = declare("The tables.")
    source: TrainingCode | None = declare("The code that trained.")
    run: Run = declare("Who and what wrote the record.")
    before: Version | None = declare("What the alias named before; null for nothing.")
    after: Version | None = declare("What the alias names now; null for nothing, or if nothing was moved.")
    intent: str | None = declare("For an outcome: the digest of the intent that it closes.", pattern=_DIGEST)
    target: str | None = declare("For a rollback: the digest of the record gone back to.", pattern=_DIGEST)
    holder: str | None = declare("For an intent: the lock that its writer held; nobody else acts while it is held.")
    lease: str | None = declare("For an intent: until when nobody else acts without that lock.", pattern=TIME_PATTERN)
    approvals: tuple[Approval, ...] = declare("Who approved.")
    waivers: tuple[Waiver, ...] = declare("For a waiver: what is accepted. Otherwise: the waivers that were used.")
    attached: dict[str, str] = declare(
        "Further documents stored with the record: file name to the SHA-256 of its bytes."
    )
    versions: tuple[CopiedVersion, ...] | None = declare(
        "For a migration: what was copied, the first promoted first. A version that is not among them stayed behind.",
        default=None,
        late=True,
    )
    retrain: Retraining | None = declare(
        "For a retraining: what was decided, and what that rests on.", default=None, late=True
    )
    experiment: ExperimentStep | None = declare(
        "For an experiment: what was done, of which one.", default=None, late=True
    )

    @property
    def documents(self) -> Mapping[str, str]:
        """Every document that lies beside the record: file name to digest."""
        named = {
            DECISION: self.decision,
            EVIDENCE: self.evidence,
            POLICY: self.policy and self.policy.digest,
            MANIFEST: self.model and self.model.digest,
        }
        return {name: digest for name, digest in named.items() if digest} | self.attached

    @property
    def misfits(self) -> tuple[str, ...]:
        """The fields that a record of this kind must hold and lacks, or holds and must not."""
        judged = (*_JUDGED, *_PREDICTED) if self.kind is RecordKind.PROMOTION or self._is_promotion_to_be else ()
        missing = [one for one in (*HOLDS[self.kind], *judged) if not self._at(one)]
        foreign = [one for one in LACKS[self.kind] if self._at(one)]
        if self.versions is not None and self.kind is not RecordKind.MIGRATION:
            foreign.append("versions")
        if self.retrain is not None and (self.kind is not RecordKind.RETRAIN or not self.retrain.fits):
            foreign.append("retrain")
        if self.experiment is not None and (self.kind is not RecordKind.EXPERIMENT or not self._is_step):
            foreign.append("experiment")
        return tuple(dict.fromkeys((*missing, *foreign)))

    @property
    def _is_promotion_to_be(self) -> bool:
        return self.kind is RecordKind.INTENT and self.target is None

    @property
    def _is_step(self) -> bool:
        """Whether what was done of an experiment fits: a look was judged, a start and a stop were not."""
        step, judged = self.experiment, [self._at(name) is not None for name in ("verdict", "decision", "evidence")]
        if step is None or not step.fits:
            return False
        return all(judged) if step.state is ExperimentState.LOOK else not any(judged)

    def _at(self, path: str) -> object:
        """Return a field, or one of the model's: ``model.predictions``."""
        first, _, rest = path.partition(".")
        held = getattr(self, first)
        return getattr(held, rest, None) if rest else held

    @property
    def moved(self) -> bool:
        """Whether an alias was moved."""
        return self.kind in MOVES
