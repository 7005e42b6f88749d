"""Who made the change: everybody who had a hand in what came since the last promotion, by whatever road it came."""

from __future__ import annotations

import pytest
from fake_github import Trouble
from fake_promotion import RUN, SHA, FakePromotion, Made, Pulled

from gates.errors import Exit, GatesError
from gates.github.people import makers
from gates.github.people.approvals import UnapprovedError, Why
from gates.github.people.reviewers import Approvers
from gates.github.rest_api import Client
from gates.policy import Promotion, Stage

CAROL, ALICE, DAN = (1, "carol", "User"), (3, "alice", "User"), (6, "dan", "User")
STARTER, EVE = (2, "starter", "User"), (7, "eve", "User")
BASE, OLDER = "b" * 40, "0" * 40
MAIL = "alice@home.example"
WITH_ALICE = "work\n\nCo-authored-by: Alice <3+alice@users.noreply.github.com>"


def sha(number):
    return f"{number:040x}"


@pytest.fixture
def github():
    """Carol's commit, which Alice has approved; the last promotion was of Dan's. Illegal questions fail the test."""
    fake = FakePromotion("acme/churn")
    fake.world.environments = {"ml-lead": True}
    fake.world.approvals = [(["ml-lead"], ALICE, "approved", "")]
    history(fake)
    yield fake
    fake.stop()


def history(github, *between, head=None, pulled=None, before=()):
    head = head or Made(SHA, CAROL, pulls=(7,))
    github.world.history = [Made(OLDER, ALICE), *before, Made(BASE, DAN), *between, head]
    github.world.pulled = {7: Pulled(CAROL, (Made(sha(77), CAROL),)), **(pulled or {})}


def ask(github, since=BASE):
    client = Client(github.url, "ghs_bot", retries=1, backoff=0)
    promotion = Promotion(approvals=("ml-lead",))
    approvers = Approvers(client=client, repository="acme/churn", run_id=RUN, promotion=promotion, since=since)
    return approvers(Stage(alias="champion", approvals=("ml-lead",)), "sha256:" + "0" * 64)


def refused(github, **more):
    with pytest.raises(UnapprovedError) as caught:
        ask(github, **more)
    return caught.value


def head(message):
    return Made(SHA, CAROL, message=message, pulls=(7,))


def case(*between, **more):
    return lambda github: history(github, *between, **more)


def known_elsewhere(github):
    """The address stands in a commit of before the last promotion."""
    history(github, head=head(f"work\n\nCo-authored-by: A <{MAIL}>"), before=[Made(sha(9), ALICE, email=MAIL)])


def by_mailmap(github):
    history(github, head=head("work\n\nCo-authored-by: A <a@old.example>"))
    github.world.mailmap = "# people\nAlice <3+alice@users.noreply.github.com> A <a@OLD.example>\n"


def author_by_mailmap(github):
    history(github, Made(sha(9), None, email="a@old.example"))
    github.world.mailmap = "<3+alice@users.noreply.github.com> <a@old.example>\n"


def by_login(github):
    history(github, head=head("work\n\nCo-authored-by: Alice <Alice@users.noreply.github.com>"))
    github.world.users = {"alice": 3}


def of_many(github):
    """A squashed pull request of more commits than GitHub lists."""
    many = [Made(sha(1000 + number), CAROL) for number in range(300)]
    history(github, Made(sha(9), CAROL, pulls=(5,)), pulled={5: Pulled(CAROL, (*many, Made(sha(8), ALICE)))})


ALICES = {
    "the merge queue pushed her pull request with another": case(
        Made(sha(9), CAROL, pulls=(5,)), pulled={5: Pulled(ALICE, (Made(sha(8), CAROL),))}
    ),
    "of a squashed pull request she made one commit": case(
        Made(sha(9), CAROL, pulls=(5,)),
        pulled={5: Pulled(CAROL, (Made(sha(6), CAROL), Made(sha(8), ALICE)))},
    ),
    "of a squashed pull request she helped with one commit": case(
        Made(sha(9), CAROL, pulls=(5,)),
        pulled={5: Pulled(CAROL, (Made(sha(8), CAROL, message=WITH_ALICE),))},
    ),
    "her squashed pull request has many commits": of_many,
    "the run of her push was cancelled": case(Made(sha(9), ALICE)),
    "she committed what another wrote": case(Made(sha(9), DAN, committer=ALICE)),
    "many commits ago": case(Made(sha(9), ALICE), *(Made(sha(100 + number), CAROL) for number in range(150))),
    "as a co-author by her number": case(
        head=head(WITH_ALICE)
    ),
    "as a co-author, in other letters": case(
        head=head("work\r\n\r\nCO-AUTHORED-BY:Alice  < 3+Alice@Users.NoReply.GitHub.com >\r\n")
    ),
    "as a co-author by her login": by_login,
    "as a co-author whose address stands in another commit": case(
        Made(sha(9), DAN),
        head=head(f"work\n\nco-authored-by: A <{MAIL.upper()}>"),
        before=[Made(sha(8), ALICE, email=MAIL)],
    ),
    "as a co-author by an address of before": known_elsewhere,
    "as a co-author by .mailmap": by_mailmap,
    "as an author by .mailmap": author_by_mailmap,
    "as one of two co-authors": case(
        head=head(f"{WITH_ALICE}\nCo-authored-by: Dan <6+dan@users.noreply.github.com>")
    ),
}  # fmt: skip


