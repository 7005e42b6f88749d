"""Shuffled rows, split files and threads change no byte; the counts are those that plain Python counts."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from edge_project import Project, Rows, table, without, write_table
from extent import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gates.documents.evidence import Evidence
from gates.measure.holdout.models import ModelOutput
from gates.measure.measurement import Measurement
from gates.policy.policy_file import read
from gates.schema.canonical import canonical

SLICED: dict[str, Any] = {
    "slices": ["region", {"age": [30, 50]}, "region * sex"],
    "gates": [
        {"metric": "roc_auc", "min": 0.6, "slices": {"min": 0.5}},
        {"metric": "f1", "min": 0.1},
        {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
    ],
}


def shuffled(rows: Rows, seed: int = 5) -> Rows:
    return random.Random(seed).sample(rows, len(rows))  # noqa: S311 -- not a secret


def ran(project: Project) -> dict[str, bytes]:
    done = project.gates("run")
    assert done.complaint == ""
    return project.bytes()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_order_of_the_holdout_is_nothing_where_there_is_a_key(project: Project, suffix: str) -> None:
    rows = project.ready(data={"holdout": f"h.{suffix}"}, **SLICED)
    project.holdout(rows, f"h.{suffix}")
    expected = ran(project)
    project.holdout(shuffled(rows), f"h.{suffix}")
    assert ran(project) == expected


@pytest.mark.parametrize("key", ["id", None])
def test_the_order_of_predictions_changes_their_digest_alone(project: Project, key: str | None) -> None:
    """By key the predictions may be shuffled; without one, together with the holdout. Their file is another then,
    and with it the candidate's digest, which seeds the bootstrap: so all but what hangs on it is compared."""
    rows = project.ready(data={"key": key}, **SLICED)
    ran(project)
    first = project.evidence
    project.predictions(shuffled(rows))
    if key is None:
        project.holdout(shuffled(rows))
    ran(project)
    again = project.evidence
    assert first.pop("candidate") != again.pop("candidate")
    assert again == first


def split(project: Project, rows: Rows, suffix: str, cuts: list[int]) -> None:
    bare = without(rows, "score")
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        write_table(project.root / f"parts/{9 - number}.{suffix}", bare[start:end])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("cuts", [[1], [100, 101], [50, 120, 200]])
def test_a_holdout_in_several_files_is_the_same_one(project: Project, suffix: str, cuts: list[int]) -> None:
    rows = project.ready(data={"holdout": f"h.{suffix}"}, **SLICED)
    project.holdout(rows, f"h.{suffix}")
    ran(project)
    whole = project.evidence
    project.policy(data={"holdout": f"parts/*.{suffix}"}, **SLICED)
    split(project, rows, suffix, cuts)
    ran(project)
    parts = project.evidence
    assert whole.pop("measured") != parts.pop("measured"), "the policy names another path"
    assert parts == whole


def test_files_put_together_in_another_way_give_the_same_bytes(project: Project) -> None:
    rows = project.ready(data={"holdout": "parts/*.parquet"}, **SLICED)
    split(project, rows, "parquet", [120])
    expected = ran(project)
    for part in (project.root / "parts").iterdir():
        part.unlink()
    split(project, shuffled(rows), "parquet", [30, 90, 100])
    assert ran(project) == expected


def test_the_size_of_row_groups_and_their_compression_are_nothing(project: Project) -> None:
    rows = project.ready(data={"holdout": "h.parquet", "key": None}, **SLICED)
    content = pyarrow.Table.from_pylist(without(rows, "score"))
    found = []
    for options in ({}, {"row_group_size": 7}, {"compression": "gzip", "use_dictionary": False}):
        pyarrow.parquet.write_table(content, project.root / "h.parquet", **options)
        found.append(ran(project))
    assert found[0] == found[1] == found[2]


def measured(root: Path, threads: int | None = None) -> Evidence:
    """The evidence of the predictions in `made`, from an engine of so many threads."""
    resolved = read((root / "gates.yaml").read_bytes(), "gates.yaml", lambda path: (root / path).read_bytes())
    bench = Measurement(resolved, root, root / ".gates", environ={}, threads=threads)
    return bench.evidence(bench.check(), [ModelOutput(digest="sha256:0", folder=root / "made")])


