"""Columns may be called as ours are, and predictions without a key are taken in the order in which they stand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from test_scarce import decided

from gates.documents.decision import Verdict

OURS = (
    "row_key", "label", "weight", "unit", "query", "bucket", "candidate_call", "champion_score", "candidate_place",
    "call", "score", "d0", "x0", "n",
)  # fmt: skip
ROLES = ("row_key", "label", "weight", "unit")  # what we call what they are


def rows():
    random = np.random.default_rng(2)
    y = random.integers(0, 2, 200)
    return y, np.round(y * 0.3 + random.random(200) * 0.7, 3)


def test_columns_may_be_called_as_ours_are(tmp_path):
    y, score = rows()
    frame = pd.DataFrame({"y": y, **{name: np.arange(200) % 2 for name in OURS}})
    gates = [{"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.1}}]
    found, *_ = decided(tmp_path, "binary", gates, frame, pd.DataFrame({"score": score}), slices=list(OURS))
    assert len(found) == 1 + 2 * len(OURS)
    even = sm.roc_auc_score(y[::2], score[::2])
    assert [found["roc_auc", "min", f"{name}=0"].candidate.value for name in OURS] == pytest.approx([even] * len(OURS))


def test_a_column_may_be_called_as_ours_of_another_role(tmp_path):
    """A label called weight, a weight called label, and so on: each counts as what the policy says that it is."""
    y, score = rows()
    held = {"row_key": np.arange(200), "label": y, "weight": np.arange(200) % 7 + 1, "unit": np.arange(200) // 2}
    gates = [{"metric": "roc_auc", "min": 0.1}, {"metric": "recall", "min": 0.1}]
    answers = []
    for place in range(len(ROLES)):
        named = dict(zip(ROLES, ROLES[place:] + ROLES[:place], strict=True))
        (folder := tmp_path / str(place)).mkdir()
        frame = pd.DataFrame({named[role]: column for role, column in held.items()})
        side = pd.DataFrame({named["row_key"]: held["row_key"], "score": score})
        data = {"label": named["label"], "key": named["row_key"], "weight": named["weight"], "unit": named["unit"]}
        found, *_ = decided(folder, "binary", gates, frame, side, **data)
        answers.append([(gate.candidate, gate.verdict) for gate in found.values()])
    assert answers == [answers[0]] * len(ROLES)


def test_without_a_key_predictions_are_taken_as_they_stand(tmp_path):
    y, score = rows()
    order = np.random.default_rng(9).permutation(200)
    side = pd.DataFrame({"id": order, "score": score[order]})
    gates = [{"metric": "roc_auc", "min": 0.01}]
    found, *_ = decided(tmp_path, "binary", gates, pd.DataFrame({"y": y, "id": np.arange(200)}), side)
    assert found["roc_auc", "min", ""].candidate.value == pytest.approx(sm.roc_auc_score(y, score[order]))


def test_a_ratio_of_groups_where_nobody_is_called_is_undefined_and_of_one_at_0_is_0(tmp_path):
    y, _ = rows()
    sex = np.array(["f", "m"])[np.arange(200) % 2]
    for name, call, value in (("none", np.zeros(200), None), ("one", (sex == "f") * 1.0, 0.0)):
        (tmp_path / name).mkdir()
        gates = [{"metric": "demographic_parity_ratio", "by": "sex", "min": 0.8}]
        frame = pd.DataFrame({"y": y, "sex": sex})
        found, *_ = decided(tmp_path / name, "binary", gates, frame, pd.DataFrame({"score": call}))
        (one,) = found.values()
        assert (one.candidate and one.candidate.value) == value
        assert one.verdict is (Verdict.ERROR if value is None else Verdict.FAIL)
