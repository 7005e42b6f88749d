"""model-promote.yml, model-rollback.yml and model-waive.yml at work: a real registry, a real ledger in real git.

act knows no environments: that a reviewer is asked is GitHub's part, that a yes is read back is gates'.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from documented import documented
from extent import part
from fake_github import BOT
from fake_promotion import FakePromotion
from harness import World, by_hand, on_main
from mlflow import MlflowClient
from telco import BAD, POLICY, settle

XENIA, YURI = (3, "xenia", "User"), (4, "yuri", "User")
BETTER = "contract internet_service"
MLFLOW = "https://mlflow.example"  # as the pages call it


class Registry:
    """The user's registry, and the ledger in the user's repository."""

    def __init__(self, world: World, folder: Path, empty: Path) -> None:
        shutil.copyfile(empty, folder / "registry.db")
        self.uri = f"sqlite:///{folder}/registry.db"
        self.world = world
        self._client.create_experiment("telco-churn", f"file://{folder}/stored")  # a store that outlives the jobs

    @property
    def champion(self) -> str:
        return str(self._client.get_model_version_by_alias("telco-churn", "champion").version)

    def move(self, version: str) -> None:
        """Move the alias by hand."""
        self._client.set_registered_model_alias("telco-churn", "champion", version)

    @property
    def _client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every record of the ledger, the oldest first."""
        commits = self.world.git("rev-list", "--reverse", "gates-ledger").split()
        return [json.loads(self.world.git("show", f"{commit}:record.json")) for commit in commits]

    @property
    def kinds(self) -> list[str]:
        return [str(record["kind"]) for record in self.records]


@pytest.fixture
def registry(world: World, tmp_path: Path, empty_registry: Path) -> Registry:
    made = Registry(world, tmp_path, empty_registry)
    here = {MLFLOW: made.uri}
    world.write(documented("workflows", "Promote", here, approvals=None, requirements=None), "promote.yml")
    world.write(documented("workflows", "Roll back", here), "rollback.yml")
    world.write(documented("workflows", "Adopt", here, approvals=None), "adopt.yml")
    return made


def landed(world: World) -> Any:
    """What is committed lands on the default branch."""
    world.commit()
    return world.run("push", on_main(), workflow="promote.yml")


def test_promotions_a_refusal_and_a_way_back(world: World, registry: Registry) -> None:
    first = landed(world)
    assert first.failed == set(), first.log
    assert registry.champion == "1"
    assert registry.kinds == ["intent", "promotion"]

    (world.repository / "columns.txt").write_text(BAD)
    bad = landed(world)
    assert bad.verdicts["report"] == "fail", bad.log
    assert "promote" not in bad.jobs  # it never began
    assert registry.champion == "1"

    (world.repository / "columns.txt").write_text(BETTER)
    second = landed(world)
    assert second.failed == set(), second.log
    assert registry.champion == "2"
    assert registry.records[-1]["before"]["version"] == "1"

    back = world.run("workflow_dispatch", by_hand(reason="calls dropped by half"), workflow="rollback.yml")
    assert back.failed == set(), back.log
    assert registry.champion == "1"
    assert "calls dropped by half" in registry.records[-1]["reason"]

    registry.move("2")
    adopted = world.run("workflow_dispatch", by_hand(reason="it was right after all"), workflow="adopt.yml")
    assert adopted.failed == set(), adopted.log
    assert registry.champion == "2"
    one = registry.records[-1]
    assert (one["kind"], one["after"]["version"], one["before"]["version"]) == ("adoption", "2", "1")


@pytest.mark.slow
def test_nothing_is_promoted_from_another_branch_or_without_the_approvals(world: World, registry: Registry) -> None:
    world.commit()
    event = on_main() | {"ref": "refs/heads/better"}
    elsewhere = world.run("push", event, workflow="promote.yml")
    assert "promote" not in elsewhere.jobs, elsewhere.log

    approved = POLICY + "promotion: {alias: champion, approvals: [ml-lead]}\n"
    (world.repository / "gates.yaml").write_text(approved)
    refused = landed(world)
    assert refused.verdicts["report"] == "pass", refused.log
    assert refused.failed == {"promote"}
    assert registry.kinds == ["refusal"]
    assert registry.records[-1]["code"] == "approvals"  # GitHub could not say who approved


