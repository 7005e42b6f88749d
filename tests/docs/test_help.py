"""Every example of every command's help is run, in the project that they talk of."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from churn_world import MONOREPO, commands, copied, done, logged_in, newest, on_github, shell
from fake_github import FakeGitHub

from gates.cli import cli

HANDED = """
cat > train.py <<'END'
import os, mlflow, pandas
from sklearn.tree import DecisionTreeClassifier

train = pandas.read_parquet(os.environ["GATES_TRAIN"])
model = DecisionTreeClassifier(max_depth=3).fit(train[["tenure"]], train["churn"])
mlflow.sklearn.save_model(
    model, os.path.join(os.environ["GATES_OUT"], "model"), pip_requirements=["scikit-learn"],
    serialization_format="cloudpickle",
    signature=mlflow.models.infer_signature(train[["tenure"]], model.predict_proba(train[["tenure"]])),
)
END
mkdir -p handed before && gates check-data | grep '^data ' > digests
cp -r .gates/data handed/ && cp -r .gates/data before/
gates train --handed before --digests "$(cat digests)" | grep '^candidate ' >> digests && cp -r .gates/candidate handed/
"""
WATCHED = """
git checkout --quiet main && cat >> gates.yaml <<'END'
monitor: {live: served.parquet, key: id, time: at, window: 1d, gates: [{metric: recall, min: 0.3}]}
END
git commit --quiet --all --message watched && git push --quiet origin main
"""
SERVED = f"""{WATCHED}
python -c '
import datetime, pandas
rows = pandas.read_parquet("data/holdout.parquet").assign(score=0.5, at=datetime.datetime(2026, 11, 2))
rows.to_parquet("served.parquet")'
"""
RETRAINED = """
git checkout --quiet main && cat >> gates.yaml <<'END'
monitor:
  {live: served.parquet, key: id, time: at, window: 1d, gates: [{metric: recall, min: 0.3}], alert: {retrain: [recall]}}
retrain: {fresh_rows: 5000, cooldown: 7d, budget: 4 in 90d, snapshot: python snapshot.py}
END
git commit --quiet --all --message retrained && git push --quiet origin main
"""
SNAPSHOT = (
    RETRAINED
    + """
cat > snapshot.py <<'END'
import hashlib, json, pathlib, yaml
data = yaml.safe_load(open("gates.yaml"))["data"]
written = {"schema": "gates/snapshot/v1"}
for name, month in (("train", 3), ("holdout", 4)):
    if name in data:
        files = {data[name]: "sha256:" + hashlib.sha256(pathlib.Path(data[name]).read_bytes()).hexdigest()}
        span = {"since": f"2026-0{month}-01T00:00:00Z", "until": f"2026-0{month + 1}-01T00:00:00Z"}
        written[name] = span | {"files": files}
