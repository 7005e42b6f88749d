"""Metrics of a multiclass classifier. Names as scikit-learn's; an average is over the classes that occur."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from gates.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics import computed, moments
from gates.metrics.expressions import Model, Quantities, Staged, double, ln
from gates.metrics.moments import MEAN_LOSS, SHARE
from gates.metrics.record import Entry, Metric, fixed
from gates.statistic import Parameters, Statistic, parameters_text
from gates.stats import jackknife
from gates.stats.proportions import paired_difference, wilson
from gates.stats.quantity import Bounds, Quantity, undefined

Margins = tuple[list[float], list[float], list[float]]  # by class: rows called right, labelled so, called so
Value = Callable[[Margins], float | None]


def accuracy(margins: Margins) -> float | None:
    """Share of rows called right."""
    hits, labels, _ = margins
    total = sum(labels)
    return sum(hits) / total if total else None


def balanced_accuracy(margins: Margins) -> float | None:
    """Mean recall over the classes of the labels."""
    hits, labels, _ = margins
    recalls = [hit / label for hit, label in zip(hits, labels, strict=True) if label]
    return sum(recalls) / len(recalls) if recalls else None


def kappa(margins: Margins) -> float | None:
    """Cohen's kappa: agreement beyond what the margins give by chance."""
    hits, labels, calls = margins
    total = sum(labels)
    chance = sum(label * call for label, call in zip(labels, calls, strict=True))
    return (total * sum(hits) - chance) / (total * total - chance) if total * total > chance else None


def _share(of: str, hits: float, label: float, call: float) -> float | None:
    among = {"precision": call, "recall": label, "f1": (label + call) / 2}[of]
    return hits / among if among else None


def averaged(margins: Margins, *, of: str, average: str) -> float | None:
    """Precision, recall or F1, averaged over the classes that occur: ``macro`` each alike, ``weighted`` by their
    labels, ``micro`` over all rows. None where a class that counts has none: no row of it is called, or labelled."""
    if average == "micro":
        return _share(of, *map(sum, margins))
    found = [(_share(of, *one), one[1]) for one in zip(*margins, strict=True) if one[1] or one[2]]
    counted = [(value, weight if average == "weighted" else 1.0) for value, weight in found]
    total = sum(weight for _, weight in counted)
    if not total or any(value is None for value, weight in counted if weight):
        return None
    return sum(value * weight for value, weight in counted if value is not None) / total


def _margins(cells: Iterable[tuple[int, int, float]], size: int) -> Margins:
    """Of (label, call, weight)."""
    hits, labels, calls = [0.0] * size, [0.0] * size, [0.0] * size
    for label, call, weight in cells:
        labels[label] += weight
        calls[call] += weight
        hits[label] += weight if label == call else 0
    return hits, labels, calls


def _influences(
    table: Mapping[tuple[int, int], int], size: int, statistic: Value
) -> tuple[float, dict[Any, float]] | None:
    """The value, and what leaving out one row of each (label, call) adds to it. Margins are all that changes."""
    margins = _margins(((*at, rows) for at, rows in table.items()), size)
    value = statistic(margins)
    if value is None:
        return None
    hits, labels, calls = margins
    found = {}
    for label, call in table:
        for step in (-1, 1):
            labels[label] += step
            calls[call] += step
            hits[label] += step if label == call else 0
            if step < 0:
                without = statistic(margins)
        found[label, call] = 0.0 if without is None else without - value
    return value, found


def _spread(part: Slice, statistic: Value, signs: tuple[int, int]) -> jackknife.Spread | None:
    """Of both models' values, each times its sign (candidate, champion): by leaving out rows, or buckets of them."""
    size = 1 + max((place for cell in part.cells for place in cell[:3]), default=0)
    if part.weights:
        return _of_buckets(part, statistic, signs, size)
    value, rows = 0.0, [cell[3] for cell in part.cells]
    influences = [0.0] * len(rows)
    for place, sign in enumerate(signs, 1):
        if sign:
            table: dict[tuple[int, int], int] = {}
            for cell in part.cells:
                table[cell[0], cell[place]] = table.get((cell[0], cell[place]), 0) + cell[3]
            found = _influences(table, size, statistic)
            if found is None:
                return None
            value += sign * found[0]
            for at, cell in enumerate(part.cells):
                influences[at] += sign * found[1][cell[0], cell[place]]
    return jackknife.of_influences(value, rows, influences)


def _of_buckets(part: Slice, statistic: Value, signs: tuple[int, int], size: int) -> jackknife.Spread | None:
    held: dict[int, list[tuple[int, int, int, int]]] = {}
    for bucket, *cell in part.weights:
        held.setdefault(bucket, []).append((cell[0], cell[1], cell[2], cell[3]))
    asked = [(place, sign) for place, sign in enumerate(signs, 1) if sign]
    rows = [
        [
            total
            for place, _ in asked
            for column in _margins(((cell[0], cell[place], cell[3]) for cell in cells), size)
            for total in column
        ]
        for cells in held.values()
    ]

    def value(*totals: float) -> float | None:
        found = 0.0
        for at, (_, sign) in enumerate(asked):
            hits, labels, calls = (list(totals[(3 * at + one) * size : (3 * at + one + 1) * size]) for one in range(3))
            own = statistic((hits, labels, calls))
            if own is None:
                return None
            found += sign * own
        return found

    return jackknife.of_buckets(rows, value)


