"""What `gates doctor` says of files: of those that are as they should be, and of each way in which they aren't."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gates.checkout.survey import repository_of, server_of, survey
from gates.doctor import examine
from gates.doctor.file_checks import FILES, TAKEN
from gates.doctor.seen import RegistryBranch
from gates.doctor.setting_checks import SETTINGS
from gates.documents.printed.diagnosis import CheckState

SHA = "1" * 40
WORKFLOW = f"""\
name: gates
on: {{pull_request: , merge_group: , push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  model:
    permissions: {{actions: read, contents: read, deployments: read, pull-requests: write, statuses: write}}
    uses: acme/gates/.github/workflows/model-ci.yml@{SHA} # v1
"""
PROMOTE = f"""\
name: promote
on: {{push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  promote:
    runs-on: ubuntu-latest
    environment: production
    permissions: {{contents: write}}
    env:
      MLFLOW_TRACKING_TOKEN: ${{{{ secrets.MLFLOW_TRACKING_TOKEN }}}}
      MLFLOW_ALLOW_PICKLE_DESERIALIZATION: "false"
    steps:
      - uses: actions/checkout@{SHA} # v7
      - uses: acme/gates/actions/promote@{SHA} # v1
      - run: gates status
"""
POLICY = """\
version: 1
model: churn
data: {holdout: holdout.csv, label: churn, contract: contract.yaml}
train: python train.py
gates:
  - {metric: recall, min: 0.5}
"""
GOOD = {
    "gates.yaml": POLICY,
    "contract.yaml": "table: [{rows: {min: 1}}]\n",
    ".github/workflows/gates.yml": WORKFLOW,
    ".github/workflows/promote.yml": PROMOTE,
    ".github/CODEOWNERS": "* @acme/all\n/gates.yaml @acme/ml\n",
}


def laid(folder: Path, changes: dict[str, str | None]) -> Path:
    (folder / ".git").mkdir()
    for name, text in (GOOD | changes).items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


def findings(folder: Path) -> list[tuple[str, str, str, str]]:
    diagnosis = examine(survey(folder, None, None), FILES)
    return [(one.id, str(found.state), found.where, found.what) for one in diagnosis.checks for found in one.findings]


def test_all_is_well(tmp_path):
    folder = laid(tmp_path, {})
    assert findings(folder) == []
    assert examine(survey(folder / ".github", None, None), FILES).exit_code == 0


ONE_JOB = f"""\
name: gates
on: {{pull_request: , push: {{branches: [main]}}}}
permissions: {{actions: read, contents: write, deployments: read, pull-requests: write, statuses: write}}
jobs:
  gates:
    runs-on: ubuntu-latest
    steps:
      - uses: acme/gates@{SHA} # v1
"""


@pytest.mark.parametrize(("project", "told"), [("acme/gates", []), ("acme/floodgates", ["judged"])])
def test_one_job_judges_too(tmp_path, project, told):
    folder = laid(tmp_path, {GATES: ONE_JOB.replace("acme/gates", project), PROMOTES: None})
    assert [id_ for id_, *_ in findings(folder)] == told


@pytest.mark.parametrize(
    ("permission", "told", "change"),
    [
        ("contents: write", [], ("", "")),
        ("contents: read", ["contents"], ("", "")),
        ("checks: read", ["contents"], ("", "")),
        ("contents: read", [], (" # v1", "\n        with: {promote: false}")),
        ("contents: read", [], (" # v1", "\n        with: {promote: 'false'}")),
        ("contents: read", ["contents"], (" # v1", "\n        with: {promote: true}")),
        ("contents: read", [], (", push: {branches: [main]}", "")),  # it promotes nothing on pull requests
        ("contents: read", ["contents"], (", push: {branches: [main]}", ", workflow_dispatch: ")),
    ],
)
def test_one_job_that_promotes_may_write(tmp_path, permission, told, change):
    workflow = ONE_JOB.replace("contents: write", permission).replace(*change)
    assert [id_ for id_, *_ in findings(laid(tmp_path, {GATES: workflow, PROMOTES: None}))] == told


GATES, PROMOTES = ".github/workflows/gates.yml", ".github/workflows/promote.yml"
CASES = {
    "no policy": ({"gates.yaml": None}, [("policy", "missing", "repository", "there is no gates.yaml")]),
    "a policy with mistakes": (
        {"gates.yaml": POLICY.replace("recall", "recal")},
        [("policy", "missing", "gates.yaml", "did you mean recall?")],
    ),
    "no workflow": ({GATES: None}, [("judged", "missing", ".github/workflows", "no workflow judges pull requests")]),
    "a workflow for pushes alone": (
        {GATES: WORKFLOW.replace("pull_request: , merge_group: , ", "")},
        [("judged", "missing", ".github/workflows", "no workflow judges pull requests")],
    ),
    "don't filter by paths": (
        {GATES: WORKFLOW.replace("pull_request: ,", "pull_request: {paths: [models/**]},")},
        [("judged", "unsafe", f"{GATES}:2", "`paths` skips it")],
    ),
    "a tag": (
        {GATES: WORKFLOW.replace(SHA, "v1")},
        [("pins", "unsafe", f"{GATES}:7", "model-ci.yml@v1 can change under its name")],
    ),
    "a placeholder": (
        {GATES: WORKFLOW.replace("acme/", "OWNER/").replace(SHA, "SHA")},
        [("pins", "missing", f"{GATES}:7", "is a placeholder: write your copy of gates there, and its commit")],
    ),
    "a short commit": (
        {PROMOTES: PROMOTE.replace(SHA, "1" * 7, 1)},
        [("pins", "unsafe", f"{PROMOTES}:13", "checkout@1111111")],
    ),
    "an image by its tag": (
        {PROMOTES: PROMOTE.replace(f"actions/checkout@{SHA}", "docker://alpine:3")},
        [("pins", "unsafe", f"{PROMOTES}:13", "docker://alpine:3")],
    ),
    "an action of its own": (
        {"actions/x/action.yml": "runs: {using: composite, steps: [{uses: acme/x@main}]}\n"},
        [("pins", "unsafe", "actions/x/action.yml:1", "acme/x@main")],
    ),
    "pull_request_target": (
        {GATES: WORKFLOW.replace("pull_request: ,", "pull_request: , pull_request_target: ,")},
        [("triggers", "unsafe", f"{GATES}:2", "strangers' pull requests")],
    ),
    "no permissions": (
        {GATES: WORKFLOW.replace("permissions: {}\n", "").replace("    permissions: ", "    # ")},
        [("permissions", "unsafe", f"{GATES}:4", "default token permissions")],
    ),
    "no owners at all": (
        {".github/CODEOWNERS": None},
        [("owners", "missing", ".github/CODEOWNERS", "anybody may")],
    ),
    "no owners of the policy": (
        {".github/CODEOWNERS": "* @acme/all\n/gates.yaml\n/contract.yaml\n"},
        [("owners", "unsafe", name, "it has no owner") for name in ("gates.yaml", "contract.yaml")],
    ),
    "no owners of the workflows": (
        {".github/CODEOWNERS": "*.yaml @acme/ml\n"},
        [
            ("owners", "unsafe", ".github/CODEOWNERS", "it has no owner"),
            ("owners", "unsafe", GATES, "it has no owner"),
            ("owners", "unsafe", PROMOTES, "it has no owner"),
        ],
    ),
    "a credential outside an environment": (
        {PROMOTES: PROMOTE.replace("    environment: production\n", "")},
        [("credentials", "unsafe", f"{PROMOTES}:9", "MLFLOW_TRACKING_TOKEN is read outside an environment")],
    ),
    "a credential by another spelling": (
        {PROMOTES: PROMOTE.replace("    environment: production\n", "").replace(
            "secrets.MLFLOW_TRACKING_TOKEN", "secrets['mlflow_password']")},
        [("credentials", "unsafe", f"{PROMOTES}:9", "mlflow_password is read outside")],
    ),
    "a credential of the whole workflow": (
        {PROMOTES: PROMOTE.replace("jobs:", "env: {T: '${{ secrets.AWS_SECRET_ACCESS_KEY }}'}\njobs:")},
        [("credentials", "unsafe", f"{PROMOTES}:4", "AWS_SECRET_ACCESS_KEY is read outside")],
    ),
    "every secret to somebody": (
        {GATES: WORKFLOW + f"  other:\n    uses: acme/x/.github/workflows/x.yml@{SHA}\n    secrets: inherit\n"},
        [("credentials", "unsafe", f"{GATES}:10", "hands every secret to another workflow")],
    ),
    "pickles allowed": (
        {PROMOTES: PROMOTE.replace('"false"', '"true"')},
        [("pickles", "unsafe", f"{PROMOTES}:11", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION is true")],
    ),
    "pickles not forbidden": (
        {PROMOTES: PROMOTE.replace('      MLFLOW_ALLOW_PICKLE_DESERIALIZATION: "false"\n', "")},
        [("pickles", "unsafe", f"{PROMOTES}:5", "holds a secret, and MLflow loads pickles there")],
    ),
    "a promotion that may not write": (
        {PROMOTES: PROMOTE.replace("contents: write", "contents: read")},
        [("contents", "missing", f"{PROMOTES}:5", "can't write the ledger and the registry: its token's `contents`")],
    ),
    "a promotion that nobody lets write": (
        {PROMOTES: PROMOTE.replace("    permissions: {contents: write}\n", "")},
        [("contents", "missing", f"{PROMOTES}:5", "is none")],
    ),
    "a promotion that may read all": (
        {PROMOTES: PROMOTE.replace("permissions: {}", "permissions: read-all").replace(
            "    permissions: {contents: write}\n", "")},
        [("contents", "missing", f"{PROMOTES}:5", "is read")],
    ),
    "an experiment whose caller may not write": (
        {PROMOTES: PROMOTE, ".github/workflows/try.yml": WORKFLOW.replace("model-ci", "model-experiment")},
        [("contents", "missing", ".github/workflows/try.yml:5", "is read")],
    ),
    "a look that may not write": (
        {PROMOTES: PROMOTE.replace("contents: write", "contents: read").replace("actions/promote", "actions/look")},
        [("contents", "missing", f"{PROMOTES}:5", "is read")],
    ),
    "units that are only counted": (
        {PROMOTES: PROMOTE.replace("contents: write", "contents: read").replace(
            "actions/promote", "actions/measure-units")},
        [],
    ),
    "an identity that is not granted": (
        {GATES: WORKFLOW.replace("model-ci", "model-ci-oidc")},
        [("identity", "missing", f"{GATES}:5", "can't start: it calls a workflow that asks for id-token: write")],
    ),
    "an identity that is granted": (
        {GATES: WORKFLOW.replace("model-ci", "model-ci-oidc").replace("actions: read", "id-token: write")},
        [],
    ),
    "an identity beside a training": (
        {PROMOTES: PROMOTE.replace("contents: write", "contents: write, id-token: write").replace(
            "gates status", "gates train")},
        [("identity", "unsafe", f"{PROMOTES}:5", "may ask for an identity: so may the code")],
    ),
    "a secret that the workflow does not know": (
        {GATES: WORKFLOW + "    secrets: {tracking-tokn: '${{ secrets.X }}', fetch-credentials: '${{ secrets.Y }}'}\n"},
        [("credential-names", "missing", f"{GATES}:8", "can't start; did you mean tracking-token?")],
    ),
    "lines that set what they may not": (
        {GATES: WORKFLOW + "    secrets:\n      fetch-credentials: |\n        AWS_REGION=x\n        AWS_ROLE_ARM=y\n"},
        [("credential-names", "missing", f"{GATES}:9", "AWS_ROLE_ARM; did you mean AWS_ROLE_ARN?")],
    ),
    "runners of their own": (
        {GATES: WORKFLOW + "    with: {runs-on: house, train-on: '[\"self-hosted\", \"gpu\"]'}\n"},
        [
            ("runners", "unknown", f"{GATES}:8", "house must be runner 2.336.0 or newer"),
            ("runners", "unknown", f"{GATES}:8", '["self-hosted", "gpu"] must be'),
        ],
    ),
    "a runner of their own with an action of ours": (
        {PROMOTES: PROMOTE.replace("ubuntu-latest", "[self-hosted, gpu]")},
        [("runners", "unknown", f"{PROMOTES}:6", "must be runner 2.336.0")],
    ),
    "a runner of their own with their own action": (
        {PROMOTES: PROMOTE.replace("ubuntu-latest", "house").replace("acme/gates/actions/promote@" + SHA, "$/x")},
        [("runners", "unknown", f"{PROMOTES}:6", "house must be")],
    ),
    "runners of GitHub's, or of a variable": (
        {GATES: WORKFLOW + "    with: {runs-on: ubuntu-24.04-arm, train-on: '${{ vars.RUNNER }}'}\n"},
        [],
    ),
    "observing": (
        {"gates.yaml": f"{POLICY}mode: observe until 2027-03-01\n"},
        [("mode", "unknown", "gates.yaml", "blocks nothing until 2027-03-01")],
    ),
    "a workflow that is no YAML": (
        {GATES: "a: [\n", PROMOTES: None},
        [
            ("readable", "unknown", GATES, "was not looked at: no YAML"),
            ("judged", "missing", ".github/workflows", "no workflow judges"),
        ],
    ),
    "a workflow that is something else": (
        {".github/workflows/x.yml": "- 5\n", ".github/workflows/y.yml": "jobs: {a: 5, b: {steps: {}}}\non: 5\n"},
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_each_thing_that_is_wrong_is_found_and_nothing_else(tmp_path, changes, expected):
    found = findings(laid(tmp_path, changes))
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    for (*_, what), (*_, told) in zip(found, expected, strict=True):
        assert told in what


@pytest.mark.parametrize(
    ("held", "told"),
    [(0, None), (45_000_000, None), (45_000_001, "holds 45.0 of 50 MB"), (None, "has not seen this branch")],
)
def test_the_registrys_branch_is_known_and_has_room(tmp_path, held, told):
    seen = survey(laid(tmp_path, {}), None, None, RegistryBranch(held=held, limit=50_000_000))
    found = [finding for one in examine(seen, FILES).checks if one.id == "registry" for finding in one.findings]
    assert [(str(one.state), one.where) for one in found] == [("unknown", "gates-registry")] * bool(told)
    assert not told or told in found[0].what


@pytest.mark.parametrize(
    ("address", "server"),
    [("https://github.com/acme/churn", "github.com"), ("git@github.com:acme/churn.git", "github.com"),
     ("ssh://git@ssh.github.com:443/acme/churn", "ssh.github.com"), ("https://acme.ghe.com/a/b", "acme.ghe.com"),
     ("https://u:p@git.bank.example:8443/a/b", "git.bank.example"), ("git@git.bank.example:a/b", "git.bank.example"),
     ("/srv/git/churn", None), ("../churn.git", None), ("", None)],
)  # fmt: skip
def test_a_server_of_ones_own_needs_the_form_for_servers(tmp_path, address, server):
    folder = laid(tmp_path, {})
    (folder / ".git").rmdir()
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "-C", folder, "config", "remote.origin.url", address], check=True)
    assert server_of(folder, {}) == server
    assert server_of(folder, {"GITHUB_SERVER_URL": "https://ghes.example"}) == "ghes.example"
    seen = survey(folder, None, None, server=server)
    told = [(str(found.state), found.where) for one in examine(seen, FILES).checks for found in one.findings]
    own = server == "git.bank.example"
    assert told == [("unknown", f"{GATES}:7"), ("unknown", f"{PROMOTES}:14")] * own


def test_a_token_of_the_run_is_no_credential(tmp_path):
    workflow = PROMOTE.replace("    environment: production\n", "").replace(
        "secrets.MLFLOW_TRACKING_TOKEN", "secrets.X"
    )
    found = findings(laid(tmp_path, {PROMOTES: workflow}))
    assert found == []


def test_policies_lie_anywhere_and_other_peoples_do_not_count(tmp_path):
    other = POLICY.replace("contract: contract.yaml", "positive: 1")
    more = {"models/a/gates.yaml": other, "node_modules/x/gates.yaml": "x", ".venv/gates.yaml": "x"}
    seen = survey(laid(tmp_path, more), None, None)
    assert [one.path for one in seen.policies] == ["gates.yaml", "models/a/gates.yaml"]


@pytest.mark.parametrize(
    "url",
    ["https://github.com/acme/churn", "https://github.com/acme/churn.git", "git@github.com:acme/churn.git",
     "ssh://git@github.com/acme/churn.git", "https://token@github.com/acme/churn/"],
)  # fmt: skip
def test_the_repository_is_the_remote_origin(tmp_path, url):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert repository_of(tmp_path, {}) is None
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", url], check=True)
    assert repository_of(tmp_path, {}) == "acme/churn"
    assert repository_of(tmp_path, {"GITHUB_REPOSITORY": "acme/other"}) == "acme/other"


def test_states_are_ordered():
    assert [str(state) for state in CheckState] == ["ok", "skipped", "unknown", "missing", "unsafe"]


def test_the_page_tells_every_check_in_its_order():
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [one.id for one in (*FILES, *SETTINGS)]


def test_every_check_says_what_should_be_and_how_to_fix_it():
    every = (*FILES, *SETTINGS)
    assert len({one.id for one in every}) == len(every)
    assert all(one.asks.endswith(".") and one.hint.endswith(".") for one in every)


def test_it_knows_each_secret_of_the_workflows():
    files = Path(__file__).parents[2].glob(".github/workflows/model-*.yml")
    calls = [yaml.safe_load(file.read_text())[True]["workflow_call"] for file in files]  # to YAML, `on` is the truth
    assert {name for call in calls for name in call.get("secrets", {})} == TAKEN
