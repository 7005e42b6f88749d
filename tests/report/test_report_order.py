"""The order of what a report shows: nothing worse is folded under what is less bad."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import FACTS, decision_of

from gates.documents.decision import Estimate, Verdict
from gates.report.formats import FORMATS
from gates.report.headline import by_badness
from gates.report.interval import figures
from gates.report.markdown import OPEN_ROWS
from gates.report.markdown_tables import MOST_MOVED, moved

PASSES = decision_of("passes")
GATE = next(gate for gate in PASSES.gates if gate.rule == "min" and not gate.slice)


def missing(name, by, where=None, verdict=Verdict.FAIL):
    """A limit of at least 0.9 that a value misses by so much."""
    value = 0.9 - by
    held = Estimate(value=value, low=value - 0.01, high=value + 0.01)
    key = {"region": where} if where else None
    return replace(
        GATE, id=name, metric=name, bar=0.9, slice=key, verdict=verdict, candidate=held, champion=None,
        difference=None, reason=f"{name} {where}",
    )  # fmt: skip


MANY = (
    missing("recall", 0.0, "fine", Verdict.PASS),
    *(missing("recall", 0.02 + 0.001 * place, f"small{place}") for place in range(9)),
    missing("recall", 0.5, "worst"),
    missing("precision", 0.03, "near"),
    missing("precision", 0.04, "far"),
    missing("accuracy", 0.02),
    missing("gap", 0.1, "undecided", Verdict.INCONCLUSIVE),
)
DECISION = replace(PASSES, verdict=Verdict.FAIL, reason="recall small0", gates=MANY)


def test_the_worst_stands_first():
    assert [(gate.id, gate.where.split("=")[-1]) for gate in by_badness(MANY)][:5] == [
        ("accuracy", ""), ("recall", "worst"), ("precision", "far"), ("recall", "small8"), ("precision", "near"),
    ]  # fmt: skip
    assert by_badness(MANY)[-1].verdict is Verdict.PASS


def test_neither_an_overall_failure_nor_the_worst_slice_is_folded():
    report = FORMATS["markdown"].render(DECISION, FACTS)
    told = report[: report.index("more did not pass")]
    rows = [line for line in told.splitlines() if "| ❌ fail |" in line]
    assert len(rows) == OPEN_ROWS
    assert [
        next(one for one in ("accuracy:min", "region=worst", "region=far", "?") if one in row) for row in rows[:3]
    ] == ["accuracy:min", "region=worst", "region=far"]


@pytest.mark.parametrize("form", ["terminal", "html"])
def test_tables_go_from_bad_to_good(form):
    shown = FORMATS[form].render(DECISION, FACTS)
    places = [shown.index(f"{name}:min{where}") for name, where in (
        ("accuracy", ""), ("recall", "@region=worst"), ("precision", "@region=far"), ("gap", "@region=undecided"),
        ("recall", "@region=fine"),
    )]  # fmt: skip
    assert places == sorted(places)


def moving(name, by, where):
    change = Estimate(value=by, low=by - abs(by) / 2, high=by + abs(by) / 2)
    return replace(missing(name, 0.0, where), difference=change)


def test_slices_that_moved_are_sorted_within_a_metric_and_counted():
    """Changes of a mean absolute error are no larger than those of a share because its unit is."""
    gates = [moving("recall", -0.01 * place, f"r{place}") for place in range(1, 4)]
    gates += [moving("mae", 100.0 * place, f"m{place}") for place in range(1, 2 * MOST_MOVED)]
    told, table = moved(gates)
    every = len(gates)
    assert told.endswith(
        f"{every} of {every} by more than noise ({MOST_MOVED} of them shown, the largest changes of each metric)"
    )
    shown = re.findall(r"region=([rm]\d+)", table)
    assert len(shown) == MOST_MOVED
    assert shown == ["r3", "r2", "r1", *(f"m{2 * MOST_MOVED - 1 - place}" for place in range(MOST_MOVED - 3))]


def test_slices_that_all_are_shown_are_not_told_to_be_cut():
    told, _ = moved([moving("recall", 0.1, "a"), moving("recall", 0.0, "b")])
    assert told == "**Slices that moved:** 1 of 2 by more than noise"


@given(st.floats(-0.01, 0.01), st.sampled_from([0.0, 0.05, 0.9, 10.0, 1500.0]), st.sampled_from(["min", "max"]))
def test_figures_of_a_table_lie_on_the_side_of_the_limit_where_their_numbers_do(off, limit, rule):
    ends = Estimate(value=limit + off, low=limit + off - 0.0004, high=limit + off + 0.0004)
    value, within = figures(replace(GATE, rule=rule, bar=limit, candidate=ends), ends)
    for text, exact in zip((value, *within.split(" to ")), (ends.value, ends.low, ends.high), strict=True):
        if abs(exact - limit) > 1e-9:
            shown = float(text.replace(",", "").replace("−", "-"))
            assert (shown > limit) == (exact > limit)


def test_a_bound_just_below_the_limit_is_not_told_as_the_bar():
    held = Estimate(value=0.91, low=0.8998, high=0.93)
    gate = replace(GATE, bar=0.9, candidate=held, verdict=Verdict.INCONCLUSIVE)
    decision = replace(PASSES, gates=(gate,), verdict=Verdict.INCONCLUSIVE)
    for form in ("markdown", "terminal", "html", "svg"):
        assert "0.8998 to 0.930" in FORMATS[form].render(decision, FACTS), form
