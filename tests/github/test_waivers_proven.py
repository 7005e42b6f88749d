"""A waiver holds only where GitHub says who approved it, or where the policy openly asks nobody."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_promotion import RUN, FakePromotion
from test_approvals_cli import XENIA, git, project_of, push, records

from gates.documents.record import Record, RecordKind, Run, User, Waiver
from gates.github.people.waived import approvals, proof
from gates.ledger.acceptances import holding
from gates.ledger.ledger import Ledger, opened
from gates.policy import Promotion
from gates.promotion.provenance import draft

sys.path.insert(0, str(Path(__file__).parent.parent / "promotion"))

DIGEST = "sha256:" + "1" * 64
RECALL = {"metric": "recall", "min": 0.79}  # on these rows: inconclusive
WAIVE = ("waive", "--gate", "recall:min", "--reason", "few rows", "--until", "2999-12-31")


@pytest.fixture
def github() -> Iterator[FakePromotion]:
    fake = FakePromotion("acme/churn")
    fake.world.environments = {"gates-waive": True}
    fake.world.approvals = [(["gates-waive"], XENIA, "approved", "read it")]
    yield fake
    fake.stop()


@pytest.fixture
def environ(github: FakePromotion, tmp_path: Path) -> dict[str, str]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": "b" * 40, "repository": {"default_branch": "main", "id": 1}}))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/churn", "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": str(RUN),
        "GITHUB_SHA": "c" * 40, "GITHUB_REF": "refs/heads/main", "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "ghs_bot",
    }  # fmt: skip


WAIVER = Waiver(
    decision=DIGEST, gate="recall", rule="min", slice=None, against=None, verdict="inconclusive", value=0.8, bound=0.7,
    who=User(id=2, login="ceo@acme.example", type=None), reason="few rows", until="2999-12-31",
)  # fmt: skip


def given(**run: Any) -> Record:
    """A waiver's record of a run on GitHub, but for what is said here."""
    made = Run(
        provider="github", repository="acme/churn", repository_id=1, run_id=RUN, run_attempt=1, event="push",
        actor=User(id=2, login="starter", type=None), triggering_actor=None,
    )  # fmt: skip
    return replace(
        draft("churn", replace(made, **run), RecordKind.WAIVER, None, "why"), decision=DIGEST, waivers=(WAIVER,)
    )


def approved_by(*people: Any, state: str = "approved") -> Callable[[FakePromotion], None]:
    def change(github: FakePromotion) -> None:
        github.world.approvals = [(["gates-waive"], who, state, "") for who in people]

    return change


STARTER = (2, "starter", "User")
AUTHOR = (1, "author", "User")
CASES: dict[str, tuple[dict[str, Any], Callable[[FakePromotion], Any], str | None]] = {
    "approved in a run on GitHub": ({}, lambda _: None, None),
    "given on a laptop": ({"provider": "local", "run_id": None}, lambda _: None, "not given in a run"),
    "given in another repository": ({"repository": "evil/churn"}, lambda _: None, "not given in a run"),
    "of no run": ({"run_id": None}, lambda _: None, "not given in a run"),
    "nobody approved": ({}, approved_by(), "nobody approved as gates-waive"),
    "somebody rejected it": ({}, approved_by(XENIA, state="rejected"), "rejected"),
    "who started the run approved": ({}, approved_by(STARTER), "started the run"),
    "who made the change approved": ({}, approved_by(AUTHOR), "made the change"),
    "the environment asks nobody": (
        {}, lambda g: g.world.environments.update({"gates-waive": False}), "requires no reviewer",
    ),
    "there is no such environment": ({}, lambda g: g.world.environments.clear(), "no environment gates-waive"),
    "the run was started again": ({}, lambda g: setattr(g.world, "attempt", 2), "attempt 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_waiver_holds_only_with_a_proof(github: FakePromotion, environ: dict[str, str], name: str) -> None:
    run, change, why = CASES[name]
    change(github)
    told = proof(Promotion(), environ)(given(**run))
    assert (told is None) == (why is None), told
    assert why is None or why in str(told)


def test_a_policy_may_say_openly_that_nobody_is_asked() -> None:
    laptop = {"provider": "local", "run_id": None}
    assert proof(Promotion(open_waivers=True), {})(given(**laptop)) is None
    assert approvals(Promotion(open_waivers=True), {})(DIGEST) == ()
    assert "only a run on GitHub" in str(proof(Promotion(), {})(given()))


@pytest.mark.parametrize("roles", [("gates-waive", "risk"), ("risk",)])
def test_the_roles_that_the_policy_names_are_asked(
    github: FakePromotion, environ: dict[str, str], roles: tuple[str, ...]
) -> None:
    github.world.environments["risk"] = True
    promotion = Promotion(waiver_approvals=roles)
    assert "nobody approved as risk" in str(proof(promotion, environ)(given()))
    github.world.approvals.append((["risk"], (4, "yuri", "User"), "approved", ""))
    assert proof(promotion, environ)(given()) is None


def test_a_run_proves_the_first_record_that_names_it(tmp_path: Path, environ: dict[str, str]) -> None:
    git(tmp_path, "init", "--quiet")
    ledger: Ledger = opened(tmp_path, {**environ, "GATES_LEDGER": "local"})
    forged = replace(WAIVER, gate="roc_auc")
    for record in (given(), replace(given(), waivers=(forged,))):
        bare = replace(record, decision=None)
        ledger.append(bare, {}, after=ledger.head())
    held, told = holding(ledger, ledger.head(), "churn", lambda _: None, "2026-01-01")
    assert held == (WAIVER,)
    assert "has given an earlier one" in told[0]


def test_from_the_waiver_to_the_promotion_on_github(tmp_path: Path, github: FakePromotion) -> None:
    project = project_of(tmp_path, gates=[{"metric": "roc_auc", "min": 0.6}, RECALL])
    env = push(project, github)
    project.gates("run")
    laptop = project.gates(*WAIVE)
    assert (laptop.code, "open_waivers" in laptop.err) == (1, True), laptop.err
    github.world.approvals.clear()
    assert project.gates(*WAIVE, **env).code == 1
    github.world.approvals = [(["gates-waive"], XENIA, "approved", "read it")]
    assert project.gates(*WAIVE, **env).code == 0
    assert [one["user"]["login"] for one in records(project)[0]["approvals"]] == ["xenia"]
    assert project.gates("promote").code == 1, "a laptop can't ask who approved"
    done = project.gates("promote", **env)
    assert done.code == 0, done.err
    assert [one["gate"] for one in records(project)[0]["waivers"]] == ["recall"]
    assert project.gates("verify", "--all").code == 0
