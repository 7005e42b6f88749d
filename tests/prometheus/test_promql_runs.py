"""`gates run`, `promote`, `monitor` and `verify` with gates that ask a Prometheus: who asks when, and what is kept."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_server import free_port, served

sys.path.insert(0, str(Path(__file__).parents[1] / "monitoring"))
sys.path.insert(0, str(Path(__file__).parents[1] / "promotion"))
sys.path.insert(0, str(Path(__file__).parents[1] / "edge"))

from edge_project import pull_request
from live_world import MONITOR, LiveWorld, answered, rules
from worlds import git

from gates.system.files import folder_digest

TOKEN = "a-token-that-nobody-may-see"  # noqa: S105 -- a made-up one
METRIC = {"metric": "roc_auc", "min": 0.6}
SHARE = {
    "promql": {
        "bad": 'sum(increase(requests_total{model="churn",code=~"5.."}[1h]))',
        "total": 'sum(increase(requests_total{model="churn"}[1h]))',
    },
    "max": 0.01,
}
LATENCY = {"promql": 'latency{model="churn"}', "max": 0.25, "over": "30m", "step": "5m"}


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that knows the last hour, and the next one: whenever it is asked, its series are fresh."""
    with served(tmp_path_factory.mktemp("now"), datetime.now(UTC) + timedelta(hours=1)) as url:
        yield url


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose policy asks."""
    world = LiveWorld(tmp_path_factory.mktemp("asks") / "world", None)
    world.begin(answered(300, seed=1), gates=[METRIC, SHARE, LATENCY])
    return world.base


@pytest.fixture
def asking(tmp_path: Path, begun: Path) -> LiveWorld:
    return copied(begun, tmp_path)


def copied(base: Path, folder: Path) -> LiveWorld:
    shutil.copytree(base, folder / "world", symlinks=True)
    world = LiveWorld(folder / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world


def codes(world: LiveWorld) -> list[str]:
    return [f"{one['verdict']} {one['code']}" for one in world.decision["gates"] if one["kind"] == "promql"]


def test_from_the_policy_to_the_ledger(asking: LiveWorld, now: str) -> None:
    given = {"PROMETHEUS_URL": now, "PROMETHEUS_TOKEN": TOKEN}
    done = asking.gates("run", **given)
    assert done.code == 0, done.out + done.err
    assert codes(asking) == ["pass within_bar", "pass within_bar"]
    seen = asking.evidence["answers"]
    assert [one["query"] for one in seen] == sorted(one["query"] for one in seen)
    assert asking.gates("judge").code == 0, "the judge asks nobody"
    done = asking.gates("promote", **given)
    assert done.code == 0, done.out + done.err
    done = asking.gates("verify", "--all")
    assert done.code == 0, done.out + done.err
    kept = [path.read_bytes() for path in asking.base.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in data for data in kept)
    record = git(asking.root, "log", "-p", "--all")
    assert TOKEN not in record


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({}, 2, "PROMETHEUS_URL is not set"),
        ({"PROMETHEUS_URL": "http://127.0.0.1:1", "PROMETHEUS_TOKEN": TOKEN}, 3, "refused or broke off"),
    ],
)
def test_a_run_without_a_prometheus_has_no_verdict(
    asking: LiveWorld, given: dict[str, str], code: int, told: str
) -> None:
    done = asking.gates("run", **given)
    assert (done.code, told in done.err) == (code, True), done.out + done.err
    assert TOKEN not in done.out + done.err
    assert not (asking.work / "evidence.json").exists()
    if code == 2:
        assert not (asking.work / "candidate").exists(), "it was told before anybody waited for a training"


@pytest.mark.parametrize(
    ("given", "code"), [({}, 2), ({"PROMETHEUS_URL": "http://127.0.0.1:1"}, 3)], ids=["no address", "nobody there"]
)
def test_a_promotion_asks_again_or_is_none(asking: LiveWorld, now: str, given: dict[str, str], code: int) -> None:
    """That it was well when the pull request was judged says nothing about now."""
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    done = asking.gates("promote", **given)
    assert done.code == code, done.out + done.err
    assert not [one for one in asking.records() if one["kind"] == "promotion"]


def test_what_has_become_bad_since_is_not_promoted(asking: LiveWorld, now: str, prometheus: str) -> None:
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    done = asking.gates("promote", PROMETHEUS_URL=prometheus)  # whose series ended long ago
    assert done.code != 0
    assert "no series came back" in done.out + done.err
    assert [one["kind"] for one in asking.records()] == ["refusal"]


def test_a_fork_is_no_pass_and_its_other_gates_are_judged(asking: LiveWorld) -> None:
    head = git(asking.root, "rev-parse", "HEAD")
    run = pull_request(asking, "http://127.0.0.1:1", head=head, base=head, fork=True)
    done = asking.gates("run", **run)
    assert done.code == 2, done.out + done.err
    assert codes(asking) == ["error not_measured"] * 2
    assert "fork's pull request has no address or no credential" in asking.decision["gates"][-1]["reason"]
    assert [one["verdict"] for one in asking.decision["gates"] if one["kind"] == "metric"] == ["pass"]


def test_a_training_sees_neither_address_nor_token(asking: LiveWorld, now: str) -> None:
    seen = asking.base / "seen"
    asking.policy(gates=[METRIC, LATENCY], train={"run": f'env > {seen}; cp -r made/. "$GATES_OUT"'})
    assert asking.gates("run", PROMETHEUS_URL=now, PROMETHEUS_TOKEN=TOKEN).code == 0
    assert "GATES_OUT=" in seen.read_text()
    assert "PROMETHEUS" not in seen.read_text()
    assert TOKEN not in seen.read_text()
    asking.policy(gates=[METRIC, LATENCY], train={"run": "env", "environment": ["PROMETHEUS_TOKEN"]})
    done = asking.gates("run", PROMETHEUS_URL=now, PROMETHEUS_TOKEN=TOKEN)
    assert (done.code, "a training gets none" in done.err) == (2, True), done.err


def test_shards_ask_once_when_they_are_merged(asking: LiveWorld, now: str) -> None:
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    whole = asking.evidence
    for shard in ("1/2", "2/2"):
        done = asking.gates("measure", "--shard", shard)
        assert done.code == 0, done.out + done.err
    assert asking.gates("merge").code == 2, "no address"
    done = asking.gates("merge", PROMETHEUS_URL=now)
    assert done.code == 0, done.out + done.err
    assert [one["query"] for one in asking.evidence["answers"]] == [one["query"] for one in whole["answers"]]
    assert asking.evidence | {"answers": []} == whole | {"answers": []}


def test_a_model_is_trained_again_without_asking(asking: LiveWorld, now: str) -> None:
    git(asking.root, "add", "-f", "made")
    asking.commit("what the training copies")
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    assert asking.gates("promote", PROMETHEUS_URL=now).code == 0
    number = next(one["sequence"] for one in asking.records() if one["kind"] == "promotion")
    done = asking.gates("reproduce", str(number), "--json")
    assert done.out, done.err
    assert json.loads(done.out)["evidence"] is True, done.out + done.err


def test_a_gate_that_the_pull_request_takes_away_still_asks(asking: LiveWorld, now: str) -> None:
    """The base commit's policy judges, too, and nobody may take its question away to be let through."""
    asking.policy(gates=[METRIC])
    base = git(asking.root, "rev-parse", "HEAD")
    done = asking.gates("run", "--base", base)
    assert done.code == 2, done.out + done.err
    assert "PROMETHEUS_URL is not set" in asking.decision["reason"]
    assert asking.gates("run", "--base", base, PROMETHEUS_URL=now).code == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one["samples"].append([99, "0.1"]), "not of the moments"),
        (lambda one: one.update(query="other"), "does not ask"),
        (lambda one: one.update(series=2), "values of no series or of several"),
        (lambda one: one.update(selectors=[]), "not about the series of the query"),
        (lambda one: one["samples"][0].__setitem__(1, "much"), "not a number"),
        (lambda one: one["selectors"][0]["ages"][0].__setitem__(1, -1), "so old"),
        (lambda one: one.update(at="2020-01-01T00:00:00Z"), "different moments"),
    ],
)  # fmt: skip
def test_evidence_that_nobody_can_have_been_given_is_refused(
    asking: LiveWorld, now: str, change: Any, told: str
) -> None:
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    evidence = asking.evidence
    change(evidence["answers"][0])
    (asking.work / "evidence.json").write_text(json.dumps(evidence))
    done = asking.gates("judge")
    assert (done.code, told in done.err) == (2, True), done.err


