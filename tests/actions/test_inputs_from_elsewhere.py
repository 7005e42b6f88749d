"""Data that is not in git: from an artifact of an earlier job, and from a store that takes a role."""

from __future__ import annotations

import html
import shutil
from typing import Any

import pytest
from fake_github import BOT
from harness import World
from pytest_httpserver import HTTPServer
from telco import POLICY

GRADE = """\
import os, subprocess, sys
os.environ |= {"GATES_TRAIN": "data/train.csv", "GATES_HOLDOUT": "data/holdout.csv", "GATES_OUT": "."}
subprocess.run([sys.executable, "train.py"], check=True)
print(open("predictions.csv").read(), end="")
"""
TRAIN = 'cp graded/predictions.csv "$GATES_OUT"'


def ours(world: World) -> str:
    (body,) = world.github.bodies(BOT)
    return html.unescape(body)


@pytest.mark.slow
def test_an_artifact_of_an_earlier_job_is_judged_and_no_other(world: World) -> None:
    (world.repository / "grade.py").write_text(GRADE)
    (world.repository / "gates.yaml").write_text(POLICY.replace("train: python train.py", f"train: {TRAIN}"))
    world.call("workflows", "Model from an artifact")
    passed = world.push()
    assert (passed.failed, passed.verdicts["report"], passed.caller) == (set(), "pass", "pass"), passed.log

    world.tamper('if [ "$job $(basename "$2")" = "judge artifact" ]; then echo >> predictions.csv; fi')
    other = world.push()  # a training has put another one under its name
    assert other.failed == {"judge", "report"}, other.log
    assert "is not the artifact that the first job took" in other.log


@pytest.mark.slow
def test_an_artifact_that_changes_the_commit_is_refused_and_the_comment_says_why(world: World) -> None:
    (world.repository / "grade.py").write_text("print()")
    (world.repository / "graded").mkdir()
    (world.repository / "graded/committed.csv").write_text("1")
    world.call("workflows", "Model from an artifact")
    refused = world.push()
    assert refused.failed == {"data", "report"}, refused.log
    assert "the commit has files in graded" in ours(world) or "graded is there already" in ours(world)


def test_a_role_is_exchanged_for_the_commands_that_fetch_and_for_no_code_of_the_repository(
    world: World, httpserver: HTTPServer
) -> None:
    shutil.move(world.repository / "data/holdout.csv", world.repository / "kept.csv")
    get = 'test "$(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")" = "the jobs own" && cp kept.csv data/holdout.csv'
    world.call("credentials", "Model with a cloud role", fetch=get)
    without = world.push()
    assert without.failed == {"data", "report"}, without.log
    assert "AWS_ROLE_ARN: is given, but this job has no identity" in ours(world)

    def token(request: Any) -> Any:
        from werkzeug import Response

        return Response('{"value": "the jobs own"}', 200 if request.headers["Authorization"] == "bearer x" else 401)

    httpserver.expect_request("/token").respond_with_handler(token)
    # act knows no permissions: here every job may ask, as if somebody had granted it to the training, too
    world.variables = {"ACTIONS_ID_TOKEN_REQUEST_URL": httpserver.url_for("/token")}
    world.variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "x"  # noqa: S105 -- not a secret
    given = world.push()
    assert given.verdicts["data"] == "pass", given.log
    assert given.failed == {"train", "report"}
    assert "the training is code of the repository, and this job has id-token: write" in ours(world)
    assert "the jobs own" not in given.log.replace(get, "")
