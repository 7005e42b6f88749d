"""Intervals as little limits: on the right side of what was asked for, and of one width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import decision_of

from gates.documents.decision import Estimate
from gates.report.interval import HALF, drawn
from gates.report.terminal.verdicts import render

GATE = next(gate for gate in decision_of("passes").gates if gate.candidate)


def gate(rule, limit, low, value, high, better=1):
    held = Estimate(value=value, low=low, high=high)
    return replace(GATE, rule=rule, bar=limit, candidate=held, difference=held, better=better)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("min", 0.5, 0.6, 0.7, 0.8), "      │ ──●──"),
        (("min", 0.5, 0.4, 0.5, 0.6), "──────●──────"),
        (("max", 0.5, 0.6, 0.7, 0.8), "──●── │      "),
        (("max_worsening", 0.1, -0.3, -0.25, -0.2), "──●─  │      "),
        (("max_worsening", 0.1, 0.2, 0.25, 0.3, -1), "──●─  │      "),
        (("min_improvement", 0.1, 0.2, 0.3, 0.4), "      │ ──●──"),
        (("min_improvement", 0.1, -0.4, -0.3, -0.2, -1), "      │ ──●──"),
        (("min", 0.5, 0.5, 0.5, 0.5), "      ●      "),
        (("min", 0.5, 0.501, 0.6, 0.7), "      │──●───"),
        (("expression", None, 0, 0, 0), ""),
    ],
)
def test_right_of_the_limit_is_better(given, shown):
    assert drawn(gate(*given)) == shown


NUMBER = st.floats(-1e6, 1e6)


@given(
    st.sampled_from(["min", "max", "max_worsening", "min_improvement"]),
    NUMBER,
    st.lists(NUMBER, min_size=3, max_size=3),
)
def test_any_interval_has_one_width_and_its_verdicts_side(rule, limit, numbers):
    low, value, high = sorted(numbers)
    line = drawn(gate(rule, limit, low, value, high))
    assert len(line) == 2 * HALF + 1
    assert line.count("●") == 1
    if rule == "min" and low > limit:
        assert line[: HALF + 1] == " " * HALF + "│"
    if rule == "min" and high < limit:
        assert line[HALF:] == "│" + " " * HALF


def test_a_wide_terminal_has_room_for_them():
    wide, narrow = (render(decision_of("fails"), width=width) for width in (160, 120))
    assert "●" in wide
    assert "●" not in narrow
