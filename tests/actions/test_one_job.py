"""The action at the repository's root at work: one job, no server, from nothing to a comparison in a pull request."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import pytest
from documented import documented
from fake_github import BOT
from harness import World, on_main
from mlflow import MlflowClient
from telco import BAD


def ours(world: World) -> str:
    """Our comment, of which there must be one."""
    (body,) = world.github.bodies(BOT)
    return html.unescape(body)


def test_a_newcomer_gets_a_comparison_in_the_first_pull_request(world: World) -> None:
    """A fresh repository and the eight lines: the push to main promotes, and the pull request is compared."""
    world.write(documented("README", "gates"))
    world.github.bases[7] = world.commit()
    first = world.run("push", on_main())
    assert first.failed == set(), first.log
    registered = json.loads(world.git("show", "gates-registry:telco-churn/registered.json"))
    assert registered["aliases"] == {"champion": "1"}
    assert world.git("rev-list", "--count", "gates-ledger") == "2"

    (world.repository / "columns.txt").write_text(BAD)
    world.write(documented("one-job", "Model in one job"))
    worse = world.push()
    assert worse.failed == {"gates"}, worse.log
    assert "| Champion v1 | Candidate |" in ours(world)
    assert "roc_auc:max_worsening" in ours(world)
    assert world.github.statuses[-1]["state"] == "failure"
    assert list(world.artifacts.glob("*/report.html"))
    assert world.git("rev-list", "--count", "gates-ledger") == "2"  # a pull request promotes nothing

    world.write(documented("quick-start", "gates"))
    forked = world.push(fork=True)
    assert forked.failed == {"gates"}
    assert "This pull request comes from a fork" in forked.log
    assert "Train" not in forked.log  # none of its code has run
    assert len(world.github.bodies(BOT)) == 1


@pytest.mark.slow
def test_an_mlflow_registry_is_named_by_the_environment(world: World, tmp_path: Path, empty_registry: Path) -> None:
    shutil.copyfile(empty_registry, tmp_path / "registry.db")
    uri = f"sqlite:///{tmp_path}/registry.db"
    MlflowClient(tracking_uri=uri).create_experiment("telco-churn", f"file://{tmp_path}/stored")
    world.write(documented("one-job", "Model in one job with MLflow", {"https://mlflow.example": uri}))
    world.commit()
    first = world.run("push", on_main())
    assert first.failed == set(), first.log
    found = MlflowClient(tracking_uri=uri).get_model_version_by_alias("telco-churn", "champion")
    assert str(found.version) == "1"
    assert "gates-registry" not in world.git("branch", "--list", "gates-*")
