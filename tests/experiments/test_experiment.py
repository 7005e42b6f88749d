"""`gates experiment`: two models share the users; looks are counted, judged and recorded; a pass lets one promote."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edge_project import refused
from experiment_world import EXPERIMENT, ExperimentWorld, alike, first_arm, gate

CTR, MS = "ratio[of=clicks, per=impressions]:min_improvement", "mean[of=latency_ms]:max_worsening"


def test_a_start_names_two_models_and_gives_the_salt(begun: ExperimentWorld) -> None:
    record = begun.started
    stood = {one["alias"]: one["digest"] for one in begun.standing()["aliases"]}
    step = record["experiment"]
    assert (step["champion"]["digest"], step["challenger"]["digest"]) == (stood["champion"], stood["challenger"])
    assert (record["alias"], record["verdict"], step["start"]) == ("champion", None, None)
    assert begun.gates("verify", "--all").code == 0
    refused(begun.gates("experiment", "start"), "an experiment runs already, since record")


def test_a_better_challenger_passes_and_becomes_the_champion(begun: ExperimentWorld) -> None:
    done = begun.gates("promote", "--stage", "champion")
    assert done.code == 1, done.out + done.err
    assert "experiment" in done.err
    assert "has not ended" in done.err
    begun.log(lift=0.06, reach=12)
    early = begun.look(5)
    assert (early["verdict"], early["code"], early["planned"], early["final"]) == (
        "inconclusive", "too_early", False, False,
    )  # fmt: skip
    assert gate(early, CTR)["verdict"] == "pass", "certain already, but too early"
    found = begun.look(10.5)
    assert (found["verdict"], found["final"], found["planned"]) == ("pass", True, True), found["reason"]
    assert (found["closed"], found["exposed"], found["days"]) == (3000, 3000, 10)
    told = gate(found, CTR)
    assert told["reason"].startswith("ratio[of=clicks, per=impressions] is better than champion v1's by at least 0.0")
    assert told["reason"].endswith("sure, 3,000 units); you ask for no loss")
    assert told["method"] == "planned_end"
    assert [one["week"] for one in found["weeks"]] == [0, 0, 1, 1]
    assert sum(one["units"] for one in found["weeks"][::2]) == 3000
    done = begun.gates("promote", "--stage", "champion")
    assert done.code == 0, done.out + done.err
    begun.sound()
    assert begun.champion["digest"] == found["challenger"]["digest"]
    refused(begun.gates("experiment"), "no experiment runs")


def test_a_worse_guardrail_fails_at_the_first_look(begun: ExperimentWorld) -> None:
    begun.log(lift=0.06, slower=40)
    found = begun.look(4, code=1)
    assert (found["verdict"], found["final"]) == ("fail", True)
    assert gate(found, MS)["verdict"] == "fail"
    assert "mean[of=latency_ms] is worse than champion v1's by at least" in found["reason"]
    assert "you allow 20" in found["reason"]
    done = begun.gates("promote", "--stage", "champion")
    assert done.code == 1
    assert "ended with fail" in done.err
    assert begun.records()[-1]["code"] == "experiment"
    assert begun.gates("verify", "--all").code == 0


def test_a_goal_that_is_missed_early_is_not_decided_early(begun: ExperimentWorld) -> None:
    begun.log(lift=-0.08, reach=12)
    found = begun.look(5)
    assert (found["verdict"], found["code"]) == ("inconclusive", "too_early")
    assert begun.look(10.5, code=1)["verdict"] == "fail"


def test_the_planned_end_is_used_once(begun: ExperimentWorld) -> None:
    begun.log(change=alike, reach=30)
    rehearsed = begun.look(10, "--dry-run")
    assert (rehearsed["planned"], gate(rehearsed, CTR)["method"]) == (False, "confidence_sequence")
    first, second = begun.look(10.5), begun.look(12)
    assert (first["planned"], first["spent"], first["verdict"]) == (True, True, "inconclusive")
    assert (second["planned"], second["spent"], second["look"]) == (False, True, 2)
    widths = [gate(one, CTR)["difference"] for one in (first, second)]
    assert widths[1]["high"] - widths[1]["low"] > 1.5 * (widths[0]["high"] - widths[0]["low"])
    assert second["previous"] is not None
    ended = begun.look(21.5)
    assert (ended["verdict"], ended["code"], ended["final"]) == ("inconclusive", "ended", True)
    assert ended["reason"].startswith("undecided after 21 days, so the champion stays: ")
    assert begun.gates("promote", "--stage", "champion").code == 1
    assert begun.gates("verify", "--all").code == 0


def test_each_look_is_later_than_the_one_before(begun: ExperimentWorld) -> None:
    begun.log(reach=12)
    begun.look(6)
    refused(begun.gates("experiment", "--until", begun.time(6)), "the look is not later than the one before")
    refused(begun.gates("experiment", "--until", begun.time(-1)), "the experiment begins later")


def test_no_window_is_over_before_the_outcomes_reach_its_end(begun: ExperimentWorld) -> None:
    begun.log(days=3)
    found = begun.look(20)
    assert (found["days"], found["exposed"]) == (3, 3000)
    assert 1900 < found["closed"] < 2100, "the day after the last outcome is not known"


def test_the_evidence_is_what_plain_python_counts(begun: ExperimentWorld) -> None:
    from collections import defaultdict
    from fractions import Fraction

    from ledgers import load

    kept: list[Any] = []
    begun.log(
        n=1500, reach=12, seed=3, change=lambda exposures, outcomes: kept.extend((list(exposures), list(outcomes)))
    )
    begun.look(10.5)
    evidence = json.loads(load(begun.origin)[-1]["evidence.json"])
    exposures, outcomes = kept
    champion, _ = begun.arms()
    started = begun.began
    wanted: dict[tuple[str, int, str], list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 5)
    closed: dict[tuple[str, int], int] = defaultdict(int)
    for seen, came in zip(exposures, outcomes, strict=True):
        arm = "champion" if seen["arm"] == champion else "challenger"
        week = (seen["time"] - started).days // 7
        closed[arm, week] += 1
        for name, x, y in (
            ("ratio[of=clicks, per=impressions]", came["clicks"], came["impressions"]),
            ("mean[of=latency_ms]", came["latency_ms"], 1),
        ):
            products = [x, y, float(x) * x, float(x) * y, y * y]
            sums = wanted[arm, week, name]
            wanted[arm, week, name] = [one + Fraction(more) for one, more in zip(sums, products, strict=True)]
    for arm in evidence["arms"]:
        for week in arm["weeks"]:
            assert week["closed"] == closed[arm["arm"], week["week"]]
            for sums in week["sums"]:
                counted = [Fraction(int(sums[key]), 2**140) for key in ("x", "y", "xx", "xy", "yy")]
                exact = wanted[arm["arm"], week["week"], sums["gate"]]
                assert all(abs(one - other) <= abs(other) / 10**12 for one, other in zip(counted, exact, strict=True))
                if sums["gate"].startswith("ratio"):
                    assert counted == exact, "whole numbers are counted exactly"
    assert sum(closed.values()) == 1500


def test_units_may_count_from_a_later_time_on(tmp_path: Path) -> None:
    """Those before it are not looked at, and days are counted from it."""
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged()
    past = world.gates("experiment", "start", "--from", "2020-01-06")
    assert past.code == 2
    assert "--from: 2020-01-06T00:00:00Z must be in the future" in past.err
    assert not world.steps()
    told = world.gates("experiment", "start", "--from", "2060-01-05")
    assert told.code == 0, told.err
    assert "units count from 2060-01-05T00:00:00Z on" in told.out
    assert world.time(0) == "2060-01-05T00:00:00Z"
    early = world.gates("experiment")
    assert early.code == 2
    assert "the experiment begins later, at 2060-01-05T00:00:00Z" in early.err
    counted = world.gates("experiment", "--measure-only")
    assert (counted.code, counted.out) == (0, "no experiment runs of which units count by now\n"), (
        "a schedule stays green"
    )

    def change(exposures: list[Any], outcomes: list[Any]) -> None:
        """A tenth came a day before: some into the other arm, when nothing was assigned yet."""
        for row in (*exposures[:300], *outcomes[:300]):
            row["time"] -= timedelta(days=1)
        exposures[0]["arm"] = next(arm for arm in world.arms() if arm != exposures[0]["arm"])

    world.log(lift=0.1, reach=12, change=change)
    found = world.look(10.5)
    assert (found["verdict"], found["days"], found["exposed"]) == ("pass", 10, 2700)
    assert world.gates("promote", "--stage", "champion").code == 0
    assert world.gates("verify").code == 0


def test_a_stop_ends_it(begun: ExperimentWorld) -> None:
    begun.log(lift=0.06, reach=12)
    done = begun.gates("experiment", "stop", "--reason", "the films are no longer for sale")
    assert (done.code, done.out.split(":")[0]) == (0, "stopped"), done.err
    assert begun.steps()[-1]["reason"] == "the films are no longer for sale"
    refused(begun.gates("experiment"), "no experiment runs; that of record")
    told = begun.gates("promote", "--stage", "champion")
    assert "was stopped by record" in told.err
    first = begun.salt
    assert begun.gates("experiment", "start").code == 0
    assert begun.salt != first, "no unit is carried over"
    assert begun.gates("verify", "--all").code == 0


def test_another_plan_is_another_experiment(begun: ExperimentWorld) -> None:
    begun.log(reach=12)
    from experiment_world import STAGES

    begun.policy(promotion=STAGES, experiment=EXPERIMENT | {"units": 1000}, gates=[{"metric": "roc_auc", "min": 0.6}])
    begun.commit("an earlier end")
    refused(begun.gates("experiment"), "is not what it was when the experiment was started", "stop this experiment")


def test_a_terminal_shows_it_worst_first(begun: ExperimentWorld) -> None:
    begun.log(reach=12)
    lines = begun.gates("experiment", "--until", begun.time(5.1)).out.splitlines()
    assert lines[0].startswith("v2 beside champion v1: look 1, 5 days, ")
    assert any("6 checks of the log hold" in line or "7 checks of the log hold" in line for line in lines)
    assert any("week 1: ratio" in line for line in lines)
    assert "it is too early to decide (record" in " ".join(lines[-3:])


@pytest.mark.parametrize("share", [0.5, 0.2, 0.137])
def test_units_are_assigned_as_the_server_assigns_them(share: float) -> None:
    import duckdb

    from gates.measure.live.experiment_tables import first_arm_sql

    units = [*range(500), *(f"ü{number}" for number in range(500)), ""]
    for unit in units:
        sql = first_arm_sql("4f0c1d2e3a4b", f"'{unit}'", share)
        assert duckdb.sql(f"SELECT {sql}").fetchall() == [(first_arm("4f0c1d2e3a4b", unit, share),)]


@pytest.mark.parametrize(("file", "constants"), [("serve.py", ("DIGITS",)), ("replay.py", ("DIGITS", "SHARE"))])
def test_the_example_assigns_alike(file: str, constants: tuple[str, ...]) -> None:
    """Its code, beside Python's of these tests."""
    import ast
    import hashlib

    from pages import ROOT

    nodes: list[ast.stmt] = []
    for node in ast.parse((ROOT / "configs/recommender" / file).read_text()).body:
        is_constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in constants
        if is_constant or (isinstance(node, ast.FunctionDef) and node.name == "first_arm"):
            nodes.append(node)
    space: dict[str, Any] = {"hashlib": hashlib}
    exec(compile(ast.Module(nodes, []), file, "exec"), space)  # noqa: S102 -- a file of this repository
    share = space.get("SHARE", 0.3)
    more = () if "SHARE" in space else (share,)
    assert all(space["first_arm"]("0a", str(n), *more) == first_arm("0a", n, share) for n in range(2000))


def test_start_and_stop_print_json(begun: ExperimentWorld) -> None:
    done = begun.gates("experiment", "stop", "--reason", "x", "--json")
    assert json.loads(done.out)["experiment"]["state"] == "stopped"
    done = begun.gates("experiment", "start", "--dry-run", "--json")
    assert json.loads(done.out)["record"] is None
    done = begun.gates("experiment", "start", "--json")
    told = json.loads(done.out)
    assert (told["salt"], told["share"]) == (begun.salt, 0.5)