def test_a_missing_answer_is_an_error(asking: LiveWorld, now: str) -> None:
    assert asking.gates("run", PROMETHEUS_URL=now).code == 0
    (asking.work / "evidence.json").write_text(
        json.dumps(asking.evidence | {"answers": asking.evidence["answers"][:1]})
    )
    assert asking.gates("judge").code == 2
    assert "error not_measured" in codes(asking)


def test_a_monitor_asks_about_the_end_of_each_window(tmp_path: Path) -> None:
    """Days that were over long before anybody asked."""
    world = LiveWorld(tmp_path / "world", None)
    watched = [
        {"metric": "roc_auc", "max_worsening": 0.2},
        {"promql": {"bad": 'sum(increase(requests_total{model="bad",code=~"5.."}[1h]))',
                    "total": 'sum(increase(requests_total{model="bad"}[1h]))'}, "max": 0.01},
        SHARE,
        LATENCY,
        {"promql": 'latency{model="slow"}', "max": 0.25},
        {"promql": 'latency{model="nobody"}', "max": 0.25},
    ]  # fmt: skip
    world.promoted({"gates": watched}, gates=[METRIC])
    world.days(range(1))
    end = world.day(1)
    bare = world.monitor(1)
    assert (bare.code, "PROMETHEUS_URL is not set" in bare.err) == (2, True)
    assert world.gates("monitor", "--until", world.text(1), PROMETHEUS_URL=f"http://127.0.0.1:{free_port()}").code == 3
    assert not [one for one in world.records() if one["kind"] == "monitor"], "its windows stay due"
    with served(tmp_path / "then", end) as url:
        done = world.gates("monitor", "--until", world.text(1), "--json", PROMETHEUS_URL=url, PROMETHEUS_TOKEN=TOKEN)
    found = json.loads(done.out)
    assert done.code == 2, done.out + done.err
    by_name = {
        name: f"{one['verdict']} {one['code']}" for name, one in rules(found, "rows").items() if one["kind"] == "promql"
    }
    assert list(by_name.values()) == [
        "fail alarm",
        "pass within_bar",
        "pass within_bar",
        "fail above_bar",
        "error no_series",
    ]
    levels = [one["alarm"] for one in rules(found, "rows").values() if one["kind"] == "promql"]
    assert levels[0] >= 1
    assert levels[1] < 1
    assert levels[2:] == [None] * 3, "a value has no interval, so no rate of false alarms"
    assert world.gates("verify", "--all").code == 0, "and nobody is asked for that"
    assert TOKEN not in git(world.root, "log", "-p", "--all")


def test_windows_judged_on_another_machine_need_no_prometheus(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path / "world", None)
    world.promoted({"gates": [*MONITOR["gates"], LATENCY]}, gates=[METRIC])
    world.days(range(1))
    with served(tmp_path / "then", world.day(1)) as url:
        done = world.gates("monitor", "--until", world.text(1), "--measure-only", PROMETHEUS_URL=url)
    assert done.code == 0, done.out + done.err
    digest = folder_digest(world.work / "live")
    shutil.copytree(world.work / "live", tmp_path / "handed/live")
    handed = ("--handed", str(tmp_path / "handed"), "--digests", f"live {digest}")
    done = world.gates("monitor", "--until", world.text(1), "--json", *handed)
    judged = {name: one["verdict"] for name, one in rules(json.loads(done.out), "rows").items() if "promql" in name}
    assert judged == {'promql(latency{model="churn"}) over 30m by 5m:max': "pass"}
