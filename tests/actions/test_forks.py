"""From a fork's run with its read-only token to the comment and the status that a second workflow writes for it."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from documented import documented
from fake_github import BOT
from harness import World
from telco import BAD, POLICY

RUN = 424242


def followed(world: World, **changes: Any) -> dict[str, Any]:
    """The event that follows the fork's run."""
    run = {"id": RUN, "event": "pull_request", "conclusion": "failure", "head_sha": world.github.heads[7]}
    run |= {"actor": {"login": "mallory"}, "head_branch": "better", "head_repository": {"full_name": "mallory/churn"}}
    return {"workflow_run": run | changes, "repository": {"default_branch": "main"}}


def test_a_forks_verdict_reaches_its_pull_request_by_the_base_branchs_policy(world: World) -> None:
    """The fork asks less of itself; a second model that it touches is left out of what it hands over."""
    home = world.repository
    world.write(documented("forks", "Model report", policy="**/gates.yaml"), "report.yml")
    (home / "other").mkdir()
    (home / "other/gates.yaml").write_text(POLICY.replace("telco-churn", "other"))
    base = world.commit()
    world.github.bases[7] = base

    (home / "columns.txt").write_text(BAD)
    first = world.push(fork=True)  # its own workflow judges the first model alone
    assert first.verdicts["report"] == "fail", first.log
    assert "a fork's pull request may not write here" in first.log
    assert world.github.asked == []

    world.github.hand_over(RUN, *world.handed_over())
    world.github.changed[7] = ["columns.txt", "other/train.py"]
    second = world.run("workflow_run", followed(world), workflow="report.yml")
    assert second.failed == set(), second.log
    told = sorted(html.unescape(body) for body in world.github.bodies(BOT))
    assert len(told) == 2
    assert "roc_auc" in told[0] + told[1]
    assert all("fork" in one for one in told)
    assert "handed over no evidence about this model" in told[0] + told[1]
    states = {status["context"]: status["state"] for status in world.github.statuses}
    assert states == {
        "gates/verdict (gates.yaml into main, not verified)": "failure",
        "gates/verdict (other/gates.yaml into main, not verified)": "error",
    }

    again = world.run("workflow_run", followed(world, head_sha="c" * 40), workflow="report.yml")
    assert again.failed == set(), again.log
    assert "No open pull request has this commit" in again.log
    assert len(world.github.bodies(BOT)) == 2


@pytest.mark.slow
def test_a_fork_that_asks_less_of_itself_is_judged_by_what_the_base_branch_asks(world: World) -> None:
    """It looks at other things, too, so that its own evidence can't be judged; what it hands over beside that, links
    and a decision, changes nothing."""
    home = world.repository
    world.write(documented("workflows", "Model report"), "report.yml")
    world.github.bases[7] = world.commit()
    (home / "columns.txt").write_text(BAD)
    (home / "gates.yaml").write_text(POLICY.replace("min: 0.75", "min: 0.1").replace("- contract", "- female"))
    first = world.push(fork=True)
    world.github.changed[7] = ["gates.yaml"]
    folder = world.artifacts / "9999"
    folder.mkdir()
    (folder / "evidence.json").symlink_to("/etc/passwd")
    (folder / "decision.json").write_text(json.dumps({"verdict": "pass"}))
    (world.artifacts / "9999.name").write_text("gates-evidence-9999")
    world.github.hand_over(RUN, *world.handed_over())
    second = world.run("workflow_run", followed(world), workflow="report.yml")
    assert second.failed == set(), first.log + second.log
    (body,) = world.github.bodies(BOT)
    assert "not verified" in body
    assert "roc_auc" in body
    assert [status["state"] for status in world.github.statuses] == ["failure"]
