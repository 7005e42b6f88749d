from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_github import BOT, FakeGitHub, Trouble
from hypothesis import example, given
from hypothesis import strategies as st

from gates.documents.decision import Past, Verdict
from gates.errors import Exit, GatesError
from gates.github.event import Event
from gates.github.reporting import comment
from gates.github.reporting.comment import Marker, Outcome, compose, parse, sync
from gates.github.rest_api import Client

HEAD = "a" * 40
NUMBER = "1001"  # the first comment's, by the fake GitHub
Say = Callable[..., Outcome]
PASS, INCONCLUSIVE, FAIL, ERROR = Verdict

# -- the marker --


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    verdict=st.sampled_from(Verdict),
    body=st.text(max_size=200),
)
@example("churn --> <b>", PASS, "fine")
@example("---", FAIL, "fine")
@example("a b\nhead=x", ERROR, "<!-- gates:v2 id=1001 key=churn base=main head=" + "b" * 40 + " verdict=pass -->")
def test_a_marker_comes_back_and_is_one_closed_html_comment(key: str, verdict: Verdict, body: str) -> None:
    marker = Marker(id=NUMBER, base="main", key=key, head=HEAD, verdict=verdict)
    text = compose(body, marker)
    assert parse(text) == marker
    line = text.split("\n")[-1]
    assert line.count("--") == 2
    assert line.isascii()