@pytest.mark.parametrize("made", ALICES.values(), ids=ALICES)
def test_who_had_a_hand_in_it_does_not_approve(github, made):
    made(github)
    assert refused(github).why is Why.MADE_THE_CHANGE
    github.world.approvals = [(["ml-lead"], EVE, "approved", "")]
    assert [one.user.login for one in ask(github)] == ["eve"]  # negative control


def older(github):
    github.world.history = [Made(OLDER, ALICE), Made(SHA, CAROL, pulls=(7,)), Made(BASE, DAN)]


OTHERS = {
    "nothing of hers since the last promotion": case(),
    "what another wrote mentions the trailer": case(head=head("Write down what `Co-authored-by: alice` means")),
    "she signed off and reviewed": case(
        head=head("w\n\nSigned-off-by: A <3+alice@users.noreply.github.com>\nReviewed-by: A <alice@home.example>")
    ),
    "an older commit is trained again": older,
    "another one's commit in between": case(Made(sha(9), CAROL)),
}


@pytest.mark.parametrize("made", OTHERS.values(), ids=OTHERS)
def test_who_had_no_hand_in_it_may_approve(github, made):
    """Negative control: Alice made the oldest commit, which was promoted before."""
    made(github)
    assert [one.user.login for one in ask(github)] == ["alice"]


def test_the_same_commit_again_is_the_change_of_its_own_author(github):
    github.world.history = [Made(OLDER, DAN), Made(SHA, ALICE, pulls=())]
    assert refused(github, since=SHA).why is Why.MADE_THE_CHANGE


def test_a_first_promotion_looks_back_at_the_newest_commits(github, monkeypatch):
    assert refused(github, since=None).why is Why.MADE_THE_CHANGE
    monkeypatch.setattr(makers, "FIRST", 2)
    assert len(ask(github, since=None)) == 1
    github.page_size = 1
    assert len(ask(github, since=None)) == 1


UNKNOWN = {
    "an address of nobody": (case(head=head("w\n\nCo-authored-by: Pat <pat@old.example>")), "Pat <pat@old.example>"),
    "no address": (case(head=head("w\n\nCo-authored-by: Pat")), "Pat"),
    "no name either": (case(head=head("w\n\nCo-authored-by:")), "nobody GitHub knows"),
    "an author of before": (case(Made(sha(9), None, email="old@acme.example")), "<old@acme.example>"),
    "a login that is none": (
        case(head=head("w\n\nCo-authored-by: Pat <pat@users.noreply.github.com>")),
        "Pat <pat@users.noreply.github.com>",
    ),
    "a number that another host gave out": (
        case(head=head("w\n\nCo-authored-by: Pat <3+pat@users.noreply.github.evil.example>")),
        "Pat <3+pat@users.noreply.github.evil.example>",
    ),
    "of a squashed pull request": (
        case(Made(sha(9), CAROL, pulls=(5,)), pulled={5: Pulled(CAROL, (Made(sha(8), None, email="p@old.example"),))}),
        "<p@old.example>",
    ),
}


@pytest.mark.parametrize(("made", "named"), UNKNOWN.values(), ids=UNKNOWN)
def test_whoever_can_not_be_told_is_named_with_a_way_out(github, made, named):
    made(github)
    error = refused(github)
    assert error.why is Why.UNKNOWN_AUTHOR
    assert named in str(error)
    assert ".mailmap" in str(error)


def vanished(github):
    github.world.history = github.world.history[2:]


def miscounted(github):
    github.world.counted = 250


def without_the_head(github):
    history(github, Made(sha(9), CAROL))
    github.world.counted = 1
    github.page_size = 1
    github.world.history = [one for one in github.world.history if one.sha != SHA]


@pytest.mark.parametrize("change", [vanished, miscounted, without_the_head])
def test_a_history_that_is_not_told_whole_is_no_approval(github, change):
    change(github)
    with pytest.raises(GatesError) as caught:
        ask(github)
    assert caught.value.exit_code in (Exit.STOP, Exit.OUTSIDE)


def test_the_promoted_commit_that_github_lost_can_be_pushed_again(github):
    vanished(github)
    assert f"git push origin {BASE}:refs/tags/" in str(refused(github))


def test_many_pages_are_read(github):
    github.page_size = 1
    history(github, Made(sha(9), ALICE), Made(sha(8), CAROL), Made(sha(6), CAROL))
    assert refused(github).why is Why.MADE_THE_CHANGE


TROUBLES = [
    [Trouble(403, "Resource not accessible by integration")] * 3, [Trouble(500)] * 3, [Trouble(hang_up=True)] * 3,
    [Trouble(200, raw=b"{}")] * 3, [Trouble(200, raw=b"[]")] * 3, [Trouble(200, raw=b'[{"id": 1}]')] * 3,
    [Trouble(200, raw=b'{"total_commits": 0, "commits": []}')] * 3,
    [Trouble(200, raw=b'{"total_commits": 1, "commits": [')] * 3,
]  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    ("operation", "since"), [("repos/compare-commits-with-basehead", BASE), ("repos/list-commits", None)]
)
def test_trouble_is_never_an_approval(github, operation, since, trouble):
    history(github, Made(sha(9), ALICE))
    github.fail("GET", operation, *trouble)
    with pytest.raises(GatesError) as caught:
        ask(github, since=since)
    assert not (isinstance(caught.value, UnapprovedError) and caught.value.why is Why.MADE_THE_CHANGE)
