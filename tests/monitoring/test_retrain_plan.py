"""Whether a model is trained again follows from the records alone. The clock is simulated: a year takes a second."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import yaml

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.live.live_evidence import WatchedModel
from gates.documents.live.monitoring_decision import SCHEMA, JudgedWindow, MonitoringDecision, WatchedRule
from gates.documents.live.retraining import NotRetrained, Retraining, RetrainState
from gates.documents.record import Record, RecordedTable, RecordKind, Refused, Run, User, Version
from gates.monitoring.retrain_plan import PastRecord, RetrainPlan, is_paused, retrain_plan
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read
from gates.promotion.provenance import draft
from gates.schema.canonical import digest_bytes

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    provider="local", repository=None, repository_id=None, run_id=None, run_attempt=None, event=None,
    actor=User(id=None, login="ada", type=None), triggering_actor=None,
)  # fmt: skip
SERVING, OTHER = digest_bytes(b"serving"), digest_bytes(b"other")


def policy(**retrain: Any) -> ResolvedPolicy:
    section = {"fresh_rows": 1000, "cooldown": "7d", "budget": "4 in 90d", "snapshot": "true"} | retrain
    written = {
        "version": 1, "model": "churn", "data": {"holdout": "h.csv", "label": "churn"}, "train": "true",
        "gates": [{"metric": "recall", "min": 0.5}],
        "promotion": {"stages": [{"alias": "challenger"}, {"alias": "champion"}]},
        "monitor": {
            "live": "l.csv", "key": "id", "time": "at", "window": "1d",
            "gates": [{"metric": "recall", "min": 0.5}, {"metric": "precision", "min": 0.5}],
            "alert": {"retrain": ["recall"]},
        },
        "retrain": section,
    }  # fmt: skip
    return read(yaml.safe_dump(written).encode(), "gates.yaml", lambda _: b"")


def text(day: float) -> str:
    return (BEGIN + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(day: float) -> int:
    return int((BEGIN + timedelta(days=day)).timestamp())


def rule(verdict: Verdict, gate: str = "recall") -> WatchedRule:
    code = Code.ALARM if verdict is Verdict.FAIL else Code.WITHIN_BAR
    judged = GateVerdict.without_metric(id=gate, kind="metric", rule="min", verdict=verdict, code=code, reason="so")
    return WatchedRule(gate=judged, alarm=None)


@dataclass
class Past:
    """The records of a model, each written on a simulated day."""

    resolved: ResolvedPolicy
    history: list[PastRecord] = field(default_factory=list)

    def write(self, day: float, kind: RecordKind, watched: MonitoringDecision | None = None, **fields: Any) -> str:
        alias = fields.pop("alias", "challenger")
        sequence = len(self.history) + 1
        record: Record = replace(draft("churn", RUN, kind, alias, ""), sequence=sequence, at=text(day), **fields)
        digest = digest_bytes(str(sequence).encode())
        self.history.append(PastRecord(digest=digest, at=seconds(day), record=record, decision=watched))
        return digest

    def serve(self, day: float, model: str = SERVING) -> None:
        self.write(day, RecordKind.PROMOTION, alias="champion", after=Version(version="1", digest=model))

    def watch(self, day: int, *rules: WatchedRule, model: str = SERVING, labelled: int = 600) -> str:
        """The window that ends on a day, judged then."""
        window = JudgedWindow(
            start=text(day - 1), end=text(day), part="labels", rows=700, labelled=labelled, verdict=Verdict.FAIL,
            model=WatchedModel(digest=model, version="1", record=digest_bytes(b"r")), rules=rules,
        )  # fmt: skip
        decision = MonitoringDecision(
            schema=SCHEMA, model="churn", verdict=Verdict.FAIL, code=Code.ALARM, reason="so", confidence=0.95,
            false_alarm_every=365, evidence=SERVING, policy=SERVING, previous=None, windows=(window,),
            rows_until=None, labels_until=text(day), states=(),
        )  # fmt: skip
        return self.write(day, RecordKind.MONITOR, decision, alias="champion")

    def alarm(self, day: int, **named: Any) -> str:
        return self.watch(day, rule(Verdict.FAIL), **named)

    def plan(self, day: float, named: str | None = None) -> RetrainPlan:
        return retrain_plan(self.resolved, self.history, seconds(day), named)

    def ask(self, day: float, named: str | None = None) -> Retraining:
        """Plan, and record it."""
        planned = self.plan(day, named)
        assert planned.retraining.fits
        self.write(day, RecordKind.RETRAIN, retrain=planned.retraining, reason=planned.reason)
        return planned.retraining

    def end(self, day: float, *, promoted: bool, **fields: Any) -> None:
        """What became of the candidate, judged by the rows up to that day."""
        held = RecordedTable(name="holdout", path="h.csv", digest=SERVING, rows=9, files=None, pointer=None)
        code = None if promoted else Refused.VERDICT
        kind = RecordKind.PROMOTION if promoted else RecordKind.REFUSAL
        self.write(day, kind, code=code, decision=OTHER, data=(held,), **fields)

    def resume(self, day: float) -> None:
        ended = Retraining(state=RetrainState.RESUMED, code=None, record=None, fresh_rows=None, until=None)
        self.write(day, RecordKind.RETRAIN, retrain=ended)


@pytest.fixture
def past() -> Past:
    made = Past(policy())
    made.serve(0)
    return made


def test_an_alarm_and_enough_rows_start_one(past: Past) -> None:
    past.watch(1, rule(Verdict.PASS))
    asking = past.alarm(2)
    planned = past.plan(2)
    assert planned.retraining == Retraining(
        state=RetrainState.STARTED, code=None, record=asking, fresh_rows=1200, until=text(2)
    )
    assert planned.reason == "recall raised an alarm, and 1,200 labelled rows are fresh"


def started(past: Past) -> None:
    past.alarm(1)
    past.alarm(2)
    assert past.ask(2).state is RetrainState.STARTED


def twice_missed(past: Past) -> None:
    for day in (10, 20):
        past.alarm(day - 1)
        past.alarm(day)
        assert past.ask(day).state is RetrainState.STARTED
        past.end(day + 0.1, promoted=False)


def with_budget(past: Past) -> None:
    past.resolved = policy(budget="1 in 90d")
    started(past)
    past.end(2.1, promoted=True)


def passed(past: Past) -> None:
    past.alarm(1)
    past.alarm(2)
    past.watch(3, rule(Verdict.PASS))


SAID: dict[str, tuple[Callable[[Past], Any], float, NotRetrained, str]] = {
    "nothing was watched": (lambda _: None, 3, NotRetrained.NO_ALARM, "no alarm of recall stands"),
    "another gate": (
        lambda past: past.watch(1, rule(Verdict.FAIL, "precision"), labelled=5000), 1, NotRetrained.NO_ALARM, "recall"
    ),
    "what can't be judged": (
        lambda past: past.watch(1, rule(Verdict.ERROR), labelled=5000), 1, NotRetrained.NO_ALARM, "recall"
    ),
    "an alarm that passed": (passed, 3, NotRetrained.NO_ALARM, "stands about the model that serves"),
    "another model": (lambda past: past.alarm(1, model=OTHER, labelled=5000), 1, NotRetrained.NO_ALARM, "recall"),
    "few rows": (
        lambda past: past.alarm(1, labelled=999), 1, NotRetrained.NO_FRESH_ROWS, "999 labelled rows newer than"
    ),
    "in flight": (started, 2.5, NotRetrained.IN_FLIGHT, "nothing is known of its candidate yet"),
    "the cooldown": (
        lambda past: (started(past), past.end(2.1, promoted=True)), 8.9, NotRetrained.COOLDOWN, "less than 7d ago"
    ),
    "the budget": (with_budget, 80, NotRetrained.BUDGET_SPENT, "the budget of 1 in 90d is spent"),
    "no outcome, and nothing new": (started, 9, NotRetrained.SAME_DATA, "was judged since record 4 started"),
    "paused": (twice_missed, 40, NotRetrained.PAUSED, "gates retrain --resume --reason"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_why_none_is_started(past: Past, name: str) -> None:
    before, day, code, words = SAID[name]
    before(past)
    planned = past.plan(day)
    assert (planned.retraining.state, planned.retraining.code) == (RetrainState.REFUSED, code), planned.reason
    assert words in planned.reason


def test_a_record_that_is_named_must_have_an_alarm_that_stands(past: Past) -> None:
    quiet = past.watch(1, rule(Verdict.INCONCLUSIVE))
    first, second = past.alarm(2), past.alarm(3)
    assert past.plan(3, quiet).retraining.code is NotRetrained.NO_ALARM
    assert past.plan(3, OTHER).retraining.code is NotRetrained.NO_ALARM, "a digest of nothing"
    assert [past.plan(3, one).retraining.record for one in (first, second, None)] == [first, second, second]


def test_a_model_that_takes_over_ends_the_alarm_of_the_one_before(past: Past) -> None:
    past.alarm(1, labelled=5000)
    assert past.plan(1).retraining.state is RetrainState.STARTED
    past.serve(1.5, OTHER)
    assert past.plan(2).retraining.code is NotRetrained.NO_ALARM


def test_rows_count_from_the_last_decision_on(past: Past) -> None:
    past.alarm(1, labelled=5000)
    past.end(1.5, promoted=False)
    past.alarm(3, labelled=400)
    assert past.plan(3).retraining.fresh_rows == 400
    past.alarm(4, labelled=600)
    assert past.plan(4).retraining.state is RetrainState.STARTED


def test_a_pause_lasts_until_somebody_ends_it(past: Past) -> None:
    assert not is_paused(past.resolved, past.history, seconds(1))
    twice_missed(past)
    for day in (60, 61):
        past.alarm(day)
    assert past.plan(300).retraining.code is NotRetrained.PAUSED
    assert is_paused(past.resolved, past.history, seconds(300))
    past.resume(300)
    assert past.plan(300).retraining.state is RetrainState.STARTED


def test_a_candidate_that_is_promoted_ends_the_row(past: Past) -> None:
    for day, promoted in ((10, False), (20, True), (30, False)):
        past.alarm(day - 1)
        past.alarm(day)
        assert past.ask(day).state is RetrainState.STARTED
        past.end(day + 0.1, promoted=promoted)
    past.alarm(39)
    past.alarm(40)
    assert past.plan(40).retraining.state is RetrainState.STARTED


def test_a_training_that_fails_without_a_word_counts_as_missed(past: Past) -> None:
    for day in (10, 20):
        past.alarm(day - 1)
        past.alarm(day)
        assert past.ask(day).state is RetrainState.STARTED
    past.alarm(26)
    assert past.plan(26.9).retraining.code is NotRetrained.IN_FLIGHT
    assert past.plan(27).retraining.code is NotRetrained.PAUSED


def test_what_another_run_did_is_no_outcome(past: Past) -> None:
    past.alarm(1, labelled=5000)
    seven, eight = (replace(RUN, provider="github", run_id=number) for number in (7, 8))
    planned = past.plan(1)
    past.write(1, RecordKind.RETRAIN, retrain=planned.retraining, run=seven)
    past.end(1.1, promoted=True, run=eight)
    assert past.plan(1.2).retraining.code is NotRetrained.IN_FLIGHT
    past.end(1.3, promoted=True, run=seven)
    assert past.plan(1.4).retraining.code is NotRetrained.COOLDOWN


def year(becomes: Callable[[int], bool | None], **retrain: Any) -> tuple[list[int], Counter[Any]]:
    """A year with an alarm every day, and a plan after each; gives the days of the starts, and why there were none.

    ``becomes``: whether the n-th candidate is promoted, a tenth of a day later; None: nothing is ever known of it.
    """
    past = Past(policy(**retrain))
    past.serve(0)
    starts: list[int] = []
    stops: Counter[Any] = Counter()
    for day in range(1, 366):
        past.alarm(day)
        outcome = past.ask(day)
        if outcome.state is RetrainState.REFUSED:
            stops[outcome.code] += 1
            continue
        promoted = becomes(len(starts))
        starts.append(day)
        if promoted is not None:
            past.end(day + 0.1, promoted=promoted)
    return starts, stops


DRAW = random.Random(3)  # noqa: S311 -- not a secret
FATES: Mapping[str, Callable[[int], bool | None]] = {
    "never promoted": lambda _: False,
    "nothing known": lambda _: None,
    "always promoted": lambda _: True,
    "four promoted": lambda place: place < 4,
    "every other one": lambda place: place % 2 == 0,
    "by chance": lambda _: DRAW.random() < 0.7,
}


@pytest.mark.parametrize("name", FATES)
def test_a_year_of_alarms_stays_within_the_budget(name: str) -> None:
    starts, stops = year(FATES[name])
    assert starts[0] == 2, "the first one with enough rows"
    assert all(sum(day - 90 < one <= day for one in starts) <= 4 for day in range(366))
    assert all(later - earlier >= 7 for earlier, later in pairwise(starts))
    if name in ("never promoted", "nothing known"):
        assert len(starts) == 2
        assert stops[NotRetrained.PAUSED] > 300, "then paused, for the rest of the year"
    if name == "four promoted":
        assert len(starts) == 6, "four are promoted, two are not"
        assert stops[NotRetrained.PAUSED] > 200
    if name == "always promoted":
        assert len(starts) == 17, "4 in 90 days, four times, and one more"
        assert stops[NotRetrained.PAUSED] == 0
        assert stops[NotRetrained.BUDGET_SPENT] > 200


def test_without_a_budget_and_a_cooldown_there_would_be_many() -> None:
    """The control: it is these two that hold the loop."""
    starts, _ = year(lambda _: True, budget="999 in 1d", cooldown="1m")
    assert len(starts) > 100
