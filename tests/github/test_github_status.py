from __future__ import annotations

from dataclasses import replace

import pytest
from fake_github import FakeGitHub, Trouble
from hypothesis import given
from hypothesis import strategies as st

from gates.documents.decision import Code, Verdict, could_not_judge, unchanged
from gates.errors import Exit, GatesError
from gates.github.event import Event
from gates.github.reporting.commit_status import Status, kept, put
from gates.github.rest_api import Client
from gates.pipeline.publish import LONGEST, status_of
from gates.report.run_facts import Facts

POST = ("POST", "repos/create-commit-status")
STATUS = Status(state="success", context="gates/verdict (gates.yaml into main)", description="fine")


def test_it_stands_on_the_head_commit_under_a_name_of_its_own(github: FakeGitHub, client: Client, event: Event) -> None:
    told = put(client, event, STATUS)
    (status,) = github.statuses
    assert github.asked[0].path == f"/repos/acme/churn/statuses/{event.head_sha}"
    assert (status["state"], status["context"]) == ("success", "gates/verdict (gates.yaml into main)")
    assert status["target_url"] == "https://github.com/acme/churn/actions/runs/11"
    assert told == "The status gates/verdict (gates.yaml into main) of aaaaaaa is success."


@pytest.mark.parametrize(
    ("code", "state"),
    [(Exit.SHIP, "success"), (Exit.STOP, "failure"), (Exit.INPUT, "error"), (Exit.OUTSIDE, "error")],
)
def test_the_state_is_the_exit_codes(code: Exit, state: str) -> None:
    assert status_of(could_not_judge("churn", "why"), Facts(), code, "gates.yaml").state == state


def test_what_it_says() -> None:
    decision = replace(could_not_judge("churn", "the training failed"), verdict=Verdict.ERROR)
    assert status_of(decision, Facts(), Exit.INPUT, "g").description == "could not judge: the training failed"
    nothing = replace(decision, verdict=Verdict.INCONCLUSIVE, code=Code.NOTHING_JUDGED)
    told = status_of(nothing, Facts(observing="2027-03-01", fork=True), Exit.SHIP, "g").description
    assert told.startswith("reported by a fork, not verified: observing until 2027-03-01: cannot tell yet")
    assert "unchanged" in status_of(unchanged("churn", "x"), Facts(), Exit.SHIP, "g").description


@given(st.text(max_size=400))
def test_it_fits_and_is_one_line(why: str) -> None:
    told = status_of(could_not_judge("churn", why), Facts(), Exit.INPUT, "g").description
    assert told.isprintable()
    assert len(told) <= LONGEST


# -- where nothing has changed --

CONTEXT = "gates/verdict (gates.yaml on main, push)"
BEFORE = "b" * 40


@pytest.mark.parametrize(
    ("name", "at_head", "before", "kept_as"),
    [
        ("push", None, "failure", "failure"),
        ("push", None, "error", "error"),
        ("push", None, "pending", "error"),
        ("push", None, "success", None),
        ("push", None, None, None),
        ("push", "failure", "success", "failure"),
        ("push", "success", "failure", None),  # judged anew at this very commit
        ("pull_request", "failure", None, "failure"),
        ("pull_request", None, "failure", None),  # the base branch's verdict is not the pull request's
        ("merge_group", None, "failure", None),
    ],
)
def test_a_refusal_stands_until_something_is_judged(
    github: FakeGitHub, client: Client, event: Event, name: str, at_head: str | None, before: str | None,
    kept_as: str | None,
) -> None:  # fmt: skip
    for commit, state in ((event.head_sha, at_head), (BEFORE, before)):
        if state:
            github.judged(commit, CONTEXT.upper(), state)  # GitHub tells no capitals apart
        github.judged(commit, "another", "failure")
    stands = kept(client, replace(event, name=name), CONTEXT)
    assert (stands.state if stands else None) == kept_as


def test_whether_a_refusal_stands_is_never_guessed(github: FakeGitHub, client: Client, event: Event) -> None:
    github.fail("GET", "repos/get-combined-status-for-ref", Trouble(403, "Resource not accessible by integration"))
    with pytest.raises(GatesError, match="statuses: read"):
        kept(client, event, CONTEXT)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(500), Trouble(502, done=True), Trouble(502, hang_up=True), Trouble(502, unanswered=True),
        Trouble(201, raw=b"{"), Trouble(429, headers={"Retry-After": "0"}),
        Trouble(403, "You have exceeded a secondary rate limit.", headers={"Retry-After": "0"}),
    ],
    ids=repr,
)  # fmt: skip
def test_passing_trouble_is_got_over(github: FakeGitHub, client: Client, event: Event, trouble: Trouble) -> None:
    github.fail(*POST, trouble)
    put(client, event, STATUS)
    assert github.statuses[-1]["state"] == "success"


@pytest.mark.parametrize(
    "trouble",
    [Trouble(401, "Bad credentials"), Trouble(422, "Validation Failed"), Trouble(500), Trouble(502, hang_up=True),
     Trouble(403, "API rate limit exceeded"), Trouble(429, headers={"Retry-After": "0"})],
    ids=repr,
)  # fmt: skip
def test_lasting_trouble_is_told(github: FakeGitHub, client: Client, event: Event, trouble: Trouble) -> None:
    github.fail(*POST, *[trouble] * 12)
    with pytest.raises(GatesError, match="could not set the commit's status") as caught:
        put(client, event, STATUS)
    assert caught.value.exit_code is Exit.OUTSIDE


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_right_is_told_with_the_line_to_add(
    github: FakeGitHub, client: Client, event: Event, status: int
) -> None:
    github.fail(*POST, Trouble(status, "Resource not accessible by integration"))
    told = put(client, event, STATUS)
    assert told.startswith("No status: ")
    assert "`statuses: write`" in told


def test_a_forks_run_asks_for_nothing(github: FakeGitHub, client: Client, event: Event) -> None:
    assert put(client, replace(event, is_fork=True), STATUS).startswith("No status: ")
    assert github.asked == []
