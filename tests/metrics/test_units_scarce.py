"""Units of which few hold a class: nothing that all of them have right is certain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gates.documents.evidence import Slice
from gates.documents.statistic import Parameters
from gates.metrics import table
from gates.stats.proportions import exact

POSITIVES = 8  # units with a positive row, which both models call right


def units(champion_misses: int = 0) -> Slice:
    """40 units of 20 negative rows each, of which up to two are called; some hold a positive row, too."""
    weights = []
    for unit in range(40):
        called = unit % 3
        weights += [(unit, 0, 1, 1, called)] * bool(called) + [(unit, 0, 0, 0, 20 - called)]
        if unit < POSITIVES:
            weights.append((unit, 1, 1, int(unit >= champion_misses), 1))
    cells: Counter[tuple[int, ...]] = Counter()
    for _, label, candidate, champion, rows in weights:
        cells[label, candidate, champion] += rows
    counted = tuple((*cell, rows) for cell, rows in sorted(cells.items()))
    return Slice(
        dimension="", key=(), rows=sum(cells.values()), cells=counted, weights=tuple(weights), ranks=None, moments=(),
        computed=(),
    )  # fmt: skip


def metric(name: str):
    return table("binary")[name].make(Parameters())


def test_balanced_accuracy_is_no_surer_than_the_recall_of_its_units() -> None:
    part = units()
    found = metric("balanced_accuracy").level([part], 0)
    recall = metric("recall").level([part], 0)
    for confidence in (0.8, 0.95, 0.99):
        low, high = found.bounds(confidence)
        assert low <= (1 + recall.bounds(confidence)[0]) / 2
        assert recall.bounds(confidence)[0] <= exact(POSITIVES, POSITIVES, confidence)[0] + 1e-9
        assert low < found.value < high


@pytest.mark.parametrize("name", ["precision", "f1", "balanced_accuracy", "matthews_corrcoef"])
def test_models_that_differ_in_one_unit_may_differ_in_more(name: str) -> None:
    """Of eight units with a positive row the champion misses one: the other bound lies on the other side of 0."""
    found = metric(name).change([units(champion_misses=1)])
    low, high = found.bounds(0.95)
    assert low < 0 < found.value < high


@pytest.mark.parametrize("name", ["precision", "f1", "balanced_accuracy", "matthews_corrcoef"])
def test_of_many_units_the_bounds_stay_close(name: str) -> None:
    """A negative control: what is wider where little was seen is no wider than it must be where much was."""
    part = units(champion_misses=1)
    many = tuple((unit + 40 * copy, *rest) for copy in range(5) for unit, *rest in part.weights)
    cells = tuple((*cell, 5 * rows) for *cell, rows in part.cells)
    low, high = metric(name).change([replace(part, rows=5 * part.rows, weights=many, cells=cells)]).bounds(0.95)
    few_low, few_high = metric(name).change([part]).bounds(0.95)
    assert high - low < 0.7 * (few_high - few_low)
