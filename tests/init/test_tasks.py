"""gates init for every task: what it makes of a label, and that a model can be judged by what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from edge_project import call, refused, write_table

from gates.cli.data_commands import TASKS
from gates.metrics import ANY_TASK

N = 240
SPECIES = ("adelie", "chinstrap", "gentoo")


def rows(**columns):
    """Rows with a key, two columns to slice by, and columns as functions of the row's number."""
    shared = {"id": lambda n: 1000 + n, "cut": lambda n: "ab"[n % 2], "color": lambda n: "xyz"[n // 2 % 3]}
    return [{name: make(n) for name, make in (shared | columns).items()} for n in range(N)]


def wobble(n):
    """Something between -0.5 and 0.5 that has nothing to do with the other columns."""
    return (n * 7919 % 101) / 101 - 0.5


CASES = {  # the table, the predictions of a good model, and of one that knows nothing
    "binary": (
        rows(amount=lambda n: n * 1.5, churn=lambda n: ("no", "yes")[n % 3 == 0]),
        {"score": lambda row, _: 0.8 if row["churn"] == "yes" else 0.2},
        {"score": lambda _, n: 0.5 + wobble(n)},
    ),
    "multiclass": (
        rows(mass=lambda n: n * 1.5, species=lambda n: SPECIES[n % 3]),
        {"prediction": lambda row, _: row["species"]},
        {"prediction": lambda _, n: SPECIES[(n + 1) % 3]},
    ),
    "regression": (
        rows(carat=lambda n: n % 7, price=lambda n: round(300 + n * 17.25 + wobble(n), 2)),
        {"prediction": lambda row, n: row["price"] + wobble(n)},
        {"prediction": lambda row, _: 9000 - row["price"]},
    ),
    "ranking": (
        rows(query_id=lambda n: n // 6, relevance=lambda n: (2, 1, 0, 0, 0, 0)[n % 6]),
        {"score": lambda row, n: row["relevance"] + wobble(n) / 2},
        {"score": lambda row, n: -row["relevance"] + wobble(n) / 2},
    ),
    "score": (
        rows(prompt=lambda n: f"question {n}"),
        {"score": lambda _, n: 3 + wobble(n)},
        {"score": lambda _, n: -3 + wobble(n)},
    ),
}  # fmt: skip


@pytest.fixture
def started(tmp_path, monkeypatch):
    """started(task, ...): `gates init` in a folder with that task's table."""
    monkeypatch.chdir(tmp_path)

    def start(task, *arguments):
        write_table(tmp_path / "data.csv", CASES[task][0])
        done = call("init", "data.csv", *(("--task", "score") if task == "score" else ()), *arguments)
        assert done.code == 0, done.err
        return done

    return start


def hand_on(task, kind):
    """Write the predictions that the policy's training hands on: a good model's, or one's that knows nothing."""
    table, *makes = CASES[task]
    write_table(
        Path("made.csv"),
        [{"id": row["id"]} | {name: f(row, n) for name, f in makes[kind].items()} for n, row in enumerate(table)],
    )


GOOD, BAD = 0, 1


def change(before, after):
    text = Path("gates.yaml").read_text()
    assert before in text
    Path("gates.yaml").write_text(text.replace(before, after))


def policy():
    return yaml.safe_load(Path("gates.yaml").read_text())


@pytest.mark.parametrize("task", CASES)
def test_a_good_model_passes_what_is_written_and_one_that_knows_nothing_does_not(started, task):
    done = started(task)
    assert policy()["task"] == task
    assert ("you said so" in Path("gates.yaml").read_text()) == (task == "score")
    assert (f"Is the task {task}?" in done.out) == (task != "score")
    assert (call("check").code, call("data", "data.csv").code) == (0, 0)
    change("python train.py", "cp made.csv $GATES_OUT/predictions.csv")
    verdicts = []
    for kind in (GOOD, BAD):
        hand_on(task, kind)
        ran = call("run")
        assert ran.code in (0, 1), ran.err
        verdicts.append(json.loads(Path(".gates/decision.json").read_text())["verdict"])
    undecided = task in ("binary", "ranking")  # about as good as chance; of few queries
    assert verdicts == ["pass", "inconclusive" if undecided else "fail"]


@pytest.mark.parametrize("task", CASES)
def test_what_stands_there_as_a_comment_works_once_the_sign_is_taken_away(started, task):
    started(task)
    text = Path("gates.yaml").read_text()
    assert ("# slices: [cut, color]" in text) == (task != "ranking")  # queries are not cut apart
    text = re.sub(r"^( *)# (slices:|- metric:|  max_worsening:)", r"\1\2", text, flags=re.MULTILINE)
    Path("gates.yaml").write_text(text)
    assert call("check").code == 0, call("check").err
    change("python train.py", "cp made.csv $GATES_OUT/predictions.csv")
    hand_on(task, GOOD)
    done = call("run")
    assert done.code == 0, done.err
    assert len(policy()["gates"]) == (1 if task == "score" else 2)


def test_slices_alone_are_told_to_need_a_gate(started):
    started("binary")
    change("# slices: [cut, color]", "slices: [cut, color]")
    refused(call("check"), "no gate uses the slices by cut", "give a gate rules for them")


GUESSES = [  # columns, options, and the task, label, query that are written
    ({"x": wobble, "kind": lambda n: n % 3}, (), "multiclass", "kind", None),
    ({"x": wobble, "kind": lambda n: float(n % 3)}, (), "multiclass", "kind", None),
    ({"x": wobble, "kind": lambda n: n % 3}, ("--task", "regression"), "regression", "kind", None),
    ({"x": wobble, "count": lambda n: n % 40}, (), "regression", "count", None),
    ({"price": lambda n: n * 1.5, "x": lambda n: n % 7}, (), "regression", "price", None),
    ({"species": lambda n: SPECIES[n % 3], "x": wobble}, (), "multiclass", "species", None),
    ({"x": wobble, "survived": lambda n: n % 2, "class": lambda n: n % 3}, (), "binary", "survived", None),
    ({"qid": lambda n: n // 8, "label": lambda n: n % 5, "x": wobble}, (), "ranking", "label", "qid"),
    ({"Query": lambda n: f"q{n // 8}", "x": wobble, "hits": lambda n: n % 2}, (), "ranking", "hits", "Query"),
    ({"group": lambda n: n // 8, "relevance": lambda n: n % 4, "x": wobble}, (), "ranking", "relevance", "group"),
    ({"group": lambda n: "ab"[n % 2], "churn": lambda n: n % 3 // 2}, (), "binary", "churn", None),
    ({"query": lambda n: f"how {n}", "intent": lambda n: SPECIES[n % 3]}, (), "multiclass", "intent", None),
    ({"query": lambda n: n, "label": lambda n: n % 2}, (), "binary", "label", None),  # each row its own query
    ({"shop": lambda n: n // 8, "label": lambda n: n % 5}, ("--query", "shop"), "ranking", "label", "shop"),
    ({"qid": lambda n: n // 8, "label": lambda n: n % 2}, ("--task", "binary"), "binary", "label", None),
    ({"when": lambda n: f"2024-01-{1 + n % 28:02}"}, (), "binary", "cut", None),
    ({"exited": lambda n: n % 2, "x": wobble}, (), "binary", "exited", None),
    ({"x": wobble}, (), "regression", "x", None),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "arguments", "task", "label", "query"), GUESSES)
def test_the_task_is_guessed_by_the_label_and_told(tmp_path, monkeypatch, columns, arguments, task, label, query):
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "data.csv", rows(**columns))
    done = call("init", "data.csv", *arguments)
    assert done.code == 0, done.err
    written = policy()
    assert (written["task"], written["data"]["label"], written["data"].get("query")) == (task, label, query)
    assert re.search(rf"^task: {task} +# \S", Path("gates.yaml").read_text(), re.MULTILINE)
    assert call("check").code == 0
    assert ("--task and --force" in done.out) == (not arguments)


REFUSED = [
    (("--label", "price", "--task", "binary"), "has 20 values, and it takes two"),
    (("--label", "cut", "--task", "regression"), "holds no numbers"),
    (("--label", "price", "--task", "multiclass", "--query", "cut"), "only task: ranking has queries, not multiclass"),
    (("--label", "note"), "note can't be a label: it has about"),
    (("--label", "one"), "one can't be a label: it has 1 value, and it takes 2 to 100"),
    (("--label", "day"), "is a date, and a label is a class or a number"),
    (("--label", "below", "--task", "ranking", "--query", "cut"), "is below 0, and no relevance is"),
    (("--label", "price", "--task", "ranking"), "Name it with --query"),
    (("--label", "price", "--task", "score"), "task: score has no label"),
    (("--query", "cutt"), "--query: data.csv has no column cutt; did you mean cut?"),
    (("--query", "cut", "--label", "cut"), "can't be the label and the query"),
    (("--task", "clustering"), "'clustering' is not one of"),
]


@pytest.mark.parametrize(
    ("arguments", "told"), REFUSED, ids=lambda one: " ".join(one) if isinstance(one, tuple) else ""
)
def test_what_fits_no_task_is_told_and_nothing_is_written(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    table = rows(price=lambda n: n % 20, note=lambda n: f"note {n}", one=lambda _: "x", below=lambda n: n % 9 - 4,
                 day=lambda n: f"2024-01-{1 + n % 28:02}")  # fmt: skip
    write_table(tmp_path / "data.csv", table)
    done = call("init", "data.csv", *arguments)
    assert (done.code, told in done.err) == (2, True), done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


POSITIVES = [
    ((1, 2), 2, "Is 2 the positive class? It is guessed: the larger one"),
    ((-1, 1), 1, "Is 1 the positive class?"),
    ((0, 1), None, None),
    (("alive", "died"), "died", "Is died the positive class? It is guessed by its name"),
    (("good", "mended"), "mended", "Is mended the positive class? It is guessed: the rarer one"),
]


@pytest.mark.parametrize(("values", "positive", "asked"), POSITIVES, ids=str)
def test_a_positive_class_that_was_guessed_is_asked_about(tmp_path, monkeypatch, values, positive, asked):
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "data.csv", rows(status=lambda n: values[n % 3 == 0]))
    done = call("init", "data.csv", "--label", "status")
    assert policy()["data"].get("positive") == positive
    assert ("positive class" in done.out) == (asked is not None)
    assert (asked or "") in done.out


def test_what_train_and_holdout_know_counts_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = CASES["multiclass"][0]
    write_table(tmp_path / "train.csv", table[:180])
    write_table(tmp_path / "holdout.csv", [row for row in table[180:] if row["species"] != "gentoo"])
    assert call("init", "train.csv", "--holdout", "holdout.csv").code == 0
    assert (policy()["task"], policy()["gates"][0]["min"]) == ("multiclass", 0.33)
    assert policy()["data"]["classes"] == sorted(SPECIES)
    assert call("check").code == 0


def test_all_tasks_can_be_asked_for():
    assert TASKS == ANY_TASK
