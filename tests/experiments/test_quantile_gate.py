"""A quantile of outcomes as a gate: a slower challenger fails, one as fast passes; numbers are plain Python's."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from experiment_world import CLICKS, ExperimentWorld, gate
from ledgers import Files, audited, chained, load, store, with_record

from gates.schema.canonical import canonical, digest_bytes

SLOWEST: dict[str, Any] = {
    "metric": "quantile", "of": "latency_ms", "q": 0.9, "better": "smaller", "max_worsening": 10
}  # fmt: skip
NAME = "quantile[of=latency_ms, q=0.9]"
LABEL = f"{NAME}:max_worsening"


@pytest.fixture
def timed(tmp_path: Any) -> ExperimentWorld:
    """An experiment with a guardrail about the slowest tenth, which has begun."""
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged({"gates": [CLICKS, SLOWEST]})
    assert world.gates("experiment", "start").code == 0
    return world


def at(values: list[float], q: float) -> float:
    """As the quantile of a holdout is."""
    return float(np.quantile(values, q, method="averaged_inverted_cdf"))


def test_it_is_the_value_that_the_share_does_not_exceed(timed: ExperimentWorld) -> None:
    kept: list[Any] = []

    def change(exposures: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> None:
        """Units differ in how many outcomes they have; some of these have no value."""
        for place, (seen, row) in enumerate(list(zip(exposures, outcomes, strict=True))):
            outcomes += [
                row | {"latency_ms": row["latency_ms"] + more, "clicks": 0} for more in range(1, place % 4 + 1)
            ]
            outcomes.append(row | {"latency_ms": None, "clicks": 1 + place % 2, "impressions": 3})
            kept.append((seen, row, place % 4))

    timed.log(n=1500, reach=12, seed=3, change=change)
    timed.look(10.5, code=None)
    evidence = json.loads(load(timed.origin)[-1]["evidence.json"])
    champion, _ = timed.arms()
    assert [arm["quantiles"][0]["gate"] for arm in evidence["arms"]] == [NAME, NAME]
    for arm in evidence["arms"]:
        mine = [one for one in kept if (one[0]["arm"] == champion) is (arm["arm"] == "champion")]
        values = {place: [row["latency_ms"] + more for more in range(n + 1)] for place, (_, row, n) in enumerate(mine)}
        found = arm["quantiles"][0]
        assert found["value"] == pytest.approx(
            at([value for unit in values.values() for value in unit], 0.9), rel=1e-15
        )
        early, planned = found["early"], found["planned"]
        assert early["low"] < planned["low"] < found["value"] < planned["high"] < early["high"]
        sums = [week["sums"][1] for week in arm["weeks"]]
        under = sum(value <= found["value"] for unit in values.values() for value in unit)
        assert sum(int(one["x"]) for one in sums) == under << 140
        assert sum(int(one["y"]) for one in sums) == sum(map(len, values.values())) << 140
        for week, one in zip(arm["weeks"], sums, strict=True):
            own = [
                row["latency_ms"] + more
                for seen, row, n in mine
                for more in range(n + 1)
                if (seen["time"] - timed.began).days // 7 == week["week"]
            ]
            assert one["value"] == pytest.approx(at(own, 0.9), rel=1e-15)


@pytest.mark.parametrize(("slower", "verdict"), [(0.0, "pass"), (40.0, "fail")])
def test_the_slowest_tenth_is_a_guardrail(timed: ExperimentWorld, slower: float, verdict: str) -> None:
    timed.log(lift=0.1, slower=slower, reach=12)
    decision = timed.look(10.5, code=0 if verdict == "pass" else 1)
    judged = gate(decision, LABEL)
    assert (decision["verdict"], judged["verdict"]) == (verdict, verdict)
    assert judged["champion"]["value"] == pytest.approx(125.6, abs=3)
    assert judged["difference"]["value"] == pytest.approx(slower, abs=8)
    weeks = [week for week in decision["weeks"] if week["gate"] == NAME]
    assert [round(week["challenger"] - week["champion"]) for week in weeks] == pytest.approx([slower] * 2, abs=12)
    assert timed.gates("verify").code == 0
    table = json.loads(timed.gates("power", "--experiment", "--json").out)
    assert [rule["rule"] for rule in table["rules"]][-1] == LABEL


def test_a_share_of_the_champion_s_quantile(tmp_path: Any) -> None:
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged({"gates": [CLICKS, SLOWEST | {"relative": True, "max_worsening": 0.1}]})
    assert world.gates("experiment", "start").code == 0
    world.log(lift=0.1, slower=40.0, reach=12)
    judged = gate(world.look(10.5, code=1), LABEL)
    assert "is certainly more than 10 % worse than champion v1's" in judged["reason"]


FORGED: dict[str, Any] = {
    "bounds that are narrower at every look": lambda one: one["early"].update(low=one["value"], high=one["value"]),
    "a value outside its bounds": lambda one: one.update(value=one["early"]["high"] + 1),
    "no planned end": lambda one: one.update(planned=None),
    "bounds of nothing": lambda one: one.update(value=None),
    "another gate's": lambda one: one.update(gate="quantile[of=latency_ms, q=0.5]"),
}


def test_evidence_that_contradicts_itself_is_told(timed: ExperimentWorld, tmp_path: Any) -> None:
    timed.log(reach=12, lift=0.1)
    timed.look(6)
    sound = load(timed.origin)
    assert audited(store(tmp_path / "control", sound))[0].found == (), "the control"
    for number, change in enumerate(FORGED.values()):
        evidence = json.loads(sound[-1]["evidence.json"])
        change(evidence["arms"][1]["quantiles"][0])
        changed = canonical(evidence)

        def says(record: dict[str, Any], changed: bytes = changed) -> None:
            record["evidence"] = digest_bytes(changed)

        last: Files = with_record(sound[-1] | {"evidence.json": changed}, says)
        forged = chained([*sound[:-1], last])
        told = audited(store(tmp_path / f"forged{number}", forged))[0]
        assert any("contradicts itself" in one.what for one in told.found), (number, told.found)


def test_values_that_are_all_the_same_are_sure(timed: ExperimentWorld) -> None:
    def change(_: Any, outcomes: list[dict[str, Any]]) -> None:
        for row in outcomes:
            row["latency_ms"] = 5.0

    timed.log(lift=0.1, reach=12, change=change)
    judged = gate(timed.look(10.5, code=None), LABEL)
    assert judged["verdict"] == "inconclusive"
    assert judged["code"] == "too_few_rows", "nothing lies above it"


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_has_no_order_is_an_error(timed: ExperimentWorld, value: float) -> None:
    def change(_: Any, outcomes: list[dict[str, Any]]) -> None:
        outcomes[7]["latency_ms"] = value

    timed.log(lift=0.1, reach=12, change=change)
    decision = timed.look(10.5, code=2)
    assert (decision["verdict"], decision["code"]) == ("error", "could_not_judge")
    assert "1 value of latency_ms can't be put in order" in decision["reason"]


def test_an_arm_without_a_value_is_an_error(timed: ExperimentWorld) -> None:
    champion, _ = timed.arms()

    def change(exposures: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> None:
        for seen, row in zip(exposures, outcomes, strict=True):
            if seen["arm"] != champion:
                row["latency_ms"] = None

    timed.log(lift=0.1, reach=12, change=change)
    decision = timed.look(10.5, code=2)
    assert (decision["verdict"], decision["code"]) == ("error", "not_measured")


def test_few_units_are_undecided(timed: ExperimentWorld) -> None:
    timed.log(n=300, lift=0.1, reach=12)
    judged = gate(timed.look(10.5), LABEL)
    assert (judged["verdict"], judged["code"]) == ("inconclusive", "too_few_rows")


def test_rows_in_any_order_and_files_are_the_same_bytes(timed: ExperimentWorld) -> None:
    looks = []
    for turned in (False, True):
        kept: list[Any] = []

        def change(exposures: Any, outcomes: Any, turned: bool = turned, kept: list[Any] = kept) -> None:
            kept.append(outcomes[1::2])
            del outcomes[1::2]
            if turned:
                outcomes.reverse()
                exposures.reverse()

        timed.log(seed=5, change=change, reach=12)
        timed.write("outcomes", "more", kept[0][:: -1 if turned else 1])
        looks.append(timed.look(10.5, "--dry-run", code=None))
    assert looks[0] == looks[1]
