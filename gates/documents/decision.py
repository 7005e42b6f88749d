"""Decision: the verdict of every rule, and the overall one. Outcome is data; words and exit codes derive from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gates.documents.slices import key_text
from gates.errors import Exit
from gates.schema.fields import declare

SCHEMA: Literal["gates/decision/v1"] = "gates/decision/v1"


class Verdict(StrEnum):
    """A gate's outcome, from best to worst. A gate that was not judged has none."""

    PASS = "pass"  # noqa: S105 -- a verdict, not a password
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"

    @property
    def badness(self) -> int:
        """0 (pass) to 3 (error)."""
        return list(Verdict).index(self)


class Code(StrEnum):
    """Why a verdict is what it is. Codes are stable and never reused."""

    WITHIN_BAR = "within_bar"
    WARNED = "warned"  # broken, but the contract only warns of it
    BELOW_BAR = "below_bar"
    ABOVE_BAR = "above_bar"
    ACROSS_BAR = "across_bar"
    TOO_OLD = "too_old"  # the newest row that can be read
    IN_FUTURE = "in_future"  # all rows that can be read, so that nobody knows how old the newest is
    UNREADABLE = "unreadable"  # no row has a readable time
    TOO_FEW_ROWS = "too_few_rows"
    UNDEFINED = "undefined"
    NOT_FINITE = "not_finite"
    MISSING_SLICE = "missing_slice"
    NOTHING_FOUND = "nothing_found"  # of all slices that were searched none is certainly past the limit
    MET = "met"
    UNMET = "unmet"
    MISSING_FACT = "missing_fact"
    NO_CHAMPION = "no_champion"
    NO_BASE = "no_base"  # the base commit's model has no predictions on these rows
    UNCOMPARED = "uncompared"  # with no champion, for a reason that is told, though there may be one
    OTHER_REGISTRY = "other_registry"  # the ledger says that the champion is in another registry than the one asked
    ALIAS_MOVED = "alias_moved"  # the registry's alias names another version than the ledger, or none
    NOT_ADOPTED = "not_adopted"  # the registry's alias names a version of which the ledger says nothing
    STORED_BYTES = "stored_bytes"  # the champion's bytes are not those that were promoted
    SUSPICIOUS = "suspicious"  # better by more than is believable
    HOLDOUT_SPENT = "holdout_spent"  # it has decided as often as it is good for
    DIFFERENT_ROWS = "different_rows"
    NO_SCORES = "no_scores"
    NOT_MEASURED = "not_measured"
    NOTHING_JUDGED = "nothing_judged"
    COULD_NOT_JUDGE = "could_not_judge"
    UNCHANGED = "unchanged"
    # of a Prometheus
    NO_SERIES = "no_series"  # nothing came back
    MANY_SERIES = "many_series"  # more than one series came back, and nobody said which one counts
    NO_TRAFFIC = "no_traffic"  # of no event can a share be bad
    STALE = "stale"  # a series that is asked about has no recent sample
    GAPS = "gaps"  # a step has no value
    PARTIAL = "partial"  # it warned that its answer may be incomplete
    # of live rows
    ALARM = "alarm"  # windows together speak so strongly against a rule as they seldom do by chance
    NO_ROWS = "no_rows"
    UNKNOWN_MODEL = "unknown_model"  # somebody serves what nobody promoted
    MISSING_COLUMN = "missing_column"
    LABELS_MISSING = "labels_missing"
    NO_REFERENCE = "no_reference"  # nothing is known of when the model was promoted that could be compared with
    ESTIMATED = "estimated"  # without labels, which neither passes nor fails
    ESTIMATED_DROP = "estimated_drop"  # scores alone say that a limit is missed
    UNSEEN_SCORES = "unseen_scores"  # so many as were hardly there when the model was promoted
    BUILDING = "building"  # the first windows, which later ones are compared with, are still being counted
    # of experiments
    TOO_EARLY = "too_early"  # before the days that an experiment must take
    ENDED = "ended"  # undecided after the days that it may take: the champion stays
    SAMPLE_RATIO = "sample_ratio"  # units don't fall into the arms by their shares
    ASSIGNMENT = "assignment"  # units are in another arm than their hash says
    SALT_REUSED = "salt_reused"  # units are in the arms of an earlier experiment
    CROSSOVER = "crossover"  # units were exposed to both models
    UNKNOWN_ARM = "unknown_arm"  # the log names an arm that the experiment does not have
    TIME_BACKWARDS = "time_backwards"  # outcomes lie before what they are outcomes of
    DUPLICATES = "duplicates"  # outcomes repeat each other
    ROWS_LOST = "rows_lost"  # the log has fewer units than at the look before


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and its bounds. Each bound alone holds with the policy's confidence (one-sided)."""

    WRITTEN = "whole"
    value: float = declare("The point value.")
    low: float = declare("Lower bound.")
    high: float = declare("Upper bound.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """The outcome of one rule of one gate, on the whole holdout or on one slice."""

    WRITTEN = "whole"
    id: str = declare("The gate's name, stable over runs.")
    kind: str = declare("metric, data, ...")
    metric: str | None = declare("The metric's name, for a metric gate.")
    rule: str = declare("min, max, max_worsening, min_improvement, suspicious_gain, or the contract's rule.")
    bar: float | None = declare("The limit: the number that the estimate is held against.")
    slice: dict[str, str | None] | None = declare("Null for the whole holdout.")
    by: str | None = declare("The sensitive columns of a fairness gate.")
    groups: dict[str, float | None] | None = declare("Each group's value, for a fairness gate.")
    n: int = declare("How many rows it rests on.")
    verdict: Verdict | None = declare("Null: not judged.")
    code: Code = declare("The reason as a stable word.")
    reason: str = declare("The reason as one plain sentence.")
    candidate: Estimate | None = declare("The candidate's value; for drift, the distance.")
    champion: Estimate | None = declare("The champion's value.")
    difference: Estimate | None = declare("Candidate less champion, paired on the same rows.")
    detectable: float | None = declare(
        "The smallest difference from the limit that these rows would reveal 8 times in 10."
    )
    method: str | None = declare("How the judged bounds were made.")
    better: int | None = declare(
        "For a metric: 1 if larger values are better, -1 if smaller ones are, 0 if neither.", default=None
    )
    against: str | None = declare("The model compared with, if it is not the champion: anchor or base.", default=None)
    training: float | None = declare(
        "Share of the squared error due to training, if several seeds were trained; the rest is the holdout's.",
        default=None,
    )

    searched: int | None = declare(
        "For a slice that was found: how many were searched. Its bounds hold for all of them.",
        default=None,
    )
    notes: tuple[str, ...] = declare(
        "What the reason says beyond the numbers, such as how many rows would settle it.", default=(), late=True
    )

    @classmethod
    def without_metric(
        cls,
        *,
        id: str,  # noqa: A002 -- the field's name
        kind: str,
        rule: str,
        verdict: Verdict | None,
        code: Code,
        reason: str,
        bar: float | None = None,
        n: int = 0,
        candidate: Estimate | None = None,
    ) -> GateVerdict:
        """Return the verdict of a gate on no metric: no slice, no champion, no method."""
        return cls(
            id=id,
            kind=kind,
            metric=None,
            rule=rule,
            bar=bar,
            slice=None,
            by=None,
            groups=None,
            n=n,
            verdict=verdict,
            code=code,
            reason=reason,
            candidate=candidate,
            champion=None,
            difference=None,
            detectable=None,
            method=None,
        )

    @property
    def badness(self) -> int:
        """0 (pass, or not judged) to 3 (error)."""
        return self.verdict.badness if self.verdict else 0

    @property
    def where(self) -> str:
        """The slice for people: ``tenure < 12``; nothing for the whole holdout."""
        told = key_text(self.slice) if self.slice else ""
        return f"{told} (found among {self.searched:,})" if told and self.searched else told

    @property
    def label(self) -> str:
        """The name of the rule: ``recall:max_worsening@region=LATAM``, ``f1:max_worsening:anchor``."""
        return rule_label(self.id, self.rule, self.slice, self.against)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which model is meant."""

    WRITTEN = "whole"
    digest: str = declare("Digest of the sorted file manifest.")
    version: str | None = declare("Version in the registry; null for a candidate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All verdicts of one candidate under one policy."""

    WRITTEN = "whole"
    schema: Literal["gates/decision/v1"] = declare("Format of this document.")
    verdict: Verdict = declare("The worst verdict.")
    code: Code = declare("The reason of the worst verdict.")
    reason: str = declare("Why, in one plain sentence.")
    model: str = declare("The policy's model name.")
    confidence: float | None = declare("The confidence of each bound; null if nothing was judged.")
    candidate: ModelRef | None = declare("The model under judgement.")
    champion: ModelRef | None = declare("The model it was compared with.")
    gates: tuple[GateVerdict, ...] = declare("In the policy's order.")
    evidence: str | None = declare("Digest of the evidence.")
    policy: str | None = declare("Digest of the policy with its contract.")
    used: int | None = declare(
        "How many decisions this holdout had made before; null if the policy sets no number.", default=None
    )
    reuse: int | None = declare(
        "How many decisions this holdout is good for; null if the policy does not say.", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A verdict that an earlier commit of the pull request got, or this one."""

    verdict: Verdict
    commit: str


def rule_label(gate: str, rule: str, where: dict[str, str | None] | None, against: str | None) -> str:
    """Return the name of a rule for people and commands."""
    return f"{gate}:{rule}" + (f":{against}" if against else "") + (f"@{key_text(where)}" if where else "")


def worst(verdicts: Iterable[GateVerdict]) -> GateVerdict | None:
    """Return the first of those with the worst verdict; None where none was judged."""
    judged = [gate for gate in verdicts if gate.verdict is not None]
    return max(judged, key=lambda gate: gate.badness, default=None)


def worse(one: Decision, other: Decision) -> Decision:
    """Return the decision that counts where two policies judged: the worse one, the first where they are alike."""
    return max(one, other, key=lambda decision: decision.verdict.badness)


def could_not_judge(model: str, reason: str, code: Code = Code.COULD_NOT_JUDGE) -> Decision:
    """Return the decision where a step before judging stopped: ``error``, with that step's message."""
    return _without_gates(model, Verdict.ERROR, code, reason)


def unchanged(model: str, reason: str) -> Decision:
    """Return the decision where nothing that goes into the model has changed: nothing was judged, and nothing is
    blocked.

    It is no pass: it can't be promoted.
    """
    return _without_gates(model, Verdict.INCONCLUSIVE, Code.UNCHANGED, reason)


def _without_gates(model: str, verdict: Verdict, code: Code, reason: str) -> Decision:
    return Decision(
        schema=SCHEMA,
        verdict=verdict,
        code=code,
        reason=reason,
        model=model,
        confidence=None,
        candidate=None,
        champion=None,
        gates=(),
        evidence=None,
        policy=None,
    )


def exit_code(
    decision: Decision, *, inconclusive_fails: bool, verdict: Verdict | None = None, observing: bool = False
) -> Exit:
    """Return the exit code of a decision: 0 for pass, and for inconclusive unless the policy says otherwise; 1 for
    fail; 2 for error.

    ``verdict``: what waivers made of the decision's own. ``observing``: the policy only reports; what could be judged
    then blocks nothing.
    """
    verdict = verdict or decision.verdict
    if verdict is Verdict.ERROR:
        return Exit.INPUT
    undecided = verdict is Verdict.INCONCLUSIVE and inconclusive_fails and decision.code is not Code.UNCHANGED
    return Exit.STOP if (verdict is Verdict.FAIL or undecided) and not observing else Exit.SHIP