@pytest.mark.parametrize("key", ["id", None])
def test_threads_change_no_byte(project: Project, key: str | None) -> None:
    """Enough rows, in enough row groups and several files, that the engine does share them out."""
    draw = random.Random(3)  # noqa: S311 -- not a secret
    n = 60_000
    ids = draw.sample(range(n), n)
    labels = ["left" if draw.random() < 0.3 else "stayed" for _ in ids]
    columns = {
        "id": ids,
        "region": [draw.choice("abcdef") for _ in ids],
        "age": [draw.randint(18, 90) for _ in ids],
        "sex": [draw.choice("fm") for _ in ids],
        "churn": labels,
        "score": [round(draw.random() * 0.7 + 0.3 * (label == "left"), 4) for label in labels],
    }
    content = pyarrow.table(columns)
    (project.root / "parts").mkdir()
    for number in range(3):
        part = content.slice(number * n // 3, n // 3).drop_columns(["score"])
        pyarrow.parquet.write_table(part, project.root / f"parts/{number}.parquet", row_group_size=2048)
    pyarrow.parquet.write_table(
        content.select(["id", "score"]), project.root / "made/predictions.parquet", row_group_size=2048
    )
    project.policy(data={"holdout": "parts/*.parquet", "key": key}, **SLICED)
    one, two, four = (canonical(measured(project.root, threads)) for threads in (1, 2, 4))
    assert one == two == four


ROW = st.fixed_dictionaries(
    {
        "churn": st.sampled_from(["left", "stayed"]),
        "score": st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]),  # ties
        "other": st.sampled_from([0.0, 0.3, 0.5, 0.75, 1.0]),
        "region": st.sampled_from(["a", "b", "B", " ", "", None]),
        "age": st.sampled_from([-1.5, 0.0, 29.9, 30.0, 49.0, 50.0, 1e9, None]),
        "sex": st.sampled_from(["f", "m"]),
    }
)
BINS = (("< 30", float("-inf"), 30), ("[30, 50)", 30, 50), (">= 50", 50, float("inf")))


def bin_of(age: float | None) -> str | None:
    if age is None:
        return None
    return next(name for name, low, high in BINS if low <= age < high)


def key_of(dimension: str, row: dict[str, Any]) -> tuple[str | None, ...]:
    """The slice of a dimension that a row falls into."""
    values = {"region": row["region"], "sex": row["sex"], "age[30,50]": bin_of(row["age"])}
    return tuple(values[part] for part in dimension.split(" * ")) if dimension else ()


def placements(rows: Rows, score: str, positive: bool) -> list[int]:
    """Twice the rows of the other class that each row of this class beats, plus its ties; by comparing all pairs."""
    sides = {side: [row[score] for row in rows if (row["churn"] == "left") == side] for side in (True, False)}
    sign = 1 if positive else -1
    return [
        sum(2 * (sign * (mine - one) > 0) + (mine == one) for one in sides[not positive]) for mine in sides[positive]
    ]


def counted(part: Rows) -> list[list[int]]:
    calls = Counter((int(row["churn"] == "left"), int(row["score"] >= 0.5), -1) for row in part)
    return sorted([*cell, rows] for cell, rows in calls.items())


def rank_sums(part: Rows, positive: bool) -> dict[str, Any]:
    a = placements(part, "score", positive)
    return {"rows": len(a), "a": sum(a), "aa": sum(one * one for one in a)}


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=2, max_size=40), seed=st.integers(0, 99))
@example(rows=[{"churn": c, "score": 0.5, "other": 0.5, "region": None, "age": None, "sex": "f"} for c in
               ("left", "stayed")], seed=0)  # fmt: skip
