"""What pictures are drawn from: how predictions lie beside labels, and how sure calls are. Counted again with numpy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from test_reference import measured

from gates.stats.residual_bins import ends_of
from gates.stats.score_bins import middle_of

ROWS = 500
MAE = [{"metric": "mae", "max": 1000}]


def regression(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    label = np.round(random.lognormal(5, 1, ROWS), 1)
    near, far = (label + np.round(random.normal(0, size, ROWS), 1) for size in (5, 40))
    far[:7] = label[:7]  # residuals of nothing
    frame = pd.DataFrame({"id": np.arange(ROWS), "y": label})
    return frame, *(pd.DataFrame({"id": frame["id"], "prediction": one}) for one in (near, far))


def test_cells_are_the_tenths_of_labels_and_predictions(tmp_path):
    frame, ours, theirs = regression()
    _, evidence = measured(tmp_path, "regression", MAE, frame, ours, theirs, key="id")
    assert [fit.model for fit in evidence.fits] == ["candidate", "champion"]
    for fit, predicted in zip(evidence.fits, (ours, theirs), strict=True):
        edges = [float(edge) for edge in fit.edges]
        assert len(edges) == 9
        assert set(edges) <= set(frame["y"])
        bins = [np.searchsorted(edges, values, "right").tolist() for values in (frame["y"], predicted["prediction"])]
        assert {cell[:2]: cell[2] for cell in fit.cells} == Counter(zip(*bins, strict=True))


def test_each_residual_lies_in_its_bin(tmp_path):
    frame, ours, theirs = regression()
    _, evidence = measured(tmp_path, "regression", MAE, frame, ours, theirs, key="id")
    for fit, predicted in zip(evidence.fits, (ours, theirs), strict=True):
        left = sorted(predicted["prediction"] - frame["y"])
        assert sum(rows for _, rows in fit.residuals) == ROWS
        for bin_, rows in fit.residuals:  # they rise, as the residuals do
            low, high = ends_of(bin_)
            some, left = left[:rows], left[rows:]
            assert low <= some[0] <= some[-1] <= high


@given(st.floats(2.0**-63, 2.0**63))
def test_a_bin_is_a_sixteenth_of_a_doubling(size):
    bits = int(np.float64(size).view(np.int64)) >> 48
    bin_ = bits - ((1023 - 64) << 4) + 1
    low, high = ends_of(bin_)
    assert low <= size < high <= low * (1 + 1 / 16)
    assert ends_of(-bin_) == (-high, -low)


def test_of_sensitive_labels_no_edge_is_told(tmp_path):
    frame, ours, theirs = regression()
    rules = b"record: {properties: {y: {type: number, x-sensitive: true}}}"
    _, evidence = measured(tmp_path, "regression", MAE, frame, ours, theirs, rules=rules, key="id", contract="c.yaml")
    assert [(fit.edges, fit.cells) for fit in evidence.fits] == [((), ())] * 2
    assert all(fit.residuals for fit in evidence.fits)


def test_of_more_than_two_classes_it_is_told_how_sure_right_and_wrong_calls_are(tmp_path):
    random = np.random.default_rng(1)
    scores = np.round(random.dirichlet([1, 1, 1], ROWS), 3)
    scores[:, 2] = 1 - scores[:, 0] - scores[:, 1]
    frame = pd.DataFrame({"id": np.arange(ROWS), "y": random.choice(["a", "b", "c"], ROWS)})
    ours = pd.DataFrame(scores, columns=["score_a", "score_b", "score_c"]).assign(id=frame["id"])
    calls = pd.DataFrame({"id": frame["id"], "prediction": frame["y"]})
    _, evidence = measured(tmp_path, "multiclass", [{"metric": "accuracy", "min": 0.1}], frame, ours, calls, key="id")
    (curve,) = evidence.curves  # the champion gives no scores
    assert (curve.model, curve.counts) == ("candidate", "calls")
    right = np.array(["a", "b", "c"])[scores.argmax(axis=1)] == frame["y"]
    assert (sum(no for _, no, _ in curve.bins), sum(yes for _, _, yes in curve.bins)) == (sum(~right), sum(right))
    told = sum(middle_of(bin_) * (no + yes) for bin_, no, yes in curve.bins) / ROWS
    assert abs(told - scores.max(axis=1).mean()) < 0.01
