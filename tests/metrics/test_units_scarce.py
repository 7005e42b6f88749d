"""Units of which few hold a class: nothing that all of them have right is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from gates.documents.evidence import Slice
from gates.documents.statistic import Parameters
from gates.metrics import find
from gates.metrics.definition import Metric
from gates.stats.proportions import exact

RARE = 8  # units with a row of the rare class, which both models call right
COSTS: Parameters = (("costs", ((0.0, 1.0), (50.0, 0.0))),)
PARAMETERS = {"cost": COSTS}
UNLIKE = (  # what two models may differ in by one unit
    *("precision", "f1", "balanced_accuracy", "matthews_corrcoef", "cost"),
    *("precision_macro", "recall_macro", "f1_macro"),
)
MACRO = ("balanced_accuracy", "precision_macro", "recall_macro", "f1_macro")


def table(cells: list[tuple[int, int, int, int, int]]) -> Slice:
    """A slice of (unit, label, candidate's call, champion's call, rows)."""
    counts: Counter[tuple[int, ...]] = Counter()
    for _, *cell, rows in cells:
        counts[tuple(cell)] += rows
    held = tuple((*cell, rows) for cell, rows in sorted(counts.items()))
    return Slice(
        dimension="", key=(), rows=sum(counts.values()), cells=held, weights=tuple(cells), ranks=None, moments=(),
        computed=(),
    )  # fmt: skip


def units(champion_misses: int = 0) -> Slice:
    """40 units of 20 negative rows each, of which up to two are called; some hold a positive row, too."""
    cells = []
    for unit in range(40):
        called = unit % 3
        cells += [(unit, 0, 1, 1, called)] * bool(called) + [(unit, 0, 0, 0, 20 - called)]
        if unit < RARE:
            cells.append((unit, 1, 1, int(unit >= champion_misses), 1))
    return table(cells)


def classes(champion_misses: int = 0) -> Slice:
    """40 units of ten rows of each of two classes, up to two of them called wrong; some hold a row of a third, too."""
    cells = []
    for unit in range(40):
        for label in (0, 1):
            wrong = (unit + label) % 3
            cells += [(unit, label, 1 - label, 1 - label, wrong)] * bool(wrong) + [
                (unit, label, label, label, 10 - wrong)
            ]
        if unit < RARE:
            cells.append((unit, 2, 2, 0 if unit < champion_misses else 2, 1))
    return table(cells)


def metric(name: str) -> Metric:
    return find(name, "multiclass" if name in MACRO[1:] else "binary", PARAMETERS.get(name, ()))


def named(name: str) -> Callable[..., Slice]:
    return classes if name in MACRO[1:] else units


def test_balanced_accuracy_is_no_surer_than_the_recall_of_its_units() -> None:
    part = units()
    found = metric("balanced_accuracy").level([part], 0)
    recall = metric("recall").level([part], 0)
    for confidence in (0.8, 0.95, 0.99):
        low, high = found.bounds(confidence)
        assert low <= (1 + recall.bounds(confidence)[0]) / 2
        assert recall.bounds(confidence)[0] <= exact(RARE, RARE, confidence)[0] + 1e-9
        assert low < found.value < high


def test_a_cost_counts_the_misses_that_its_units_may_hide() -> None:
    """One row of 808 is as rare as a positive: what missing them costs may be the larger part of it."""
    found = metric("cost").level([units()], 0)
    for confidence in (0.8, 0.95, 0.99):
        missed = 1 - exact(RARE, RARE, confidence)[0]
        assert found.bounds(confidence)[1] >= found.value + 50 * missed * RARE / 808 - 1e-9


@pytest.mark.parametrize("name", MACRO)
def test_an_average_is_no_surer_than_the_rarest_class(name: str) -> None:
    """Of three classes one was right in all of its eight units."""
    found = find(name, "multiclass").level([classes()], 0)
    for confidence in (0.8, 0.95, 0.99):
        low, high = found.bounds(confidence)
        missed = 1 - exact(RARE, RARE, confidence)[0]
        # F1 is the mildest: half of the rows that are missed, or called by mistake
        assert low <= found.value - missed / (1 + exact(RARE, RARE, confidence)[0]) / 3 * (0.99 if "f1" in name else 1)
        assert found.value < high <= 1


@pytest.mark.parametrize("name", UNLIKE)
def test_models_that_differ_in_one_unit_may_differ_in_more(name: str) -> None:
    """Of eight units with a row of the class the champion misses one: the other bound lies on the other side of 0."""
    low, high = metric(name).change([named(name)(champion_misses=1)]).bounds(0.95)
    assert low < 0 < high


@pytest.mark.parametrize("name", UNLIKE)
def test_of_many_units_the_bounds_stay_close(name: str) -> None:
    """A negative control: what is wider where little was seen is no wider than it must be where much was."""
    part = named(name)(champion_misses=1)
    many = tuple((unit + 40 * copy, *rest) for copy in range(5) for unit, *rest in part.weights)
    cells = tuple((*cell, 5 * rows) for *cell, rows in part.cells)
    low, high = metric(name).change([replace(part, rows=5 * part.rows, weights=many, cells=cells)]).bounds(0.95)
    few_low, few_high = metric(name).change([part]).bounds(0.95)
    assert high - low < 0.7 * (few_high - few_low)
