"""Holm's correction without p-values equals Holm's with them."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from extent import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gates.stats.multiplicity import holm


def hypotheses(p_values):
    """Each is rejected at every confidence below 1 - p."""
    return [lambda confidence, p=p: p < 1 - confidence for p in p_values]


P = st.floats(1e-9, 1) | st.floats(1e-9, 0.02)


@given(st.lists(P, min_size=1, max_size=30), st.sampled_from([0.8, 0.95, 0.99]))
@example([0.01, 0.013, 0.02], 0.95)
@example([0.02] * 3, 0.95)
@settings(max_examples=examples(40))
def test_equals_statsmodels(p_values, confidence):
    at = 1 - confidence
    near = any(abs(p * k - at) < 1e-9 for p in p_values for k in range(1, len(p_values) + 1))
    if not near:  # on the very edge rounding decides
        with patch("gc.collect"):  # which it does at each call; beside thousands of tests that takes a second
            expected = multipletests(p_values, alpha=at, method="holm")[0]
        assert [rejected for rejected, _ in holm(hypotheses(p_values), confidence)] == list(expected)


@given(st.lists(P, min_size=1, max_size=20))
def test_the_level_told_is_the_one_that_decided(p_values):
    tests = hypotheses(p_values)
    for reject, (rejected, level) in zip(tests, holm(tests, 0.95), strict=True):
        assert level >= 0.95
        assert reject(level) == rejected


def test_nothing_to_correct():
    assert holm([], 0.95) == []
    ((rejected, level),) = holm(hypotheses([0.04]), 0.95)
    assert rejected
    assert level == pytest.approx(0.95)
