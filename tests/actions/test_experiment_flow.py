"""model-experiment.yml at work: started and stopped by hand, counted in one job, judged and recorded in another."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aged_ledger import age, records
from documented import documented
from harness import ENVIRON, World, by_hand
from telco import POLICY

from gates.documents.record import TIME

EXPERIMENT = """\
promotion: {stages: [{alias: challenger}, {alias: champion, experiment: required}]}
experiment:
  split: {champion: 0.5, challenger: 0.5}
  unit: user
  exposures: exposures/*.csv
  outcomes: outcomes/*.csv
  window: 1d
  units: 1000
  min_days: 7
  max_days: 21
  gates: [{metric: ratio, of: clicks, per: impressions, better: larger, min_improvement: 0}]
"""
DAYS = 10  # how long ago the experiment was started
UNITS = 1200
SCHEDULE = {"schedule": "47 6 * * *"}  # all that such an event is known to hold
SWAP = """
if [ "$job" = look ]; then sed -i 's/"duplicates":0/"duplicates":1/' units.json; fi
"""
AGAIN = """
if [ "$job" = look ]; then
  cd CLONE
  for step in "stop --reason again" start; do eval "env -i PATH=\"$PATH\" HOME=\"$HOME\" GATES experiment $step"; done
fi
"""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Where exposures and outcomes are, that are not in git."""
    made = tmp_path / "lake"
    for name in ("exposures", "outcomes"):
        (made / name).mkdir(parents=True)
    return made


@pytest.fixture
def clone(world: World, lake: Path, tmp_path: Path) -> Path:
    """A clone of a repository with a champion and a challenger, from which both were promoted."""
    (world.repository / "gates.yaml").write_text(POLICY + EXPERIMENT)
    fetch = f"cp -r {lake}/exposures {lake}/outcomes ."
    world.write(documented("workflows", "Experiment", fetch=fetch), "experiment.yml")
    world.commit()
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", world.repository, clone], check=True)
    run(world, clone, "run", "promote", "promote")
    (clone / "columns.txt").write_text("contract internet_service")
    run(world, clone, "run", "promote --stage challenger")
    return clone


def run(world: World, clone: Path, *commands: str) -> None:
    for command in commands:
        done = subprocess.run(
            [world.gates, *command.split()], cwd=clone, env=ENVIRON, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def steps(world: World) -> list[dict[str, Any]]:
    return [one for one in records(world) if one["kind"] == "experiment"]


def earlier(world: World, clone: Path) -> None:
    """All that is recorded was recorded some days ago; the clone has seen nothing else."""
    age(world.repository, timedelta(days=DAYS))
    seen = subprocess.run(
        ["git", "for-each-ref", "--format=delete %(refname)", "refs/gates"], cwd=clone, capture_output=True, check=True
    )
    subprocess.run(["git", "update-ref", "--stdin"], cwd=clone, input=seen.stdout, check=True)


def log(world: World, lake: Path, change: Callable[[list[dict[str, Any]]], Any] = lambda _: None) -> None:
    """Units that came over the days since the start, by the newest salt; the challenger gets twice the clicks."""
    (started,) = [one for one in steps(world) if one["experiment"]["state"] == "started"][-1:]
    salt = started["digest"].removeprefix("sha256:")[:12]
    began = datetime.strptime(started["at"], TIME).replace(tzinfo=UTC)
    exposures, outcomes = [], []
    for number in range(UNITS):
        unit = f"u{number}"
        is_first = int(hashlib.sha256(f"{salt}:{unit}".encode()).hexdigest()[:13], 16) / 16**13 < 0.5
        arm = started["experiment"]["champion" if is_first else "challenger"]["digest"]
        at = began + timedelta(minutes=1) + timedelta(days=DAYS - 1.5) * number / UNITS
        exposures.append({"user": unit, "time": at.strftime(TIME), "arm": arm})
        clicks = number % 3 if is_first else 2 * (number % 3)
        later = (at + timedelta(hours=1)).strftime(TIME)
        outcomes.append({"user": unit, "time": later, "clicks": clicks, "impressions": 10})
    outcomes.append({"user": "other", "time": datetime.now(UTC).strftime(TIME), "clicks": 0, "impressions": 0})
    change(exposures)
    for name, rows in (("exposures", exposures), ("outcomes", outcomes)):
        with (lake / name / "log.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)


def one_arm(exposures: list[dict[str, Any]]) -> None:
    """Nobody was shown the challenger."""
    for row in exposures:
        row["arm"] = exposures[0]["arm"]


@pytest.mark.slow
def test_an_experiment_is_started_looked_at_and_decided(world: World, clone: Path, lake: Path) -> None:
    reason = "'; touch stolen # ${{ github.token }}"
    begun = world.run("workflow_dispatch", by_hand(action="start", reason=reason), workflow="experiment.yml")
    assert begun.jobs == {"change": "succeeded"}, begun.log
    assert (steps(world)[-1]["reason"], steps(world)[-1]["experiment"]["state"]) == (reason, "started")
    assert not (world.repository / "stolen").exists()
    earlier(world, clone)

    log(world, lake, one_arm)
    broken = world.run("schedule", SCHEDULE, workflow="experiment.yml")
    assert broken.jobs == {"measure": "succeeded", "look": "failed"}, broken.log
    assert broken.verdicts["look"] == "error"
    assert (steps(world)[-1]["verdict"], len(steps(world))) == ("error", 2)

    log(world, lake)
    world.tamper(SWAP)
    swapped = world.run("schedule", SCHEDULE, workflow="experiment.yml")
    assert swapped.jobs == {"measure": "succeeded", "look": "failed"}, swapped.log
    assert "is not what the job before handed over" in swapped.log
    assert len(steps(world)) == 2

    world.tamper("")
    decided = world.run("workflow_dispatch", by_hand(action="look"), workflow="experiment.yml")
    assert decided.jobs == {"measure": "succeeded", "look": "succeeded"}, decided.log
    assert decided.verdicts["look"] == "pass"
    assert not (world.repository / "exposures").exists()
    run(world, clone, "verify --all", "promote --stage champion")

    idle = world.run("schedule", SCHEDULE, workflow="experiment.yml")
    assert idle.jobs == {"measure": "succeeded"}, idle.log
    assert "no experiment runs" in idle.log
    assert len(steps(world)) == 3


@pytest.mark.slow
def test_an_experiment_is_stopped_and_what_was_counted_of_it_is_not_used(world: World, clone: Path, lake: Path) -> None:
    run(world, clone, "experiment start")
    earlier(world, clone)
    log(world, lake)
    world.tamper(AGAIN.replace("CLONE", str(clone)).replace("GATES", str(world.gates)))
    another = world.run("schedule", SCHEDULE, workflow="experiment.yml")
    assert another.jobs == {"measure": "succeeded", "look": "failed"}, another.log
    assert "the experiment evidence is not of the experiment that runs" in another.log
    assert [one["experiment"]["state"] for one in steps(world)] == ["started", "stopped", "started"]
    world.tamper("")

    for event, told in (
        (by_hand(action="stop"), "--reason must say why it ends"),
        (by_hand(action="halt", reason="x"), "the input action must be look, start or stop"),
    ):
        refused = world.run("workflow_dispatch", event, workflow="experiment.yml")
        assert set(refused.jobs.values()) == {"failed"}, refused.log
        assert told in refused.log
    elsewhere = by_hand(action="stop", reason="x") | {"ref": "refs/heads/better"}
    assert world.run("workflow_dispatch", elsewhere, workflow="experiment.yml").jobs == {}
    text = yaml.safe_load((world.repository / ".github/workflows/experiment.yml").read_text())
    text["on"]["pull_request"] = None
    (world.repository / ".github/workflows/experiment.yml").write_text(yaml.safe_dump(text))
    for fork in (False, True):
        proposed = world.push(fork=fork, workflow="experiment.yml")
        assert "model-experiment.yml" in proposed.log, "it was called"
        assert proposed.jobs == {}, proposed.log
    assert len(steps(world)) == 3

    stop = by_hand(action="stop", reason="the films are no longer for sale")
    stopped = world.run("workflow_dispatch", stop, workflow="experiment.yml")
    assert stopped.jobs == {"change": "succeeded"}, stopped.log
    newest = steps(world)[-1]
    assert (newest["experiment"]["state"], newest["reason"]) == ("stopped", "the films are no longer for sale")
