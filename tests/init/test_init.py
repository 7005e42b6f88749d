"""gates init: what it writes holds for its own data, whatever that looks like, and is what was meant."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from edge_project import call, refused, write_table
from extent import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = [
    "yes", "no", "null", "~", "1", "1e5", "0x1f", "a: b", "#c", "- d", "e#f #g", '"h"', "i'j", "k\nl", "m\tn", "ünï",
    "データ", "🙂", " lead", "trail ", "{o}", "[p]", "&q", "*r", "!s", "%t", "@u", "`v`", "?", "-", ":", "label", "id",
    "record", "on", "2020-01-01", "x" * 200, "y" * 1500, "\u2028", "\x7f", "?w", "a,b", "a\\b",
]  # fmt: skip
MOMENTS = st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 31))
TEXT = st.one_of(
    st.sampled_from(["", "yes", "No", "1", "null", " a", "#", "a: b", "x\ny", "0", "true", "1e5", "é", "🙂"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
)


def decimals(precision: int, scale: int):
    most = decimal.Decimal(10 ** (precision - scale) - 1)
    return st.decimals(-most, most, places=scale)


COLUMNS = st.sampled_from(
    [
        (pa.int64(), st.integers(-50, 50)),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.int8(), st.integers(0, 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float64(), st.floats()),
        (pa.float64(), st.floats(0, 1)),
        (pa.float64(), st.sampled_from([0.0, 1.0])),
        (pa.float32(), st.floats(width=32)),
        (pa.decimal128(9, 2), decimals(9, 2)),
        (pa.decimal128(38, 10), decimals(38, 10)),
        (pa.decimal128(20, 0), decimals(20, 0)),
        (pa.bool_(), st.booleans()),
        (pa.string(), TEXT),
        (pa.string(), st.sampled_from(["yes", "no"])),
        (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b", "c"])),
        (pa.date32(), MOMENTS.map(datetime.datetime.date)),
        (pa.timestamp("us"), MOMENTS),
        (pa.timestamp("us", tz="UTC"), MOMENTS),
        (pa.time64("us"), st.times()),
        (pa.null(), st.none()),
        (pa.string(), st.none()),
    ]
)


def _apart(name):
    """Case and blanks at the ends tell no names apart."""
    return name.strip().lower()


@st.composite
def tables(draw):
    rows = draw(st.sampled_from([1, 2, 3, 25, 120]))
    names = draw(
        st.lists(st.one_of(st.sampled_from(NAMES), TEXT.filter(bool)), min_size=1, max_size=6, unique_by=_apart)
    )
    columns = {}
    for name in names:
        kind, values = draw(COLUMNS)
        few = draw(
            st.lists(st.one_of(values, values, st.none()), min_size=1, max_size=draw(st.sampled_from([1, 4, 30])))
        )
        turned = draw(st.integers(0, 9))
        columns[name] = pa.array([few[(row * 7 + turned) % len(few)] for row in range(rows)], kind)
    return pa.table(columns)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        yield Path(made)


def holds(path: str) -> None:
    """`gates check` and `gates data` say that what was written is right."""
    for arguments in (("check",), ("data", path)):
        done = call(*arguments)
        assert done.code == 0, f"{done.err}{done.out}{Path('contract.yaml').read_text()}"


@settings(max_examples=examples(50), suppress_health_check=list(HealthCheck))
@given(tables())
def test_what_is_written_holds_for_any_parquet(table):
    with folder():
        pyarrow.parquet.write_table(table, "data.parquet")
        done = call("init", "data.parquet")
        assert done.code == 0, done.err
        holds("data.parquet")


CELLS = st.one_of(
    st.sampled_from(
        ["", "yes", "no", "NA", "nan", "inf", "-inf", "007", "1e400", "true", "t", "2020-02-30", "#", "a: b"]
    ),
    st.integers().map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.text("ab ,'é\n", max_size=4),
)


@settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(NAMES[:20]), min_size=2, max_size=4, unique_by=_apart),
    st.lists(CELLS, min_size=1, max_size=5),
    st.sampled_from([1, 3, 60]),
)
def test_what_is_written_holds_for_any_text_file(names, cells, rows):
    lines = [{name: cells[(row * 3 + place) % len(cells)] for place, name in enumerate(names)} for row in range(rows)]
    with folder():
        write_table(Path("data.csv"), lines)
        Path("data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for path in ("data.csv", "data.jsonl"):
            done = call("init", path, "--force")
            if "occurs twice" in done.err or "can't be read" in done.err or "damaged" in done.err:
                continue  # told by the reader of files, whose tests are elsewhere
            assert done.code == 0, done.err
            holds(path)


@settings(max_examples=examples(15), suppress_health_check=list(HealthCheck))
@given(tables(), tables())
def test_with_a_holdout_what_is_written_holds_for_both(train, other):
    holdout = pa.table(dict(zip(train.column_names, other.columns, strict=False)))
    with folder():
        pyarrow.parquet.write_table(train, "train.parquet")
        pyarrow.parquet.write_table(holdout, "holdout.parquet")
        done = call("init", "train.parquet", "--holdout", "holdout.parquet")
        assert done.code == 0, done.err
        holds("train.parquet")
        holds("holdout.parquet")


ROWS = [
    {"id": 100 + n, "age": 18 + n % 60, "share": n % 11 / 10, "region": "north" if n % 3 else "south",
     "signed_up": datetime.date(2024, 1, 1 + n % 28), "spent": None if n % 20 == 0 else n * 10.5,
     "churn": "Yes" if n % 4 == 0 else "No"}
    for n in range(200)
]  # fmt: skip


@pytest.fixture
def churn(tmp_path, monkeypatch):
    """A folder with a table of 200 customers, which is where commands run."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "data.csv", ROWS)
    return tmp_path


