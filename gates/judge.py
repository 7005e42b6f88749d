"""(Policy, Evidence) -> Decision. Pure: no clock, no network, no data; seeded by the evidence's digest."""

from __future__ import annotations

from gates.canonical import digest
from gates.decision import SCHEMA, Code, Decision, GateVerdict, ModelRef, Verdict, worst
from gates.errors import GatesError
from gates.evidence import Evidence, Ranks, Slice
from gates.policy import Bound
from gates.slices import OVERALL

CELL = 4  # label, candidate's call, champion's call, rows
CLASSES = 2


def judge(bound: Bound, evidence: Evidence) -> Decision:
    """Every gate's verdicts in the policy's order, and the worst of them.

    Raises ``GatesError`` where the evidence was measured under a policy that asks for other counts, or can't
    have been measured at all: it may have been handed over by somebody hostile.
    """
    if evidence.measured != bound.measured:
        raise GatesError(
            "the evidence was measured under another policy (data, slices, gates or contract changed since)",
            mend="Run gates measure again.",
        )
    wrong = contradiction(bound, evidence)
    if wrong:
        raise GatesError(f"the evidence contradicts itself: {wrong}", mend="Run gates measure again.")
    seed = digest(evidence)
    terms = bound.terms(seed)
    gates = tuple(verdict for gate in bound.gates for verdict in gate.module.judge(gate.rule, evidence, terms))
    verdict, code, reason = _overall(gates)
    candidate, champion = evidence.candidate, evidence.champion
    return Decision(
        schema=SCHEMA,
        verdict=verdict,
        code=code,
        reason=reason,
        model=evidence.model,
        confidence=bound.policy.confidence,
        candidate=ModelRef(digest=candidate.digest, version=candidate.version) if candidate else None,
        champion=ModelRef(digest=champion.digest, version=champion.version) if champion else None,
        gates=gates,
        evidence=seed,
        policy=bound.digest,
    )


def contradiction(bound: Bound, evidence: Evidence) -> str | None:
    """Why no measuring under this policy can have made this evidence; None where one can."""
    tables = {table.name: table.rows for table in evidence.tables}
    if evidence.model != bound.policy.model:
        return "it is about another model"
    if "holdout" not in tables or len(tables) != len(evidence.tables):
        return "it does not name each table once"
    if evidence.candidate is None or evidence.candidate.unscored:
        return None
    if len(evidence.classes) != CLASSES:
        return "it does not name two classes"
    champion = evidence.champion is not None and evidence.champion.unscored is None
    columns = {dimension.id: dimension.columns for dimension in (OVERALL, *bound.needs.cells)}
    if len({(part.dimension, part.key) for part in evidence.slices}) != len(evidence.slices):
        return "a slice stands twice"
    for part in evidence.slices:
        if tuple(column for column, _ in part.key) != columns.get(part.dimension):
            return f"nobody asked for slices by {part.dimension}, or they name other columns"
        wrong = _slice_contradiction(part, champion=champion)
        if wrong:
            return f"{part.dimension or 'the whole holdout'}: {wrong}"
    for dimension in (OVERALL, *sorted(bound.needs.cells, key=lambda one: one.id)):
        if sum(part.rows for part in evidence.along(dimension)) != tables["holdout"]:
            return f"{dimension.id or 'its cells'}: not as many rows as the holdout has"
    return None if len(evidence.along(OVERALL)) == 1 else "it does not hold the whole holdout once"


def _slice_contradiction(part: Slice, *, champion: bool) -> str | None:
    calls = {0, 1} if champion else {-1}
    for cell in part.cells:
        if len(cell) != CELL or cell[0] not in (0, 1) or cell[1] not in (0, 1) or cell[2] not in calls or cell[3] < 1:
            return f"{list(cell)} is no cell"
    if len({cell[:3] for cell in part.cells}) != len(part.cells):
        return "a cell stands twice"
    return _ranks_contradiction(part, part.ranks) if part.ranks else None


def _ranks_contradiction(part: Slice, ranks: Ranks) -> str | None:
    if (ranks.positives.a, ranks.positives.b) != (ranks.negatives.a, ranks.negatives.b):
        return "both classes must tell the same ROC-AUC"
    for label, sums in ((1, ranks.positives), (0, ranks.negatives)):
        n = sums.rows
        if n != sum(cell[3] for cell in part.cells if cell[0] == label):
            return "ranks and cells count different rows"
        most = 2 * (part.rows - n)  # a row beats at most all rows of the other class
        for total, squares in ((sums.a, sums.aa), (sums.b, sums.bb)):
            if not (0 <= total <= n * most and total * total <= squares * n <= most * total * n):
                return "no ranks have these sums"
        if sums.ab < 0 or sums.ab * sums.ab > sums.aa * sums.bb:
            return "no two rankings have these sums"
    return None


def _overall(gates: tuple[GateVerdict, ...]) -> tuple[Verdict, Code, str]:
    judged = [gate for gate in gates if gate.verdict is not None]
    waiting = [gate.reason for gate in gates if gate.verdict is None]
    later = f"; {len(waiting)} not judged ({waiting[0]})" if waiting else ""
    found = worst(judged)
    models = [gate for gate in judged if gate.metric]
    if found is None or (found.verdict is Verdict.PASS and not models):
        return Verdict.INCONCLUSIVE, Code.NOTHING_JUDGED, f"no bar of the model was judged{later}"
    assert found.verdict is not None  # noqa: S101 -- ``worst`` looks at judged ones only
    if found.verdict is Verdict.PASS:
        count = f"all {len(models)} judged bars hold" if len(models) > 1 else "the one judged bar holds"
        return found.verdict, found.code, f"{count}{later}"
    return found.verdict, found.code, found.reason
