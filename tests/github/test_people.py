"""Approvals read through GitHub's API: every request and answer as GitHub describes them; trouble is no approval."""

from __future__ import annotations

import pytest
from fake_github import Trouble
from fake_promotion import HEAD, RUN, FakePromotion

from gates.errors import Exit, GatesError
from gates.github.people.approvals import UnapprovedError, Why
from gates.github.people.reviewers import OWN, Approvers, slug, weaker_policy_approved
from gates.github.rest_api import Client
from gates.policy import Promotion, Stage

DIGEST = "sha256:" + "0123456789abcdef" * 4
QUOTE = "0123456789ab"
ROLES = ("data-steward", "ml-lead")
AUTHOR, STARTER = (1, "author", "User"), (2, "starter", "User")
XENIA, YURI = (3, "xenia", "User"), (4, "yuri", "User")
BOT = (5, "approve-all[bot]", "Bot")


@pytest.fixture
def github():
    """A run that Xenia and Yuri have approved; whatever GitHub's description does not know fails the test."""
    fake = FakePromotion("acme/churn")
    fake.world.environments = dict.fromkeys((*ROLES, "production"), True)
    fake.world.approvals = [
        (["data-steward"], XENIA, "approved", f"read {QUOTE}"),
        (["ml-lead"], YURI, "approved", f"read {QUOTE}"),
    ]
    yield fake
    fake.stop()


def ask(github, roles=ROLES, login="ghs_bot", since=OWN, **promotion):
    client = Client(github.url, login, retries=1, backoff=0)
    asked = Promotion(approvals=tuple(roles), **promotion)
    approvers = Approvers(client=client, repository="acme/churn", run_id=RUN, promotion=asked, since=since)
    return approvers(Stage(alias="champion", approvals=tuple(roles)), DIGEST)


def refused(github, **other):
    with pytest.raises(UnapprovedError) as caught:
        ask(github, **other)
    return caught.value.why


def reviewed(github, *reviews):
    """As in a private repository below Enterprise: environments without reviewers, a reviewed pull request."""
    github.world.environments = dict.fromkeys(ROLES, False)
    github.world.approvals = []
    github.world.teams = {"acme/data-steward": {"xenia", "author"}, "acme/ml-lead": {"yuri", "xenia"}}
    github.world.reviews = list(reviews)


def test_who_approved_is_told_with_all_that_can_be_proven(github):
    first, second = ask(github)
    assert (first.role, first.user.id, first.user.login, first.user.type) == ("data-steward", 3, "xenia", "User")
    assert (first.environment.id, first.environment.name) == (100, "data-steward")
    assert (first.not_before, first.not_after) == ("2027-01-01T09:10:00Z", "2027-01-01T09:40:00Z")
    assert first.time_source == "deployment and the first status of its job"
    assert (first.state, first.comment, first.quoted_digest) == ("approved", f"read {QUOTE}", True)
    assert second.user.login == "yuri"


def test_without_a_deployment_the_start_of_the_run_is_all_that_is_proven(github):
    github.world.deployed = False
    first, _ = ask(github)
    assert (first.not_before, first.not_after, first.time_source) == ("2027-01-01T09:00:00Z", None, "start of the run")


def test_a_stage_without_roles_asks_nothing(github):
    assert ask(github, roles=()) == ()
    assert github.asked == []


def test_many_pages_are_read(github):
    github.page_size = 1
    assert len(ask(github)) == 2


def set_world(**changes):
    def change(github):
        for name, value in changes.items():
            setattr(github.world, name, value)

    return change


def approve(*approvals):
    return set_world(approvals=list(approvals))


@pytest.mark.parametrize(
    ("why", "change"),
    [
        (Why.NO_ENVIRONMENT, set_world(environments={"ml-lead": True})),
        (Why.NO_ENVIRONMENT, set_world(environments={})),
        (Why.NO_REVIEWERS, set_world(environments={"data-steward": False, "ml-lead": True})),
        (Why.NO_REVIEWERS, set_world(environments=dict.fromkeys(ROLES, False))),
        (Why.NO_APPROVAL, approve()),
        (Why.NO_APPROVAL, approve((["data-steward"], XENIA, "approved", ""))),
        (Why.NO_APPROVAL, approve((["production"], XENIA, "approved", ""), (["production"], YURI, "approved", ""))),
        (Why.REJECTED, approve((["data-steward"], XENIA, "approved", ""), (["ml-lead"], YURI, "rejected", ""))),
        (Why.NOT_DISTINCT, approve((list(ROLES), XENIA, "approved", ""))),
        (Why.NOT_A_PERSON, approve((["data-steward"], BOT, "approved", ""), (["ml-lead"], YURI, "approved", ""))),
        (Why.MADE_THE_CHANGE, approve((["data-steward"], AUTHOR, "approved", ""))),
        (Why.STARTED_THE_RUN, approve((["data-steward"], STARTER, "approved", ""))),
        (Why.STARTED_THE_RUN, set_world(triggering=XENIA)),
        (Why.NOT_FIRST_ATTEMPT, set_world(attempt=2)),
        (Why.UNKNOWN_AUTHOR, set_world(author=None)),
        (Why.INCOMPLETE, set_world(commits=251)),
    ],
)
def test_a_run_that_is_not_approved_has_its_reason(github, why, change):
    change(github)
    assert refused(github) is why


