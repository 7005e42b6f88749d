"""A waiver holds while what fails stays within what was accepted, and no longer."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.documents.decision import SCHEMA, Code, Decision, Estimate, GateVerdict, Verdict, exit_code, unchanged, worst
from gates.documents.record import User, Waiver
from gates.errors import Exit, GatesError
from gates.judge.waivers import Settled, accept, label_of
from gates.judge.waivers import acceptable as may_be
from gates.judge.waivers import settle as waivers_settle
from gates.metrics import table
from gates.schema.canonical import canonical, digest
from gates.schema.validation import read_json

PASS, INCONCLUSIVE, FAIL, ERROR = Verdict
TODAY, LAST = "2026-11-24", "2026-12-31"
LATAM = {"region": "LATAM"}
DANA = User(id=5, login="dana", type="User")
EVERY = ("recall", "precision", "false_positive_rate", "data.train", *(f"g{index}" for index in range(5)))


def ruled(verdict: Verdict | None = FAIL, low: float = -0.1, high: float = -0.04, **other) -> GateVerdict:
    rule = other.get("rule", "max_worsening")
    judged = Estimate(value=(low + high) / 2, low=low, high=high)
    level = rule in ("min", "max")
    fields = {
        "id": "recall", "kind": "metric", "metric": "recall", "rule": rule, "bar": 0.02, "slice": LATAM, "by": None,
        "groups": None, "n": 100, "verdict": verdict, "code": Code.BELOW_BAR, "reason": "it fell",
        "candidate": judged if level else None, "champion": None, "difference": None if level else judged,
        "detectable": None, "method": None,
    }  # fmt: skip
    fields |= other
    entry = table("binary").get(fields["metric"] or "")
    return GateVerdict(**{"better": entry and entry.better} | fields)


def decision_of(*gates: GateVerdict) -> Decision:
    found = worst(gates)
    return Decision(
        schema=SCHEMA, verdict=found.verdict if found else INCONCLUSIVE, code=Code.BELOW_BAR, reason="it fell",
        model="churn", confidence=0.95, candidate=None, champion=None, gates=gates, evidence=None, policy=None,
    )  # fmt: skip


def waiver_of(decision: Decision, label: str = "recall:max_worsening@region=LATAM", until: str = LAST) -> Waiver:
    told = "relabelled, see the issue"
    return accept(decision, label, who=DANA, reason=told, until=until, today=TODAY, waivable=EVERY)


def settle(decision: Decision, waivers: list[Waiver], today: str, waivable=EVERY) -> Settled:
    return waivers_settle(decision, waivers, today, waivable)


def test_a_waiver_says_what_was_accepted_and_comes_back_whole():
    decision = decision_of(ruled())
    waiver = waiver_of(decision)
    assert (waiver.decision, waiver.verdict) == (digest(decision), FAIL)
    assert (waiver.value, waiver.bound) == (pytest.approx(-0.07), -0.1)
    assert read_json(Waiver, canonical(waiver), "waiver.json") == waiver


def test_what_is_accepted_no_longer_counts_and_the_rest_does():
    accepted, other = ruled(), ruled(INCONCLUSIVE, slice=None)
    decision = decision_of(accepted, other, ruled(PASS, id="precision"))
    settled = settle(decision, [waiver_of(decision)], TODAY)
    assert settled.verdict is INCONCLUSIVE
    assert [one.gate for one in settled.waived] == [accepted]
    assert settled.void == ()
    assert decision.verdict is FAIL


CHANGED = {
    "the same": (ruled(), None),
    "better": (ruled(low=-0.09), None),
    "better, and only undecided": (ruled(INCONCLUSIVE, high=0.01), None),
    "passes": (ruled(PASS, low=0, high=0.1), None),
    "worse": (ruled(low=-0.1001), "it got worse: −0.100 at worst was accepted, now it is −0.100"),
    "worse by far": (ruled(low=-0.2), "it got worse: −0.100 at worst was accepted, now it is −0.200"),
    "no number any more": (ruled(INCONCLUSIVE, difference=None), "only one of the two verdicts has a number"),
    "not finite": (ruled(low=float("nan")), "it got worse: −0.100 at worst was accepted, now it is nan"),
    "an error": (ruled(ERROR), "an error can't be accepted; fix what it names"),
}


@pytest.mark.parametrize(("now", "why"), CHANGED.values(), ids=CHANGED)
def test_it_holds_while_what_fails_is_no_worse(now, why):
    waiver = waiver_of(decision_of(ruled()))
    settled = settle(decision_of(now), [waiver], TODAY)
    assert [one.why for one in settled.void] == ([] if why is None else [why])
    assert settled.verdict is (PASS if why is None else now.verdict)


OTHERS = {
    "gate": {"id": "precision"}, "rule": {"rule": "min"}, "slice": {"slice": {"region": "EMEA"}},
    "whole": {"slice": None}, "missing": {"slice": {"region": None}},
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_limit_is_another_matter(other):
    settled = settle(decision_of(ruled(**other)), [waiver_of(decision_of(ruled()))], TODAY)
    assert (settled.verdict, settled.waived, settled.void) == (FAIL, (), ())


def test_undecided_was_accepted_but_not_failed():
    waiver = waiver_of(decision_of(ruled(INCONCLUSIVE, high=0.01)))
    settled = settle(decision_of(ruled()), [waiver], TODAY)
    assert [one.why for one in settled.void] == ["inconclusive was accepted, now it is fail"]


def test_too_few_rows_are_accepted_without_a_number():
    few = ruled(INCONCLUSIVE, difference=None, code=Code.TOO_FEW_ROWS)
    waiver = waiver_of(decision_of(few))
    assert (waiver.value, waiver.bound) == (None, None)
    assert settle(decision_of(few), [waiver], TODAY).verdict is PASS
    assert settle(decision_of(ruled(INCONCLUSIVE, high=0)), [waiver], TODAY).verdict is INCONCLUSIVE


@pytest.mark.parametrize(("today", "verdict"), [("2026-12-31", PASS), ("2027-01-01", FAIL), ("2036-01-01", FAIL)])
def test_it_ends_by_itself_after_its_last_day(today, verdict):
    decision = decision_of(ruled())
    settled = settle(decision, [waiver_of(decision)], today)
    assert settled.verdict is verdict
    assert [one.why for one in settled.void] == ([] if verdict is PASS else ["it ended on 2026-12-31"])


def test_of_several_the_one_that_holds_counts():
    decision = decision_of(ruled(low=-0.2))
    old, new = waiver_of(decision_of(ruled())), waiver_of(decision)
    settled = settle(decision, [old, new], TODAY)
    assert ([one.waiver for one in settled.waived], settled.void) == ([new], ())


@pytest.mark.parametrize(
    ("rule", "metric", "better"),
    [("min", "recall", 1), ("max", "recall", -1), ("max_worsening", "recall", 1),
     ("max_worsening", "false_positive_rate", -1)],
)  # fmt: skip
@given(low=st.floats(-1, 1), high=st.floats(-1, 1), move=st.floats(-1, 1))
def test_worse_is_what_the_limit_calls_worse(rule, metric, better, low, high, move):
    ends = sorted((low, high))
    before = ruled(low=ends[0], high=ends[1], rule=rule, metric=metric, id=metric)
    after = ruled(low=ends[0] + move, high=ends[1] + move, rule=rule, metric=metric, id=metric)
    waiver = waiver_of(decision_of(before), before.label)
    end = 0 if better > 0 else 1
    shift = (ends[end] + move - ends[end]) * better
    assert (settle(decision_of(after), [waiver], TODAY).verdict is PASS) == (shift >= 0)


REFUSED = {
    "no such rule": (
        decision_of(ruled()),
        "recall:max_worsening@region=LATM",
        "did you mean recall:max_worsening@region",
    ),
    "holds": (decision_of(ruled(PASS)), ruled().label, "it passes"),
    "error": (decision_of(ruled(ERROR)), ruled().label, "can't be accepted; fix what it names"),
    "not judged": (decision_of(ruled(None)), ruled().label, "was not judged"),
    "data": (
        decision_of(ruled(kind="data", id="data.train", rule="rows")),
        ruled(id="data.train", rule="rows").label,
        "does not allow accepting",
    ),
}


@pytest.mark.parametrize(("decision", "label", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_accepted_is_told(decision, label, told):
    with pytest.raises(GatesError, match=told):
        waiver_of(decision, label)


def test_two_limits_that_read_alike_are_told_apart():
    one, two = ruled(slice={"a": "1, b=2"}), ruled(slice={"a": "1", "b": "2"})
    assert one.label == two.label
    settled = settle(decision_of(two), [waiver_of(decision_of(one), one.label)], TODAY)
    assert (settled.verdict, settled.waived) == (FAIL, ())
    with pytest.raises(GatesError, match="several rules"):
        waiver_of(decision_of(one, two), one.label)


def test_what_the_anchor_says_is_accepted_apart_from_what_the_champion_says():
    champion, anchor = ruled(), ruled(against="anchor")
    assert anchor.label == "recall:max_worsening:anchor@region=LATAM"
    both = decision_of(champion, anchor)
    for accepted, left in ((champion, anchor), (anchor, champion)):
        waiver = waiver_of(both, accepted.label)
        settled = settle(both, [waiver], TODAY)
        assert ([one.gate for one in settled.waived], settled.verdict) == ([accepted], FAIL)
        assert label_of(waiver) == accepted.label != left.label
    settled = settle(both, [waiver_of(both, one.label) for one in (champion, anchor)], TODAY)
    assert settled.verdict is PASS


def test_a_failure_is_accepted_only_where_the_policy_says_so_and_doubt_anywhere():
    failed, doubt = decision_of(ruled()), decision_of(ruled(INCONCLUSIVE, high=0.0))
    settled = settle(failed, [waiver_of(failed)], TODAY, waivable=("precision",))
    assert settled.verdict is FAIL
    assert [one.why for one in settled.void] == ["the policy does not allow accepting it (promotion.waivable)"]
    assert settle(doubt, [waiver_of(doubt)], TODAY, waivable=()).verdict is PASS
    with pytest.raises(GatesError, match=r"promotion\.waivable"):
        accept(failed, ruled().label, who=DANA, reason="x", until=LAST, today=TODAY, waivable=())


@pytest.mark.parametrize("until", ["2026-11-23", "", "soon", "2026-13-01", "2027-01-01 ", "2027-1-1"])
def test_the_end_is_a_day_to_come(until):
    with pytest.raises(GatesError, match="not a date in the future"):
        waiver_of(decision_of(ruled()), until=until)


def test_a_waiver_needs_a_reason():
    with pytest.raises(GatesError, match="needs a reason"):
        accept(decision_of(ruled()), ruled().label, who=DANA, reason=" \n", until=LAST, today=TODAY, waivable=EVERY)


@given(st.lists(st.sampled_from([*Verdict, None]), max_size=5), st.sets(st.integers(0, 4)), st.booleans())
def test_no_waiver_makes_anything_worse_nor_an_error_better(verdicts, accepted, expired):
    gates = [ruled(verdict, id=f"g{index}") for index, verdict in enumerate(verdicts)]
    decision = decision_of(*gates)
    waivers = [waiver_of(decision, gates[i].label) for i in accepted if i < len(gates) and may_be(gates[i], EVERY)]
    settled = settle(decision, waivers, "2030-01-01" if expired else TODAY)
    assert settled.verdict.badness <= decision.verdict.badness
    assert (settled.verdict is ERROR) == (decision.verdict is ERROR)
    left = [gate for gate in gates if gate.verdict in (INCONCLUSIVE, FAIL)]
    if expired or not waivers:
        assert settled.verdict is decision.verdict
    assert len(settled.waived) + len(settled.void) == len(waivers) <= len(left)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("observing", [False, True])
@pytest.mark.parametrize("settled", [None, *Verdict])
def test_exit_codes_of_what_waivers_and_observing_left(strict, observing, settled):
    decision = decision_of(ruled(INCONCLUSIVE))
    held = settled or INCONCLUSIVE
    stops = held is FAIL or (held is INCONCLUSIVE and strict)
    code = Exit.INPUT if held is ERROR else Exit.STOP if stops and not observing else Exit.SHIP
    assert exit_code(decision, inconclusive_fails=strict, verdict=settled, observing=observing) is code


@pytest.mark.parametrize("strict", [False, True])
def test_an_unchanged_model_blocks_nothing_and_is_no_pass(strict):
    decision = unchanged("churn", "nothing that goes into the model has changed")
    assert exit_code(decision, inconclusive_fails=strict) is Exit.SHIP
    assert decision.verdict is not PASS
    assert read_json(Decision, canonical(decision), "decision.json") == decision


def test_labels_tell_limits_apart():
    gates = [ruled(), ruled(slice=None), ruled(rule="min"), ruled(id="x"), ruled(slice={"region": None})]
    assert len({gate.label for gate in gates}) == len(gates)
    assert dataclasses.replace(ruled(), n=5).label == ruled().label
