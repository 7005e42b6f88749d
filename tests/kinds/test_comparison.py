"""Holding a number against a limit: only what is finite, and all of it at or above, passes."""

from __future__ import annotations

import itertools
import math
import random
import re
from math import inf, nan

import pytest
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.documents.decision import Code, Verdict
from gates.kinds.metric.comparison import COMPARISONS, outcome
from gates.kinds.metric.subject import prepare
from gates.kinds.metric.verdict import hold
from gates.metrics import find
from gates.metrics.definition import Metric
from gates.metrics.families import classification
from gates.schema.validation import PolicyError
from gates.stats.quantity import Quantity, Undefined

NUMBERS = [nan, inf, -inf, -1.0, -0.0, 0.0, 0.5, 0.7999999999, 0.8, 0.8000000001, 1.0, 1e308, 5e-324]


@pytest.mark.parametrize("limit", NUMBERS)
def test_outcome_over_every_kind_of_number(limit):
    for value, low, high in itertools.product(NUMBERS, repeat=3):
        found = outcome(value, low, high, limit)
        told = math.isfinite(value) and math.isfinite(limit) and not math.isnan(low) and not math.isnan(high)
        assert (found is Verdict.ERROR) == (not told)
        assert (found is Verdict.PASS) == (told and low >= limit)
        assert (found is Verdict.FAIL) == (told and low < limit and high < limit)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.8, 0.9, Verdict.PASS),
        (0.81, 0.9, Verdict.PASS),
        (0.79, 0.9, Verdict.INCONCLUSIVE),
        (0.7, 0.8, Verdict.INCONCLUSIVE),
        (0.7, 0.79, Verdict.FAIL),
    ],
)
def test_the_limit_itself_is_within(low, high, verdict):
    assert outcome(0.8, low, high, 0.8) is verdict


@pytest.mark.parametrize(("third", "verdict"), [(2 / 3, "pass"), (0.1 + 0.2, "pass"), (0.6666666666, "fail")])
@pytest.mark.parametrize("rule", ["min", "max"])
def test_a_limit_has_as_many_digits_as_what_is_held_against_it(policy_of, evidence_of, rule, third, verdict):
    """Which of two neighbouring doubles a computation ends in decides nothing; a real difference does."""
    limit = third if verdict == "pass" else third + (1e-9 if rule == "min" else -1e-9)
    for beside in (math.nextafter(third, 0), third, math.nextafter(third, 1)):
        assert held(policy_of, evidence_of, rule, beside, beside, beside, limit).verdict == verdict


def metric_of(value, low, high):
    """A metric whose every quantity is this one."""
    quantity = value
    if not isinstance(value, Undefined):
        quantity = Quantity(value=value, bounds=lambda _: (low, high), method="fixed")
    return Metric(name="made_up", doc="Made up.", better=1, level=lambda *_: quantity, change=lambda *_: quantity)


def held(policy_of, evidence_of, rule, value, low, high, limit=0.5):
    resolved = policy_of({"gates": [{"metric": "accuracy", rule: 0.5}]})
    evidence = evidence_of(resolved, [{"cells": [[1, 1, 1, 100]]}])
    terms = resolved.terms()
    prepared = prepare(metric_of(value, low, high), rule, limit, evidence.slices, evidence, terms)
    return hold(prepared.judged, terms.confidence, terms) if prepared.judged else prepared.outcome


@pytest.mark.parametrize("rule", COMPARISONS)
@pytest.mark.parametrize(
    "numbers", [(nan, 0.9, 0.9), (0.9, nan, 0.9), (0.9, 0.9, nan), (inf, 0.9, 0.9), (-inf, 0.9, 1)]
)
def test_what_is_not_finite_is_an_error_and_says_so(policy_of, evidence_of, rule, numbers):
    found = held(policy_of, evidence_of, rule, *numbers)
    assert (found.verdict, found.code) == (Verdict.ERROR, Code.NOT_FINITE)
    assert found.reason == "made_up is not a finite number"


@pytest.mark.parametrize("rule", [rule for rule in COMPARISONS if rule != "suspicious_gain"])
@pytest.mark.parametrize(("low", "high"), [(-inf, inf), (-inf, 0.9), (-0.9, inf)])
def test_what_nothing_bounds_cannot_be_told(policy_of, evidence_of, rule, low, high):
    """Neither an error nor a pass; no document holds infinite bounds, and the sentence says what was seen."""
    found = held(policy_of, evidence_of, rule, 0.4, low, high, limit=0.45)
    assert (found.verdict, found.code) == (Verdict.INCONCLUSIVE, Code.TOO_FEW_ROWS)
    assert (found.difference if COMPARISONS[rule].compares else found.candidate) is None
    assert "100 rows tell too little about how far off that may be" in found.reason
    assert "inf" not in found.reason