def read(path):
    return yaml.safe_load(Path(path).read_text())


@pytest.mark.usefixtures("churn")
def test_what_is_inferred_is_what_a_person_would_write():
    assert call("init", "data.csv").code == 0
    assert read("contract.yaml")["record"] == {
        "type": "object",
        "required": ["id", "age", "share", "region", "signed_up", "spent", "churn"],
        "properties": {
            "id": {"type": "integer", "minimum": 0},
            "age": {"type": "integer", "minimum": 12, "maximum": 83},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "region": {"enum": ["north", "south"]},
            "signed_up": {"type": "string", "format": "date"},
            "spent": {"type": ["number", "null"], "minimum": 0, "maximum": 2300},
            "churn": {"enum": ["No", "Yes"]},
        },
    }
    assert read("contract.yaml")["table"] == [
        {"rows": {"min": 100}},
        {"unique": "id"},
        {"nulls": "spent", "max": 0.08},
        {"values": "churn", "equal": "Yes", "min": 0.12, "max": 0.38},
    ]
    assert read("gates.yaml")["data"] == {
        "holdout": "data.csv", "label": "churn", "positive": "Yes", "key": "id", "contract": "contract.yaml",
    }  # fmt: skip


@pytest.mark.usefixtures("churn")
def test_every_guess_is_told_beside_it():
    done = call("init", "data.csv")
    policy = Path("gates.yaml").read_text()
    assert re.search("label: churn +# guessed by its name", policy)
    assert re.search("positive: .Yes. +# guessed by its name", policy)
    assert re.search("min: 0.5 +# no better than chance: set this to what", policy)
    assert "gates data data.csv" in done.out
    assert "missing in 10 rows" in Path("contract.yaml").read_text()


@pytest.mark.usefixtures("churn")
def test_what_is_said_goes_before_guesses():
    assert call("init", "data.csv", "--label", "region", "--key", "id", "--model", "churn-2").code == 0
    policy = read("gates.yaml")
    assert (policy["model"], policy["data"]["label"], policy["data"]["positive"]) == ("churn-2", "region", "south")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--label", "chrun"), ("--label", "did you mean churn?")),
        (("--key", "regio"), ("--key", "did you mean region?")),
        (("--key", "region"), ("--key", "its values repeat")),
        (("--key", "spent"), ("--key", "rows lack it")),
        (("--model", "a/b"), ("--model", "letters, digits")),
        (("--holdout", "none.csv"), ("none.csv can't be read",)),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_told_and_nothing_is_written(churn, arguments, words):
    refused(call("init", "data.csv", *arguments), *words)
    assert sorted(path.name for path in churn.iterdir()) == ["data.csv"]


def test_nothing_is_overwritten_unless_asked(churn):
    Path("gates.yaml").write_text("mine")
    refused(call("init", "data.csv"), "gates.yaml: stands in the way", "--force")
    assert sorted(path.name for path in churn.iterdir()) == ["data.csv", "gates.yaml"]
    assert call("init", "data.csv", "--force").code == 0
    assert read("gates.yaml")["version"] == 1
    refused(call("init", "data.csv"), "contract.yaml, gates.yaml, .github/workflows/gates.yml: stand in the way")


