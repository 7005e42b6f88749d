"""What `gates doctor` says of GitHub's settings, read from an API that answers as GitHub describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from edge_project import call
from fake_github import FakeGitHub, Trouble
from fake_settings import Deployable, Settings
from test_doctor_files import GOOD, POLICY, SHA, laid

from gates.checkout.survey import survey
from gates.cli.steps import SCHEMAS
from gates.doctor import examine
from gates.doctor.setting_checks import SETTINGS
from gates.errors import GatesError
from gates.github.rest_api import Client
from gates.github.settings import read

ROLES = f"{POLICY}promotion: {{approvals: [ml-lead]}}\n"
REVIEW = {
    "dismiss_stale_reviews_on_push": True, "require_code_owner_review": True, "require_last_push_approval": False,
    "required_approving_review_count": 1, "required_review_thread_resolution": False,
}  # fmt: skip


def checks(*contexts: str) -> dict[str, object]:
    listed = [{"context": context} for context in contexts]
    parameters = {"required_status_checks": listed, "strict_required_status_checks_policy": False}
    return {"type": "required_status_checks", "parameters": parameters}


def good() -> Settings:
    return Settings(
        environments={
            "ml-lead": Deployable(["dana"], prevent_self_review=True, branches=["main"], bypass=False),
            "production": Deployable(branches=["main"]),
        },
        rules={
            "main": [{"type": "pull_request", "parameters": REVIEW}, checks("lint", "gates/verdict (gates.yaml)")],
            "gates-ledger": [{"type": "non_fast_forward"}, {"type": "deletion"}],
        },
        secrets=["CODECOV_TOKEN"],
    )


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub("acme/churn")
    fake.settings = good()
    yield fake
    fake.stop()


def findings(github: FakeGitHub, folder: Path, **files: str) -> list[tuple[str, str, str, str]]:
    settings = read(Client(github.url, "ghs_bot", retries=2, backoff=0), "acme/churn")
    laid(folder, {"gates.yaml": ROLES} | {name.replace("__", "/"): text for name, text in files.items()})
    diagnosis = examine(survey(folder, "acme/churn", settings), SETTINGS)
    return [(one.id, str(found.state), found.where, found.what) for one in diagnosis.checks for found in one.findings]


def test_all_is_well(github, tmp_path):
    assert findings(github, tmp_path) == []


def environment(name: str = "ml-lead", **changes: object):
    def change(settings: Settings) -> None:
        settings.environments[name] = replace(settings.environments[name], **changes)

    return change


def other(**changes: object):
    def change(settings: Settings) -> None:
        for name, value in changes.items():
            setattr(settings, name, value)

    return change


def gone(name: str):
    def change(settings: Settings) -> None:
        del settings.environments[name]

    return change


def rules(branch: str, *kept: dict[str, object]):
    def change(settings: Settings) -> None:
        settings.rules[branch] = list(kept)

    return change


PULLS = {"type": "pull_request", "parameters": REVIEW}
VERDICT = checks("gates/verdict (gates.yaml)")
CASES = {
    "no environment for a role": (gone("ml-lead"), [("environments", "missing", "ml-lead", "a policy asks for its")]),
    "no environment for a job": (
        gone("production"), [("environments", "missing", "production", ".github/workflows/promote.yml names it")]
    ),
    "nobody must approve": (environment(reviewers=[]), [("reviewers", "unsafe", "ml-lead", "nobody must approve")]),
    "oneself may approve": (
        environment(prevent_self_review=False), [("reviewers", "unknown", "ml-lead", "whoever starts the run may")]
    ),
    "open to every branch": (environment(branches=None), [("branches", "unsafe", "ml-lead", "every branch may")]),
    "open to protected branches": (
        environment("production", branches="protected"), [("branches", "unsafe", "production", "if none is protected")]
    ),
    "open to more branches": (
        environment(branches=["main", "release/*"]), [("branches", "unsafe", "ml-lead", "main, release/* may deploy")]
    ),
    "administrators may": (environment(bypass=True), [("bypass", "unsafe", "ml-lead", "administrators may bypass")]),
    "nobody knows whether administrators may": (
        environment(bypass=None), [("bypass", "unknown", "ml-lead", "GitHub does not say")]
    ),
    "private, below the plan": (
        other(private=True, plan="team"), [("plan", "unsafe", "acme", "on the plan team has no required reviewers")]
    ),
    "private, of a person": (
        other(private=True, owner_type="User"), [("plan", "unsafe", "acme", "of a person has no required reviewers")]
    ),
    "private, of an unknown plan": (
        other(private=True, plan=None), [("plan", "unknown", "acme", "below Enterprise GitHub ignores")]
    ),
    "private, Enterprise": (other(private=True), []),
    "no pull requests": (rules("main", VERDICT), [("default-branch", "unsafe", "main", "without a pull request")]),
    "owners are not asked": (
        rules("main", VERDICT, PULLS | {"parameters": REVIEW | {"require_code_owner_review": False}}),
        [("default-branch", "unsafe", "main", "does not ask the policy's owners")],
    ),
    "no verdict is required": (
        rules("main", PULLS, checks("lint")),
        [("default-branch", "missing", "main", "requires no verdict of gates (required checks: lint)")],
    ),
    "the calling job is required": (rules("main", PULLS, checks("model / require")), []),
    "the ledger can be rewritten": (
        rules("gates-ledger"),
        [("ledger-branch", "unsafe", "gates-ledger", what) for what in ("rewritten", "deleted")],
    ),
    "the registry can't be written": (
        rules("gates-registry", {"type": "non_fast_forward"}, {"type": "required_signatures"}),
        [("registry-branch", "missing", "gates-registry", what) for what in ("force pushes are", "must be signed")],
    ),
    "the registry can't be deleted": (rules("gates-registry", {"type": "deletion"}), []),
    "a secret of the repository": (
        other(secrets=["X", "MLFLOW_TRACKING_TOKEN"]),
        [("secrets", "unsafe", "MLFLOW_TRACKING_TOKEN", "whoever may push a branch may read it")],
    ),
    "a secret of the organisation": (
        other(organization_secrets=["AWS_SECRET_ACCESS_KEY"]),
        [("secrets", "unsafe", "AWS_SECRET_ACCESS_KEY", "whoever may push a branch may read it")],
    ),
    "tokens write": (other(writes=True), [("token", "unsafe", "workflow permissions", "may write by default")]),
    "workflows approve": (other(approve=True), [("token", "unsafe", "workflow permissions", "may approve")]),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES)
def test_each_thing_that_is_wrong_is_found_and_nothing_else(github, tmp_path, change, expected):
    change(github.settings)
    found = findings(github, tmp_path)
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    for (*_, what), (*_, told) in zip(found, expected, strict=True):
        assert told in what


EXPERIMENT = f"""\
on: workflow_dispatch
permissions: {{}}
jobs:
  experiment:
    permissions: {{contents: write}}
    uses: acme/gates/.github/workflows/model-experiment.yml@{SHA} # v1
    with: {{environment: gates-experiment, look-environment: gates-monitor}}