(pathlib.Path(data["holdout"]).parent / "snapshot.json").write_text(json.dumps(written))
END
"""
)
EXPERIMENTED = """
git checkout --quiet main
sed -i 's/^promotion:/promotion:\\n  stages: [{alias: challenger}, {alias: champion}]/' gates.yaml
cat >> gates.yaml <<'END'
experiment:
  split: {champion: 0.5, challenger: 0.5}
  unit: user_id
  exposures: exposures/*.parquet
  outcomes: outcomes/*.parquet
  window: 7d
  units: 40000
  min_days: 14
  max_days: 42
  gates: [{metric: ratio, of: clicks, per: impressions, better: larger, min_improvement: 0}]
END
echo "contract internet_service payment_method" > columns.txt
git commit --quiet --all --message experiment && git push --quiet origin main
"""
CHALLENGED = f"{EXPERIMENTED} gates run && gates promote --stage challenger"
KEYS = "openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out pub.pem"


@dataclass(frozen=True)
class Example:
    """What must be there first, on which event of GitHub's it runs, and how it ends."""

    before: str = ""
    event: str | None = None
    code: int = 0
    here: str = "."  # the folder that it is run in


PLAIN = Example()
ELSE: dict[str, Example] = {
    "gates check-data --policy models/churn/gates.yaml": Example(MONOREPO),
    "gates run --policy models/churn/gates.yaml": Example(MONOREPO),
    "gates take-artifact --source downloaded --folder graded": Example(
        "mkdir downloaded && touch downloaded/graded.csv"
    ),
    "gates plan --policy 'models/*/gates.yaml'": Example(MONOREPO, event="pull_request"),
    "GITHUB_TOKEN=... gates comment": Example(event="pull_request"),
    "GITHUB_TOKEN=... gates picture --evidence evidence": Example(
        "GITHUB_TOKEN=... gates comment; cp -r .gates evidence", event="pull_request"
    ),
    'GITHUB_TOKEN=... gates unchanged --policies "$(cat unchanged)"': Example(
        "echo gates.yaml > unchanged", event="pull_request"
    ),
    'GITHUB_TOKEN=... gates find-run --pull-request 7 --commit "$(git rev-parse HEAD)"': Example(event="pull_request"),
    "GITHUB_TOKEN=... gates find-fork": Example(event="workflow_run"),
    "GITHUB_TOKEN=... gates report-fork --pull-request 7 --branch main --evidence evidence": Example(
        "mkdir -p evidence/gates-evidence-11 && cp .gates/evidence.json evidence/gates-evidence-11",
        event="workflow_run",
    ),
    "GH_TOKEN=$(gh auth token) gates doctor": Example(event="pull_request", code=1),  # much is missing there
    "gates contract diff main/contract.yaml contract.yaml": Example("mkdir main && cp contract.yaml main"),
    "gates init data/train.parquet --holdout data/holdout.parquet --label churn": Example(
        "mkdir new && cp -r data new", here="new"
    ),
    "gates init --template --gates acme/gates@COMMIT": Example("mkdir new && git -C new init --quiet", here="new"),
    "gates policy diff v1.0 v2.0 --policy models/churn/gates.yaml": Example(f"{MONOREPO} git tag v1.0 && git tag v2.0"),
    "gates policy diff old.yaml new.yaml --json": Example("cp gates.yaml old.yaml && cp gates.yaml new.yaml"),
    "gates verify --model /srv/model": Example("gates promote"),
    "gates jobs": Example(code=2),  # it is trained on this machine
    "gates stop --stale": Example(code=2),
    "gates monitor": Example(SERVED),  # no window is due yet
    "gates monitor --dry-run --json": Example(SERVED),
    "gates monitor --since 2026-11-01 --until 2026-11-30": Example(SERVED, code=2),  # nothing was promoted then
    "GITHUB_TOKEN=... gates alert": Example(WATCHED),  # no window was judged yet
    "gates alert --dry-run": Example(WATCHED),
    "gates fetch --policy models/churn/gates.yaml": Example(MONOREPO, code=2),  # it names no origin
    "gates init --jenkins": Example(),
    "gates init --monitoring": Example(WATCHED),
    "gates observe --textfile /var/lib/node_exporter/textfile/churn.prom": Example(WATCHED, code=2),  # no such folder
    "gates observe --pushgateway http://pushgateway:9091": Example(WATCHED, code=3),  # no such host
    "gates retrain --plan": Example(RETRAINED, code=1),  # no alarm stands
    "gates retrain --plan --dry-run --json": Example(RETRAINED, code=1),
    'gates retrain --resume --reason "the labels of May were wrong, and are fixed"': Example(
        RETRAINED,
        code=2,  # nothing is paused
    ),
    "gates experiment": Example(EXPERIMENTED, code=2),  # none was started
    "gates experiment --dry-run --json": Example(EXPERIMENTED, code=2),
    "gates experiment --until 2026-12-31": Example(EXPERIMENTED, code=2),
    "gates experiment start": Example(CHALLENGED),
    "gates experiment start --from 2030-01-07": Example(CHALLENGED),
    "gates experiment start --dry-run --json": Example(CHALLENGED),
    'gates experiment stop --reason "the challenger\'s films are no longer for sale"': Example(
        f"{CHALLENGED} && gates experiment start"
    ),
    "gates power --experiment": Example(code=2),  # nobody has looked at one yet
    "gates snapshot": Example(SNAPSHOT),
    "gates snapshot --json": Example(SNAPSHOT),
    'gates score --model candidate --handed handed --digests "$(cat digests)"': Example(HANDED),
    "gates statement check .gates/statement.dsse.json --key pub.pem": Example(
        f"{KEYS} && gates statement write --key key.pem"
    ),
    "gates statement write --key key.pem": Example(KEYS),
    "gates statement write --predicate svr --key key.pem": Example(KEYS),
    'gates promote --uncompared "the holdout was extended, and champion v3 came as predictions"': Example(
        code=2  # there the champion can be compared with, and this is said
    ),
    'gates adopt --reason "in production since May, before we used gates"': Example(
        "git clone --quiet --branch gates-registry ../origin.git by-hand && cd by-hand"
        """ && sed -i 's/"champion":"2"/"champion":"1"/' churn/registered.json"""
        " && git commit --quiet --all --message moved && git push --quiet"
    ),
    'gates adopt --from sqlite:///mlflow.db --reason "the repository is our registry now"': Example(
        "MLFLOW_TRACKING_URI=sqlite:///mlflow.db gates adopt --from git --reason there"
    ),
    'gates waive --gate recall:min --reason "too few rows before March" --until 2027-03-31': Example(
        "git checkout --quiet main && sed -i 's/min: 0.30/min: 0.99/' gates.yaml"
        " && git commit --quiet --all --message strict && git push --quiet origin main && gates run || test $? = 1"
    ),
}


