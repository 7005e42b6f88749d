"""`ratio`: the sum of one column over the sum of another, with bounds that hold for few events, too."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from gates.documents.evidence import CANDIDATE, Moments
from gates.metrics.of_moments import SCALE, error_of
from gates.metrics.ratios import _RATIO, ratio
from gates.stats.distributions.gamma import of_sum, quantile

NAMED = (("of", "clicks"), ("per", "impressions"))


def sums_of(pairs: list[tuple[float, float]]) -> Moments:
    """What is counted of rows of (clicks, impressions) of one model."""
    rows = [(of, per, min(of, 0.0), min(per, 0.0)) for of, per in pairs]
    columns = list(zip(*rows, strict=True))
    products = [sum(a * b for a, b in zip(columns[i], columns[j], strict=True)) for i in range(4) for j in range(i, 4)]
    return moments(len(rows), [sum(one) for one in columns], products)


def moments(rows: int, sums: list[float], products: list[float]) -> Moments:
    return Moments(
        id="ratio[of=clicks, per=impressions]",
        rows=rows,
        sums=tuple(round(one * SCALE) for one in sums),
        products=tuple(round(one * SCALE) for one in products),
        buckets=(),
    )


def level(sums: Moments, evidence_slice: Any) -> Any:
    return ratio(NAMED).level([evidence_slice(sums)], CANDIDATE)


@pytest.fixture
def whole() -> Any:
    from gates.documents.evidence import Slice

    def made(sums: Moments) -> Slice:
        return Slice(
            dimension="", key=(), rows=sums.rows, cells=(), weights=(), ranks=None, moments=(sums,), computed=()
        )

    return made


# Two arms of an experiment: users, sums of clicks, impressions, clicks², clicks x impressions, impressions²; and the
# ratio with its variance by the delta method (Deng, Knoblich and Lu, KDD 2018).
ARMS = {
    "a": ((20_000, 10_000, 200_000, 16_000, 110_000, 2_600_000), 0.05, 2.875143757e-7),
    "b": ((20_000, 10_500, 201_000, 17_000, 115_000, 2_620_000), 0.0522388060, 3.003732744e-7),
}


@pytest.mark.parametrize("name", ARMS)
def test_value_and_variance_are_those_of_the_delta_method(name: str, whole: Any) -> None:
    (n, y, x, yy, yx, xx), value, variance = ARMS[name]
    sums = moments(n, [y, x, 0, 0], [yy, yx, 0, 0, xx, 0, 0, 0, 0, 0])
    assert error_of(sums, _RATIO, CANDIDATE) ** 2 == pytest.approx(variance, rel=1e-9)
    found = level(sums, whole)
    assert found.value == pytest.approx(value, rel=1e-9)
    low, high = found.bounds(0.95)
    assert (low, high) == pytest.approx((value - 1.645 * variance**0.5, value + 1.645 * variance**0.5), rel=0.002)


@pytest.mark.parametrize("count", [0, 1, 3, 10, 200])
def test_events_of_one_size_have_garwoods_bounds(count: int) -> None:
    low, high = of_sum(count, count, 1, 0.95)
    assert low == pytest.approx(stats.chi2.ppf(0.05, 2 * count) / 2 if count else 0.0, rel=1e-6)
    assert high == pytest.approx(stats.chi2.ppf(0.95, 2 * count + 2) / 2, rel=1e-6)


@pytest.mark.parametrize("shape", [0.3, 1, 7.5, 60, 499, 501, 40_000])
@pytest.mark.parametrize("confidence", [0.001, 0.05, 0.5, 0.95, 0.9999])
def test_quantiles_are_scipys(shape: float, confidence: float) -> None:
    assert quantile(confidence, shape) == pytest.approx(stats.gamma.ppf(confidence, shape), rel=3e-4)


SCENES = {"a click a row": (0.02, 1), "several impressions a row": (0.01, 5)}


@pytest.mark.parametrize("rows", [100, 1000])
@pytest.mark.parametrize("scene", SCENES)
def test_few_events_are_not_more_certain_than_they_are(scene: str, rows: int, whole: Any) -> None:
    """The normal bounds miss a rate of two events in 14 % of draws; these miss no more than they say."""
    share, most = SCENES[scene]
    draw = random.Random(rows)  # noqa: S311 -- not a secret
    missed = [0, 0]
    for _ in range(300):
        pairs = []
        for _ in range(rows):
            seen = draw.randint(1, most)
            pairs.append((float(sum(draw.random() < share for _ in range(seen))), float(seen)))
        low, high = level(sums_of(pairs), whole).bounds(0.95)
        missed[0] += low > share
        missed[1] += high < share
    assert max(missed) <= 0.05 * 300 + 8, missed


def test_no_event_at_all_is_not_zero_for_certain(whole: Any) -> None:
    found = level(sums_of([(0.0, 10.0)] * 500), whole)
    assert found.value == 0
    low, high = found.bounds(0.95)
    assert low == 0
    assert high == pytest.approx(3.0 / 500, rel=0.01), "the rule of three"


def test_what_is_no_ratio_is_undefined(whole: Any) -> None:
    for pairs in ([(1.0, 0.0)] * 3, [(1.0, 2.0), (1.0, -1.0)]):
        assert level(sums_of(pairs), whole).why == "the sum of `per` is 0, or one of its values is negative"


def test_a_numerator_that_may_be_negative_has_the_bounds_of_a_mean(whole: Any) -> None:
    found = level(sums_of([(-1.0, 1.0), (5.0, 1.0), (2.0, 1.0)]), whole)
    assert found.value == 2
    assert found.method == "t"
    assert found.bounds(0.95)[0] < 0


def test_a_policy_asks_for_it(tmp_path: Path) -> None:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "edge"))
    from edge_project import Project, pick, refused, write_table

    project = Project(tmp_path)
    rows = project.ready(
        gates=[{"metric": "ratio", "of": "clicks", "per": "impressions", "better": "larger", "min": 0.05,
                "slices": {"min": 0.01}}],
        slices=["sex"],
    )  # fmt: skip
    draw = random.Random(1)  # noqa: S311 -- not a secret
    told = [row | {"impressions": draw.randint(5, 15), "clicks": draw.randint(0, 3)} for row in rows]
    write_table(project.root / "made/predictions.csv", pick(told, "id", "score", "clicks", "impressions"))
    done = project.gates("run")
    assert done.code == 0, done.out + done.err
    gate = project.gate("min", lambda one: one["slice"] is None)
    assert gate["id"] == "ratio[of=clicks, per=impressions]"
    wanted = sum(row["clicks"] for row in told) / sum(row["impressions"] for row in told)
    assert gate["candidate"]["value"] == pytest.approx(wanted, rel=1e-9)
    assert gate["method"] == "gamma"
    project.policy(gates=[{"metric": "ratio", "of": "clicks", "min": 0.05}])
    refused(project.gates("check"), "ratio needs per")
    project.policy(gates=[{"metric": "mean", "of": "clicks", "per": "impressions", "min": 0.05}])
    refused(project.gates("check"), "mean takes no per")
