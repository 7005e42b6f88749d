from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gates.errors import Exit, GatesError
from gates.github import event

HEAD, BASE, MERGE = "a" * 40, "b" * 40, "c" * 40
ENVIRON = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": "acme/churn",
    "GITHUB_SHA": MERGE,
    "GITHUB_ACTOR": "dana",
    "GITHUB_RUN_ID": "18446744073",
    "GITHUB_RUN_ATTEMPT": "2",
}


def pull_request(**changes: Any) -> dict[str, Any]:
    head = {"sha": HEAD, "repo": {"full_name": "acme/churn"}}
    return {"pull_request": {"number": 7, "head": head, "base": {"sha": BASE, "ref": "main"}} | changes}


def test_a_pull_request_is_judged_at_its_own_head_not_at_the_merge() -> None:
    found = event.parse(ENVIRON, pull_request())
    assert (found.head_sha, found.base_sha, found.pr, found.is_fork) == (HEAD, BASE, 7, False)
    assert (found.run_id, found.run_attempt) == (18446744073, 2)
    assert found.run_url == "https://github.com/acme/churn/actions/runs/18446744073"
    assert found.api_url == "https://api.github.com"


@pytest.mark.parametrize(
    "repo", [{"full_name": "mallory/churn"}, {"full_name": "acme/churn2"}, {"full_name": None}, {}, None]
)
def test_whatever_is_not_this_repository_is_a_fork(repo: Any) -> None:
    assert event.parse(ENVIRON, pull_request(head={"sha": HEAD, "repo": repo})).is_fork


@pytest.mark.parametrize(
    ("name", "payload", "head", "base"),
    [
        ("push", {"before": BASE}, MERGE, BASE),
        ("push", {"before": "0" * 40}, MERGE, None),
        ("merge_group", {"merge_group": {"head_sha": HEAD, "base_sha": BASE}}, HEAD, BASE),
        ("workflow_dispatch", {}, MERGE, None),
        ("schedule", None, MERGE, None),
        ("pull_request_target", pull_request(), HEAD, BASE),
    ],
)
def test_other_events(name: str, payload: Any, head: str, base: str | None) -> None:
    found = event.parse(ENVIRON | {"GITHUB_EVENT_NAME": name}, payload)
    assert (found.head_sha, found.base_sha) == (head, base)


@pytest.mark.parametrize("url", ["https://ghe.acme.example/api/v3/", "http://127.0.0.1:8080", "http://localhost:1"])
def test_addresses_of_an_enterprise_server_and_of_this_machine(url: str) -> None:
    assert event.parse(ENVIRON | {"GITHUB_API_URL": url}, pull_request()).api_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"GITHUB_REPOSITORY": ""}, "GITHUB_REPOSITORY is not set"),
        ({"GITHUB_EVENT_NAME": ""}, "GITHUB_EVENT_NAME is not set"),
        ({"GITHUB_REPOSITORY": "acme/churn/../../user"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_REPOSITORY": "acme/churn?x"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_EVENT_NAME": "pull request\n"}, "GITHUB_EVENT_NAME"),
        ({"GITHUB_ACTOR": "dana\nverdict=pass"}, "GITHUB_ACTOR"),
        ({"GITHUB_RUN_ID": "11; rm"}, "GITHUB_RUN_ID"),
        ({"GITHUB_RUN_ATTEMPT": "0"}, "GITHUB_RUN_ATTEMPT"),
        ({"GITHUB_API_URL": "http://api.github.com"}, "GITHUB_API_URL"),
        ({"GITHUB_API_URL": "https://api.github.com@mallory.example"}, "GITHUB_API_URL"),
        ({"GITHUB_API_URL": "https://[::1"}, "GITHUB_API_URL"),
        ({"GITHUB_API_URL": "file:///etc/passwd"}, "GITHUB_API_URL"),
    ],
)
def test_a_strange_environment_is_told(changes: dict[str, str], told: str) -> None:
    with pytest.raises(GatesError, match=told):
        event.parse(ENVIRON | changes, pull_request())


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({}, "pull_request.head.sha is missing"),
        ([], "pull_request.head.sha is missing"),
        (None, "pull_request.head.sha is missing"),
        (pull_request(head={"sha": HEAD[:7]}), "pull_request.head.sha"),
        (pull_request(head={"sha": HEAD + "\n"}), "pull_request.head.sha"),
        (pull_request(head={"sha": HEAD.upper()}), "pull_request.head.sha"),
        (pull_request(head={"sha": 7}), "pull_request.head.sha"),
        (pull_request(base={"sha": None}), "pull_request.base.sha"),
        (pull_request(number="7/../8"), "pull_request.number"),
        (pull_request(number=True), "pull_request.number"),
        (pull_request(number=-7), "pull_request.number"),
        (pull_request(number=7.0), "pull_request.number"),
    ],
)
def test_a_strange_event_is_told(payload: Any, told: str) -> None:
    with pytest.raises(GatesError, match=told) as caught:
        event.parse(ENVIRON, payload)
    assert caught.value.exit_code is Exit.OUTSIDE


def read(tmp_path: Path, content: bytes) -> event.Event:
    (tmp_path / "event.json").write_bytes(content)
    return event.read(ENVIRON | {"GITHUB_EVENT_PATH": str(tmp_path / "event.json")})


def test_the_event_is_read_from_its_file(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(pull_request()).encode()).pr == 7


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"n": 1' + b"0" * 5000 + b"}"])
def test_a_file_that_is_no_event_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(GatesError) as caught:
        read(tmp_path, content)
    assert caught.value.exit_code is Exit.OUTSIDE


def test_a_missing_or_endless_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(GatesError, match="can't be read"):
        event.read(ENVIRON | {"GITHUB_EVENT_PATH": str(tmp_path / "none.json")})
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(event.LARGEST + 1)
    with pytest.raises(GatesError, match="larger than 25 MiB"):
        event.read(ENVIRON | {"GITHUB_EVENT_PATH": str(tmp_path / "large.json")})
