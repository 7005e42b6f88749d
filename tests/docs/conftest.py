from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for folder in ("docs", "github", "edge"):  # a project, a GitHub, and a command line in this process
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))

from churn_world import build  # noqa: E402
from fake_github import FakeGitHub  # noqa: E402


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that the pages talk of. Nobody changes it: copies are made."""
    folder = tmp_path_factory.mktemp("churn")
    build(folder)
    return folder


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """With a pull request that a run has judged."""
    fake = FakeGitHub("acme/churn")
    fake.tokens["..."] = fake.tokens["ghs_bot"]  # what the examples write in a token's place
    yield fake
    fake.stop()