SLOW = {  # they load MLflow, some more than once; tests elsewhere do the same in one process
    'gates adopt --reason "in production since May, before we used gates"',
    'gates adopt --from sqlite:///mlflow.db --reason "the repository is our registry now"',
    "gates check-data --policy models/churn/gates.yaml",
    "gates measure",
    "gates measure --shard 1/4",
    "gates measure --shard 1/2; gates measure --shard 2/2; gates merge && gates judge",
    "gates promote --stage champion --dry-run",
    'gates rollback --reason "calls dropped by half since Tuesday"',
    "gates reproduce 2",
    'gates rollback --to 2 --reason "the last one with the old address data"',
    "gates run",
    "gates run && gates promote",
    "gates run --policy models/churn/gates.yaml",
    'gates score --model candidate --handed handed --digests "$(cat digests)"',
    "gates verify --model /srv/model",
    'gates waive --gate recall:min --reason "too few rows before March" --until 2027-03-31',
}


def examples() -> Iterator[str]:
    """Each line that a command's help shows under its heading."""
    waiting: list[click.Command] = [cli]
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else []
        assert command.help is not None
        yield from (line.strip() for line in command.help.split("Example:\n")[1].splitlines() if line.strip())


def concrete(line: str, home: Path) -> str:
    """The example with this project's own in the place of what stands for it."""
    head = newest(home) if "4f0c" in line else ""
    model = home / ".gates/candidate"
    far = line.replace("2027-03-31", "2999-12-31").replace("@COMMIT", f"@{'a' * 40}").replace("/srv/model", str(model))
    return far.replace("sha256:4f0c...", head)


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=[pytest.mark.slow] if line in SLOW else []) for line in sorted(set(examples()))]
)
def test_an_example_does_what_it_shows(
    line: str, churn: Path, tmp_path: Path, github: FakeGitHub, forked: Path
) -> None:
    home, example = copied(churn, tmp_path), ELSE.get(line, PLAIN)
    path = f"{commands(forked, tmp_path)}:{logged_in(tmp_path)}:{Path(sys.executable).parent}"
    more = {"PATH": f"{path}:/usr/local/bin:/usr/bin:/bin"}
    if example.event:
        more |= on_github(home, github.url, example.event)
        github.heads[7] = head = more["GITHUB_SHA"]
        github.runs[head] = [17]
        github.hand_over(17, (1, "gates-evidence-11", 4000))
    if example.before:
        done(home, example.before, **more)
    script = concrete(line, home)
    if shutil.which("jq") is None:
        script = script.partition(" | jq")[0]
    ended = shell(home / example.here, script, **more)
    assert ended.returncode == example.code, f"{script}\n{ended.stdout}{ended.stderr}"
    assert "Traceback" not in ended.stderr


def test_every_preparation_is_for_an_example() -> None:
    assert set(ELSE) | SLOW <= set(examples())
