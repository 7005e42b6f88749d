"""What would settle an undecided limit, and figures that agree with the verdict that they stand beside."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gates.documents.decision import Verdict
from gates.judge.judge import judge
from gates.wording import apart, asked_size, number, plural, size


def judged(policy_of, evidence_of, limits, blocks, metric="accuracy", runs=(), **policy):
    resolved = policy_of({"gates": [{"metric": metric, **limits}], **policy})
    return {one.rule: one for one in judge(resolved, evidence_of(resolved, blocks, runs=runs)).gates}


def changed(better, worse, same=1000):
    """Rows of which the candidate alone is right in so many, and the champion alone in so many."""
    return [{"cells": [[1, 1, 0, better], [1, 0, 1, worse], [1, 1, 1, same]]}]


def test_a_limit_of_no_loss_is_settled_by_the_rows_that_a_gain_of_nothing_is(policy_of, evidence_of):
    found = judged(policy_of, evidence_of, {"max_worsening": 0, "min_improvement": 0}, changed(35, 25))
    told = [
        re.search(r"about ([\d,]+) rows would settle it if it stays 0\.\d+ points better", one.reason)
        for one in found.values()
    ]
    assert told[0][1] == told[1][1]


def test_the_distance_that_was_seen_counts_not_the_margin(policy_of, evidence_of):
    found = judged(policy_of, evidence_of, {"max_worsening": 0.001}, changed(35, 25))
    rows = int(re.search(r"about ([\d,]+) rows", found["max_worsening"].reason)[1].replace(",", ""))
    assert rows < 10_000


@pytest.mark.parametrize("limits", [{"min": 0.5}, {"max": 0.5}])
def test_what_lies_at_the_limit_is_told_to(policy_of, evidence_of, limits):
    blocks = [{"cells": [[1, 1, 1, 501], [1, 0, 0, 500]]}]
    (found,) = judged(policy_of, evidence_of, limits, blocks).values()
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "it lies at the limit: more rows are unlikely to decide" in found.reason
    assert "would settle" not in found.reason


def test_the_noise_of_training_is_told_to_be_that(policy_of, evidence_of):
    """Three seeds of 0.75, 0.95 and 0.85: no rows make that smaller; and no share passes 1."""
    blocks = [[{"cells": [[1, 1, 1, right], [1, 0, 1, 1000 - right]]}] for right in (750, 950, 850)]
    found = judged(policy_of, evidence_of, {"min": 0.8}, blocks[0], runs=blocks[1:], train={"run": "t", "seeds": 3})
    one = found["min"]
    assert one.verdict is Verdict.INCONCLUSIVE
    assert one.candidate.high <= 1
    assert "more rows don't reduce the noise of training: train more seeds" in one.reason
    assert "would settle" not in one.reason


@given(st.floats(0, 1), st.sampled_from([0.0, 0.05, 0.5, 0.8, 0.9, 0.995, 1.0]), st.floats(-0.002, 0.002))
def test_a_figure_lies_on_the_side_of_the_limit_where_its_number_does(far, limit, near):
    for value in (far, limit + near):
        assume(value >= 0)
        text = float(apart(number, value, limit).replace(",", "").replace("−", "-"))
        assert (text > limit) == (value > limit) or abs(value - limit) < 1e-9
        assert (text < limit) == (value < limit) or abs(value - limit) < 1e-9
        points = float(size(value, points=True, limit=limit).split()[0].replace("−", "-")) / 100
        assert (points > limit) == (value > limit) or abs(value - limit) < 1e-9


def test_figures_never_contradict_the_verdict(policy_of, evidence_of):
    """0.8996 is not told as 0.900 beside a limit of 0.9."""
    for right in range(1760, 1860):
        blocks = [{"cells": [[1, 1, 1, right], [1, 0, 0, 2000 - right]]}]
        (one,) = judged(policy_of, evidence_of, {"min": 0.9}, blocks).values()
        figures = [
            float(found) for found in re.findall(r"(?:between|and|least|most) (0\.\d+)", one.reason.split(";")[0])
        ]
        if one.verdict is Verdict.INCONCLUSIVE:
            assert figures[0] < 0.9 < figures[1], one.reason
        elif one.verdict is Verdict.PASS:
            assert figures[0] >= 0.9, one.reason
        else:
            assert figures[0] < 0.9, one.reason


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-22.28, "−22.280"), (-1234.5, "−1,234.5"), (0.000072, "0.000072"), (-0.000072, "−0.000072"), (0.0, "0.000"),
        (3e-9, "3e−09"), (1e15, "1,000,000,000,000,000.0"),
    ],
)  # fmt: skip
def test_numbers_have_a_real_minus_and_no_power_of_ten_without_need(value, told):
    assert number(value) == told


@pytest.mark.parametrize(
    ("limit", "points", "told"),
    [
        (10, False, "10"), (0.2, False, "0.2"), (1e-5, False, "0.00001"), (12345678, False, "12,345,678"),
        (0.01, True, "1 point"), (0.0125, True, "1.25 points"), (0.07, True, "7 points"), (0.0005, True, "0.05 points"),
    ],
)  # fmt: skip
def test_a_limit_is_told_as_it_was_written(limit, points, told):
    assert asked_size(limit, points=points) == told


def test_a_difference_is_never_told_as_nothing():
    assert size(0.00001, points=True) == "0.001 points"


def test_one_limit_is_singular():
    assert plural(1, "rule", "rules") == "1 rule"