"""


def test_each_environment_that_is_handed_to_a_workflow_must_be_there(github, tmp_path):
    name = ".github__workflows__experiment.yml"
    found = findings(github, tmp_path, **{name: EXPERIMENT})
    path = name.replace("__", "/")
    assert [one[:3] for one in found] == [
        ("environments", "missing", "gates-experiment"), ("environments", "missing", "gates-monitor"),
    ]  # fmt: skip
    assert all(f"{path} names it" in told for *_, told in found)
    github.settings.environments |= {
        "gates-experiment": Deployable(branches=["main"]),
        "gates-monitor": Deployable(branches=None),
    }
    (tmp_path / "again").mkdir()
    assert [one[:3] for one in findings(github, tmp_path / "again", **{name: EXPERIMENT})] == [
        ("branches", "unsafe", "gates-monitor")
    ]


def test_classic_protection_counts_as_well(github, tmp_path):
    github.settings.rules.clear()
    link = "https://api.github.com/x"
    reviews = {"url": link, "dismiss_stale_reviews": True, "require_code_owner_reviews": True}
    required = {"url": link, "contexts": ["gates/verdict (gates.yaml)"], "checks": [], "strict": False}
    required |= {"contexts_url": link, "enforcement_level": "everyone"}
    closed = {"allow_force_pushes": {"enabled": False}, "allow_deletions": {"enabled": False}, "url": link}
    github.settings.protection = {
        "main": {"required_pull_request_reviews": reviews, "required_status_checks": required} | closed,
        "gates-ledger": closed,
    }
    assert findings(github, tmp_path) == []


def test_a_merge_queue_needs_the_event(github, tmp_path):
    queue = {
        "check_response_timeout_minutes": 60, "grouping_strategy": "ALLGREEN", "max_entries_to_build": 5,
        "max_entries_to_merge": 5, "merge_method": "MERGE", "min_entries_to_merge": 1,
        "min_entries_to_merge_wait_minutes": 5,
    }  # fmt: skip
    github.settings.rules["main"].append({"type": "merge_queue", "parameters": queue})
    assert findings(github, tmp_path) == []
    (tmp_path / "other").mkdir()
    workflow = GOOD[".github/workflows/gates.yml"].replace("merge_group: , ", "")
    found = findings(github, tmp_path / "other", **{".github__workflows__gates.yml": workflow})
    assert [one[:3] for one in found] == [("default-branch", "missing", ".github/workflows/gates.yml")]


REFUSABLE = {
    "repos/get-all-environments": "environments", "repos/get-branch-rules": "default-branch",
    "actions/list-repo-secrets": "secrets",
    "actions/get-github-actions-default-workflow-permissions-repository": "token",
}  # fmt: skip


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(("operation", "check"), REFUSABLE.items(), ids=REFUSABLE.values())
def test_what_a_token_may_not_see_is_unknown_never_well(github, tmp_path, operation, check, status):
    github.fail("GET", operation, Trouble(status, "Resource not accessible by integration"))
    found = findings(github, tmp_path)
    assert [one[:2] for one in found] == [(check, "unknown")]
    assert "this token may not see it" in found[0][3]


@pytest.mark.parametrize("operation", ["repos/get", *REFUSABLE])
@pytest.mark.parametrize(
    "trouble", [Trouble(401, "Bad credentials"), Trouble(500), Trouble(200, raw=b"{"), Trouble(502, hang_up=True),
                Trouble(403, "API rate limit exceeded")], ids=repr,
)  # fmt: skip
def test_where_github_fails_nothing_is_said(github, tmp_path, operation, trouble):
    github.fail("GET", operation, *[trouble] * 9)
    with pytest.raises(GatesError) as caught:
        findings(github, tmp_path)
    assert caught.value.exit_code == 3


def test_every_page_is_read(github, tmp_path):
    many = {f"e{number}": Deployable(branches=["main"]) for number in range(230)}
    github.settings.environments = many | github.settings.environments
    assert findings(github, tmp_path) == []
    asked = [one.operation for one in github.asked]
    assert asked.count("repos/get-all-environments") == 3


# -- the command --


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(laid(tmp_path, {"gates.yaml": ROLES}))


@pytest.mark.usefixtures("checkout")
def test_the_command_with_a_token(github):
    env = {"GH_TOKEN": "ghs_bot", "GITHUB_API_URL": github.url}
    done = call("doctor", "--repository", "acme/churn", env=env)
    assert done.code == 0
    assert done.out.rstrip().endswith("nothing is missing or unsafe, as far as gates can see")
    gone("ml-lead")(github.settings)
    done = call("doctor", "--repository", "acme/churn", "--json", env=env)
    told = json.loads(done.out)
    assert done.code == 1
    jsonschema.validate(told, SCHEMAS["doctor"]())
    assert [one["id"] for one in told["checks"] if one["findings"]] == ["environments"]
    assert "ghs_bot" not in done.out + done.err


@pytest.mark.usefixtures("checkout")
def test_the_command_without_a_token_looks_at_files_alone(github):
    done = call("doctor", env={"GITHUB_API_URL": github.url})
    assert done.code == 0
    assert "10 not checked: no token" in done.out
    done = call("doctor", "--offline", env={"GITHUB_API_URL": github.url, "GITHUB_TOKEN": "ghs_bot"})
    assert "10 not checked" in done.out
    assert github.asked == []


@pytest.mark.parametrize(
    ("arguments", "env", "code", "told"),
    [
        (["--repository", "acme"], {}, 2, "acme is not OWNER/NAME"),
        (["--repository", "acme/../x"], {}, 2, "not OWNER/NAME"),
        (["--repository", "acme/other"], {}, 3, "404 Not Found"),
        ([], {"GITHUB_REPOSITORY": "acme/churn", "GITHUB_API_URL": "http://127.0.0.1:9"}, 3, "can't be reached"),
        (
            [],
            {"GITHUB_REPOSITORY": "acme/churn", "GITHUB_API_URL": "http://evil.example"},
            3,
            "not a plain https address",
        ),
        (["nowhere"], {}, 2, "nowhere"),
    ],
)
@pytest.mark.usefixtures("checkout")
def test_what_cannot_be_looked_at(github, monkeypatch, arguments, env, code, told):
    monkeypatch.setattr(Client.__init__, "__kwdefaults__", {"timeout": 0.5, "retries": 0, "backoff": 0})
    done = call("doctor", *arguments, env={"GITHUB_TOKEN": "ghs_bot", "GITHUB_API_URL": github.url} | env)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
