"""What is counted of a window is the same in any order, split and number of threads, and the ledger holds it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet
import pytest
from edge_project import write_table
from live_world import DAY, MONITOR, LiveWorld, answered, rules

from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.measure.live.window_times import MONDAY, due, window_at
from gates.policy.monitor_section import Monitor
from gates.schema.canonical import canonical, digest_bytes
from gates.schema.fields import build
from gates.schema.validation import read_json

DRIFTING = {
    "gates": [
        {"drift": "psi", "columns": ["age", "region", "score"], "max": 0.2},
        {"drift": "ks", "columns": ["age"], "max": 0.2},
        {"metric": "roc_auc", "max_worsening": 0.05},
    ]
}


@pytest.fixture(scope="module")
def drifting_once(tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = LiveWorld(tmp_path_factory.mktemp("drifting") / "world", None)
    world.promoted(DRIFTING, slices=["region"], gates=[{"metric": "roc_auc", "min": 0.6, "slices": {"min": 0.1}}])
    return world.base


@pytest.fixture
def drifting(tmp_path: Any, drifting_once: Any) -> LiveWorld:
    shutil.copytree(drifting_once, tmp_path / "world", symlinks=True)
    world = LiveWorld(tmp_path / "world", None)
    from worlds import git

    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world


def served(world: LiveWorld) -> Any:
    return pyarrow.concat_tables(
        pyarrow.parquet.read_table(file) for file in sorted(world.root.glob("served/*.parquet"))
    )


def relaid(world: LiveWorld, tables: dict[str, Any]) -> None:
    """Other files with the same rows."""
    shutil.rmtree(world.root / "served")
    (world.root / "served").mkdir()
    for name, one in tables.items():
        pyarrow.parquet.write_table(one, world.root / f"served/{name}.parquet")


def test_the_same_rows_give_the_same_bytes(drifting: LiveWorld) -> None:
    drifting.days(range(2))
    first = drifting.judged(2, "--dry-run", code=None)
    whole = served(drifting)
    backwards = whole.take(pyarrow.array(range(len(whole))[::-1]))
    parts = {f"part-{place}": backwards.slice(place, 1) for place in range(3)} | {"rest": backwards.slice(3)}
    relaid(drifting, parts)
    assert drifting.judged(2, "--dry-run", code=None) == first
    renamed = whole.select(whole.column_names[::-1])
    relaid(drifting, {"other": renamed})
    assert drifting.judged(2, "--dry-run", code=None) == first


def test_times_are_moments_whatever_their_zone(drifting: LiveWorld) -> None:
    drifting.days(range(2))
    first = drifting.judged(2, "--dry-run", code=None)
    whole = served(drifting)
    at = whole.column_names.index("at")
    moments = [one.astimezone(UTC) for one in whole.column("at").to_pylist()]
    forms = {
        "naive": pyarrow.array([one.replace(tzinfo=None) for one in moments], pyarrow.timestamp("us")),
        "summer time": pyarrow.array(moments, pyarrow.timestamp("us", "Europe/Berlin")),
        "nanoseconds": pyarrow.array(moments, pyarrow.timestamp("ns", "UTC")),
    }
    for name, times in forms.items():
        relaid(drifting, {"all": whole.set_column(at, "at", times)})
        assert drifting.judged(2, "--dry-run", code=None) == first, name


def test_a_row_at_midnight_belongs_to_the_day_that_begins(world: LiveWorld) -> None:
    digest = world.champion["digest"]
    rows = [
        {
            "id": f"m{index}",
            "region": "north",
            "age": 30,
            "sex": "f",
            "score": 0.5,
            "latency": 1.0,
            "at": at,
            "by": digest,
        }
        for index, at in enumerate((world.day(0), world.day(1) - timedelta(microseconds=1), world.day(1)))
    ]
    write_table(world.root / "served/midnight.parquet", rows)
    write_table(world.root / "labels/midnight.parquet", [{"id": row["id"], "churn": "left"} for row in rows])
    found = world.judged(2, code=None)
    assert [one["rows"] for one in found["windows"] if one["part"] == "rows"] == [2, 1]


@pytest.mark.parametrize(("span", "length"), [("30m", 1800), ("6h", 21600), ("1d", 86400), ("7d", 604800)])
def test_windows_tile_time_and_weeks_begin_on_monday(span: str, length: int) -> None:
    monitor = build(Monitor, MONITOR | {"window": span, "delay": "2h"})
    first = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # the clocks of Europe change that night
    now = first + timedelta(days=20)
    windows = list(due(monitor, "rows", first, now))
    assert windows[0].start >= first > windows[0].start - timedelta(seconds=length)
    assert all(one.end == other.start for one, other in pairwise(windows))
    assert windows[-1].end + timedelta(hours=2) <= now < windows[-1].end + timedelta(hours=2, seconds=length)
    assert all((one.start - MONDAY) % timedelta(seconds=length) == timedelta() for one in windows)
    assert window_at(windows[1].start, length) == windows[1]
    if span == "7d":
        assert {one.start.weekday() for one in windows} == {0}


def test_drift_is_found_and_what_does_not_drift_is_not_blamed(drifting: LiveWorld) -> None:
    drifting.days([0], n=800)
    drifting.serve(1, [row | {"age": row["age"] + 25} for row in answered(800, 7)])
    drifting.serve(2, [row | {"region": "west"} for row in answered(800, 8)])
    found = drifting.judged(3, code=1)
    before, older, moved = (rules(found, "rows", place) for place in range(3))
    columns = ("psi of age:max", "psi of region:max", "psi of score:max", "ks of age:max")
    assert {before[label]["verdict"] for label in columns} <= {"pass", "inconclusive"}
    assert older["psi of age:max"]["code"] == "alarm"
    assert older["ks of age:max"]["code"] == "alarm"
    assert older["psi of region:max"]["verdict"] == "pass"
    assert moved["psi of region:max"]["code"] == "alarm"
    assert moved["psi of score:max"]["verdict"] in ("pass", "inconclusive")
    assert older["psi of age:max"]["reason"].startswith("psi of age is above the 0.2 that you allow: ")


def test_the_profile_holds_what_the_promotion_saw(drifting: LiveWorld) -> None:
    from collections import Counter

    text = drifting.run("history", "--json").out
    record = next(one["record"] for one in json.loads(text) if one["record"]["kind"] == "promotion")
    assert "profile.json" in record["attached"]
    from worlds import git

    documents = git(drifting.root, "show", "refs/gates/gates-ledger:profile.json")
    assert digest_bytes(documents.encode()) == record["attached"]["profile.json"]
    profile = {(one["column"], one["measure"]): one for one in json.loads(documents)["columns"]}
    holdout = answered(1500, seed=1)
    region = profile["region", "psi"]
    known = Counter(row["region"] for row in holdout)
    assert region["values"] == ["north", "south"]
    assert region["counts"] == [known[None], known["north"], known["south"], 0]
    age = profile["age", "psi"]
    ages = [row["age"] for row in holdout]
    assert (age["edges"][0], age["edges"][-1]) == (min(ages), max(ages))
    assert age["counts"][2] == age["counts"][-1] == 0, "nothing below the lowest, nothing above the highest"
    assert sum(age["counts"]) == len(ages)
    inner = age["edges"]
    for place, (low, high) in enumerate(pairwise(inner)):
        last = place == len(inner) - 2
        assert age["counts"][3 + place] == sum(low <= one < high or (last and one == high) for one in ages)


def test_a_missing_column_is_an_error_with_its_name(drifting: LiveWorld) -> None:
    drifting.days([0])
    whole = served(drifting)
    relaid(drifting, {"all": whole.drop_columns(["age"])})
    found = rules(drifting.judged(1, code=2), "rows")
    assert (found["psi of age:max"]["verdict"], found["psi of age:max"]["code"]) == ("error", "missing_column")
    assert found["psi of region:max"]["verdict"] is not None, "the others are judged all the same"
    relaid(drifting, {"all": whole.drop_columns(["score"])})
    gate = rules(drifting.judged(1, "--since", drifting.text(0), code=2), "labels")["live:rows"]
    assert (gate["verdict"], gate["code"]) == ("error", "could_not_judge")
    assert "It needs a column score" in gate["reason"]


def test_a_model_from_before_the_section_has_no_reference(empty: LiveWorld) -> None:
    empty.promoted({"gates": [{"metric": "roc_auc", "min": 0.5}]})
    empty.policy(monitor=MONITOR | DRIFTING, gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}])
    empty.commit("watch more")
    empty.days([0])
    found = empty.judged(1)
    gate = rules(found, "rows")["psi of age:max"]
    assert (gate["verdict"], gate["code"]) == ("inconclusive", "no_reference")


def test_the_ledger_derives_windows_again(drifting: LiveWorld) -> None:
    drifting.days(range(3))
    drifting.judged(2, code=None)
    drifting.judged(3, code=None)
    done = drifting.run("verify", "--all")
    assert done.code == 0, done.out
    decision = read_json(MonitoringDecision, _document(drifting, "decision.json"), "decision.json")
    assert canonical(decision) == _document(drifting, "decision.json")
    forged = canonical(_with(decision, reason="all is well"))
    _rewrite(drifting, {"decision.json": forged})
    told = drifting.run("verify", "--all")
    assert told.code == 1
    assert "its evidence gives" in " ".join(told.out.split())


def test_a_window_about_another_model_is_found(drifting: LiveWorld) -> None:
    drifting.days(range(2))
    drifting.judged(2, code=None)
    evidence = json.loads(_document(drifting, "evidence.json"))
    for window in evidence["windows"]:
        window["model"]["digest"] = "sha256:" + "0" * 64
    _rewrite(drifting, {"evidence.json": canonical(evidence)})
    told = drifting.run("verify", "--all")
    assert told.code == 1
    assert "is not about the model that champion named" in " ".join(told.out.split())


def _with(decision: MonitoringDecision, **changes: Any) -> MonitoringDecision:
    from dataclasses import replace

    return replace(decision, **changes)


def _document(world: LiveWorld, name: str) -> bytes:
    from worlds import git

    return git(world.root, "show", f"refs/gates/gates-ledger:{name}").encode()


def _rewrite(world: LiveWorld, changed: dict[str, bytes]) -> None:
    """Write the newest record anew, with other documents that it names, as somebody could who may push."""
    from worlds import git

    from gates.ledger.ledger import opened
    from gates.system.git_commit import write_commit

    ledger = opened(world.root, world.environment())
    head = ledger.head()
    entry = next(ledger.entries(head))
    record = json.loads(canonical(entry.record))
    names = {"decision.json": "decision", "evidence.json": "evidence"}
    files: dict[str, bytes | str] = dict(entry.documents)
    for name, data in changed.items():
        files[name] = data
        record[names[name]] = digest_bytes(data)
    files["record.json"] = canonical(record)
    parent = git(world.root, "rev-parse", f"{head}^")
    made = write_commit(ledger.git, files, "forged\n", parent)
    git(world.origin, "fetch", "-q", str(world.root / ".git"), made.id)
    git(world.origin, "update-ref", "refs/heads/gates-ledger", made.id)
    git(world.root, "update-ref", "-d", "refs/gates/gates-ledger")


def test_columns_alone_are_judged_with_all_rows(empty: LiveWorld) -> None:
    gates = [{"metric": "mean", "of": "latency", "max": 105, "max_worsening": 5, "better": "smaller"}]
    empty.promoted({"gates": gates, "labels": None} | {"labels": "labels/*.parquet"})
    empty.days([0])
    empty.serve(1, [row | {"latency": row["latency"] + 9} for row in answered(500, 4)])
    found = empty.judged(2, code=1)
    assert {one["part"] for one in found["windows"]} == {"rows"}, "no label is waited for"
    label = "mean[of=latency]"
    before, after = (rules(found, "rows", place) for place in (0, 1))
    assert before[f"{label}:max"]["verdict"] == before[f"{label}:max_worsening"]["verdict"] == "pass"
    assert after[f"{label}:max"]["code"] == after[f"{label}:max_worsening"]["code"] == "alarm"


def test_first_windows_are_counted_then_compared_with(empty: LiveWorld) -> None:
    gates = [
        {
            "metric": "mean",
            "of": "latency",
            "max_worsening": 0,
            "better": "smaller",
            "against": {"windows": 4, "season": 2},
        }
    ]
    empty.promoted({"gates": gates})
    empty.days(range(6), n=100)
    for day in range(6, 9):
        empty.serve(day, [row | {"latency": row["latency"] + 30} for row in answered(100, day)])
    found = empty.judged(9, code=1)
    label = "mean[of=latency]:max_worsening"
    told = [rules(found, "rows", place)[label] for place in range(9)]
    assert [one["code"] for one in told[:4]] == ["building"] * 4
    assert [one["verdict"] for one in told[:4]] == [None] * 4
    assert told[3]["reason"].endswith("the first 4 windows after the promotion; this is number 4")
    assert {one["code"] for one in told[4:6]} <= {"within_bar", "across_bar"}
    assert "alarm" in {one["code"] for one in told[6:]}
    assert {one["method"] for one in told[4:]} == {"student-windows"}


def test_a_week_that_is_not_over_is_not_judged(world: LiveWorld) -> None:
    world.days([0])
    assert world.monitor((DAY * 0.99) / DAY).out == "no window is due\n"


def contract(**more: Any) -> str:
    return json.dumps({"record": {"properties": {"sex": {"x-sensitive": True}}}} | more)


def test_what_is_sensitive_stays_so_in_live_windows(empty: LiveWorld) -> None:
    gates = [{"metric": "demographic_parity_difference", "by": "sex", "max": 0.9}, {"data": "live"}]
    (empty.root / "contract.yaml").write_text(contract())
    data = {"holdout": "holdout.csv", "label": "churn", "positive": "left", "key": "id", "contract": "contract.yaml"}
    empty.promoted({"gates": gates}, data=data)
    empty.days([0])
    found = rules(empty.judged(1), "labels")["demographic_parity_difference by sex:max"]
    assert found["verdict"] == "pass"
    assert set(found["groups"]) == {"sex=group 1 of 2", "sex=group 2 of 2"}
    evidence = _document(empty, "evidence.json").decode()
    assert '"group 1 of 2"' in evidence
    assert '"f"' not in evidence


def test_a_profile_shows_no_value_that_too_few_rows_have(empty: LiveWorld) -> None:
    (empty.root / "contract.yaml").write_text(contract(shown={"min_cell": 600}))
    data = {"holdout": "holdout.csv", "label": "churn", "positive": "left", "key": "id", "contract": "contract.yaml"}
    empty.promoted({"gates": [{"drift": "psi", "columns": ["region", "age"], "max": 0.3}]}, data=data)
    from worlds import git

    columns = json.loads(git(empty.root, "show", "refs/gates/gates-ledger:profile.json"))["columns"]
    by_name = {one["column"]: one for one in columns}
    ages, regions = ([row[name] for row in answered(1500, seed=1)] for name in ("age", "region"))
    assert min(ages) < by_name["age"]["edges"][0]
    assert by_name["age"]["edges"][-1] < max(ages)
    assert set(by_name["region"]["values"]) == {one for one in set(regions) if one and regions.count(one) >= 600}
    assert sum(by_name["age"]["counts"]) == sum(by_name["region"]["counts"]) == 1500


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_logs_of_text_are_read_as_those_of_parquet(world: LiveWorld, suffix: str) -> None:
    world.days(range(2), n=200)
    wanted = [_numbers(one) for one in world.judged(2, "--dry-run", code=None)["windows"]]
    for folder in ("served", "labels"):
        for file in (world.root / folder).glob("*.parquet"):
            rows = pyarrow.parquet.read_table(file).to_pylist()
            for row in rows:
                if "at" in row:
                    row["at"] = row["at"].isoformat().replace("+00:00", "Z")
            target = file.with_suffix(f".{suffix}")
            if suffix == "csv":
                write_table(target, rows)
            else:
                target.write_text("".join(json.dumps(row) + "\n" for row in rows))
    live = {"live": f"served/*.{suffix}", "labels": f"labels/*.{suffix}"}
    world.policy(monitor=MONITOR | live, gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}])
    world.commit("text")
    assert [_numbers(one) for one in world.judged(2, "--dry-run", code=None)["windows"]] == wanted


def _numbers(window: dict[str, Any]) -> Any:
    """What does not depend on the columns' types."""
    return window["start"], window["rows"], window["labelled"], [one["gate"]["candidate"] for one in window["rules"]]


def test_live_rows_may_have_their_labels_themselves(world: LiveWorld) -> None:
    section = {name: value for name, value in MONITOR.items() if name != "labels"}
    world.policy(monitor=section, gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}])
    world.commit("labels in the log")
    digest = world.champion["digest"]
    rows = [
        row | {"id": f"0-{place}", "at": world.day(0) + timedelta(minutes=place), "by": digest}
        for place, row in enumerate(answered(300, 3))
    ]
    write_table(
        world.root / "served/0.parquet", [row | {"churn": None} if place < 9 else row for place, row in enumerate(rows)]
    )
    found = world.judged(1, code=None)
    labelled = next(one for one in found["windows"] if one["part"] == "labels")
    assert (labelled["rows"], labelled["labelled"]) == (300, 291)
    assert rules(found, "labels")["live:labels"]["verdict"] == "pass"
