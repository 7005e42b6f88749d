from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_github import FakeGitHub, Trouble

from gates.errors import Exit, GatesError
from gates.github.rest_api import Client, UnansweredError

COMMENTS = "/repos/acme/churn/issues/7/comments"
WORDS = {"doing": "try", "needs": "pull-requests: write"}


def test_a_list_is_read_to_its_last_page(github: FakeGitHub, client: Client) -> None:
    for number in range(23):
        github.say(7, f"{number}")
    github.page_size = 5
    found = [comment["body"] for comment in client.pages(COMMENTS, **WORDS)]
    assert found == [f"{number}" for number in range(23)]


@pytest.mark.parametrize(
    "target",
    [
        "https://mallory.example/comments?page=2",
        "{url}.mallory.example/x",
        "{url}@mallory.example/x",
        "{url}/repos/acme/churn/issues/7/comments?per_page=100",  # itself
    ],
)
def test_only_pages_of_the_same_server_are_followed_and_none_twice(
    github: FakeGitHub, client: Client, target: str
) -> None:
    link = f'<{target.format(url=github.url)}>; rel="next"'
    github.fail("GET", "issues/list-comments", Trouble(200, headers={"Link": link}, raw=b"[]"))
    with pytest.raises(GatesError, match="next page that can't be right"):
        list(client.pages(COMMENTS, **WORDS))
    assert len(github.asked) == 1


def test_it_waits_as_long_as_it_is_told(github: FakeGitHub, client: Client) -> None:
    github.fail("GET", "pulls/get", Trouble(429, headers={"Retry-After": "1"}))
    start = time.monotonic()
    client.get("/repos/acme/churn/pulls/7", **WORDS)
    assert time.monotonic() - start >= 1


def test_a_refusal_without_a_word_how_long_is_final(github: FakeGitHub, client: Client) -> None:
    github.fail("GET", "pulls/get", *[Trouble(403, "API rate limit exceeded for installation.")] * 2)
    with pytest.raises(GatesError, match="403 API rate limit") as caught:
        client.get("/repos/acme/churn/pulls/7", **WORDS)
    assert "few minutes" in str(caught.value)
    assert len(github.asked) == 1


def test_a_post_is_never_repeated_blindly(github: FakeGitHub, client: Client) -> None:
    github.fail("POST", "issues/create-comment", Trouble(502, done=True))
    with pytest.raises(UnansweredError):
        client.post(COMMENTS, {"body": "x"}, **WORDS)
    assert github.verbs() == ["issues/create-comment"]


def test_a_token_that_may_only_read_is_told_which_line_is_missing(github: FakeGitHub) -> None:
    with pytest.raises(GatesError, match="403 Resource not accessible by integration") as caught:
        Client(github.url, "ghs_reader").post(COMMENTS, {"body": "x"}, **WORDS)
    assert "under `permissions:`: `pull-requests: write`" in str(caught.value)


def test_nobody_listens() -> None:
    with pytest.raises(GatesError, match="could not try: GitHub can't be reached") as caught:
        Client("http://127.0.0.1:9", "ghs_bot", retries=1, backoff=0).get("/x", **WORDS)
    assert caught.value.exit_code is Exit.OUTSIDE


def test_the_token_is_shown_nowhere(github: FakeGitHub, client: Client) -> None:
    github.fail("GET", "pulls/get", Trouble(404, "Not Found"))
    with pytest.raises(GatesError) as caught:
        client.get("/repos/acme/churn/pulls/7", **WORDS)
    assert "ghs_bot" not in f"{client!r} {vars(client)!r} {caught.value!r} {caught.value}"


def test_a_netrc_file_does_not_take_the_tokens_place(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password stolen\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert client.get("/repos/acme/churn/pulls/7", **WORDS)["number"] == 7


@pytest.mark.parametrize("message", ["\x1b[31m::error::\n" + "x" * 900, "two\nlines"])
def test_what_github_says_is_cut_to_one_harmless_line(github: FakeGitHub, client: Client, message: str) -> None:
    github.fail("GET", "pulls/get", Trouble(404, message))
    with pytest.raises(GatesError) as caught:
        client.get("/repos/acme/churn/pulls/7", **WORDS)
    assert caught.value.what.isprintable()
    assert len(caught.value.what) < 300


def test_the_fake_itself_refuses_what_github_does_not_know() -> None:
    fake = FakeGitHub("acme/churn")
    client = Client(fake.url, "ghs_bot", backoff=0)
    with pytest.raises(GatesError):
        client.get("/repos/acme/churn/pulls/7/opinions", **WORDS)
    with pytest.raises(GatesError):
        client.post("/repos/acme/churn/issues/7/comments", {"body": 5, "title": "x"}, **WORDS)
    with pytest.raises(AssertionError) as caught:
        fake.stop()
    told = str(caught.value)
    assert "opinions: no such operation" in told
    assert "unknown key title" in told
    assert "5 is not of type 'string'" in told


@pytest.mark.parametrize(
    "token", ["", " ", "ghs_secret\n", "ghs_secret\nX-Evil: 1", "ghs secret", "ghs_sécret", "g" * 20_000]
)
def test_what_is_no_token_is_told_without_it(github: FakeGitHub, token: str) -> None:
    """A trailing newline in a secret is the usual case; the library's own message would hold the token."""
    with pytest.raises(GatesError, match="GITHUB_TOKEN") as caught:
        Client(github.url, token)
    assert "secret" not in str(caught.value)
    assert github.asked == []
