"""Without labels: what scores alone say about a metric, what they can't, and that nothing rests on it."""

from __future__ import annotations

import json
import random
from collections import Counter
from math import sqrt
from typing import Any

import pytest
from edge_project import Project, call, pick, refused, without, write_table
from live_world import MONITOR, LiveWorld, answered, flipped, rules

from gates.documents.live.live_evidence import LiveEvidence
from gates.schema.validation import read_json

ESTIMATED = {
    "gates": [
        {"metric": "accuracy", "min": 0.5},
        {"metric": "accuracy", "estimate": True, "min": 0.75, "max_worsening": 0.05},
    ]
}
NAME = "estimate of accuracy"
BLIND = "the scores say so if labels mean what they meant then"


@pytest.fixture(scope="module")
def estimated_once(tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = LiveWorld(tmp_path_factory.mktemp("estimated") / "world", None)
    world.promoted(ESTIMATED, n=3000)
    return world.base


@pytest.fixture
def estimated(tmp_path: Any, estimated_once: Any) -> LiveWorld:
    import shutil

    from worlds import git

    shutil.copytree(estimated_once, tmp_path / "world", symlinks=True)
    world = LiveWorld(tmp_path / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world


def doubtful(seed: int, n: int = 1500) -> list[dict[str, Any]]:
    """Rows of the same kind, of which more are those that the model is unsure about."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    rows = answered(6 * n, seed)
    return [row for row in rows if 0.35 <= row["score"] <= 0.65 or draw.random() < 0.25][:n]


def accuracy(rows: list[dict[str, Any]]) -> float:
    return sum((row["score"] >= 0.5) == (row["churn"] == "left") for row in rows) / len(rows)


def gates_of(found: Any) -> dict[str, Any]:
    return {rule: one for rule, one in rules(found, "rows").items() if rule.startswith("estimate")}


def test_what_is_as_it_was_is_told_and_not_judged(estimated: LiveWorld) -> None:
    rows = answered(1500, 7)
    estimated.serve(0, rows, labelled=0.01)
    found = estimated.judged(1, code=None)
    gates = gates_of(found)
    assert set(gates) == {f"{NAME}:min", f"{NAME}:max_worsening"}
    for gate in gates.values():
        assert (gate["verdict"], gate["code"], gate["alarm"]) == (None, "estimated", None)
        assert gate["reason"].endswith(f" when v1 was promoted: {BLIND}")
        assert " without labels, 0." in gate["reason"]
        estimate = gate["candidate"]
        assert estimate["low"] < accuracy(rows) < estimate["high"]
    assert estimated.gates("verify", "--all").code == 0


def test_more_doubtful_rows_lower_the_estimate_and_say_so(estimated: LiveWorld) -> None:
    rows = doubtful(7)
    estimated.serve(0, rows, labelled=0.01)
    found = estimated.judged(1, code=None)
    for gate in gates_of(found).values():
        assert (gate["verdict"], gate["code"]) == ("inconclusive", "estimated_drop")
        estimate = gate["candidate"]
        assert estimate["low"] < accuracy(rows) < estimate["high"], "and it is right about how much"
    floor, worsening = gates_of(found).values()
    assert floor["reason"].endswith(f"{BLIND}; you ask for at least 0.75")
    assert worsening["reason"].endswith("; you allow a loss of 5 points")
    assert not any(f"{NAME}" in state["rule"] for state in found["states"]), "it feeds no watch"
    assert estimated.gates("verify", "--all").code == 0


def test_it_is_blind_to_labels_that_mean_something_else(estimated: LiveWorld) -> None:
    """A third of the labels is the other one now. Scores are what they were, so no estimate can tell."""
    then = answered(1500, 7)
    now = flipped(then, 0.33)
    assert accuracy(then) - accuracy(now) > 0.15, "the loss is large"
    estimated.serve(0, then)
    before = gates_of(estimated.judged(1, "--dry-run", code=None))
    (estimated.root / "served/000-1500.parquet").unlink()
    estimated.serve(0, now)
    found = estimated.judged(1, code=None)
    assert gates_of(found) == before
    gate = gates_of(found)[f"{NAME}:min"]
    assert (gate["verdict"], gate["code"]) == (None, "estimated"), "this is the blindness"
    assert gate["candidate"]["low"] > accuracy(now)
    seen = rules(found, "labels")["accuracy:min"]["candidate"]["value"]
    assert abs(seen - accuracy(now)) < 1e-9, "labels tell"


def test_a_watch_goes_on_as_if_nothing_were_estimated(estimated: LiveWorld) -> None:
    from gates.stats.e_detector import against

    estimated.serve(0, flipped(answered(500, 7), 0.35))
    found = estimated.judged(1, code=None)
    watched = rules(found, "labels")
    assert {rule for rule in watched if not rule.startswith("live:")} == {"accuracy:min"}
    (state,) = found["states"]
    assert state["rule"] == "accuracy:min"
    assert watched["accuracy:min"]["alarm"] == pytest.approx(against(state["logs"], 365, 1)), "it is the only one"


def test_scores_that_were_hardly_there_are_no_ground_for_an_estimate(estimated: LiveWorld) -> None:
    rows = [row | {"score": 0.97} if place % 20 else row for place, row in enumerate(answered(1500, 7))]
    estimated.serve(0, rows, labelled=0.01)
    for gate in gates_of(estimated.judged(1, code=None)).values():
        assert (gate["verdict"], gate["code"]) == ("inconclusive", "unseen_scores")
        assert gate["reason"].startswith("accuracy can't be estimated: 95")
        assert gate["reason"].endswith("lay when v1 was promoted")
        assert gate["candidate"] is None


def test_a_model_without_scores_has_no_reference(empty: LiveWorld) -> None:
    """It calls, so the promotion kept no histogram of scores."""

    def called(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"prediction": "left" if row["score"] >= 0.5 else "stayed"} for row in rows]

    rows = answered(800, 1)
    empty.begin(rows, monitor=MONITOR | ESTIMATED, gates=[{"metric": "accuracy", "min": 0.6}])
    write_table(empty.root / "holdout.csv", without(rows, "score", "latency"))
    write_table(empty.root / "made/predictions.csv", pick(called(rows), "id", "prediction"))
    empty.commit("calls")
    for command in ("run", "promote"):
        assert empty.gates(command).code == 0
    empty.serve(0, [without([row], "score")[0] for row in called(answered(500, 7))])
    for gate in gates_of(empty.judged(1, code=None)).values():
        assert (gate["verdict"], gate["code"]) == ("inconclusive", "no_reference")
    assert empty.gates("verify", "--all").code == 0


def test_a_log_without_scores_is_no_estimate(estimated: LiveWorld) -> None:
    rows = [row | {"prediction": "left" if row["score"] >= 0.5 else "stayed"} for row in answered(500, 7)]
    estimated.serve(0, without(rows, "score"))
    for gate in gates_of(estimated.judged(1, code=2)).values():
        assert (gate["verdict"], gate["code"]) == ("error", "missing_column")


def test_a_call_that_the_log_has_counts_and_not_its_threshold(estimated: LiveWorld) -> None:
    """Everything is called left: of these the estimate expects as many right as are positive."""
    rows = answered(1500, 7)
    estimated.serve(0, [row | {"prediction": "left"} for row in rows], labelled=0.01)
    gate = gates_of(estimated.judged(1, code=None))[f"{NAME}:min"]
    positive = sum(row["churn"] == "left" for row in rows) / len(rows)
    assert gate["candidate"]["low"] < positive < gate["candidate"]["high"]
    assert gate["code"] == "estimated_drop"


def test_windows_hold_scores_and_calls_in_the_bins_of_the_promotion(estimated: LiveWorld) -> None:
    rows = answered(700, 7)
    estimated.serve(0, rows)
    estimated.judged(1, code=None)
    window = next(one for one in recorded(estimated)["windows"] if one["part"] == "rows")
    assert sum(n for _, _, n in window["scores"]) == 700
    assert sum(n for _, call, n in window["scores"] if call) == sum(row["score"] >= 0.5 for row in rows)
    (curve,) = estimated.evidence["curves"]
    assert {at for at, _, n in window["scores"] if n > 3} <= {at for at, _, _ in curve["bins"]}


def recorded(world: LiveWorld) -> Any:
    """The newest record's evidence."""
    from worlds import git

    return json.loads(git(world.root, "show", "refs/gates/gates-ledger:evidence.json"))


FORGED: dict[str, Any] = {
    "more scores than rows": lambda scores: [[*scores[0][:2], scores[0][2] + 1], *scores[1:]],
    "a negative number": lambda scores: [[0, 0, -1], [0, 1, 1], *scores],
    "another order": lambda scores: scores[::-1],
    "a bin that is none": lambda scores: [[-1, *scores[0][1:]], *scores[1:]],
    "a call that is none": lambda scores: [[scores[0][0], 2, scores[0][2]], *scores[1:]],
}


@pytest.mark.parametrize("name", FORGED)
def test_scores_that_nobody_counted_are_refused(estimated: LiveWorld, name: str) -> None:
    """Another machine may hand over what it likes."""
    from dataclasses import replace

    from gates.monitoring.estimate import contradiction
    from gates.schema.canonical import canonical

    estimated.serve(0, answered(300, 7))
    estimated.judged(1, code=None)
    live = read_json(LiveEvidence, canonical(recorded(estimated)), "evidence.json")
    window = next(one for one in live.windows if one.part == "rows")
    assert contradiction(window) is None
    forged = tuple(tuple(one) for one in FORGED[name]([list(one) for one in window.scores]))
    assert contradiction(replace(window, scores=forged)) is not None


def counted_metrics(rows: list[dict[str, Any]]) -> dict[str, float]:
    cells = Counter((row["churn"] == "left", row["score"] >= 0.5) for row in rows)
    tn, fp, fn, tp = (cells[key] for key in ((False, False), (False, True), (True, False), (True, True)))
    return {
        "recall": tp / (tp + fn),
        "false_positive_rate": fp / (fp + tn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "matthews_corrcoef": (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
        "selection_rate": (tp + fp) / len(rows),
        "cost": (fp + 5 * fn) / len(rows),
    }


def test_every_metric_of_the_cells_is_estimated_and_in_its_own_direction(empty: LiveWorld) -> None:
    rows = doubtful(7)
    truth = counted_metrics(rows)
    gates: list[dict[str, Any]] = [{"metric": name, "estimate": True, "min": 0.01} for name in truth]
    gates[-1]["costs"] = [[0, 1], [5, 0]]
    gates[1] |= {"max": 0.2, "max_worsening": 0.03, "min": None}
    empty.promoted({"gates": [{k: v for k, v in gate.items() if v is not None} for gate in gates]}, n=3000)
    empty.serve(0, rows, labelled=0.01)
    found = gates_of(empty.judged(1, code=None))
    values = {one["metric"]: one for one in found.values()}
    assert set(values) == set(truth)
    for name, value in truth.items():
        assert values[name]["candidate"]["low"] < value < values[name]["candidate"]["high"], name
    assert {label: one["code"] for label, one in found.items() if one["code"] != "estimated"} == {
        "estimate of false_positive_rate:max": "estimated_drop",
        "estimate of false_positive_rate:max_worsening": "estimated_drop",
    }
    assert found["estimate of false_positive_rate:max"]["reason"].endswith("; you allow 0.2")


SPELT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # in the holdout, and in the log
    "numbers": ({"left": 1, "stayed": 0}, {"left": 1.0, "stayed": 0.0}),
    "truth": ({"left": "true", "stayed": "false"}, {"left": "True", "stayed": "False"}),
    "numbers of one's own": ({"left": 1, "stayed": 2}, {"left": "1", "stayed": "2"}),
    "text": ({"left": "left", "stayed": "01"}, {"left": "left", "stayed": "01"}),
}


@pytest.mark.parametrize("name", SPELT)
def test_calls_are_read_as_the_promotion_read_labels(empty: LiveWorld, name: str) -> None:
    labels, calls = SPELT[name]
    rows = [row | {"churn": labels[row["churn"]]} for row in answered(1500, 1)]
    data = {"positive": labels["left"]}
    empty.begin(rows, monitor=MONITOR | ESTIMATED, data=data, gates=[{"metric": "accuracy", "min": 0.6}])
    empty.promote(rows)
    live = answered(700, 7)
    called = ["left" if row["score"] >= 0.6 else "stayed" for row in live]
    logged = [row | {"prediction": calls[call]} for row, call in zip(live, called, strict=True)]
    empty.serve(0, [row | {"churn": labels[row["churn"]]} for row in logged])
    empty.judged(1, code=None)
    window = next(one for one in recorded(empty)["windows"] if one["part"] == "rows")
    assert sum(n for _, call, n in window["scores"] if call) == called.count("left")


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "a score beyond 1": ({"score": 1.5}, "1 score lies outside 0 to 1"),
    "no score": ({"score": None}, "1 score is not a number"),
    "a call of no class": ({"prediction": "gone"}, "neither stayed nor left"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_log_that_can_t_be_read_is_an_error(estimated: LiveWorld, name: str) -> None:
    change, words = ODD[name]
    rows = answered(300, 7)
    calls = {"prediction": "left"} if "prediction" in change else {}
    estimated.serve(0, [rows[0] | calls | change, *(row | calls for row in rows[1:])])
    found = rules(estimated.judged(1, code=2), "rows")
    assert words in found["live:rows"]["reason"]
    assert not any(label.startswith("estimate") for label in found)


MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "several classes": ({"task": "multiclass"}, ("estimate", "of two classes")),
    "a metric of ranks": ({"gate": {"metric": "roc_auc"}}, ("estimate", "metrics of the confusion matrix", "roc_auc")),
    "a metric of scores": ({"gate": {"metric": "log_loss"}}, ("metrics of the confusion matrix",)),
    "slices": ({"gate": {"slices": {"min": 0.1}}}, ("slices", "can't go with estimate")),
    "groups": ({"gate": {"metric": "accuracy_difference", "by": "sex"}}, ("by", "can't go with estimate")),
    "first windows": (
        {"gate": {"max_worsening": 0.1, "against": {"windows": 8}}}, ("against", "can't go with estimate")
    ),
    "no limit": ({"gate": {"min": None}}, ("accuracy has no rule",)),
    "a column": ({"gate": {"metric": "mean", "of": "latency"}}, ("metrics of the confusion matrix",)),
    "a paired rule": ({"gate": {"min_improvement": 0.1}}, ("ask for max_worsening",)),
    "units": ({"data": {"unit": "region"}}, ("estimate", "the policy has data.unit")),
    "weights": ({"data": {"weight": "age"}}, ("estimate", "the policy has data.weight")),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(tmp_path: Any, name: str) -> None:
    project = Project(tmp_path)
    section, words = MISTAKES[name]
    gate: dict[str, Any] = {"metric": "accuracy", "estimate": True, "min": 0.5} | section.get("gate", {})
    gate = {key: value for key, value in gate.items() if value is not None}
    asked = {key: value for key, value in section.items() if key != "gate"}
    project.ready(monitor=MONITOR | {"gates": [gate]}, slices=["region"], **asked)
    refused(project.gates("check"), *words)


def test_an_estimate_is_a_gate_of_its_own(tmp_path: Any) -> None:
    """It stands beside the metric itself, and what it asks less for is weaker."""
    twice = {"gates": [{"metric": "accuracy", "estimate": True, "min": limit} for limit in (0.5, 0.6)]}
    project = Project(tmp_path / "twice")
    project.ready(monitor=MONITOR | twice)
    refused(project.gates("check"), "the gate estimate of accuracy occurs twice")
    for name, limit in (("a", 0.75), ("b", 0.7)):
        gates = [ESTIMATED["gates"][0], ESTIMATED["gates"][1] | {"min": limit}]
        Project(tmp_path / name).ready(monitor=MONITOR | {"gates": gates})
    done = call("policy", "diff", str(tmp_path / "a/gates.yaml"), str(tmp_path / "b/gates.yaml"))
    assert "weaker monitor.estimate of accuracy.min 0.75 0.7" in " ".join(done.out.split())