MARKER = f"<!-- gates:v2 id=1001 key=churn base=main head={HEAD} verdict=pass -->"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no marker",
        f"{MARKER}\nand more",
        f"text {MARKER}",
        f"> {MARKER}",
        MARKER.replace("v2", "v1"),
        MARKER.replace("pass", "great"),
        MARKER.replace(HEAD, HEAD[:39]),
        MARKER.replace("key=churn", "key="),
        MARKER.replace("churn", "%FF"),
    ],
)
def test_what_is_no_marker(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", [MARKER, f"x\n{MARKER}\n", f"x\r\n\r\n{MARKER}\r\n"])
def test_what_is_a_marker_though_github_touched_it(text: str) -> None:
    assert parse(text) == Marker(id=NUMBER, base="main", key="churn", head=HEAD, verdict=PASS)


@pytest.mark.parametrize(
    "marker",
    [
        Marker(id=NUMBER, base="main", key="", head=HEAD, verdict=PASS),
        Marker(id=NUMBER, base="main", key="x", head="a", verdict=PASS),
    ],
)
def test_a_marker_that_would_not_come_back_is_not_written(marker: Marker) -> None:
    with pytest.raises(ValueError, match="can't be written as a marker"):
        compose("text", marker)


def test_a_comment_may_fill_githubs_limit_and_not_pass_it() -> None:
    marker = Marker(id=NUMBER, base="main", key="churn", head=HEAD, verdict=PASS)
    room = comment.LONGEST - len(compose("", marker))
    assert len(compose("x" * room, marker)) == comment.LONGEST
    with pytest.raises(GatesError, match="65,537 characters"):
        compose("x" * (room + 1), marker)


# -- the comment on the pull request --


@pytest.fixture
def say(client: Client, event: Event) -> Say:
    def say(body: str, verdict: Verdict = PASS, key: str = "churn", **changes: Any) -> Outcome:
        return sync(client, event, lambda _: body, key=key, base="main", verdict=verdict, **changes)

    return say


def test_first_posted_then_edited_then_left_alone(github: FakeGitHub, say: Say) -> None:
    assert say("one") is Outcome.CREATED
    assert say("two") is Outcome.EDITED
    github.asked.clear()
    assert say("two") is Outcome.UNCHANGED
    assert github.verbs() == ["pulls/get", "issues/list-comments"]
    (body,) = github.bodies()
    assert body.startswith("two\n\n<!-- gates:v2 id=1001 key=churn base=main ")


@pytest.mark.parametrize("before", Verdict)
@pytest.mark.parametrize("after", Verdict)
def test_edited_when_the_same_or_better_posted_anew_when_worse(
    github: FakeGitHub, say: Say, before: Verdict, after: Verdict
) -> None:
    say("before", before)
    old = github.comments[0]["id"]
    outcome = say("after", after)
    (new,) = github.comments
    assert new["body"].startswith("after")
    worse = list(Verdict).index(after) > list(Verdict).index(before)
    assert (outcome, new["id"] != old) == ((Outcome.REPLACED, True) if worse else (Outcome.EDITED, False))


def test_ours_is_found_behind_hundreds_of_others(github: FakeGitHub, say: Say) -> None:
    for number in range(130):
        github.say(7, f"chatter {number}", "dana")
    say("one")
    for number in range(130):
        github.say(7, f"more chatter {number}", "dana")
    assert say("two") is Outcome.EDITED
    assert len(github.comments) == 261
    assert github.verbs().count("issues/list-comments") == 2 + 3


def test_what_others_wrote_is_never_touched(github: FakeGitHub, say: Say) -> None:
    say("ours")
    (ours,) = github.bodies()
    others = [
        github.say(7, ours, "mallory"),  # a person who copied our comment
        github.say(7, ours, "other-app[bot]"),
        github.say(7, f"{ours}\nquoted", BOT),  # another workflow's comment that quotes us
        github.say(7, ours.replace("key=churn", "key=credit"), BOT),  # another policy's
    ]
    before = [dict(other) for other in others]
    assert say("ours, changed", FAIL) is Outcome.REPLACED
    assert [comment for comment in github.comments if comment in before] == before
    assert len(github.comments) == 5


def test_each_policy_has_its_own(github: FakeGitHub, say: Say) -> None:
    assert say("churn") is Outcome.CREATED
    assert say("credit", key="credit") is Outcome.CREATED
    assert say("credit again", key="credit") is Outcome.EDITED
    assert len(github.comments) == 2


@pytest.mark.parametrize("history", ["", f" before=pass:{'b' * 40}"])
def test_a_copy_of_our_comment_by_our_own_author_is_not_ours(
    github: FakeGitHub, client: Client, event: Event, history: str
) -> None:
    """Another workflow writes by the same login, and may be made to quote anything."""
    sync(client, event, lambda _: "ours", key="churn", base="main", verdict=FAIL)
    (ours,) = github.bodies()
    copy = dict(github.say(7, ours.replace("verdict=fail", f"verdict=pass{history}")))
    sync(client, event, told, key="churn", base="main", verdict=FAIL)
    assert copy in github.comments
    github.comments[:] = [copy]
    sync(client, event, told, key="churn", base="main", verdict=FAIL)
    assert github.comments[0] == copy
    assert github.comments[1]["body"].startswith("fail a\n")  # and nothing of its history


def test_of_two_branches_the_one_that_is_asked_has_the_comment(
    github: FakeGitHub, client: Client, event: Event
) -> None:
    sync(client, event, told, key="churn", base="main", verdict=PASS)
    assert sync(client, replace(event, branch="refs/heads/lax"), told, key="churn", base="lax", verdict=PASS) is (
        Outcome.MOVED
    )
    github.branches[7] = "lax"
    sync(client, replace(event, branch="refs/heads/lax"), told, key="churn", base="lax", verdict=FAIL)
    (body,) = github.bodies()
    assert body.startswith("fail a\n")  # the verdict for the other branch is none of this one's past


def test_of_several_the_newest_stays(github: FakeGitHub, say: Say) -> None:
    say("one")
    (body,) = github.bodies()
    newest = github.say(7, body.replace("one", "two").replace("id=1001", "id=1002"))["id"]
    github.comments.reverse()
    assert say("three") is Outcome.EDITED
    assert [comment["id"] for comment in github.comments] == [newest]


def test_a_run_that_was_overtaken_says_nothing(github: FakeGitHub, say: Say) -> None:
    say("one")
    github.heads[7] = "d" * 40
    github.asked.clear()
    assert say("late", ERROR) is Outcome.MOVED
    assert github.verbs() == ["pulls/get"]
    assert github.bodies()[0].startswith("one")


@pytest.mark.parametrize(
    ("changes", "outcome"), [({"is_fork": True}, Outcome.FORK), ({"pr": None}, Outcome.NO_PULL_REQUEST)]
)
def test_where_there_is_nothing_to_write_to_nothing_is_asked(
    github: FakeGitHub, client: Client, event: Event, changes: dict[str, Any], outcome: Outcome
) -> None:
    assert sync(client, replace(event, **changes), lambda _: "x", key="churn", base="main", verdict=PASS) is outcome
    assert github.asked == []


def test_every_outcome_is_told() -> None:
    assert all(outcome.told.endswith(".") for outcome in Outcome)


def test_another_author_may_be_named_in_any_case(github: FakeGitHub, event: Event) -> None:
    dana = Client(github.url, "ghp_dana", backoff=0)
    sync(dana, event, lambda _: "one", key="churn", base="main", verdict=PASS, author="Dana")
    sync(dana, event, lambda _: "two", key="churn", base="main", verdict=PASS, author="dana")
    assert len(github.bodies("dana")) == 1


def test_a_comment_that_would_never_be_found_again_is_taken_back(github: FakeGitHub, event: Event) -> None:
    dana = Client(github.url, "ghp_dana", backoff=0)
    with pytest.raises(GatesError, match="writes as dana, not as github-actions") as caught:
        sync(dana, event, lambda _: "one", key="churn", base="main", verdict=PASS)
    assert "--author 'dana'" in str(caught.value)
    assert caught.value.exit_code is Exit.INPUT
    assert github.comments == []


# -- the verdicts so far --


def told(history: tuple[Past, ...]) -> str:
    return " -> ".join(f"{past.verdict} {past.commit[:1]}" for past in history)


def test_the_comment_remembers_the_verdicts_of_the_pull_request(
    github: FakeGitHub, client: Client, event: Event
) -> None:
    outcomes = []
    for head, verdict in zip("abca", (PASS, FAIL, INCONCLUSIVE, PASS), strict=True):
        github.heads[7] = head * 40
        pushed = replace(event, head_sha=head * 40)
        outcomes.append(sync(client, pushed, told, key="churn", base="main", verdict=verdict))
    (body,) = github.bodies()
    assert body.startswith("fail b -> inconclusive c -> pass a\n")
    assert outcomes == [Outcome.CREATED, Outcome.REPLACED, Outcome.EDITED, Outcome.EDITED]


def test_a_second_run_of_a_commit_is_not_a_second_verdict(github: FakeGitHub, client: Client, event: Event) -> None:
    for verdict in (PASS, FAIL, FAIL):
        sync(client, event, told, key="churn", base="main", verdict=verdict)
    assert github.bodies()[0].startswith("fail a\n")


def test_the_comment_remembers_only_so_many(github: FakeGitHub, client: Client, event: Event) -> None:
    for number in range(30):
        github.heads[7] = f"{number:040x}"
        sync(client, replace(event, head_sha=github.heads[7]), told, key="churn", base="main", verdict=INCONCLUSIVE)
    (body,) = github.bodies()
    assert body.count("->") == comment._REMEMBERED  # one of them closes the marker
    marker = parse(body)
    assert marker is not None
    assert [past.commit for past in marker.history] == [f"{number:040x}" for number in range(22, 30)]


@pytest.mark.parametrize("before", ["x", "pass:a", f"great:{HEAD}", f"pass:{HEAD},", f"pass:{HEAD};", "%"])
def test_a_memory_that_is_none_is_no_marker(before: str) -> None:
    assert parse(MARKER.replace(" -->", f" before={before} -->")) is None
    assert parse(MARKER.replace(" -->", f" before=pass:{HEAD} -->")) is not None


def test_where_nothing_changed_only_what_stands_there_is_brought_up_to_date(github: FakeGitHub, say: Say) -> None:
    assert say("nothing to judge", INCONCLUSIVE, create=False) is Outcome.NOT_NEEDED
    assert github.comments == []
    say("one")
    assert say("nothing to judge", create=False) is Outcome.EDITED


# -- when GitHub fails --

LIST, POST, EDIT, DELETE = (
    ("GET", "issues/list-comments"),
    ("POST", "issues/create-comment"),
    ("PATCH", "issues/update-comment"),
    ("DELETE", "issues/delete-comment"),
)
PULL = ("GET", "pulls/get")
WAIT = {"Retry-After": "0"}

PASSING = {
    "server error": Trouble(500),
    "bad gateway": Trouble(502),
    "too many": Trouble(429, headers=WAIT),
    "secondary limit": Trouble(403, "You have exceeded a secondary rate limit.", headers=WAIT),
    "slow": Trouble(502, unanswered=True),
    "hung up": Trouble(502, hang_up=True),
    "done but unanswered": Trouble(502, done=True),
    "done but hung up": Trouble(502, done=True, hang_up=True),
    "done but slow": Trouble(502, done=True, unanswered=True),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("asked", [PULL, LIST, POST], ids=lambda asked: asked[1])
def test_passing_trouble_leaves_one_new_comment(
    github: FakeGitHub, say: Say, asked: tuple[str, str], trouble: Trouble
) -> None:
    github.fail(*asked, trouble)
    assert say("one") is Outcome.CREATED
    assert len(github.bodies()) == 1


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("asked", [LIST, DELETE, POST, EDIT], ids=lambda asked: asked[1])
@pytest.mark.parametrize("verdict", [PASS, FAIL])
def test_passing_trouble_leaves_one_changed_comment(
    github: FakeGitHub, say: Say, asked: tuple[str, str], trouble: Trouble, verdict: Verdict
) -> None:
    say("one")
    github.fail(*asked, trouble)
    say("two", verdict)
    (body,) = github.bodies()
    assert body.startswith("two")
    assert parse(body) == Marker(id=str(github.comments[0]["id"]), base="main", key="churn", head=HEAD, verdict=verdict)


LASTING = {
    "not signed in": (Trouble(401, "Bad credentials"), "401 Bad credentials", "github.token"),
    "not permitted": (
        Trouble(403, "Resource not accessible by integration"),
        "403 Resource not accessible by integration",
        "`pull-requests: write`",
    ),
    "not found": (Trouble(404, "Not Found"), "404 Not Found", "`pull-requests: write`"),
    "refused": (Trouble(422, "Validation Failed"), "422 Validation Failed", "report it"),
    "rate": (Trouble(429, headers=WAIT), "429", "in a few minutes"),
    "limit without a word how long": (Trouble(403, "API rate limit exceeded"), "403 API rate", "in a few minutes"),
    "server error": (Trouble(500), "500", "in a few minutes"),
    "bad gateway": (Trouble(502), "502", "in a few minutes"),
    "moved": (Trouble(301, "Moved Permanently", raw=b"{}"), "301 Moved Permanently", "report it"),
    "slow": (Trouble(502, unanswered=True), "did not answer in time", "in a few minutes"),
    "hung up": (Trouble(502, hang_up=True), "can't be reached, or closed the connection", "in a few minutes"),
    "broken": (Trouble(200, raw=b'{"id": '), "can't be read", "in a few minutes"),
    "not what was asked for": (Trouble(200, raw=b'"fine"'), "can't be read", "in a few minutes"),
    "done, but never answered": (Trouble(502, done=True), "502", "in a few minutes"),
}
TRIED = {PULL: "read", LIST: "list the comments of", POST: "post a comment on", EDIT: "edit the comment on",
         DELETE: "delete a comment on"}  # fmt: skip


CASES = {
    f"{asked[1]}: {name}": (asked, name)
    for asked in TRIED
    for name in LASTING
    # GitHub's answer to a DELETE says nothing, and what is not found is gone
    if asked != DELETE or name not in {"broken", "not what was asked for", "not found"}
}


@pytest.mark.parametrize(("asked", "name"), CASES.values(), ids=CASES.keys())
def test_lasting_trouble_is_told_and_never_leaves_two(
    github: FakeGitHub, say: Say, asked: tuple[str, str], name: str
) -> None:
    trouble, told, hint = LASTING[name]
    if asked in (EDIT, DELETE):
        say("one")
    github.fail(*asked, *[trouble] * 12)
    verdict = FAIL if asked == DELETE else PASS
    if asked == POST and trouble.done:
        assert say("two", verdict) is Outcome.CREATED  # a second look showed that it is done
    else:
        with pytest.raises(GatesError) as caught:
            say("two", verdict)
        assert caught.value.exit_code is Exit.OUTSIDE
        assert caught.value.where == "GitHub"
        assert caught.value.what.startswith(f"could not {TRIED[asked]} acme/churn#7: ")
        assert told in caught.value.what
        assert hint in str(caught.value.hint)
        assert "ghs_bot" not in str(caught.value)
    assert len(github.bodies()) <= 1


def test_what_could_not_be_said_is_said_next_time(github: FakeGitHub, say: Say) -> None:
    say("one")
    github.fail(*POST, *[Trouble(500)] * 12)
    with pytest.raises(GatesError):
        say("two", FAIL)
    github._troubles.clear()
    assert say("two", FAIL) is Outcome.CREATED
    assert len(github.bodies()) == 1
