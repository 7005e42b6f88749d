"""Metrics of a multiclass classifier. Names as scikit-learn's; an average is over the classes that occur."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gates.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics import computed, moments
from gates.metrics.expressions import Model, Quantities, Staged, double, ln
from gates.metrics.moments import MEAN_LOSS, SHARE
from gates.metrics.record import Entry, Metric, fixed
from gates.statistic import Parameters, Statistic, parameters_text
from gates.stats import jackknife
from gates.stats.proportions import paired_difference, wilson
from gates.stats.quantity import Bounds, Quantity, undefined

Table = Mapping[tuple[int, int], float]  # (label, call) -> weight
Value = Callable[[Table], float | None]


def accuracy(table: Table) -> float | None:
    """Share of rows called right."""
    total = sum(table.values())
    return sum(weight for (label, call), weight in table.items() if label == call) / total if total else None


def _margins(table: Table) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """(hits, labels, calls) a class, of the classes that occur in either."""
    classes = sorted({place for at, weight in table.items() if weight for place in at})
    hits = {one: table.get((one, one), 0) for one in classes}
    labels, calls = dict.fromkeys(classes, 0.0), dict.fromkeys(classes, 0.0)
    for (label, call), weight in table.items():
        if weight:
            labels[label] += weight
            calls[call] += weight
    return hits, labels, calls


def balanced_accuracy(table: Table) -> float | None:
    """Mean recall over the classes of the labels."""
    hits, labels, _ = _margins(table)
    recalls = [hits[one] / labels[one] for one in labels if labels[one]]
    return sum(recalls) / len(recalls) if recalls else None


def kappa(table: Table) -> float | None:
    """Cohen's kappa: agreement beyond what the margins give by chance."""
    hits, labels, calls = _margins(table)
    total = sum(labels.values())
    chance = sum(labels[one] * calls[one] for one in labels)
    return (total * sum(hits.values()) - chance) / (total * total - chance) if total * total > chance else None


def _share(of: str, hits: float, label: float, call: float) -> float | None:
    among = {"precision": call, "recall": label, "f1": (label + call) / 2}[of]
    return hits / among if among else None


def averaged(table: Table, *, of: str, average: str) -> float | None:
    """Precision, recall or F1, averaged over classes: ``macro`` each alike, ``weighted`` by their labels, ``micro``
    over all rows. None where a class that counts has none: no row of it is called, or labelled."""
    hits, labels, calls = _margins(table)
    if average == "micro":
        return _share(of, sum(hits.values()), sum(labels.values()), sum(calls.values()))
    found = [(_share(of, hits[one], labels[one], calls[one]), labels[one]) for one in labels]
    counted = [(value, weight if average == "weighted" else 1.0) for value, weight in found]
    total = sum(weight for _, weight in counted)
    if not total or any(value is None for value, weight in counted if weight):
        return None
    return sum(value * weight for value, weight in counted if value is not None) / total


def _table(cells: Sequence[tuple[int, int, int]], weights: Sequence[float], who: int) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for (label, candidate, champion), weight in zip(cells, weights, strict=True):
        at = label, champion if who == CHAMPION else candidate
        found[at] = found.get(at, 0) + weight
    return found


def _spread(
    part: Slice, statistic: Callable[..., float | None], cells: list[tuple[int, int, int]]
) -> jackknife.Spread | None:
    """The statistic of weights in the order of ``cells``, by leaving out rows or buckets of them."""
    if not part.weights:
        return jackknife.of_rows([cell[-1] for cell in part.cells], statistic)
    buckets: dict[int, list[float]] = {}
    places = {cell: place for place, cell in enumerate(cells)}
    for bucket, label, candidate, champion, weight in part.weights:
        buckets.setdefault(bucket, [0.0] * len(cells))[places[label, candidate, champion]] += weight
    return jackknife.of_buckets(list(buckets.values()), statistic)


def _metric(name: str, doc: str, value: Value, limits: Bounds, why: str) -> Metric:
    def level(slices: Sequence[Slice], who: int, _seed: str) -> Quantity:
        cells = [(label, candidate, champion) for label, candidate, champion, _ in slices[0].cells]
        spread = _spread(slices[0], lambda *weights: value(_table(cells, weights, who)), cells)
        return jackknife.quantity(spread, limits, why, "jackknife")

    def change(slices: Sequence[Slice], _seed: str) -> Quantity:
        cells = [(label, candidate, champion) for label, candidate, champion, _ in slices[0].cells]

        def gap(*weights: float) -> float | None:
            ours, theirs = (value(_table(cells, weights, who)) for who in (CANDIDATE, CHAMPION))
            return None if ours is None or theirs is None else ours - theirs

        width = limits[1] - limits[0]
        return jackknife.quantity(_spread(slices[0], gap, cells), (-width, width), why, "jackknife-paired")

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

    def level(slices: Sequence[Slice], who: int, seed: str) -> Quantity:
        both, first, second, neither = counts(slices[0])
        hits, n = both + (second if who == CHAMPION else first), both + first + second + neither
        if slices[0].weights or not n:
            return resampled.level(slices, who, seed) if n else undefined("no rows")
        return Quantity(value=hits / n, bounds=lambda c: wilson(hits, n, c), method="wilson")

    def change(slices: Sequence[Slice], seed: str) -> Quantity:
        cells = counts(slices[0])
        n = sum(cells)
        if slices[0].weights or not n:
            return change_(slices, seed) if n else undefined("no rows")
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