def _metric(name: str, doc: str, value: Value, limits: Bounds, why: str) -> Metric:
    def level(slices: Sequence[Slice], who: int) -> Quantity:
        spread = _spread(slices[0], value, (1, 0) if who == CANDIDATE else (0, 1))
        return jackknife.quantity(spread, limits, why, "jackknife")

    def change(slices: Sequence[Slice]) -> Quantity:
        width = limits[1] - limits[0]
        return jackknife.quantity(_spread(slices[0], value, (1, -1)), (-width, width), why, "jackknife-paired")

    return Metric(name=name, doc=doc, better=1, level=level, change=change, points=limits[0] == 0)


def _accuracy() -> Metric:
    """As the binary one: a proportion, with Wilson's and Newcombe's bounds where rows are alike."""
    resampled = _metric("accuracy", "Share of rows called right.", accuracy, (0.0, 1.0), "no rows")
    assert resampled.change is not None  # noqa: S101 -- made with one
    change_ = resampled.change

    def counts(part: Slice) -> tuple[int, int, int, int]:
        found = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for label, candidate, champion, rows in part.cells:
            found[candidate == label, champion == label] += rows
        both, first, second, neither = found.values()
        return both, first, second, neither

    def level(slices: Sequence[Slice], who: int) -> Quantity:
        both, first, second, neither = counts(slices[0])
        hits, n = both + (second if who == CHAMPION else first), both + first + second + neither
        if slices[0].weights or not n:
            return resampled.level(slices, who) if n else undefined("no rows")
        return Quantity(value=hits / n, bounds=lambda c: wilson(hits, n, c), method="wilson")

    def change(slices: Sequence[Slice]) -> Quantity:
        cells = counts(slices[0])
        n = sum(cells)
        if slices[0].weights or not n:
            return change_(slices) if n else undefined("no rows")
        value = (cells[1] - cells[2]) / n
        return Quantity(value=value, bounds=lambda c: paired_difference(*cells, c), method="newcombe-paired")

    return Metric(name="accuracy", doc=resampled.doc, better=1, level=level, change=change)


def _own_class(model: Model) -> str:
    """The score of the row's own class."""
    cases = " ".join(f"WHEN {place} THEN {score}" for place, score in enumerate(model.scores))
    return f"CASE {model.label} {cases} END"


def _log_loss(model: Model, _parameters: Parameters) -> Sequence[Staged]:
    least, most = double(2.0**-52), double(1 - 2.0**-52)
    total = " + ".join(model.scores)
    own = f"({_own_class(model)}) / ({total})"
    cut = f"CASE WHEN {own} < {least} THEN {least} WHEN {own} > {most} THEN {most} ELSE {own} END"
    found = ln(cut, f"{model.prefix}log_")
    return [Staged(expression=f"-({found.expression})", steps=found.steps)]


def _top_k(model: Model, parameters: Parameters) -> Sequence[Staged]:
    """Whether the own class is among the k highest; of classes that tie the later one counts as higher, as in
    scikit-learn."""
    own, k = f"{model.prefix}own", dict(parameters)["k"]
    above = " + ".join(
        f"CASE WHEN {score} > {own} OR ({score} = {own} AND {place} > {model.label}) THEN 1 ELSE 0 END"
        for place, score in enumerate(model.scores)
    )
    hit = f"CASE WHEN ({above}) < {k} THEN {double(1.0)} ELSE {double(0.0)} END"
    return [Staged(expression=hit, steps=({own: _own_class(model)},))]


QUANTITIES: Mapping[str, Quantities] = {
    "multiclass_log_loss": Quantities(models=_log_loss, scores=True),
    "top_k_accuracy": Quantities(models=_top_k, scores=True),
}

_NEVER = "a class has no row that is called, or labelled, so"
_OF = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_AVERAGES = {"macro": "averaged over classes", "micro": "over all rows", "weighted": "averaged by the classes' rows"}


def _top(parameters: Parameters) -> Metric:
    return moments.metric(
        SHARE,
        Statistic(form="moments", name="top_k_accuracy", parameters=parameters),
        name=f"top_k_accuracy{parameters_text(parameters)}",
        doc=_TOP,
        better=1,
        points=True,
    )


_TOP = "Share of rows whose class is among the `k` scored highest."
_LOG = "Mean negative logarithm of the probability given to the row's class."
_AUC = "ROC-AUC of each class against the rest, averaged over classes."

METRICS: tuple[Entry, ...] = (
    fixed(_accuracy(), "multiclass"),
    fixed(
        _metric("balanced_accuracy", "Mean recall over classes.", balanced_accuracy, (0.0, 1.0), "no rows"),
        "multiclass",
    ),
    fixed(_metric("cohen_kappa", "Agreement beyond chance.", kappa, (-1.0, 1.0), "one class only"), "multiclass"),
    *(
        fixed(
            _metric(
                f"{of}_{average}",
                f"{_OF[of]}, {words}.",
                partial(averaged, of=of, average=average),
                (0.0, 1.0),
                f"{_NEVER} its {of} is undefined",
            ),
            "multiclass",
        )
        for of in _OF
        for average, words in _AVERAGES.items()
    ),
    fixed(
        moments.metric(
            MEAN_LOSS, Statistic(form="moments", name="multiclass_log_loss"), name="log_loss", doc=_LOG, better=-1
        ),
        "multiclass",
    ),
    Entry(name="top_k_accuracy", doc=_TOP, better=1, tasks=("multiclass",), takes={"k": ...}, make=_top),
    fixed(
        computed.metric(
            Statistic(form="computed", name="roc_auc_ovr"),
            name="roc_auc_ovr",
            doc=_AUC,
            better=1,
            limits=(0.0, 1.0),
            points=True,
        ),
        "multiclass",
    ),
)
