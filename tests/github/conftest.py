from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_github import FakeGitHub, Patience

from gates.github.event import Event
from gates.github.rest_api import Client

HEAD = "a" * 40


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """GitHub with the repository acme/churn and its pull request 7; anything illegal fails the test."""
    fake = FakeGitHub("acme/churn")
    fake.heads[7] = HEAD
    yield fake
    fake.stop()


@pytest.fixture
def client(github: FakeGitHub) -> Client:
    return Client(github.url, "ghs_bot", timeout=Patience(github), retries=2, backoff=0)


@pytest.fixture
def event(github: FakeGitHub) -> Event:
    return Event(
        name="pull_request", repository="acme/churn", head_sha=HEAD, base_sha="b" * 40, branch="refs/heads/main",
        pr=7, is_fork=False, actor="dana", run_id=11, run_attempt=1, api_url=github.url, server_url="https://github.com",
    )  # fmt: skip