@pytest.mark.usefixtures("churn")
def test_a_link_is_never_written_through():
    Path("elsewhere").write_text("mine")
    Path("gates.yaml").symlink_to("elsewhere")
    refused(call("init", "data.csv", "--force"), "gates.yaml: is a link")
    assert Path("elsewhere").read_text() == "mine"
    assert not Path("contract.yaml").exists()


def test_all_files_or_none(churn):
    Path(".github").write_text("a file where a folder should be")
    refused(call("init", "data.csv"), ".github", "can't be written")
    assert sorted(path.name for path in churn.iterdir()) == [".github", "data.csv"]


def test_below_a_repository_the_workflow_lies_at_its_root(churn, monkeypatch):
    (churn / ".git").mkdir()
    (churn / "models/churn").mkdir(parents=True)
    (churn / "data.csv").rename(churn / "models/churn/data.csv")
    monkeypatch.chdir(churn / "models/churn")
    Path("requirements.txt").write_text("")
    assert call("init", str(Path("data.csv").resolve())).code == 0
    assert read("gates.yaml")["data"]["holdout"] == "data.csv"
    workflow = read(churn / ".github/workflows/gates-churn.yml")
    assert workflow["jobs"]["gates"]["with"] == {
        "policy": "gates.yaml", "working-directory": "models/churn", "requirements": "requirements.txt",
        "tracking-uri": "${{ vars.MLFLOW_TRACKING_URI }}",
    }  # fmt: skip


@pytest.mark.usefixtures("churn")
def test_the_workflow_is_one_by_githubs_schema():
    assert call("init", "data.csv").code == 0
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
         ".github/workflows/gates.yml"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("churn")
def test_training_and_holdout_must_not_share_keys_if_they_do_not():
    write_table(Path("train.csv"), ROWS[:120])
    write_table(Path("apart.csv"), ROWS[120:])
    write_table(Path("mixed.csv"), ROWS[100:])
    assert call("init", "train.csv", "--holdout", "apart.csv").code == 0
    assert {"leakage": "id"} in read("contract.yaml")["table"]
    done = call("data", "apart.csv")
    assert (done.code, "skipped: they need training data: leakage(id)" in done.out) == (0, True)
    assert call("init", "train.csv", "--holdout", "mixed.csv", "--force").code == 0
    assert {"leakage": "id"} not in read("contract.yaml")["table"]


@pytest.mark.usefixtures("churn")
def test_two_tables_without_a_common_column_are_told():
    write_table(Path("other.csv"), [{"a": 1}])
    refused(call("init", "data.csv", "--holdout", "other.csv"), "data.csv and other.csv have no column in common")


@pytest.mark.usefixtures("churn")
def test_a_glob_of_files_is_one_table():
    write_table(Path("parts/a.csv"), ROWS[:100])
    write_table(Path("parts/b.csv"), ROWS[100:])
    assert call("init", "parts/*.csv").code == 0
    assert {"rows": {"min": 100}} in read("contract.yaml")["table"]
    holds("parts/*.csv")


@pytest.mark.usefixtures("churn")
def test_from_nothing_to_a_decision():
    assert call("init", "data.csv").code == 0
    policy = Path("gates.yaml").read_text().replace("python train.py", "cp made.csv $GATES_OUT/predictions.csv")
    Path("gates.yaml").write_text(policy)
    write_table(Path("made.csv"), [{"id": row["id"], "score": 0.9 if row["churn"] == "Yes" else 0.1} for row in ROWS])
    done = call("run")
    assert done.code == 0, done.err
    assert "first run" in done.out


@pytest.mark.usefixtures("churn")
def test_a_contract_that_could_not_be_read_again_is_not_written():
    values = [f"{n:060}" for n in range(20)] * 10
    pyarrow.parquet.write_table(pa.table({f"c{n}": values for n in range(250)}), "wide.parquet")
    refused(call("init", "wide.parquet"), "wide.parquet: a contract of 250 columns would be too long")
    assert not Path("contract.yaml").exists()


@pytest.mark.usefixtures("churn")
@pytest.mark.parametrize("value", [b"a,b\n", b"", b'{"a": [1]}'], ids=["no rows", "empty", "nested"])
def test_data_of_which_no_contract_can_be_made_is_told(value):
    path = Path("bad.jsonl" if value.startswith(b"{") else "bad.csv")
    path.write_bytes(value)
    refused(call("init", str(path)), "bad.")
    assert not Path("contract.yaml").exists()
