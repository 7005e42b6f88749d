"""Logs that lie, and records that do: each has a code of its own, and none is a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from experiment_world import DAY, ExperimentWorld, first_arm, gate

Rows = list[dict[str, Any]]
OTHER = "sha256:" + "7" * 64


def invents(exposures: Rows, _: Rows) -> None:
    exposures[5]["arm"] = OTHER


def no_arm(exposures: Rows, _: Rows) -> None:
    exposures[5]["arm"] = None


def swaps(share: float) -> Callable[[Rows, Rows], None]:
    def change(exposures: Rows, _: Rows) -> None:
        arms = sorted({row["arm"] for row in exposures})
        for row in exposures[: round(share * len(exposures))]:
            row["arm"] = arms[1 - arms.index(row["arm"])]

    return change


def crosses(share: float) -> Callable[[Rows, Rows], None]:
    def change(exposures: Rows, _: Rows) -> None:
        arms = sorted({row["arm"] for row in exposures})
        exposures += [
            row | {"arm": arms[1 - arms.index(row["arm"])], "time": row["time"] + DAY / 2}
            for row in exposures[: round(share * len(exposures))]
        ]

    return change


def loses(arm: int, share: float) -> Callable[[Rows, Rows], None]:
    """One arm's exposures are lost, such as those of a model that is too slow to log."""

    def change(exposures: Rows, _: Rows) -> None:
        kept, seen = [], 0
        first = exposures[0]["arm"]
        for row in exposures:
            is_it = (row["arm"] == first) is (arm == 0)
            seen += is_it
            if not (is_it and seen % round(1 / share) == 0):
                kept.append(row)
        exposures[:] = kept

    return change


def late(exposures: Rows, _: Rows) -> None:
    for row in exposures:
        row["time"] += DAY / 6


def twice(share: float) -> Callable[[Rows, Rows], None]:
    def change(_: Rows, outcomes: Rows) -> None:
        outcomes += outcomes[: round(share * len(outcomes))]

    return change


def one_arm(exposures: Rows, _: Rows) -> None:
    first = exposures[0]["arm"]
    exposures[:] = [row for row in exposures if row["arm"] == first]


def empty(exposures: Rows, _: Rows) -> None:
    for row in exposures:
        row["time"] -= 100 * DAY


def unmeasured(exposures: Rows, outcomes: Rows) -> None:
    first = {row["user_id"] for row in exposures if row["arm"] == exposures[0]["arm"]}
    for row in outcomes:
        if row["user_id"] in first:
            row["latency_ms"] = None


def without(column: str) -> Callable[[Rows, Rows], None]:
    def change(exposures: Rows, outcomes: Rows) -> None:
        for row in (*exposures, *outcomes):
            row.pop(column, None)

    return change


def puts(column: str, value: Any) -> Callable[[Rows, Rows], None]:
    def change(exposures: Rows, outcomes: Rows) -> None:
        for row in (exposures[3], outcomes[3]):
            if column in row:
                row[column] = value

    return change


