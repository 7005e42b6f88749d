"""The base commit's policy judges, too: real git repositories, real runs."""

from __future__ import annotations

import json

import pytest
from edge_project import Project, call, git, refused, table

pytestmark = pytest.mark.usefixtures("forked_children")

WEAK = [{"metric": "roc_auc", "min": 0.6}]
STRICT = [{"metric": "roc_auc", "min": 0.99}]


def commit(project):
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--allow-empty", "--message=change")
    return git(project.root, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path):
    """A repository whose first commit asks for more than the model reaches."""
    made = Project(tmp_path / "repository")
    git(made.root, "init", "--quiet", "--initial-branch=main")
    made.ready(gates=STRICT)
    commit(made)
    return made


def pull_request(project, base):
    """The environment of a run for a pull request from that commit."""
    event = project.root.parent / "event.json"
    head = {"sha": "a" * 40, "repo": {"full_name": "acme/churn"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": head, "base": {"sha": base, "ref": "main"}}}))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/churn", "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": "11", "GITHUB_SHA": "a" * 40,
    }  # fmt: skip


def test_a_lowered_limit_does_not_help(project):
    project.policy(gates=WEAK)
    assert project.gates("run").code == 0
    done = project.gates("run", "--base", "main")
    assert done.code == 1
    assert "weaker than before: roc_auc.min: 0.99 -> 0.6 (weaker)" in done.out
    report = (project.work / "report.md").read_text()
    first, _, second, _, third, *_ = report.splitlines()
    assert first.startswith("## ❌ gates: do not merge yet")
    assert "and the policy gets weaker" in first
    assert second.startswith("⚠️ **This pull request weakens <code>")
    assert third == "- roc_auc.min: 0.99 -&#62; 0.6 (weaker)"
    assert project.decision["verdict"] == "fail"
    assert project.gates("judge", "--base", "main").code == 1
    assert project.gates("report", "--base", "main").code == 0
    assert (project.work / "report.md").read_text() == report


def test_a_pull_request_is_held_to_its_base_without_being_asked(project):
    base = git(project.root, "rev-parse", "HEAD")
    project.policy(gates=WEAK)
    commit(project)
    assert project.gates("run", **pull_request(project, base)).code == 1
    assert project.gates("judge", **pull_request(project, base)).code == 1
    assert project.gates("judge").code == 0  # negative control


def test_a_push_is_held_to_nothing_but_its_own(project):
    project.policy(gates=WEAK)
    head = commit(project)
    event = project.root.parent / "event.json"
    event.write_text(json.dumps({"before": "b" * 40}))
    run = pull_request(project, head) | {"GITHUB_EVENT_NAME": "push"}
    event.write_text(json.dumps({"before": "b" * 40}))
    assert project.gates("run", **run).code == 0


def test_a_stricter_policy_is_no_matter(project):
    project.policy(gates=WEAK)
    commit(project)
    project.policy(gates=STRICT)
    done = project.gates("run", "--base", "main")
    assert done.code == 1
    assert "weaker" not in done.out


def test_other_calls_are_measured_for_both(project):
    """The policy at hand looks at calls from another threshold: the base's are counted beside."""
    project.policy(gates=[{"metric": "recall", "min": 0.8}])
    commit(project)
    lax = {"gates": [{"metric": "recall", "min": 0.8}], "predict": {"threshold": 0.05}}
    project.policy(**lax)
    assert project.gates("run").code == 0
    assert not (project.work / "base").exists()
    done = project.gates("run", "--base", "main")
    assert done.code == (1 if project.decision["verdict"] == "fail" else 0)
    assert project.decision["verdict"] != "pass"
    beside = json.loads((project.work / "base/evidence.json").read_text())
    assert project.decision["gates"][0]["candidate"]["value"] < 0.95
    assert beside["candidate"] == project.evidence["candidate"]
    assert project.gates("judge", "--base", "main").code == done.code
    project.gates("run")
    assert not (project.work / "base").exists()  # nothing is left for a later run to take for its own


def test_a_holdout_of_the_base_that_is_gone_is_an_error(project):
    project.holdout(table(), "other.csv")
    (project.root / "holdout.csv").unlink()
    project.policy(gates=WEAK, data={"holdout": "other.csv"})
    assert project.gates("run").code == 0
    done = project.gates("run", "--base", "main")
    assert done.code == 2
    assert project.decision["verdict"] == "error"
    assert "by the base commit's policy: " in project.decision["reason"]
    assert "holdout.csv" in project.decision["reason"]
    assert "data.holdout: holdout.csv -> other.csv (which is stricter can't be determined)" in " ".join(
        done.out.split()
    )


def test_a_contract_that_went_is_held_all_the_same(project):
    (project.root / "contract.yaml").write_text("table: [{rows: {min: 100000}}]")
    project.policy(gates=WEAK, data={"contract": "contract.yaml"})
    commit(project)
    (project.root / "contract.yaml").unlink()
    project.policy(gates=WEAK)
    assert project.gates("run").code == 0
    assert project.gates("run", "--base", "main").code == 1
    assert "holdout" in project.decision["reason"]


def test_a_policy_that_moved_is_found_by_its_model(project):
    (project.root / "gates.yaml").unlink()
    project.policy(gates=WEAK)
    (project.root / "gates.yaml").rename(project.root / "new.yaml")
    done = call("run", "--policy", str(project.root / "new.yaml"), "--base", "main")
    assert done.code == 1
    assert "policy file: gates.yaml -> new.yaml" in done.out


def test_a_policy_in_a_folder_of_its_own(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    made = Project(tmp_path / "models/churn")
    (made.root / "contract.yaml").write_text("table: [{rows: {min: 100000}}]")
    made.ready(gates=STRICT, data={"contract": "contract.yaml"})
    commit(made)
    (made.root / "contract.yaml").write_text("table: [{rows: {min: 1}}]")
    done = made.gates("run", "--base", "main")
    assert done.code == 1
    assert "contract.rows" in done.out


def test_a_first_policy_has_nothing_to_be_held_against(tmp_path):
    made = Project(tmp_path / "repository")
    git(made.root, "init", "--quiet", "--initial-branch=main")
    (made.root / "README").write_text("a model")
    commit(made)
    made.ready(gates=WEAK)
    done = made.gates("run", "--base", "main")
    assert done.code == 0
    assert "weaker" not in done.out


def test_a_base_that_can_not_be_read_is_told(project):
    (project.root / "gates.yaml").write_text("version: 1\nmodel: churn\nzzz: 1\n")
    commit(project)
    project.policy(gates=WEAK)
    done = project.gates("run", "--base", "main")
    assert done.code == 0
    assert "weaker than before: policy: can't be read" in done.out


def test_a_base_whose_files_are_missing_is_not_one_without_a_policy(project):
    blob = git(project.root, "rev-parse", "main:gates.yaml")
    (project.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    project.policy(gates=WEAK)
    done = project.gates("run", "--base", "main")
    assert "weaker than before: policy: can't be read" in done.out


def test_a_base_commit_that_is_not_there_is_no_pass(project):
    project.policy(gates=WEAK)
    done = project.gates("run", **pull_request(project, "b" * 40))
    assert done.code == 2
    assert "this repository has no commit" in done.err
    assert "fetch-depth: 0" in done.err
    assert project.decision["verdict"] == "error"


def test_a_base_commit_that_is_missing_here_is_fetched(project, tmp_path):
    base = git(project.root, "rev-parse", "HEAD")
    project.policy(gates=WEAK)
    commit(project)
    git(project.root, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project.root}", "shallow")
    clone = Project(tmp_path / "shallow")
    (clone.root / "made/predictions.csv").write_bytes((project.root / "made/predictions.csv").read_bytes())
    assert clone.gates("run", **pull_request(clone, base)).code == 1


def test_outside_a_repository_there_is_no_base(tmp_path):
    made = Project(tmp_path / "bare")
    made.ready()
    refused(made.gates("run", "--base", "main"), "not in a git repository")


def test_the_diff_of_two_commits_and_of_two_files(project):
    project.policy(gates=WEAK)
    done = call("policy", "diff", "main", "--policy", str(project.root / "gates.yaml"), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert told["weaker"] is True
    assert told["changes"] == [{"rule": "roc_auc.min", "kind": "weaker", "before": 0.99, "after": 0.6}]
    commit(project)
    where = ("--policy", str(project.root / "gates.yaml"))
    assert call("policy", "diff", "main", "main~1", *where).code == 0
    shown = call("policy", "diff", "main~1", "main", *where)
    assert (shown.code, "weaker, or it can't be determined, in 1 of 1 change" in shown.out) == (1, True)
    strict = project.root / "strict.yaml"
    strict.write_text(git(project.root, "show", "main~1:gates.yaml"))
    assert call("policy", "diff", str(strict), str(project.root / "gates.yaml")).code == 1
    assert call("policy", "diff", str(project.root / "gates.yaml"), str(strict)).code == 0
    refused(call("policy", "diff", "nowhere", *where), "has no commit nowhere")
    refused(call("policy", "diff", *where, "--", "--output=x"), "no commit --output=x")
    refused(call("policy", "diff", "main", "--policy", str(project.root / "zzz.yaml")), "zzz.yaml")


def test_an_anchor_that_the_pull_request_chose_does_not_count_for_the_base(tmp_path):
    """Small losses would add up again if each pull request named the champion of then as its anchor."""
    project = Project(tmp_path / "repository")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    gates, rows = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.04}], table(3000)
    project.ready(rows, gates=gates)
    commit(project)
    for unsure in (0, 8):
        project.predictions(
            [row | {"score": 0.5} if int(row["id"]) % unsure == 0 else row for row in rows] if unsure else rows
        )
        assert project.gates("run").code == 0
        assert project.gates("promote").code == 0
    project.policy(anchor=1, gates=gates)
    commit(project)
    project.predictions([row | {"score": 0.5} if int(row["id"]) % 4 == 0 else row for row in rows])
    project.policy(anchor=2, gates=gates)
    assert project.gates("run").code == 0
    done = project.gates("run", "--base", "main")
    assert done.code == 1, done.err
    assert "anchor v1" in project.decision["reason"]
