"""Labels, classes, scores and keys mean what they say, from the files to the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from edge_project import Project, Rows, refused, write_table

from gates.measure import verbatim

pytestmark = pytest.mark.usefixtures("forked_children")


def given(project: Project, rows: Rows, made: Rows, *, name: str = "holdout.csv", **policy: Any) -> None:
    """A holdout of ``rows`` with the label y, and predictions."""
    data = {"holdout": name, "label": "y", "positive": None} | policy.pop("data", {})
    project.policy(**({"gates": [{"metric": "accuracy", "min": 0.01}]} | policy), data=data)
    if name.endswith(".jsonl"):
        (project.root / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        write_table(project.root / name, rows)
    write_table(project.root / "made/predictions.csv", made)


def value(project: Project, rule: str = "min") -> Any:
    done = project.gates("run")
    assert done.complaint == "", done.complaint
    return project.gate(rule)["candidate"]["value"]


def calls(labels: list[Any], every: int = 4) -> tuple[Rows, Rows]:
    """Rows with these labels in turn, and calls of which one in ``every`` is another one."""
    rows = [{"id": at, "y": labels[at % len(labels)]} for at in range(120)]
    made = [{"id": at, "prediction": labels[(at + (at % every == 0)) % len(labels)]} for at in range(120)]
    return rows, made


PAIRS = [("01", "1"), ("1_0", "10"), ("1e2", "100"), ("nan", "NaN"), ("inf", "Infinity"), ("1.0", "1")]


@pytest.mark.parametrize("pair", PAIRS)
def test_labels_that_differ_are_two_classes(project: Project, pair: tuple[str, str]) -> None:
    rows, made = calls(list(pair))
    given(project, rows, made, name="holdout.jsonl", data={"positive": pair[0]})
    made_text = [{"id": row["id"], "prediction": row["prediction"]} for row in made]
    write_table(project.root / "made/predictions.parquet", made_text)
    (project.root / "made/predictions.csv").unlink()
    assert value(project) == pytest.approx(0.75)


def test_text_of_numbers_is_called_by_numbers(project: Project) -> None:
    rows, made = calls(["0", "1"])
    given(project, rows, [row | {"prediction": float(row["prediction"])} for row in made], name="holdout.jsonl")
    assert value(project) == pytest.approx(0.75)


def test_true_is_one_where_the_classes_are_numbers(project: Project) -> None:
    rows, made = calls([0, 1])
    given(project, rows, [row | {"prediction": bool(row["prediction"])} for row in made])
    assert value(project) == pytest.approx(0.75)


def test_a_label_that_is_no_number_is_missing(project: Project) -> None:
    rows, made = calls([0.0, 1.0])
    given(project, rows, made, name="holdout.parquet")
    write_table(project.root / "holdout.parquet", [row | {"y": float("nan")} if not row["id"] else row for row in rows])
    refused(project.gates("run"), "1 row", "no label in y")


def test_one_class_of_numbers_is_judged_where_it_can_be(project: Project) -> None:
    rows = [{"id": at, "y": 1} for at in range(100)]
    made = [{"id": at, "score": 0.1 if at < 20 else 0.9} for at in range(100)]
    gates = [{"metric": "recall", "min": 0.5}, {"metric": "roc_auc", "max": 0.99}]
    given(project, rows, made, gates=gates, data={"positive": 1})
    project.gates("run")
    assert project.gate("min")["candidate"]["value"] == pytest.approx(0.8)
    assert (project.gate("max")["verdict"], project.gate("max")["code"]) == ("error", "undefined")


def test_a_declared_class_may_be_missing(project: Project) -> None:
    rows, made = calls(["a", "b", "c"])
    made[1] = made[1] | {"prediction": "d"}
    policy = {"task": "multiclass"}
    given(project, rows, made, **policy)
    refused(project.gates("run"), "1 prediction is none of a, b, c (id: 1): d", "data.classes")
    given(project, rows, made, **policy, data={"classes": ["a", "b", "c", "d"]})
    assert value(project) == pytest.approx((90 - 1) / 120)
    given(project, rows, made, **policy, data={"classes": ["a", "b", "d"]})
    refused(project.gates("run"), "data.classes", "y holds c")


def thirds(change: Any = None, of: str = "abc", n: int = 60) -> tuple[Rows, Rows]:
    """Three classes, and scores of each of ``of``."""
    rows = [{"id": at, "y": "abc"[at % 3]} for at in range(n)]
    made = []
    for row in rows:
        own = 0.7 if int(row["id"]) % 2 else 0.6
        scores = {f"score_{one}": own if one == row["y"] else (1 - own) / (len(of) - 1) for one in of}
        made.append({"id": row["id"]} | (change(row["id"], scores) if change else scores))
    return rows, made


LOG = {"task": "multiclass", "gates": [{"metric": "log_loss", "max": 0.9}]}


def test_scores_of_a_class_that_no_row_has_count(project: Project) -> None:
    rows, made = thirds(of="abcd")
    gates = [{"metric": "accuracy", "min": 0.5}, {"metric": "roc_auc_ovr", "max": 0.9999}]
    given(project, rows, made, task="multiclass", gates=gates)
    assert value(project) == 1
    assert project.gate("max")["candidate"]["value"] == 1
    assert project.evidence["classes"] == ["a", "b", "c", "d"]


TOTALS = {
    "all zero": (lambda at, scores: dict.fromkeys(scores, 0) if at == 7 else scores, "1 row don't add up to 1 (id: 7)"),
    "too small": (lambda at, scores: {k: v / 2 for k, v in scores.items()} if at > 57 else scores, "2 rows"),
    "too large": (lambda _, scores: dict.fromkeys(scores, 1.0), "60 rows"),
    "a class left out": (lambda _, scores: scores | {"score_a": 0.0}, "60 rows"),
}


@pytest.mark.parametrize("name", TOTALS)
def test_scores_that_are_no_probabilities_are_refused(project: Project, name: str) -> None:
    change, told = TOTALS[name]
    given(project, *thirds(change), **LOG)
    refused(project.gates("run"), told, "add up to 1, within 0.001")


def test_scores_that_were_rounded_are_taken(project: Project) -> None:
    given(project, *thirds(lambda _, scores: {k: round(v * 0.9996, 3) for k, v in scores.items()}), **LOG)
    assert value(project, "max") == pytest.approx(0.4337, abs=0.002)


def test_score_1_is_the_score_of_the_class_1_0(project: Project) -> None:
    rows, made = thirds()
    numbers = {"a": 0.0, "b": 1.0, "c": 2.0}
    rows = [row | {"y": numbers[row["y"]]} for row in rows]
    made = [{"id": row["id"]} | {f"score_{'abc'.index(k[-1])}": v for k, v in row.items() if k != "id"} for row in made]
    given(project, rows, made, name="holdout.parquet", **LOG)
    assert value(project, "max") == pytest.approx(0.4337, abs=1e-3)


@pytest.mark.parametrize("kind", ["float32", "float64", "upcast"])
def test_a_score_at_the_threshold_is_called(project: Project, kind: str) -> None:
    rows = [{"id": at, "y": at % 2} for at in range(100)]
    made = [{"id": at, "score": 0.7 if at % 2 else 0.3} for at in range(100)]
    given(project, rows, made, predict={"threshold": 0.7}, gates=[{"metric": "recall", "min": 0.5}])
    (project.root / "made/predictions.csv").unlink()
    path = write_table(project.root / "made/predictions.parquet", made, {"score": pyarrow.float64()})
    if kind != "float64":
        table = pyarrow.parquet.read_table(path)
        narrow = table.column("score").cast(pyarrow.float32())
        pyarrow.parquet.write_table(
            table.set_column(1, "score", narrow.cast(pyarrow.float64()) if kind == "upcast" else narrow), path
        )
    assert value(project) == 1


def test_a_champion_of_calls_blocks_the_comparison_alone(project: Project) -> None:
    rows = [{"id": at, "y": at % 2} for at in range(200)]
    scores = [{"id": at, "score": 0.5 + (at % 2 - 0.5) * 0.4 + (at % 7 - 3) * 0.09} for at in range(200)]
    called = [{"id": row["id"], "prediction": int(row["score"] >= 0.5)} for row in scores]
    floors = [{"metric": "accuracy", "min": 0.1}]
    given(project, rows, called, gates=floors)
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    gates = [
        {"metric": "roc_auc", "min": 0.6},
        {"metric": "log_loss", "max": 2},
        {"metric": "average_precision", "min": 0.5},
    ]
    gates.append({"metric": "d2_brier_score", "min": 0.01})
    given(project, rows, scores, gates=gates)
    done = project.gates("run")
    assert done.code == 0, done.out
    assert [gate["verdict"] for gate in project.decision["gates"]] == ["pass"] * 4
    given(project, rows, scores, gates=[{"metric": name, "max_worsening": 0.1} for name in ("roc_auc", "log_loss")])
    project.gates("run")
    for gate in project.decision["gates"]:
        assert (gate["verdict"], "the champion's predictions have no scores" in gate["reason"]) == ("error", True)


def test_keys_that_were_written_otherwise_are_shown(project: Project) -> None:
    rows, made = calls([0, 1])
    given(project, rows, [row | {"id": f"{row['id']}.0"} for row in made])
    refused(
        project.gates("run"),
        "120 holdout rows have no prediction (id: 0, 1, 10",
        "the predictions have 0.0, 1.0",
        "same numbers",
    )


def test_the_holdout_without_its_label_is_cell_for_cell_as_it_was(tmp_path: Path) -> None:
    text = 'id;y;day;at;flag;zip;price\n1;0;2024-02-01;2024-02-01T10:00:00Z;True;007;1.50\n2;1;;"a;b";NA;010;1e5\n'
    (tmp_path / "h.csv").write_text(text)
    verbatim.without([tmp_path / "h.csv"], "y", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "id,day,at,flag,zip,price",
        "1,2024-02-01,2024-02-01T10:00:00Z,True,007,1.50",
        "2,,a;b,NA,010,1e5",
    ]
