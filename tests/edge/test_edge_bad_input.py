"""Bad input ends with exit code 2 and one clear message that names the thing; `decision.json` says so, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from edge_project import COPY, Done, Project, Rows, featured, pick, refused, soon, state, table, without, write_table

Break = Callable[[Project], object]
ROWS = table()
ACCURACY = [{"metric": "accuracy", "min": 0.1}]
SLICED = [{"metric": "accuracy", "min": 0.1, "slices": {"min": 0.1}}]


def changed(rows: Rows, column: str, value: Any, *places: int) -> Rows:
    return [row | {column: value} if place in places else row for place, row in enumerate(rows)]


def line(path: Path, number: int, text: str) -> None:
    """Replace a line of a file; `-1` adds one."""
    lines = path.read_text().splitlines()
    lines[number : number + 1] = [*([lines[number]] if number < 0 else []), text]
    path.write_text("\n".join(lines) + "\n")


def holdout(*edit: Any) -> Break:
    return lambda p: p.holdout(changed(ROWS, *edit))


def raw(name: str, data: bytes) -> Break:
    return lambda p: (p.root / name).write_bytes(data)


def scores(value: Any, *places: int) -> Break:
    return lambda p: p.predictions(changed(ROWS, "score", value, *places))


def predictions(*rows: dict[str, Any]) -> Break:
    return lambda p: write_table(p.root / "made/predictions.csv", rows)


def both(*breaks: Break) -> Break:
    return lambda p: [each(p) for each in breaks]


def nothing(_: Project) -> None:
    pass


# name -> (what is broken, keys of the policy, what the message must name)
Case = tuple[Break, dict[str, Any], tuple[str, ...]]

POLICY: dict[str, Case] = {
    "missing": (lambda p: (p.root / "gates.yaml").unlink(), {}, ("gates.yaml", "No such file", "--policy")),
    "a folder": (
        lambda p: ((p.root / "gates.yaml").unlink(), (p.root / "gates.yaml").mkdir()),
        {},
        ("gates.yaml", "Is a directory"),
    ),
    "a link": (
        lambda p: ((p.root / "gates.yaml").rename(p.root / "x"), (p.root / "gates.yaml").symlink_to("x")),
        {},
        ("gates.yaml", "link"),
    ),
    "empty": (raw("gates.yaml", b""), {}, ("gates.yaml", "is empty")),
    "blank": (raw("gates.yaml", b"# nothing\n\n"), {}, ("gates.yaml", "is empty")),
    "no YAML": (raw("gates.yaml", b"version: 1\ndata: [a\nmodel: }"), {}, ("gates.yaml:3:", "no YAML")),
    "plain text": (raw("gates.yaml", b"hello"), {}, ("gates.yaml:1:1", "keys with values", '"hello"')),
    "a list": (raw("gates.yaml", b"- a"), {}, ("gates.yaml:1:1", "keys with values")),
    "not text": (raw("gates.yaml", b"\xff\xfe\x00"), {}, ("gates.yaml", "UTF-8")),
    "a NUL": (raw("gates.yaml", b"version: 1\x00"), {}, ("gates.yaml", "no YAML")),
    "too large": (raw("gates.yaml", b"#" * 300_000), {}, ("gates.yaml", "262,144")),
    "a misspelt key": (nothing, {"slcies": []}, ("gates.yaml:", "slcies: unknown key; did you mean slices?")),
    "an unknown metric": (nothing, {"gates": [{"metric": "recal", "min": 0}]}, ("recal", "did you mean recall?")),
    "no such contract": (nothing, {"data": {"contract": "c.yaml"}}, ("contract: ", "c.yaml", "No such file")),
}

TABLES: dict[str, Case] = {
    "no holdout": (lambda p: (p.root / "holdout.csv").unlink(), {}, ("holdout.csv", "can't be read")),
    "no training table": (nothing, {"data": {"train": "train.csv"}}, ("train.csv", "can't be read")),
    "an empty glob": (nothing, {"data": {"holdout": "h-*.parquet"}}, ("h-*.parquet", "can't be read")),
    "unknown format": (nothing, {"data": {"holdout": "h.xlsx"}}, ("h.xlsx", ".parquet, .csv")),
    "damaged Parquet": (raw("h.parquet", b"PAR1 no"), {"data": {"holdout": "h.parquet"}}, ("h.parquet", "damaged")),
    "cut Parquet": (
        lambda p: (p.root / "h.parquet").write_bytes(
            write_table(p.root / "whole.parquet", without(ROWS, "score")).read_bytes()[:-20]
        ),
        {"data": {"holdout": "h.parquet"}},
        ("h.parquet", "damaged"),
    ),
    "empty Parquet": (raw("h.parquet", b""), {"data": {"holdout": "h.parquet"}}, ("h.parquet", "damaged")),
    "Parquet without rows": (
        lambda p: pyarrow.parquet.write_table(pyarrow.table({"id": [], "churn": []}), p.root / "h.parquet"),
        {"data": {"holdout": "h.parquet"}},
        ("h.parquet", "no rows"),
    ),
    "Parquet called CSV": (
        lambda p: write_table(p.root / "h.parquet", without(ROWS, "score")).rename(p.root / "h.csv"),
        {"data": {"holdout": "h.csv"}},
        ("h.csv",),
    ),
    "files of other columns": (
        lambda p: [
            write_table(p.root / "h-a.parquet", without(ROWS, "score")),
            write_table(p.root / "h-b.parquet", without(ROWS, "score", "age")),
        ],
        {"data": {"holdout": "h-*.parquet"}},
        ("h-b.parquet", "columns"),
    ),
    "empty CSV": (raw("holdout.csv", b""), {}, ("holdout.csv", "no rows")),
    "CSV of one header": (raw("holdout.csv", b"id,region,age,sex,churn\n"), {}, ("holdout.csv", "no rows")),
    "CSV of zeros": (raw("holdout.csv", b"\x00" * 500), {}, ("holdout.csv",)),
    "not text": (raw("holdout.csv", bytes(range(256)) * 20), {}, ("holdout.csv",)),
    "UTF-16": (
        lambda p: raw("holdout.csv", (p.root / "holdout.csv").read_text().encode("utf-16"))(p),
        {},
        ("holdout.csv",),
    ),
    "Latin-1": (
        lambda p: raw("holdout.csv", (p.root / "holdout.csv").read_bytes().replace(b"north", b"n\xf6rd"))(p),
        {},
        ("holdout.csv", "UTF-8"),
    ),
    "a short line": (lambda p: line(p.root / "holdout.csv", 5, "1004,north"), {}, ("holdout.csv",)),
    "a short first line": (lambda p: line(p.root / "holdout.csv", 1, "1000,north"), {}, ("holdout.csv",)),
    "a long line": (lambda p: line(p.root / "holdout.csv", 5, "1004,north,4,f,left,a,b"), {}, ("holdout.csv",)),
    "a long last line": (lambda p: line(p.root / "holdout.csv", -1, "1,north,4,f,left,a,b"), {}, ("holdout.csv",)),
}

COLUMNS: dict[str, Case] = {
    "label": (nothing, {"data": {"label": "chrun"}}, ("data.label", "chrun", "did you mean churn?")),
    "label, nothing near": (nothing, {"data": {"label": "zzz"}}, ("data.label", "zzz", "its columns are id, region")),
    "key": (nothing, {"data": {"key": "idd"}}, ("data.key", "idd", "did you mean id?")),
    "slice": (nothing, {"slices": ["regoin"], "gates": SLICED}, ("slices", "regoin", "did you mean region?")),
    "bins": (nothing, {"slices": [{"aeg": [3]}], "gates": SLICED}, ("slices", "aeg", "did you mean age?")),
    "crossing": (nothing, {"slices": ["sex * regon"], "gates": SLICED}, ("slices", "regon", "did you mean region?")),
    "by": (
        nothing,
        {"gates": [{"metric": "demographic_parity_difference", "by": "sxe", "max": 0.999}]},
        ("sxe", "did you mean sex?"),
    ),
    "bins of text": (nothing, {"slices": [{"sex": [1, 2]}], "gates": SLICED}, ("sex", "holds text", "bins")),
    "too many slices": (
        lambda p: (p.holdout(many := changed_all(table(1200), "region")), p.predictions(many)),
        {"slices": ["region"], "gates": SLICED},
        ("slices", "region", "1,200 values", "bins"),
    ),
}


def changed_all(rows: Rows, column: str) -> Rows:
    return [row | {column: f"r{place}"} for place, row in enumerate(rows)]


LABELS: dict[str, Case] = {
    "positive": (nothing, {"data": {"positive": "gone"}}, ("data.positive", "gone", "left, stayed", "'left'")),
    "no positive": (nothing, {"data": {"positive": None}}, ("data.positive", "left and stayed", "'stayed'")),
    "wrong type": (nothing, {"data": {"positive": True}}, ("data.positive", "true", "left, stayed")),
    "three values": (holdout("churn", "maybe", 4), {}, ("data.label", "churn has 3 values", "left, maybe, stayed")),
    "many values": (nothing, {"data": {"label": "age"}}, ("data.label", "age has 6", "values")),
    "no label in rows": (holdout("churn", None, 1, 2, 3), {}, ("data.label", "3 rows of holdout.csv", "churn")),
    "negatives only": (holdout("churn", "stayed", *range(240)), {}, ("data.positive", "left does not occur")),
    "repeated keys": (holdout("id", 1000, 1, 2), {}, ("data.key", "2 rows repeat a key in id", "holdout.csv")),
    "missing keys": (holdout("id", None, 1, 2, 5), {}, ("data.key", "3 rows have no key in id", "holdout.csv")),
}

IN_PREDICTIONS = ("predictions.csv",)
PREDICTIONS: dict[str, Case] = {
    **{
        f"score {value or 'missing'}": (scores(value, 4), {}, (*IN_PREDICTIONS, "1 score is not a number", "id: 1004"))
        for value in ("nan", "inf", "-inf", "", "1e999")
    },
    **{
        f"score {value}": (scores(value, 0, 4), {}, (*IN_PREDICTIONS, "2 scores lie outside 0 to 1", "id: 1000, 1004"))
        for value in ("1.5", "-0.01", "1.0000001", "100")
    },
    "scores of text": (scores("high", 4), {}, (*IN_PREDICTIONS, "1 score is not a number (id: 1004)")),
    "scores of true": (scores("true", *range(240)), {}, (*IN_PREDICTIONS, "score holds true and false, not numbers")),
    "many NaN": (scores("nan", *range(100)), {}, ("100 scores are not numbers", "id: 1000, 1001, 1002, 1003, 1004, …")),
    "missing rows": (
        lambda p: p.predictions(ROWS[7:]),
        {},
        (*IN_PREDICTIONS, "7 holdout rows have no prediction", "id: 1000, 1001, 1002, 1003, 1004, …"),
    ),
    "keys that became floats": (
        lambda p: p.predictions([{**row, "id": f"{row['id']}.0"} for row in ROWS]),
        {},
        (*IN_PREDICTIONS, "240 holdout rows have no prediction", "write them as 1000, not 1000.0"),
    ),
    "rows of others": (
        lambda p: p.predictions([*ROWS, {"id": 5, "score": 0}, {"id": 6, "score": 1}]),
        {},
        (*IN_PREDICTIONS, "2 predictions belong to no holdout row", "id: 5, 6"),
    ),
    "rows twice": (lambda p: p.predictions(ROWS + ROWS[:2]), {}, (*IN_PREDICTIONS, "2 keys", "id: 1000, 1001")),
    "rows without key": (lambda p: p.predictions(changed(ROWS, "id", None, 1, 2)), {}, IN_PREDICTIONS),
    "too few, by order": (lambda p: p.predictions(ROWS[2:]), {"data": {"key": None}}, ("238 predictions for 240",)),
    "too many, by order": (
        lambda p: p.predictions(ROWS + ROWS[:1]),
        {"data": {"key": None}},
        ("241 predictions for 240 holdout rows",),
    ),
    "no usable column": (
        predictions({"id": 1, "probability": 0.2}),
        {},
        (*IN_PREDICTIONS, "id, probability", "score", "prediction"),
    ),
    "no key column": (lambda p: p.predictions(ROWS, "score"), {}, (*IN_PREDICTIONS, "lack the key column id")),
    "a class nobody knows": (
        lambda p: write_table(
            p.root / "made/predictions.csv",
            [row | {"prediction": "gone" if place < 2 else "left"} for place, row in enumerate(pick(ROWS, "id"))],
        ),
        {"gates": ACCURACY},
        (*IN_PREDICTIONS, "2 predictions are neither stayed nor left", "id: 1000, 1001"),
    ),
    "empty": (raw("made/predictions.csv", b""), {}, (*IN_PREDICTIONS, "no rows")),
    "header alone": (raw("made/predictions.csv", b"id,score\n"), {}, (*IN_PREDICTIONS, "no rows")),
    "damaged": (
        both(lambda p: (p.root / "made/predictions.csv").unlink(), raw("made/predictions.parquet", b"PAR1")),
        {},
        ("predictions.parquet", "damaged"),
    ),
    "two files": (
        lambda p: p.predictions(ROWS, name="predictions.parquet"),
        {},
        ("predictions.parquet, predictions.csv are both there",),
    ),
    "a file and a model": (
        lambda p: (p.root / "made/model").mkdir(),
        {},
        ("predictions.csv, model/ are both there",),
    ),
}

PLANT = 'cp made/predictions.csv "$GATES_OUT"; '
TRAINING: dict[str, Case] = {
    "fails": (
        nothing,
        {"train": "for n in $(seq 1 30); do echo step $n; done; echo Boom >&2; exit 7"},
        ("train", "exit code 7", "| step 12\n", "| step 30\n", "| Boom"),
    ),
    "fails silently": (nothing, {"train": "exit 7"}, ("train", "exit code 7", "printed nothing")),
    "fails after writing": (nothing, {"train": COPY + "; exit 1"}, ("train", "exit code 1")),
    "is killed": (nothing, {"train": "kill -9 $$"}, ("train", "-9")),
    "no such program": (nothing, {"train": "no-such-program --now"}, ("no-such-program", "127", "not found")),
    "fails in bytes": (nothing, {"train": r"printf '\377\376 bad'; exit 1"}, ("exit code 1", "bad")),
    "takes too long": (
        nothing, {"train": {"run": "sleep 60", "timeout": "1s"}}, ("train", "stopped after 1s", "train.timeout"),
    ),
    "writes nothing": (nothing, {"train": "true"}, ("train", "wrote nothing into $GATES_OUT", "predictions.parquet")),
    "writes something else": (nothing, {"train": 'touch "$GATES_OUT/junk"'}, ("neither model/ nor predictions",)),
    "links to a file": (
        nothing, {"train": 'ln -s "$PWD/made/predictions.csv" "$GATES_OUT"'}, ("predictions.csv", "link"),
    ),
    "links out of its folder": (nothing, {"train": PLANT + 'ln -s /etc "$GATES_OUT/etc"'}, ("etc", "link")),
    "links within": (nothing, {"train": PLANT + 'ln -s predictions.csv "$GATES_OUT/same"'}, ("same", "link")),
    "leaves a broken link": (nothing, {"train": PLANT + 'ln -s /no/where "$GATES_OUT/gone"'}, ("gone", "link")),
    "leaves a pipe": (nothing, {"train": PLANT + 'mkfifo "$GATES_OUT/pipe"'}, ("pipe", "plain file")),
    "writes a folder of that name": (nothing, {"train": 'mkdir "$GATES_OUT/predictions.csv"'}, ("neither model/",)),
}  # fmt: skip


def cases(**tables: dict[str, Case]) -> Any:
    found = [(f"{area}-{name}", case) for area, table_ in tables.items() for name, case in table_.items()]
    return pytest.mark.parametrize("case", [case for _, case in found], ids=[name for name, _ in found])


@cases(policy=POLICY, table=TABLES, column=COLUMNS, label=LABELS, predictions=PREDICTIONS, training=TRAINING)
def test_a_mistake_is_told_once_and_clearly(project: Project, case: Case) -> None:
    broken, policy, named = case
    project.ready(**policy)
    broken(project)
    done = project.gates("run")
    told = refused(done, *named)
    assert done.out == ""
    assert told.removeprefix("gates: ") == project.decision["reason"].rstrip()
    assert (project.decision["verdict"], project.decision["code"]) == ("error", "could_not_judge")
    assert (project.decision["gates"], project.decision["evidence"]) == ([], None)
    assert not (project.work / "evidence.json").exists()
    assert "could not judge" in (project.work / "report.md").read_text().splitlines()[0]
    assert len(told) < 3000


@pytest.mark.parametrize("metric", ["roc_auc", "specificity", "matthews_corrcoef", "balanced_accuracy"])
def test_labels_of_one_class_leave_the_metric_undefined(project: Project, metric: str) -> None:
    """Measured, and then an error of that gate alone: what is undefined never passes."""
    project.ready(gates=[{"metric": metric, "min": 0.001}, {"metric": "recall", "min": 0.001}])
    project.holdout(changed(ROWS, "churn", "left", *range(240)))
    done = project.gates("run")
    undefined, defined = project.decision["gates"]
    assert done.code == 2
    assert (undefined["verdict"], undefined["code"]) == ("error", "undefined")
    assert "one class" in undefined["reason"] or "no row is negative" in undefined["reason"]
    assert defined["verdict"] == "pass"


def test_every_mistake_of_the_policy_at_once(project: Project) -> None:
    project.ready(modle="x", gates=[{"metric": "roc_auc", "min": "high"}, {"metrik": "recall", "min": 0}])
    done = project.gates("check")
    told = refused(done, "modle: unknown key", "metrik", "min: expected a number")
    places = [int(one.split("gates.yaml:")[1].split(":")[0]) for one in told.splitlines() if "gates.yaml:" in one]
    assert places == sorted(places)
    assert len(places) == 3


def test_a_mistake_of_usage_is_2(project: Project) -> None:
    project.ready()
    for arguments in (("--no-such-option",), ("unexpected",)):
        done = project.gates("run", *arguments)
        assert (done.code, done.out) == (2, "")
        assert arguments[0] in done.err


def soon_dead(path: Path) -> bool:
    """Whether the process whose id stands in the file ends."""
    return soon(lambda: state(int(path.read_text())) == "Z")


CHILDREN = (
    "sleep 3000 & echo $! > child; (sleep 3001 & echo $! > grandchild; wait) & "
    "until [ -s child ] && [ -s grandchild ]; do sleep 0.05; done; "
)


@pytest.mark.parametrize(
    ("ending", "limit", "code"),
    [("wait", "5s", 2), ("exit 3", "60m", 2), (COPY, "60m", 0)],
    ids=["times out", "fails", "goes well"],
)
def test_nothing_that_the_training_started_outlives_it(project: Project, ending: str, limit: str, code: int) -> None:
    project.ready(train={"run": CHILDREN + ending, "timeout": limit})
    assert project.gates("run").code == code
    for name in ("child", "grandchild"):
        assert soon_dead(project.root / name)


def test_what_the_training_prints_is_shown_and_kept(project: Project) -> None:
    project.ready(train="echo out; echo err >&2; " + COPY)
    done = project.gates("run")
    assert (project.work / "train.log").read_text() == "out\nerr\n"
    assert [line for line in done.err.splitlines() if line.startswith("  | ")] == ["  | out", "  | err"]
    assert "  | " not in done.out


@pytest.mark.parametrize("columns", ["id,region,age,age,churn", "id,churn,age,sex,churn"])
def test_columns_of_one_name(project: Project, columns: str) -> None:
    project.ready()
    file = project.root / "holdout.csv"
    file.write_text(file.read_text().replace("id,region,age,sex,churn", columns))
    refused(project.gates("run"), "holdout.csv", "twice")


def test_a_csv_of_another_encoding_is_told_as_such(project: Project) -> None:
    project.ready()
    file = project.root / "holdout.csv"
    file.write_bytes(file.read_bytes().replace(b"north", b"n\xf6rd"))
    refused(project.gates("run"), "holdout.csv", "UTF-8")


def test_a_misspelt_column_is_told_before_the_training(project: Project) -> None:
    """An hour of training is not the price of a typing mistake."""
    gate = {"metric": "demographic_parity_difference", "by": "sxe", "max": 0.999}
    project.ready(train="touch trained; exit 1", gates=[gate])
    refused(project.gates("run"), "sxe", "did you mean sex?")
    assert not (project.root / "trained").exists()


def test_a_missing_by_column_is_not_called_a_slice(project: Project) -> None:
    project.ready(gates=[{"metric": "demographic_parity_difference", "by": "sxe", "max": 0.999}])
    assert "slices" not in refused(project.gates("run"), "sxe", "did you mean sex?")


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        ("1004,north", 1),
        ("1004,north", 5),
        ("1004,north", 240),
        ("1004,north,4,f,left,a,b", 240),
        ("1004,north,4,f,left,a,b", 1),
        ("1,north,4,f,left,a", 5),
    ],
)
def test_a_ragged_csv_is_told_with_its_line(project: Project, edit: str, place: int) -> None:
    project.ready()
    file = project.root / "holdout.csv"
    lines = file.read_text().splitlines()
    lines[place] = edit
    file.write_text("\n".join(lines) + "\n")
    told = refused(project.gates("run"), "holdout.csv", str(place + 1))
    assert "no rows" not in told
    assert "no column" not in told


def shared(project: Project, train: Rows, holdout: Rows, **policy: Any) -> Done:
    """A run where training and holdout are those rows; the training does not look at them."""
    data = {"train": "train.csv"} | policy.pop("data", {})
    project.ready(holdout, data=data, **policy)
    write_table(project.root / "train.csv", without(train, "score"))
    return project.gates("run")


FULL = featured()
SAME = {
    "the same file, of few values": (ROWS, ROWS, "every row"),
    "few values and more rows": (ROWS + table(300, seed=5), ROWS, "every row"),
    "the same file": (FULL, FULL, "every row"),
    "the same rows in another order": (FULL[::-1], FULL, "every row"),
    "the same rows and more": (FULL + featured(5), FULL, "every row"),
    "the same rows, numbered anew": ([row | {"id": row["id"] + 5000} for row in FULL], FULL, "every row"),
    "a third of them": (FULL[:80] + featured(5), FULL, "80 of 200 rows"),
}


@pytest.mark.parametrize("name", SAME)
def test_a_model_that_learnt_from_the_holdout_is_not_judged_on_it(project: Project, name: str) -> None:
    train, holdout, told = SAME[name]
    refused(shared(project, train, holdout), "data.train", told, "train.csv", "leakage")


def test_other_rows_may_be_learnt_from(project: Project) -> None:
    assert shared(project, featured(5), FULL).code == 0


def test_rows_of_few_values_are_alike_by_chance(project: Project) -> None:
    few = [pick([row], "id", "sex", "churn", "score")[0] for row in ROWS]
    assert shared(project, [row | {"id": row["id"] + 5000} for row in few[:200]], few).code == 0


def test_the_contract_says_how_many_rows_may_be_shared(project: Project) -> None:
    (project.root / "contract.yaml").write_text("record: {}\ntable:\n  - leakage: id\n    max: 1.0\n")
    assert shared(project, ROWS, ROWS, data={"contract": "contract.yaml"}).code == 0


def test_where_nothing_is_learnt_nothing_is_leaked(project: Project) -> None:
    gates = [{"metric": "mean", "min": 0.1}]
    data = {"positive": None, "label": None}
    assert shared(project, ROWS, ROWS, task="score", gates=gates, data=data).code == 0
