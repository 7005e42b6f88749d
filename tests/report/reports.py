"""Decisions and facts that the tests of reports share. What is rendered are the golden decisions of tests/judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gates.documents.champion import Champion
from gates.documents.decision import Decision, Past, Verdict, could_not_judge, unchanged
from gates.documents.record import Approval, RecordedModel, RecordKind, Run, User, Version, Waiver
from gates.judge.waivers import Settled, accept, acceptable, settle
from gates.promotion.provenance import draft
from gates.report.run_facts import Facts, Picture
from gates.report.svg import spoken
from gates.schema.validation import PolicyError, Problem, read_json

DECISIONS = Path(__file__).parent.parent / "judge"
FACTS = Facts(
    policy="gates.yaml",
    version="1.2.3",
    commit="0123456789abcdef",
    run_url="https://github.com/acme/churn/actions/runs/7",
)
PROBLEMS = (
    Problem(file="gates.yaml", line=14, column=5, text="max_worsning: unknown key; did you mean max_worsening?"),
    Problem(file="gates.yaml", line=20, column=3, text="zzz: unknown key"),
)
NAMES = [
    "first_run", "passes", "fails", "cannot_tell", "error_beats_fail", "nothing_judged", "data_broken",
    "data_alone_is_no_pass", "data_uncounted", "fairness", "champion_unscored", "could_not_judge", "too_few_rows",
]  # fmt: skip
TODAY, LAST = "2026-11-24", "2026-12-31"


def decision_of(name: str) -> Decision:
    if name == "could_not_judge":
        return could_not_judge("churn", str(PolicyError(PROBLEMS)))
    if name == "unchanged":
        return unchanged("churn", "nothing that goes into the model has changed")
    path = DECISIONS / f"{name}.json"
    return read_json(Decision, path.read_bytes(), path.name)


def facts_about(name: str, facts: Facts = FACTS) -> Facts:
    return replace(facts, problems=PROBLEMS) if name == "could_not_judge" else facts


def settled(decision: Decision, *limits: int, today: str = TODAY) -> Settled:
    """What is left of a decision of which somebody accepts some limits, by their number."""
    every = tuple(gate.id for gate in decision.gates)
    said = {"who": User(id=5, login="dana", type="User"), "reason": "relabelled", "until": LAST}
    waivers = [accept(decision, decision.gates[n].label, **said, today=TODAY, waivable=every) for n in limits]
    return settle(decision, waivers, today, every)


def acceptable_bars(decision: Decision) -> list[int]:
    every = [gate.id for gate in decision.gates]
    return [number for number, gate in enumerate(decision.gates) if acceptable(gate, every)]


PULL = replace(
    FACTS,
    commit="0123456789abcdef0123456789abcdef01234567",
    pull_request=418,
    reproduce="git fetch origin pull/418/head && git checkout 0123456 && gates run",
    waive="gates-waive.yml",
    waivable=("recall", "accuracy"),
)
PAST = (
    Past(verdict=Verdict.PASS, commit="7c1a2f0" + "0" * 33),
    Past(verdict=Verdict.FAIL, commit="0123456789abcdef0123456789abcdef01234567"),
)
FAILS, PASSES, DOUBT = decision_of("fails"), decision_of("passes"), decision_of("cannot_tell")
BLOB = "https://github.com/acme/churn/blob/gates-pictures/418"
PICTURE = Picture(
    light=f"{BLOB}/a-light-b.svg?raw=true", dark=f"{BLOB}/a-dark-c.svg?raw=true", spoken=spoken(FAILS, PULL)
)
WEAKER = ("gates.recall.max_worsening: 0.01 became 0.05", "confidence: 0.95 became 0.8")

# Every absence, and all that must be known to read a verdict rightly.
CASES: dict[str, tuple[Decision, Facts]] = {
    "pull_request": (FAILS, replace(PULL, history=PAST)),
    "accepted": (FAILS, replace(PULL, settled=settled(FAILS, *acceptable_bars(FAILS)))),
    "partly_accepted": (FAILS, replace(PULL, settled=settled(FAILS, 2))),
    "acceptance_ended": (FAILS, replace(PULL, settled=settled(FAILS, 1, today="2027-01-01"))),
    "observing": (FAILS, replace(PULL, observing="2027-03-01")),
    "observing_passes": (PASSES, replace(PULL, observing="2027-03-01")),
    "observing_error": (decision_of("could_not_judge"), replace(PULL, observing="2027-03-01", problems=PROBLEMS)),
    "observed": (FAILS, replace(PULL, observed="2026-11-01")),
    "fork": (PASSES, replace(PULL, fork=True)),
    "fork_fails": (FAILS, replace(PULL, fork=True)),
    "weaker": (PASSES, replace(PULL, weaker=WEAKER, changes=("slices: region is new",))),
    "weaker_fails": (FAILS, replace(PULL, weaker=WEAKER[:1])),
    "strict": (DOUBT, replace(PULL, strict=True)),
    "unchanged": (decision_of("unchanged"), replace(PULL, strict=True)),
    "picture": (FAILS, replace(PULL, picture=PICTURE)),
}


def champion_of(
    decision: Decision, version: int, *, foreign: str = "dana", waivers: tuple[Waiver, ...] = (), back: bool = False
) -> Champion:
    """What the ledger says of a promoted model; ``foreign`` is every text in it that people choose."""
    user, digest = User(id=5, login=foreign, type="User"), "sha256:" + f"{version:02d}" * 32
    run = Run(provider="local", repository=None, repository_id=None, run_id=None, run_attempt=None, event=None,
              actor=user, triggering_actor=None)  # fmt: skip
    yes = Approval(role=foreign, environment=None, user=user, state="approved", comment=foreign, meaning="approval",
                   not_before=None, not_after=None, time_source=foreign, quoted_digest=True)  # fmt: skip
    model = RecordedModel(digest=digest, format="mlflow", pickled=(), parameters=None)
    record = replace(
        draft(foreign, run, RecordKind.ROLLBACK if back else RecordKind.PROMOTION, "champion", f"because {foreign}"),
        sequence=2 * version, at=f"2026-{version:02d}-01T09:30:00Z", verdict=str(decision.verdict), model=model,
        after=Version(version=str(version), digest=digest), approvals=(yes,), waivers=waivers,
        evidence=decision.evidence, policy=None,
    )  # fmt: skip
    return Champion(record=record, digest=digest, judged=record, decision=decision)