@pytest.mark.parametrize("rule", COMPARISONS)
def test_none_is_undefined(policy_of, evidence_of, rule):
    nothing = Undefined(why="there is nothing")
    found = held(policy_of, evidence_of, rule, nothing, 0, 0)
    assert (found.verdict, found.code) == (Verdict.ERROR, Code.UNDEFINED)


@pytest.mark.parametrize(
    ("rule", "better", "low", "high", "verdict"),
    [
        ("min", 1, 0.6, 0.7, Verdict.PASS), ("min", 1, 0.3, 0.4, Verdict.FAIL),
        ("min", -1, 0.6, 0.7, Verdict.PASS), ("min", -1, 0.3, 0.4, Verdict.FAIL),
        ("max", 1, 0.6, 0.7, Verdict.FAIL), ("max", 1, 0.3, 0.4, Verdict.PASS),
        ("max", -1, 0.6, 0.7, Verdict.FAIL), ("max", -1, 0.3, 0.4, Verdict.PASS),
        ("max_worsening", 1, -0.9, -0.6, Verdict.FAIL), ("max_worsening", 1, -0.4, 0.9, Verdict.PASS),
        ("max_worsening", -1, -0.9, 0.4, Verdict.PASS), ("max_worsening", -1, 0.6, 0.9, Verdict.FAIL),
        ("min_improvement", 1, 0.6, 0.7, Verdict.PASS), ("min_improvement", 1, 0.3, 0.4, Verdict.FAIL),
        ("min_improvement", -1, -0.7, -0.6, Verdict.PASS), ("min_improvement", -1, 0.6, 0.7, Verdict.FAIL),
    ],
)  # fmt: skip
def test_which_way_is_up(policy_of, evidence_of, rule, better, low, high, verdict):
    """A comparison goes the metric's way, a level the way it says."""
    resolved = policy_of({"gates": [{"metric": "accuracy", rule: 0.5}]})
    evidence = evidence_of(resolved, [{"cells": [[1, 1, 1, 100]]}])
    quantity = Quantity(value=(low + high) / 2, bounds=lambda _: (low, high), method="fixed")
    metric = Metric(name="m", doc="M.", better=better, level=lambda *_: quantity, change=lambda *_: quantity)
    subject = prepare(metric, rule, 0.5, evidence.slices, evidence, resolved.terms()).judged
    assert subject
    found = hold(subject, 0.95, resolved.terms())
    assert found.verdict is verdict
    judged = found.difference if COMPARISONS[rule].compares else found.candidate
    assert (judged.low, judged.high) == (low, high)


CELLS = st.lists(st.integers(0, 300), min_size=8, max_size=8).filter(any)
AT = [(y, c, b) for y in (0, 1) for c in (0, 1) for b in (0, 1)]
SWIFT = sorted(classification.PROPORTIONS)


@given(st.sampled_from(SWIFT), st.sampled_from(sorted(COMPARISONS)), CELLS, st.floats(0.001, 0.999))
@settings(max_examples=examples(150))
def test_a_verdict_and_its_numbers_agree(policy_of, evidence_of, name, rule, counts, limit):
    """Whatever the counts: the verdict follows from the numbers that are told with it."""
    if COMPARISONS[rule].compares and find(name, "binary").better == 0:
        return
    resolved = policy_of({"gates": [{"metric": name, rule: limit}]})
    blocks = [{"cells": [[*at, n] for at, n in zip(AT, counts, strict=True)]}]
    (gate,) = resolved.gates
    (found,) = gate.module.judge(gate.rule, evidence_of(resolved, blocks), resolved.terms())
    judged = found.difference if COMPARISONS[rule].compares else found.candidate
    if judged is None:
        assert found.verdict is Verdict.ERROR
        assert found.code is Code.UNDEFINED
        return
    up = COMPARISONS[rule].sign(find(name, "binary").better) > 0
    low, high = (judged.low, judged.high) if up else (-judged.high, -judged.low)
    value = judged.value if up else -judged.value
    assert found.verdict is outcome(value, low, high, COMPARISONS[rule].at(limit), alarm=COMPARISONS[rule].alarm)
    assert found.n == sum(counts)
    assert found.detectable >= 0
    assert "\n" not in found.reason


ROWS = re.compile(r"about ([\d,]+) rows would settle it")


@given(
    st.sampled_from(["recall", "accuracy", "specificity"]),
    st.sampled_from(sorted(COMPARISONS)),
    CELLS,
    st.floats(0.001, 0.999),
)
@settings(max_examples=examples(200))
def test_what_is_undecided_would_be_settled_by_more_rows_than_there_are(
    policy_of, evidence_of, name, rule, counts, limit
):
    resolved = policy_of({"gates": [{"metric": name, rule: limit / (10 if COMPARISONS[rule].compares else 1)}]})
    blocks = [{"cells": [[*at, n] for at, n in zip(AT, counts, strict=True)]}]
    (gate,) = resolved.gates
    (found,) = gate.module.judge(gate.rule, evidence_of(resolved, blocks), resolved.terms())
    settling = ROWS.search(found.reason)
    if settling:
        assert found.verdict is Verdict.INCONCLUSIVE
        assert int(settling[1].replace(",", "")) >= found.n


