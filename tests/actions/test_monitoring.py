"""model-monitor.yml and model-retrain.yml at work.

Live rows are counted in one job, judged in another, and a third one keeps the issue. An alarm has the model trained
again.
"""

from __future__ import annotations

import csv
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aged_ledger import age, records
from documented import documented
from fake_issues import FakeIssues
from harness import ENVIRON, World, by_hand, on_main
from telco import POLICY

from gates.documents.record import TIME

MONITOR = """\
monitor:
  live: served/live.csv
  key: request
  time: at
  model: by
  window: 1d
  gates:
    - {metric: roc_auc, min: 0.7}
"""
DAYS = 4  # how long ago the model was promoted: three whole windows have closed since
SWAP = """
if [ "$job" = record ]; then sed -i 's/"verdict"/"verdict" /; s/"rows":1/"rows":2/' live.json; fi
"""
SCHEDULE = {"schedule": "17 6 * * *"}  # all that such an event is known to hold


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Where live rows are, that are not in git."""
    made = tmp_path / "lake/served"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def served(world: World, lake: Path, tmp_path: Path) -> World:
    """A model that was promoted some days ago, and serves worse and worse."""
    (world.repository / "gates.yaml").write_text(POLICY + MONITOR)
    world.write(documented("workflows", "Monitor", fetch=f"cp -r {lake} ."), "monitor.yml")
    return _promoted(world, lake, tmp_path / "clone", "run", "promote")


def _promoted(world: World, lake: Path, clone: Path, *commands: str) -> World:
    world.commit()
    subprocess.run(["git", "clone", "--quiet", world.repository, clone], check=True)
    for command in commands:
        done = subprocess.run(
            [world.gates, command], cwd=clone, env=ENVIRON, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    age(world.repository, timedelta(days=DAYS))
    _serve(clone, lake, records(world)[-1]["after"]["digest"])
    return world


RETRAIN = (
    MONITOR
    + """\
  alert: {retrain: [roc_auc]}
retrain: {fresh_rows: 1000, cooldown: 7d, budget: 4 in 90d, snapshot: python snapshot.py}
promotion: {stages: [{alias: challenger}, {alias: champion}]}
"""
)
MAKE = """\
import hashlib, json, os, pathlib

