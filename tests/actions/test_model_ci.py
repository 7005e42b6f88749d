"""model-ci.yml at work, on the real telco churn table, from a push to the comment on the pull request."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documented import documented
from fake_github import BOT, Trouble
from harness import COMMIT, ENVIRON, INSTALLED, ROOT, USED, World, copy_product, differences, on_main
from telco import BAD, BROKEN, POLICY, settle

PASS = {"data": "pass", "judge": "pass", "report": "pass"}


def ours(world: World) -> str:
    """Our comment, of which there must be one."""
    (body,) = world.github.bodies(BOT)
    return html.unescape(body)


def marked(world: World) -> str:
    """The verdict that the comment's own marker remembers."""
    (found,) = re.findall(r"<!-- gates:v2 .*?verdict=(\w+)", ours(world).splitlines()[-1])
    return str(found)


def gates(world: World, *arguments: str, **given: Any) -> None:
    done = subprocess.run([world.gates, *arguments], capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_copy_under_test_differs_in_nothing_but_the_spelling_of_our_own_actions(tmp_path: Path) -> None:
    copy_product(tmp_path, *USED, *INSTALLED)
    pairs = differences(tmp_path)
    assert pairs
    for here, there in pairs:
        assert here.replace("$/", "owner/gates/") + f"@{COMMIT}" == there
        assert here.strip().removeprefix("- ").startswith(("uses: $/actions/", "uses: $/.github/workflows/"))


def test_from_the_first_push_to_the_last_and_one_comment(world: World) -> None:
    world.call("workflows", "Model")
    first = world.push()
    assert (first.failed, first.verdicts, first.caller) == (set(), PASS, "pass"), first.log
    assert marked(world) == "pass"
    assert "no champion yet" in ours(world)
    (page,) = world.artifacts.glob("*/report.html")
    assert "no champion yet" in page.read_text()
    comment = world.github.comments[0]["id"]

    world.call("workflows", "picture")
    second = world.push()
    assert (second.failed, second.verdicts) == (set(), PASS), second.log
    assert world.github.heads[7] in ours(world)
    assert world.github.comments[0]["id"] == comment  # edited
    shown = re.findall(r"https://github\.com/acme/churn/blob/gates-pictures/(7/\S+)\?raw=true", ours(world))
    assert len(shown) == 2  # dark and light
    assert sorted(world.git("ls-tree", "-r", "--name-only", "gates-pictures").split()) == sorted(shown)
    world.call("workflows", "Model", requirements=None)

    fresh: dict[str, None] = dict.fromkeys(("tracking_uri", "approvals", "requirements"))  # nobody names a registry
    world.write(documented("workflows", "Promote", **fresh), "promote.yml")
    world.commit()
    landed = world.run("push", on_main(), workflow="promote.yml")
    assert landed.failed == set(), landed.log
    assert '"aliases":{"champion":"1"}' in world.git("show", "gates-registry:telco-churn/registered.json")

    (world.repository / "columns.txt").write_text(BAD)
    third = world.push()
    assert third.verdicts == {"data": "pass", "judge": "fail", "report": "fail"}, third.log
    assert third.failed == {"report"}
    assert marked(world) == "fail"
    assert world.github.statuses[-1]["state"] == "failure"
    assert "| Champion v1 | Candidate |" in ours(world)
    assert "roc_auc:max_worsening" in ours(world)
    assert world.github.comments[0]["id"] != comment  # posted anew: it got worse

    (world.repository / "train.py").write_text("raise SystemExit('the table has no column tenure_months')")
    fourth = world.push()
    assert fourth.failed == {"train", "report"}, fourth.log
    assert fourth.verdicts == {"data": "pass", "train": "error", "report": "error"}
    assert "could not judge" in ours(world)
    assert "no column tenure_months" in ours(world)


def test_what_cannot_be_told_and_what_breaks_its_contract(world: World) -> None:
    """On a bad day of GitHub's API, first: a comment is posted though its answer was lost, a status is refused."""
    (world.repository / "gates.yaml").write_text(POLICY.replace("min: 0.75", "min: 0.825"))
    world.github.fail("POST", "issues/create-comment", Trouble(502, done=True))
    world.github.fail("POST", "repos/create-commit-status", Trouble(403, "Resource not accessible by integration"))
    run = world.push()
    assert len(world.github.bodies(BOT)) == 1
    assert world.github.statuses == []
    assert "Resource not accessible by integration" in run.log
    assert run.verdicts == {"data": "pass", "judge": "inconclusive", "report": "inconclusive"}, run.log
    assert (run.failed, run.caller) == (set(), "inconclusive")  # as the policy says: on_inconclusive is warn

    (world.repository / "contract.yaml").write_text(BROKEN)
    (world.repository / "gates.yaml").write_text(POLICY.replace("key: id", "key: id\n  contract: contract.yaml"))
    run = world.push()
    assert run.verdicts == {"data": "fail", "report": "fail"}, run.log
    assert run.failed == {"data", "report"}  # nothing was trained
    assert "payment_method" in ours(world)


@pytest.mark.slow
def test_two_models_one_pull_request(world: World) -> None:
    """Each has its comment, and only what changed is judged."""
    for name in ("one", "two"):
        settle(world.repository / "models" / name, "gates.yaml", name=name)
    (world.repository / "gates.yaml").unlink()
    world.call("workflows", "model")  # no runner but the one that is called gpu would train
    world.github.bases[7] = world.commit()
    (world.repository / "shared").mkdir()
    (world.repository / "shared/features.py").write_text("")
    both = world.push()
    assert (both.failed, both.caller) == (set(), "pass"), both.log
    assert both.verdicts == PASS
    assert len(world.github.bodies(BOT)) == 2

    world.call("monorepo", "Model")
    base = world.commit()
    contexts = {f"gates/verdict (models/{name}/gates.yaml on main, push)" for name in ("one", "two")}
    for context in contexts:  # else they would be judged anew
        world.github.judged(base, context, "success")
    (world.repository / "models/two/columns.txt").write_text(BAD)
    world.commit()
    one = world.run("push", {"before": base, "ref": "refs/heads/main"})
    assert one.verdicts["judge"] == "fail", one.log
    assert "[models/two/gates.yaml" in one.log  # jobs, and those of the other one
    assert "[models/one/gates.yaml" not in one.log

    world.call("workflows", "Model", policy="*/gates.yaml", working_directory="models")
    base = world.commit()
    for context in contexts:
        world.github.judged(base, context, "success")
    (world.repository / "README").write_text("about neither")
    world.commit()
    none = world.run("push", {"before": base, "ref": "refs/heads/main"})
    assert (none.failed, none.caller, none.verdicts) == (set(), "", {}), none.log
    assert none.jobs["verdict"] == "succeeded"
    assert {status["context"] for status in world.github.statuses[-2:]} == contexts


@pytest.mark.slow
def test_a_model_is_scored_apart_and_so_is_a_champion_on_a_new_holdout(
    world: World, tmp_path: Path, empty_registry: Path
) -> None:
    """The telco example: MLflow models, a registry with a champion, a holdout that has changed since."""
    home, registry = world.repository / "models/churn", f"sqlite:///{tmp_path}/mlflow.db"
    shutil.copyfile(empty_registry, tmp_path / "mlflow.db")
    shutil.copytree(ROOT / "configs/telco-churn", home)
    policy = home / "gates.yaml"
    policy.write_text(policy.read_text().replace("  run: python train.py\n", "  run: python train.py\n  seeds: 2\n"))
    origin = {"KEY": f"url.{world.repository}.insteadOf", "VALUE": "https://github.com/acme/churn"}
    settings = {"GIT_CONFIG_COUNT": "1"} | {f"GIT_CONFIG_{name}_0": value for name, value in origin.items()}
    given = {"cwd": home, "env": ENVIRON | settings | {"MLFLOW_TRACKING_URI": registry, "GATES_LEDGER": "local"}}
    subprocess.run([sys.executable, "prepare.py"], check=True, **given)
    world.commit()  # the policy that counts is that of the default branch
    for command in ("run", "promote"):
        gates(world, command, **given)
    shutil.rmtree(home / ".gates")
    subprocess.run([sys.executable, "-c", FEWER], check=True, **given)
    shutil.copy(home / "candidates/worse.json", home / "params.json")
    policy.write_text(f"{policy.read_text()}\nanchor: 1\n")
    (home / "requirements.txt").write_text("pyyaml\n")
    world.write(documented("workflows", "Model", policy="models/churn/gates.yaml", tracking_uri=registry))

    run = world.push()
    assert run.verdicts == {"data": "pass", "judge": "fail", "report": "fail"}, run.log
    assert {job for job, end in run.jobs.items() if end == "succeeded"} >= {"score", "champion", "train"}
    assert "| Champion v1 | Candidate |" in ours(world)
    assert "roc_auc:max_worsening" in ours(world)
    assert "<code>recall:max_worsening:anchor</code>" in ours(world)
    for job in ("train", "score", "champion"):
        seen = (world.seen / f"{job}.env").read_text()
        assert "ghs_bot" not in seen
        assert registry not in seen
    assert registry in (world.seen / "data.env").read_text()


FEWER = """
import pandas
pandas.read_parquet("data/holdout.parquet").iloc[:-1].to_parquet("data/holdout.parquet")
"""


def test_training_sees_no_label_of_the_holdout(world: World) -> None:
    """Neither in its checkout, nor in the objects of its git, nor in what is handed to it."""
    spy = """
import os, subprocess, sys
assert not os.path.exists("data/holdout.csv")
assert "churn" not in open(os.environ["GATES_HOLDOUT"]).readline()
assert not os.path.exists(os.path.join(os.path.dirname(os.environ["GATES_HOLDOUT"]), "..", "served"))
found = subprocess.run(["git", "show", "HEAD:data/holdout.csv"], capture_output=True, text=True)
assert found.returncode != 0 and not found.stdout, found
assert subprocess.run(["git", "show", "HEAD:gates.yaml"], capture_output=True).returncode == 0
"""
    train = world.repository / "train.py"
    train.write_text(spy + train.read_text())
    run = world.push()
    assert (run.failed, run.verdicts) == (set(), PASS), run.log


@pytest.mark.slow
def test_a_fork_gets_no_comment_here(world: World) -> None:
    run = world.push(fork=True)
    assert (run.failed, run.verdicts) == (set(), PASS), run.log
    assert "a fork's pull request may not write here" in run.log
    assert world.github.asked == []


@pytest.mark.slow
def test_a_picture_and_notes_in_jobs_of_ones_own(world: World) -> None:
    """Two workflows of one page, at one push. Nothing fails, as act starts no job after a called workflow that did."""
    world.write(documented("comment", "picture"))
    world.write(documented("comment", "gate"), "gate.yml")
    (world.repository / "gates.yaml").write_text(POLICY.replace("min: 0.75", "min: 0.825"))
    run = world.push(workflow="")
    assert (run.failed, run.verdicts["gate"]) == (set(), "inconclusive"), run.log
    assert run.jobs["picture"] == "succeeded"
    assert "/blob/gates-pictures/7/" in ours(world)
    assert re.search(r"\[gate/gate\s*\].*::warning file=gates\.yaml,line=\d+", run.log)