def test_a_repository_turned_private_has_no_rules_any_more(github):
    """Its environments stay, their rules are ignored and no longer told; approvals of before do not help."""
    github.world.environments = dict.fromkeys(github.world.environments, False)
    assert refused(github) is Why.NO_REVIEWERS


def test_the_team_that_the_policy_names(github):
    assert refused(github, team="acme/risk") is Why.NOT_IN_TEAM
    github.world.teams = {"acme/risk": {"xenia", "yuri"}}
    assert len(ask(github, team="acme/risk")) == 2


def test_the_digest_that_the_policy_wants_quoted(github):
    assert len(ask(github, quote_digest=True)) == 2
    github.world.approvals[1] = (["ml-lead"], YURI, "approved", "fine by me")
    assert refused(github, quote_digest=True) is Why.DIGEST_NOT_QUOTED
    assert len(ask(github)) == 2  # the control


def test_one_person_may_fill_two_roles_where_the_policy_lets_them(github):
    github.world.approvals = [(list(ROLES), XENIA, "approved", "")]
    assert [one.user.login for one in ask(github, distinct_people=False)] == ["xenia", "xenia"]


def test_reviews_of_the_pull_request_take_the_place_of_environments_without_reviewers(github):
    reviewed(github, (XENIA, "APPROVED", f"read {QUOTE}", HEAD), (YURI, "APPROVED", "", HEAD))
    first, second = ask(github)
    assert (first.role, first.user.login, first.environment, first.quoted_digest) == (
        "data-steward",
        "xenia",
        None,
        True,
    )
    assert (first.not_before, first.not_after) == ("2027-01-01T07:00:00Z", "2027-01-01T07:00:00Z")
    assert first.time_source == "review of the pull request"
    assert second.user.login == "yuri"


@pytest.mark.parametrize(
    ("why", "reviews"),
    [
        (Why.NO_REVIEWERS, []),
        (Why.NO_REVIEWERS, [(XENIA, "COMMENTED", "", HEAD)]),
        (Why.NO_APPROVAL, [(YURI, "APPROVED", "", HEAD)]),
        (
            Why.NOT_DISTINCT,
            [(XENIA, "APPROVED", "", HEAD), (YURI, "APPROVED", "", HEAD), (YURI, "DISMISSED", "", HEAD)],
        ),
        (Why.REJECTED, [(XENIA, "APPROVED", "", HEAD), (YURI, "CHANGES_REQUESTED", "", HEAD)]),
        (Why.OTHER_COMMIT, [(XENIA, "APPROVED", "", "e" * 40), (YURI, "APPROVED", "", HEAD)]),
        (Why.MADE_THE_CHANGE, [(AUTHOR, "APPROVED", "", HEAD), (YURI, "APPROVED", "", HEAD)]),
        (Why.NOT_DISTINCT, [(XENIA, "APPROVED", "", HEAD)]),
    ],
)
def test_reviews_that_do_not_approve_have_their_reason(github, why, reviews):
    reviewed(github, *reviews)
    assert refused(github) is why


def test_reviews_of_a_pull_request_that_did_not_bring_the_commit_count_for_nothing(github):
    reviewed(github, (XENIA, "APPROVED", "", HEAD), (YURI, "APPROVED", "", HEAD))
    github.world.merged = False
    assert refused(github) is Why.NO_REVIEWERS