os.mkdir("fresh")
fetched = os.path.exists("served/live.csv")
written = {"schema": "gates/snapshot/v1"}
for name, since, until in (("train", "2026-01-01", "2026-03-01"), ("holdout", "2026-03-01", "2026-04-01")):
    path = pathlib.Path(f"fresh/{name}.csv")
    lines = open(f"data/{name}.csv").readlines()
    path.write_text("".join(lines[:1300] if name == "train" and not fetched else lines))
    files = {str(path): "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()}
    written[name] = {"since": f"{since}T00:00:00Z", "until": f"{until}T00:00:00Z", "files": files}
pathlib.Path("fresh/snapshot.json").write_text(json.dumps(written))
assert not os.environ.get("DATA_CREDENTIAL")
"""


@pytest.fixture
def retrained(world: World, lake: Path, tmp_path: Path) -> World:
    """The same, with a policy by which an alarm may have it trained again."""
    policy = POLICY.replace("data/train", "fresh/train").replace("data/holdout", "fresh/holdout")
    (world.repository / "gates.yaml").write_text(policy + RETRAIN)
    (world.repository / "snapshot.py").write_text(MAKE)
    fetch = f"cp -r {lake} ."
    world.write(documented("workflows", "Monitor and retrain", fetch=fetch, tracking_uri=None), "monitor.yml")
    return _promoted(world, lake, tmp_path / "clone", "snapshot", "run", "promote", "promote")


@pytest.mark.slow
@pytest.mark.parametrize("github", [FakeIssues], indirect=True)
def test_an_alarm_has_the_model_trained_again(retrained: World, github: FakeIssues) -> None:
    champion = records(retrained)[-1]["after"]["digest"]
    run = retrained.run("schedule", SCHEDULE, workflow="monitor.yml")
    assert set(run.jobs.values()) == {"succeeded"}, run.log
    assert {"measure", "record", "alert", "plan", "fetch", "snapshot", "data", "train", "judge", "promote"} <= set(
        run.jobs
    )
    alarm, plan, _, promotion = records(retrained)[-4:]
    assert (alarm["kind"], alarm["verdict"], github.opened()) == ("monitor", "fail", [1])
    assert (plan["kind"], plan["retrain"]["state"]) == ("retrain", "started")
    assert plan["retrain"]["record"] is not None
    assert (promotion["kind"], promotion["alias"]) == ("promotion", "challenger")
    assert promotion["after"]["digest"] != champion, "it was trained on what the snapshot made of fetched rows"
    assert not (retrained.repository / "fresh").exists()

    record = "'; touch stolen #"
    hostile = retrained.run(
        "repository_dispatch",
        on_main() | {"client_payload": {"record": record, "other": record}},
        workflow="monitor.yml",
    )
    assert hostile.jobs["plan"] == "failed", hostile.log
    assert "is neither a number nor a digest" in hostile.log
    assert not (retrained.repository / "stolen").exists()
    assert records(retrained)[-1] == promotion

    arrived = retrained.run("repository_dispatch", on_main() | {"client_payload": {}}, workflow="monitor.yml")
    assert set(arrived.jobs.values()) == {"succeeded"}, arrived.log
    assert "snapshot" not in arrived.jobs, "a refusal trains nothing, and fails nothing"
    assert records(retrained)[-1]["retrain"]["code"] == "cooldown"


def _serve(clone: Path, lake: Path, model: str) -> None:
    """Live rows of three days; on the last two the model answers the contrary."""
    scores = {row["id"]: row["score"] for row in csv.DictReader((clone / ".gates/candidate/predictions.csv").open())}
    asked = list(csv.DictReader((clone / "data/holdout.csv").open()))
    with (lake / "live.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["request", "at", "by", "contract", "churn", "score"])
        for ago in (3, 2, 1):
            noon = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=ago)
            for row in asked:
                score = float(scores[row["id"]])
                told = [f"{ago}-{row['id']}", noon.strftime(TIME), model, row["contract"], row["churn"]]
                out.writerow([*told, score if ago == 3 else 1 - score])


@pytest.mark.slow
@pytest.mark.parametrize("github", [FakeIssues], indirect=True)
def test_an_alarm_becomes_one_issue(served: World, github: FakeIssues) -> None:
    served.tamper(SWAP)
    swapped = served.run("schedule", SCHEDULE, workflow="monitor.yml")
    assert swapped.jobs == {"measure": "succeeded", "record": "failed", "alert": "succeeded"}, swapped.log
    assert "is not what the job before handed over" in swapped.log
    assert (github.issues, records(served)[-1]["kind"]) == ([], "promotion")

    served.tamper("")
    alarmed = served.run("schedule", SCHEDULE, workflow="monitor.yml")
    assert set(alarmed.jobs.values()) == {"succeeded"}, alarmed.log
    assert len(alarmed.jobs) == 3
    assert alarmed.verdicts["record"] == "fail"
    newest = records(served)[-1]
    assert (newest["kind"], newest["verdict"]) == ("monitor", "fail")
    (issue,) = github.issues
    assert (issue["title"], github.opened()) == ("telco-churn: 1 alarm", [1])
    assert "roc_auc is below your limit of 0.7" in issue["body"]
    assert not (served.repository / "served").exists()

    again = served.run("workflow_dispatch", by_hand(), workflow="monitor.yml")
    assert again.jobs == {"measure": "succeeded", "alert": "succeeded"}, again.log  # no window is due
    assert "no window is due" in again.log
    assert (len(github.issues), github.opened()) == (1, [1])
    assert records(served)[-1] == newest

    elsewhere = served.run("workflow_dispatch", by_hand() | {"ref": "refs/heads/better"}, workflow="monitor.yml")
    assert elsewhere.jobs == {}, elsewhere.log