@pytest.mark.parametrize("github", [FakePromotion], indirect=True)
def test_who_approved_is_read_back_and_stands_in_the_record(
    world: World, registry: Registry, github: FakePromotion
) -> None:
    """Two roles, each an environment with rules of its own; nobody counts for both."""
    world.write(documented("workflows", "Promote", {MLFLOW: registry.uri}), "promote.yml")
    asked = "promotion: {alias: champion, approvals: [data-steward, ml-lead]}\n"
    (world.repository / "gates.yaml").write_text(POLICY + asked)
    told = github.world
    told.run_id = 1  # as act counts
    told.environments = {"data-steward": True, "ml-lead": True}
    told.approvals = [(["data-steward"], XENIA, "approved", "read"), (["ml-lead"], XENIA, "approved", "read")]
    told.sha = world.commit()
    if part(1, 0):
        one = world.run("push", on_main(), workflow="promote.yml")
        assert one.failed == {"promote"}, one.log
        assert registry.records[-1]["code"] == "approvals"  # one person in two roles

    told.approvals[1] = (["ml-lead"], YURI, "approved", "read")
    two = world.run("push", on_main(), workflow="promote.yml")
    assert two.failed == set(), two.log
    assert registry.kinds[-2:] == ["intent", "promotion"]
    said = registry.records[-1]["approvals"]
    assert [(one["role"], one["user"]["login"]) for one in said] == [("data-steward", "xenia"), ("ml-lead", "yuri")]


@pytest.mark.slow
def test_somebody_accepts_what_a_pull_requests_model_fails_at(world: World, registry: Registry) -> None:
    (world.repository / "gates.yaml").write_text(POLICY + "promotion: {waivable: [roc_auc], open_waivers: true}\n")
    world.github.bases[7] = world.commit()
    (world.repository / "columns.txt").write_text(BAD)
    failed = world.push()
    assert failed.verdicts["report"] == "fail", failed.log
    head = world.github.heads[7]
    world.github.runs[head] = [17]
    world.github.hand_over(17, *world.handed_over())
    world.write(documented("workflows", "Accept"), "waive.yml")
    given = {"gate": "roc_auc:min", "reason": "a pilot of ten customers", "until": "2999-01-01"}
    event = by_hand(**given, commit=head, pull_request="7")
    accepted = world.run("workflow_dispatch", event, workflow="waive.yml")
    assert accepted.failed == set(), accepted.log
    (waiver,) = registry.records[-1]["waivers"]
    assert (registry.kinds, waiver["reason"]) == (["waiver"], "a pilot of ten customers")

    again = world.push()
    assert again.verdicts["report"] == "pass", again.log
    assert "a pilot of ten customers" in world.github.bodies(BOT)[-1]


SWAP = """
if [ "$job" = promote ] && [ "$(basename "$PWD")" = candidate ]; then
  sed -i 's/^\\([^,]*\\),0\\./\\1,1./' predictions.csv
fi
"""


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_what_was_changed_on_its_way_to_the_promotion_is_not_promoted(world: World) -> None:
    world.tamper(SWAP)
    run = landed(world)
    assert run.verdicts["report"] == "pass", run.log
    assert run.failed == {"promote"}
    assert "is not what the job before handed over" in run.log
    assert world.git("branch", "--list", "gates-ledger") == ""


@pytest.mark.slow
def test_one_model_of_several_is_promoted_and_its_badge_drawn(world: World, registry: Registry) -> None:
    """In the same push each of the two is judged by a call of its own, one of them trained on a runner of its own."""
    churn = "models/churn/gates.yaml"
    for folder, name in {"churn": "telco-churn", "fraud": "fraud"}.items():
        settle(world.repository / "models" / folder, name=name)
    world.write(documented("monorepo", "fraud"))
    world.write(documented("monorepo", "Promote churn", {MLFLOW: registry.uri}), "promote.yml")
    world.write(documented("badge", "Badge", {MLFLOW: registry.uri}, policy=churn), "badge.yml")
    world.commit()
    run = world.run("push", on_main(), workflow="")
    assert run.failed == set(), run.log
    for called in ("churn", "fraud"):
        assert re.search(rf"\[{called}/Model CI/verdict\s*\].*Job succeeded", run.log), run.log
    assert registry.champion == "1"
    assert registry.kinds == ["intent", "promotion"]

    drawn = world.run("schedule", {"repository": {"default_branch": "main"}}, workflow="badge.yml")
    assert drawn.failed == set(), drawn.log
    badge = world.git("show", "gates-pictures:badges/telco-churn-champion.svg")
    assert "v1 · pass · roc_auc 0." in badge