OPERATIONS = [
    "actions/get-workflow-run", "repos/get-environment", "actions/get-reviews-for-run", "repos/list-deployments",
    "repos/list-deployment-statuses", "repos/list-pull-requests-associated-with-commit", "pulls/get",
    "repos/get-commit", "pulls/list-commits",
]  # fmt: skip
TROUBLES = {
    "403": [Trouble(403, "Resource not accessible by integration")] * 3,
    "404": [Trouble(404, "Not Found")] * 3,
    "500": [Trouble(500)] * 3,
    "502": [Trouble(502)] * 3,
    "no answer": [Trouble(hang_up=True)] * 3,
    "half a page": [Trouble(200, raw=b'[{"state": "approved", "comm')] * 3,
    "an empty answer": [Trouble(200, raw=b"")] * 3,
    "nothing in it": [Trouble(200, raw=b"{}")] * 3,
    "an empty list": [Trouble(200, raw=b"[]")] * 3,
    "null": [Trouble(200, raw=b"null")] * 3,
    "other objects": [Trouble(200, raw=b'[{"id": 1}]')] * 3,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_never_an_approval(github, operation, trouble):
    """Whatever GitHub does instead of answering, nobody has approved. A list says what there is: without a deployment
    of this run the times stay open, without a pull request the commit's own author is the one who made the change."""
    harmless = {"an empty list repos/list-pull-requests-associated-with-commit"} | {
        f"{trouble} repos/{operation}"
        for trouble in ("an empty list", "other objects")
        for operation in ("list-deployments", "list-deployment-statuses")
    }
    github.fail("GET", operation, *TROUBLES[trouble])
    if f"{trouble} {operation}" in harmless:
        ask(github)
        return
    with pytest.raises(GatesError) as caught:
        ask(github)
    assert caught.value.exit_code in (Exit.STOP, Exit.OUTSIDE)


def test_a_token_that_is_none_is_told(github):
    with pytest.raises(GatesError, match="token") as caught:
        ask(github, login="ghs_nobody")
    assert caught.value.exit_code is Exit.OUTSIDE


def weaker(github):
    client = Client(github.url, "ghs_bot", retries=1, backoff=0)
    return weaker_policy_approved(client, "acme/churn", 7, HEAD)


def test_a_weaker_policy_is_approved_by_a_review_of_this_very_commit(github):
    github.world.writers = {"xenia", "author"}
    github.world.reviews = [(XENIA, "APPROVED", "", HEAD)]
    assert weaker(github) == "xenia"


@pytest.mark.parametrize(
    "changes",
    [
        {"reviews": []},
        {"reviews": [(XENIA, "COMMENTED", "", HEAD)]},
        {"reviews": [(XENIA, "APPROVED", "", "e" * 40)]},
        {"reviews": [(XENIA, "APPROVED", "", HEAD), (XENIA, "CHANGES_REQUESTED", "", HEAD)]},
        {"reviews": [(XENIA, "APPROVED", "", HEAD), (XENIA, "DISMISSED", "", HEAD)]},
        {"reviews": [(AUTHOR, "APPROVED", "", HEAD)]},
        {"reviews": [(YURI, "APPROVED", "", HEAD)]},  # may only read
        {"reviews": [((3, "xenia", "Bot"), "APPROVED", "", HEAD)]},
        {"head": "e" * 40},
        {"author": None},
    ],
)
def test_a_weaker_policy_that_nobody_who_may_has_approved(github, changes):
    github.world.writers = {"xenia", "author"}
    github.world.reviews = [(XENIA, "APPROVED", "", HEAD)]
    set_world(**changes)(github)
    assert weaker(github) is None


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    "operation", ["pulls/get", "pulls/list-commits", "pulls/list-reviews", "repos/get-collaborator-permission-level"]
)
def test_trouble_approves_no_weaker_policy(github, operation, trouble):
    github.world.writers = {"xenia"}
    github.world.reviews = [(XENIA, "APPROVED", "", HEAD)]
    github.fail("GET", operation, *TROUBLES[trouble])
    if trouble == "an empty list" and operation == "pulls/list-reviews":
        assert weaker(github) is None
        return
    with pytest.raises(GatesError):
        weaker(github)


@pytest.mark.parametrize(("role", "team"), [("ml-lead", "ml-lead"), ("ML Lead", "ml-lead"), ("a/b.c", "a-b-c")])
def test_a_team_is_called_like_its_role(role, team):
    assert slug(role) == team


def test_an_environment_whose_name_needs_escaping(github):
    github.world.environments = {"ml lead/eu": True}
    github.world.approvals = [(["ml lead/eu"], XENIA, "approved", "")]
    assert [one.user.login for one in ask(github, roles=["ml lead/eu"])] == ["xenia"]