def test_the_counts_are_those_of_plain_python(project: Project, rows: Rows, seed: int) -> None:
    rows = [row | {"id": number} for number, row in enumerate(rows)]
    if len({row["churn"] for row in rows}) < 2:
        rows[0]["churn"], rows[1]["churn"] = "left", "stayed"
    project.policy(data={"holdout": "h.parquet"}, **SLICED)
    types = {"region": pyarrow.string(), "age": pyarrow.float64()}
    write_table(project.root / "h.parquet", without(rows, "score", "other"), types)
    project.predictions(shuffled(rows, seed))
    found = measured(project.root)
    assert found.classes == ("stayed", "left")
    seen: Counter[str] = Counter()
    for part in found.slices:
        key = tuple(value for _, value in part.key)
        mine = [row for row in rows if key_of(part.dimension, row) == key]
        assert [list(cell) for cell in part.cells] == counted(mine)
        seen[part.dimension] += len(mine)
        if part.ranks is None:
            assert part.dimension == "sex", "only the fairness gate's groups need no ranks"
            continue
        for side, positive in ((part.ranks.positives, True), (part.ranks.negatives, False)):
            assert {"rows": side.rows, "a": side.a, "aa": side.aa} == rank_sums(mine, positive)
            assert (side.b, side.bb, side.ab) == (0, 0, 0)
    assert dict(seen) == dict.fromkeys(["", "region", "age[30,50]", "region * sex", "sex"], len(rows))


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=4, max_size=30))
def test_both_models_are_counted_on_the_same_rows(project: Project, rows: Rows) -> None:
    """Beside a champion: cells of both calls, and the products of both placements."""
    from gates.measure.holdout.models import RegisteredModel, Rivals

    rows = [row | {"id": number} for number, row in enumerate(rows)]
    rows[0]["churn"], rows[1]["churn"] = "left", "stayed"
    project.policy(data={"holdout": "h.parquet"}, gates=[{"metric": "roc_auc", "max_worsening": 0.1}])
    types = {"region": pyarrow.string(), "age": pyarrow.float64()}
    write_table(project.root / "h.parquet", without(rows, "score", "other"), types)
    project.predictions(shuffled(rows))
    kept = write_table(project.root / "kept.csv", [{"id": row["id"], "score": row["other"]} for row in rows[::-1]])
    root = project.root
    resolved = read((root / "gates.yaml").read_bytes(), "gates.yaml", lambda path: (root / path).read_bytes())
    bench = Measurement(resolved, root, root / ".gates", environ={})
    served = RegisteredModel(
        version="3", digest="sha256:1", predictions=lambda _: kept, folder=lambda: root / "nowhere"
    )
    found = bench.evidence((), [ModelOutput(digest="sha256:0", folder=root / "made")], Rivals(champion=served))
    assert found.champion is not None
    assert (found.champion.version, found.champion.unscored) == ("3", None)
    (whole,) = found.slices
    calls = Counter((int(row["churn"] == "left"), int(row["score"] >= 0.5), int(row["other"] >= 0.5)) for row in rows)
    assert sorted(whole.cells) == sorted((*cell, n) for cell, n in calls.items())
    assert whole.ranks is not None
    for side, positive in ((whole.ranks.positives, True), (whole.ranks.negatives, False)):
        a, b = placements(rows, "score", positive), placements(rows, "other", positive)
        assert (side.a, side.aa) == (sum(a), sum(one * one for one in a))
        assert (side.b, side.bb) == (sum(b), sum(one * one for one in b))
        assert side.ab == sum(one * other for one, other in zip(a, b, strict=True))


def test_a_changed_value_is_seen(project: Project) -> None:
    """The digest of the holdout is of all its cells, so the tests above do not pass by looking at nothing."""
    rows = project.ready()
    ran(project)
    first = project.evidence["tables"]
    for column, value in (("age", 99), ("region", "east"), ("sex", None)):
        project.holdout([row | {column: value} if place == 7 else row for place, row in enumerate(rows)])
        ran(project)
        assert project.evidence["tables"] != first, column


def test_values_that_only_look_alike_are_told_apart(project: Project) -> None:
    """Cells can't be pushed across their borders, nor text be taken for nothing."""
    project.policy(data={"holdout": "h.parquet"})
    project.predictions(table(2))
    pairs = [
        ("ab", "c"),
        ("a", "bc"),
        ("", "abc"),
        (None, "abc"),
        ("1:a", "bc"),
        ("~", "abc"),
        ("abc", None),
        ("abc", ""),
    ]
    found = set()
    for one, other in pairs:
        rows = [row | {"region": one, "sex": other} for row in table(2)]
        write_table(
            project.root / "h.parquet", without(rows, "score"), {"region": pyarrow.string(), "sex": pyarrow.string()}
        )
        project.gates("run")
        resolved = read((project.root / "gates.yaml").read_bytes(), "gates.yaml", lambda _: b"")
        found.add(Measurement(resolved, project.root, project.work, environ={}).holdout_identity)
    assert len(found) == len(pairs)