WRONG: dict[str, tuple[Callable[[Rows, Rows], None], str]] = {
    "an arm that nobody promoted": (invents, "unknown_arm"),
    "an exposure to nothing": (no_arm, "unknown_arm"),
    "a hundredth in another arm": (swaps(0.01), "assignment"),
    "a fiftieth in both arms": (crosses(0.02), "crossover"),
    "half of one arm is lost": (loses(1, 0.5), "sample_ratio"),
    "half of the other is lost": (loses(0, 0.5), "sample_ratio"),
    "exposures are logged after what comes of them": (late, "time_backwards"),
    "outcomes are delivered twice": (twice(1), "duplicates"),
    "a twentieth of them is": (twice(0.05), "duplicates"),
    "one arm alone": (one_arm, "no_rows"),
    "nobody since the start": (empty, "no_rows"),
    "an arm without a value": (unmeasured, "not_measured"),
    "no column of a gate": (without("clicks"), "missing_column"),
    "no column of units": (without("user_id"), "missing_column"),
    "no column of arms": (without("arm"), "missing_column"),
    "no column of times": (without("time"), "missing_column"),
    "a number that is none": (puts("latency_ms", float("nan")), "could_not_judge"),
    "an infinite one": (puts("latency_ms", float("inf")), "could_not_judge"),
    "a very large one": (puts("latency_ms", 1e30), "could_not_judge"),
    "a row without a unit": (puts("user_id", None), "could_not_judge"),
    "a row without a time": (puts("time", None), "could_not_judge"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_log_that_lies_is_an_error_with_a_name(begun: ExperimentWorld, name: str) -> None:
    change, code = WRONG[name]
    begun.log(lift=0.08, reach=12, change=change)
    found = begun.look(10.5, code=2)
    assert (found["verdict"], found["code"], found["final"]) == ("error", code, False)
    assert found["spent"] is (code == "not_measured"), "where effects are shown, the planned end was seen"
    shown = {one["kind"] for one in found["gates"]}
    if code != "not_measured":
        assert shown == {"experiment"}, "no effect is shown of a log that can't be trusted"
        assert found["weeks"] == []
    assert begun.gates("promote", "--stage", "champion").code == 1
    assert begun.gates("verify", "--all").code == 0


BEARABLE: dict[str, tuple[Callable[[Rows, Rows], None], str]] = {
    "two of three thousand in another arm": (swaps(2 / 3000), "2 units are left out, in another arm"),
    "a two-hundredth in both arms": (crosses(0.005), "15 units are left out, exposed to both models"),
    "a few outcomes twice": (twice(0.002), "repeat another one"),
}


@pytest.mark.parametrize("name", BEARABLE)
def test_a_few_are_left_out_and_told(begun: ExperimentWorld, name: str) -> None:
    change, words = BEARABLE[name]
    begun.log(lift=0.08, reach=12, change=change)
    found = begun.look(10.5)
    assert found["verdict"] == "pass", found["reason"]
    assert any(words in one["reason"] for one in found["gates"])


def test_the_salt_of_an_earlier_experiment_is_told(begun: ExperimentWorld) -> None:
    first = begun.salt
    assert begun.gates("experiment", "stop", "--reason", "x").code == 0
    assert begun.gates("experiment", "start").code == 0
    begun.log(lift=0.08, reach=12, salt=first)
    found = begun.look(10.5, code=2)
    assert found["code"] == "salt_reused"
    assert "it is used again" in found["reason"]


def test_a_log_that_shrinks_is_told(begun: ExperimentWorld) -> None:
    begun.log(reach=12)
    begun.look(6)
    begun.log(n=2000, days=9, reach=12)
    found = begun.look(8, code=2)
    assert found["code"] == "rows_lost"


def test_no_log_at_all_is_an_error(begun: ExperimentWorld) -> None:
    found = begun.look(8, code=2)
    assert (found["verdict"], found["code"]) == ("error", "could_not_judge")


def test_outcomes_outside_the_window_count_for_nothing(begun: ExperimentWorld) -> None:
    """Clicks before the exposure and after the window would make the challenger look better."""

    def change(exposures: Rows, outcomes: Rows) -> None:
        champion = begun.arms()[0]
        extra = [
            row | {"time": row["time"] + shift, "clicks": 10}
            for row, seen in zip(list(outcomes), exposures, strict=True)
            if seen["arm"] != champion
            for shift in (timedelta(days=1.5), timedelta(days=-3))
        ]
        outcomes += extra

    begun.log(reach=14, change=change)
    found = begun.look(10.5, code=None)  # the salt follows from the clock: by chance, one arm is better
    assert abs(gate(found, "ratio[of=clicks, per=impressions]:min_improvement")["difference"]["value"]) < 0.02


def test_the_order_and_split_of_the_log_change_no_byte(begun: ExperimentWorld) -> None:
    begun.log(reach=12, lift=0.01)
    one = begun.look(10.5, "--dry-run")

    def change(exposures: Rows, outcomes: Rows) -> None:
        exposures.reverse()
        outcomes.reverse()

    begun.log(reach=12, lift=0.01, change=change)
    for folder in ("exposures", "outcomes"):
        import pyarrow.parquet as pq

        path = begun.root / folder / "log.parquet"
        table = pq.read_table(path)
        pq.write_table(table.slice(0, 700), begun.root / folder / "a.parquet")
        pq.write_table(table.slice(700), path)
    assert begun.look(10.5, "--dry-run") == one


def test_unequal_shares_and_units_that_are_numbers(tmp_path: Path) -> None:
    world = ExperimentWorld(tmp_path / "world", None)
    per_user = {"metric": "ratio", "of": "clicks", "per": "user_id", "better": "larger", "min_improvement": 0}
    slow = {"metric": "share_above", "of": "latency_ms", "above": 120, "better": "smaller", "max_worsening": 0.05}
    kept = {
        "metric": "ratio", "of": "clicks", "per": "impressions", "better": "larger", "max_worsening": 0.02,
        "relative": True,
    }  # fmt: skip
    world.challenged({"split": {"champion": 0.8, "challenger": 0.2}, "gates": [per_user, slow, kept]})
    assert world.gates("experiment", "start").code == 0

    salt, arms = world.salt, world.arms()

    def change(exposures: Rows, outcomes: Rows) -> None:
        for row in (*exposures, *outcomes):
            row["user_id"] = int(row["user_id"].removeprefix("u"))
        for row in exposures:
            row["arm"] = arms[0] if first_arm(salt, row["user_id"], 0.8) else arms[1]
        del outcomes[:50]  # units without an outcome are units

    world.log(n=4000, lift=0.0, reach=12, change=change, nobody=999999)
    found = world.look(10.5, code=None)  # the salt follows from the clock: by chance, one arm is better
    assert found["verdict"] != "error", found["reason"]
    level = gate(found, "ratio[of=clicks, per=user_id]:min_improvement")
    assert level["n"] == 4000
    assert abs(level["champion"]["value"] - 2) < 0.1
    assert 0.1 < gate(found, "share_above[of=latency_ms, above=120]:max_worsening")["champion"]["value"] < 0.22
    assert "2 %" in gate(found, "ratio[of=clicks, per=impressions]:max_worsening")["reason"]
    assert world.gates("verify", "--all").code == 0


def test_clicks_that_nobody_makes_pass_nothing(begun: ExperimentWorld) -> None:
    """Both arms are 0, which is 0 better for certain, by a formula that knows of no error."""

    def change(_: Rows, outcomes: Rows) -> None:
        for row in outcomes:
            row["clicks"] = 0

    begun.log(reach=12, change=change)
    found = begun.look(10.5)
    assert (found["verdict"], found["code"]) == ("inconclusive", "too_few_rows")


@pytest.fixture
def passed(begun: ExperimentWorld) -> ExperimentWorld:
    begun.log(lift=0.08, reach=12)
    assert begun.look(10.5)["verdict"] == "pass"
    return begun


def test_a_pass_is_of_two_models_only(passed: ExperimentWorld) -> None:
    """Another challenger is promoted after the pass: the experiment says nothing of it."""
    from live_world import answered

    passed.better(answered(400, seed=1), by=0.07)
    done = passed.gates("promote", "--stage", "challenger")
    assert done.code == 0, done.out + done.err
    done = passed.gates("promote", "--stage", "champion")
    assert done.code == 1
    assert "is about another challenger" in done.err


def test_a_pass_is_by_the_policy_of_the_default_branch(passed: ExperimentWorld) -> None:
    text = json.loads((passed.root / "gates.yaml").read_text())
    text["experiment"]["min_days"] = 14
    (passed.root / "gates.yaml").write_text(json.dumps(text))
    passed.commit("longer")
    assert passed.gates("run").code == 0
    done = passed.gates("promote", "--stage", "champion")
    assert done.code == 1
    assert "had another plan than the policy of the default branch" in done.err
    assert passed.gates("verify", "--all").code == 0


def test_a_policy_that_asks_for_none_needs_none(begun: ExperimentWorld) -> None:
    text = json.loads((begun.root / "gates.yaml").read_text())
    del text["promotion"]["stages"][1]["experiment"]
    (begun.root / "gates.yaml").write_text(json.dumps(text))
    begun.commit("without")
    assert begun.gates("run").code == 0
    assert begun.gates("promote", "--stage", "champion").code == 0