def test_an_undecided_slice_would_be_settled_by_more_rows_than_it_has(policy_of, evidence_of):
    """Undecided for the sake of Holm's correction alone: fewer rows can't be what would settle it."""
    resolved = policy_of({"slices": ["shop"], "gates": [{"metric": "accuracy", "slices": {"min": 0.9}}]})
    blocks = [{"shop": f"s{i}", "cells": [[1, 1, 0, 450], [1, 0, 0, 50]]} for i in range(200)]
    blocks.append({"shop": "worst", "cells": [[1, 1, 0, 870], [1, 0, 0, 130]]})
    (gate,) = resolved.gates
    verdicts = gate.module.judge(gate.rule, evidence_of(resolved, blocks, champion=None), resolved.terms())
    worst = next(one for one in verdicts if one.slice == {"shop": "worst"})
    assert worst.verdict is Verdict.INCONCLUSIVE
    assert int(ROWS.search(worst.reason)[1].replace(",", "")) > worst.n


@pytest.mark.parametrize("confidence", [0.5, 0.5000001, 0.999999, 0.9999999999999999])
def test_any_confidence_that_is_accepted_can_be_judged(policy_of, evidence_of, confidence):
    policy = {
        "confidence": confidence,
        "slices": ["shop"],
        "gates": [{"metric": "accuracy", "min": 0.8, "max_worsening": 0.1, "slices": {"min": 0.5}}],
    }
    if confidence in (0.5, 0.9999999999999999):
        with pytest.raises(PolicyError, match="confidence: "):
            policy_of(policy)
        return
    resolved = policy_of(policy)
    blocks = [{"shop": shop, "cells": [[1, 1, 1, 450], [1, 0, 0, 50]]} for shop in "abc"]
    (gate,) = resolved.gates
    found = list(gate.module.judge(gate.rule, evidence_of(resolved, blocks), resolved.terms()))
    assert len(found) == 5
    assert not [one.reason for one in found if one.verdict is Verdict.ERROR]


def test_holm_blames_few_of_many_slices_that_are_all_alike(policy_of, evidence_of):
    """400 slices of the same model, limit at its true value: at 95 % alone some 20 would be blamed."""
    rng = random.Random(11)  # noqa: S311 -- statistics
    resolved = policy_of({"slices": ["shop"], "gates": [{"metric": "accuracy", "slices": {"min": 0.9}}]})
    hits = [sum(rng.random() < 0.9 for _ in range(300)) for _ in range(400)]
    blocks = [{"shop": f"s{i:03}", "cells": [[1, 1, 0, k], [1, 0, 0, 300 - k]]} for i, k in enumerate(hits)]
    (gate,) = resolved.gates
    found = list(gate.module.judge(gate.rule, evidence_of(resolved, blocks, champion=None), resolved.terms()))
    assert len(found) == 400
    assert sum(one.verdict is Verdict.FAIL for one in found) <= 1
    alone = [
        gate.module.judge(gate.rule, evidence_of(resolved, [block], champion=None), resolved.terms())
        for block in blocks
    ]
    assert sum(next(one).verdict is Verdict.FAIL for one in alone) > 8


def test_a_slice_passes_on_its_own_however_many_others_there_are(policy_of, evidence_of):
    resolved = policy_of({"slices": ["shop"], "gates": [{"metric": "accuracy", "slices": {"min": 0.9}}]})
    good = {"shop": "good", "cells": [[1, 1, 0, 950], [1, 0, 0, 50]]}
    bad = [{"shop": f"bad{i}", "cells": [[1, 1, 0, 10], [1, 0, 0, 10 + i]]} for i in range(50)]
    (gate,) = resolved.gates
    for blocks in ([good], [good, *bad]):
        verdicts = gate.module.judge(gate.rule, evidence_of(resolved, blocks, champion=None), resolved.terms())
        found = {one.slice["shop"]: one for one in verdicts}
        assert found["good"].verdict is Verdict.PASS
        assert found["good"].candidate.low == pytest.approx(0.9374, abs=1e-3)


def test_a_clearly_bad_slice_is_blamed_among_many(policy_of, evidence_of):
    resolved = policy_of({"slices": ["shop"], "gates": [{"metric": "accuracy", "slices": {"min": 0.9}}]})
    good = [{"shop": f"good{i}", "cells": [[1, 1, 0, 950], [1, 0, 0, 50]]} for i in range(199)]
    bad = {"shop": "bad", "cells": [[1, 1, 0, 70], [1, 0, 0, 30]]}
    (gate,) = resolved.gates
    found = gate.module.judge(gate.rule, evidence_of(resolved, [*good, bad], champion=None), resolved.terms())
    assert [one.slice["shop"] for one in found if one.verdict is Verdict.FAIL] == ["bad"]
