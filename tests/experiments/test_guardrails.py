"""Guardrails of an experiment that a Prometheus answers: a fail ends it, and what is missing never passes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edge_project import refused
from experiment_world import ExperimentWorld, gate
from prometheus_server import served
from scipy.stats import norm

DAYS = 10.5
EARLY, AT_END = 3.45, 1.75  # standard errors of a bound: of such a look (3.36 to 3.7), and of the planned end


@pytest.fixture
def world(tmp_path: Path) -> ExperimentWorld:
    return ExperimentWorld(tmp_path / "world", None)


def guarded(model: str, limit: float = 0.01) -> dict[str, Any]:
    counted = f'sum(increase(requests_total{{model="{model}"CODE}}[1h]))'
    counts = {"bad": counted.replace("CODE", ',code=~"5.."'), "total": counted.replace("CODE", "")}
    return {"guardrails": [{"promql": counts, "max": limit}]}


OUTCOMES = {  # what the Prometheus of the tests knows of a model: the experiment's verdict and code
    "churn": ("pass", "within_bar"),
    "bad": ("fail", "above_bar"),
    "few": ("inconclusive", "across_bar"),
    "dead": ("error", "stale"),
    "nobody": ("error", "no_series"),
}


@pytest.mark.parametrize("model", OUTCOMES)
def test_a_guardrail_is_asked_at_the_time_of_the_look(world: ExperimentWorld, tmp_path: Path, model: str) -> None:
    world.challenged(guarded(model))
    assert world.gates("experiment", "start").code == 0
    world.log(n=4000, lift=0.05)
    with served(tmp_path / "prometheus", world.began + timedelta(days=DAYS)) as url:
        done = world.gates("experiment", "--until", world.time(DAYS), "--json", PROMETHEUS_URL=url)
    found = json.loads(done.out)
    verdict, code = OUTCOMES[model]
    assert (found["verdict"], found["code"]) == (verdict, code), found["reason"]
    (rule,) = [one for one in found["gates"] if one["kind"] == "promql"]
    assert rule["verdict"] == verdict
    assert gate(found, "ratio[of=clicks, per=impressions]:min_improvement")["verdict"] == "pass", "the control"
    assert world.gates("verify", "--all").code == 0, "which asks nobody"


def test_power_says_how_many_units_the_planned_end_needs(world: ExperimentWorld) -> None:
    world.challenged()
    assert world.gates("experiment", "start").code == 0
    refused(world.gates("power", "--experiment"), "no look at an experiment")
    world.log(n=3000, lift=0.05, reach=12)
    early = world.look(5)
    done = world.gates("power", "--experiment", "--effect", "0.02", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    rule = told["rules"][0]
    assert (told["of"], rule["rows"]) == ("unit", early["closed"])
    assert told["rows_a_day"] == pytest.approx(early["closed"] / early["days"])
    first = gate(early, "ratio[of=clicks, per=impressions]:min_improvement")
    half = first["difference"]["value"] - first["difference"]["low"]
    error = half / EARLY
    assert rule["detectable"] == pytest.approx(error * AT_END * (1 + norm.ppf(0.8) / norm.ppf(0.95)), rel=0.15)
    assert "units needed" in world.gates("power", "--experiment").out


def test_without_an_address_there_is_no_look(world: ExperimentWorld) -> None:
    world.challenged(guarded("churn"))
    assert world.gates("experiment", "start").code == 0
    world.log(n=400, days=2)
    before = world.records()
    refused(world.gates("experiment", "--until", world.time(3)), "PROMETHEUS_URL")
    assert world.records() == before


MISTAKES = {
    "no PromQL": ({"promql": "sum(", "max": 1}, "is no PromQL that can be asked"),
    "no limit": ({"promql": "up"}, "has no limit"),
    "an unknown key": ({"promql": "up", "maximum": 1}, "maximum"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_when_the_policy_is_read(world: ExperimentWorld, name: str) -> None:
    rule, word = MISTAKES[name]
    world.challenged()
    policy = json.loads((world.root / "gates.yaml").read_text())
    policy["experiment"]["guardrails"] = [rule]
    (world.root / "gates.yaml").write_text(json.dumps(policy, indent=1))
    refused(world.gates("check"), word)
