"""Code, files and texts of somebody who wants another verdict: it is the same, or `error`."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import extent
import pytest
import yaml
from fake_github import BOT
from harness import COMMIT, ROOT, World
from telco import BAD, POLICY

ATTACK = """
import glob, os, pathlib

def plant(name, text):
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.write_text(text)

CANARY = "import os\\nopen({canary!r}, 'a').write(os.environ.get('GITHUB_JOB', '?') + ' ')\\n"
for name in ("decision", "evidence"):
    plant(f".gates/{{name}}.json", '{{"verdict": "pass"}}')
plant(".gates/report.md", "all is well")
plant(".gates/scored/candidate.parquet", "PAR1")
plant(".gates/served/served.json", "{{}}")
for name in ("sitecustomize", "usercustomize", "secrets", "hashlib", "venv", "gates", "duckdb"):
    plant(f"{{name}}.py", CANARY)
temp = os.environ["RUNNER_TEMP"]
plant(f"{{temp}}/gates/bin/gates", "#!/bin/sh\\nexit 0\\n")  # what runs after us on this machine
os.chmod(f"{{temp}}/gates/bin/gates", 0o755)
for pattern in ("envs.txt", "outputcmd.txt", "pathcmd.txt", "statecmd.txt", "set_*"):
    for file in glob.glob(f"{{temp}}/../**/{{pattern}}", recursive=True):
        with open(file, "a") as out:
            out.write("verdict=pass\\nreason=all is well\\n")
print("::set-output name=verdict::pass")
print("::set-env name=GATES_POLICY::/dev/null")
print("::stop-commands::x")
assert not [name for name in os.environ if "TOKEN" in name or name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")]
"""


def test_hostile_training_code_does_not_change_the_verdict(world: World, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    train = world.repository / "train.py"
    train.write_text(ATTACK.format(canary=str(canary)) + train.read_text())
    (world.repository / "columns.txt").write_text(BAD)
    world.gates = Path(sys.executable).with_name(
        "gates"
    )  # processes of their own, with all that Python does at its start
    run = world.push()
    assert run.jobs["train"] == "succeeded", run.log
    assert run.verdicts["report"] == "fail", run.log
    assert run.caller != "pass"
    (body,) = world.github.bodies(BOT)
    assert "verdict=fail" in body.splitlines()[-1]
    assert "all is well" not in body
    ran = set(canary.read_text().split()) if canary.exists() else set()
    assert ran <= {"train"}


SETUP = f"""\
name: Setup
on: pull_request
permissions: {{}}
jobs:
  once:
    runs-on: ubuntu-latest
    permissions: {{contents: read}}
    steps:
      - uses: actions/checkout@CHECKOUT
      - uses: owner/gates/actions/setup@{COMMIT}
      - uses: owner/gates/actions/setup@{COMMIT}
      - shell: bash
        run: command -v gates && gates check
"""


@pytest.mark.slow
def test_setup_runs_nothing_of_the_checkout_and_installs_once(world: World, tmp_path: Path) -> None:
    """Python looks for modules, uv and pip for settings, in the folder where they are started."""
    canary = tmp_path / "canary"
    strike = f"import os\nopen({str(canary)!r}, 'a').write('x')\n"
    for name in ("sitecustomize", "secrets", "hashlib", "pathlib", "venv", "ensurepip", "gates", "click", "yaml"):
        (world.repository / f"{name}.py").write_text(strike)
    (world.repository / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    (world.repository / "pyproject.toml").write_text("[tool.uv.pip]\nno-index = true\n")
    (world.repository / "python3").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (world.repository / "python3").chmod(0o755)
    pin = re.search(r"actions/checkout@(\w+)", (ROOT / ".github/workflows/model-ci.yml").read_text())
    assert pin
    world.write(SETUP.replace("CHECKOUT", pin[1]))
    run = world.push(install=True)
    assert run.failed == set(), run.log
    assert not canary.exists()
    assert "1 gate, no mistakes" in run.log
    assert run.log.count("installing gates into") == 1


TEXT = "\n".join(
    [
        "a|b <!-- --> `x` @acme/team #1 </details> [x](http://mallory.example)",
        "verdict=pass",
        "GATES_CANARY=1",
        "verdict<<EOF",
        "pass",
        "EOF",
        "::set-output name=verdict::pass",
        "##[set-output name=verdict;]pass",
        "::set-env name=GATES_CANARY::1",
        "::add-path::/gates-canary",
        "::add-mask::e",
        "${{ github.token }} $(touch HERE) `touch HERE`; touch HERE & touch HERE | touch HERE",
        "'; touch HERE; '",
        '"; touch HERE; "',
        "--help ../../../etc/passwd %0Averdict=pass %0D",
        f"<!-- gates:v2 id=1001 key=gates.yaml base=main head={'a' * 40} verdict=pass -->",
    ]
)


def test_hostile_cells_change_neither_outputs_nor_comment(world: World, tmp_path: Path) -> None:
    """A slice's name holds everything that a shell, a runner or Markdown could take for its own."""
    canary = tmp_path / "canary"
    holdout = world.repository / "data/holdout.csv"
    rows = list(csv.DictReader(holdout.open(newline="")))
    for row in rows:
        row["contract"] = TEXT.replace("HERE", str(canary)) + "x" * 2000
    with holdout.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    (world.repository / "columns.txt").write_text(BAD)
    (world.repository / "gates.yaml").write_text(
        POLICY.replace("min: 0.75", "min: 0.1").replace("slices: {min: 0.01}", "slices: {min: 0.75}")
    )

    run = world.push()
    assert run.verdicts == {"data": "pass", "judge": "fail", "report": "fail"}, run.log
    assert not canary.exists()
    (body,) = world.github.bodies(BOT)
    assert re.fullmatch(rf"<!-- gates:v2 .*head={world.github.heads[7]} verdict=fail -->", body.splitlines()[-1])
    assert body.count("<!--") == 1
    assert body.count("<details>") == body.count("</details>")
    assert re.findall(r"@acme|\]\(http|`x`|a\|b", body) == []
    assert "::set-output:: verdict=pass" not in run.log.split("/judge")[-1]
    assert "***" not in run.log  # no letter of the log is masked


# -- every input of every action --

HARMLESS = {  # what an action must be given
    "score": {"model": "candidate"},
    "report": {"evidence": "nowhere"},
    "unchanged": {"policies": "gates.yaml"},
    "report-fork": {"pull-request": "7", "evidence": "nowhere"},
    "find-run": {"pull-request": "7", "commit": "a" * 40},
    "rollback": {"reason": "why"},
    "stop-experiment": {"reason": "why"},
    "adopt": {"reason": "why"},
    "waive": {"evidence": "nowhere", "gate": "roc_auc:min", "reason": "why", "until": "2999-01-01"},
}


def batch(*, apart: bool) -> dict[str, Any]:
    """One job with the hostile text in every input of every action, a step for each input or, not ``apart``, for each
    action; then a look at what is left. Apart, an input of several actions is tried at one of them, or at all with
    ``--all``."""
    seen: set[str] = set()
    steps: list[dict[str, Any]] = [{"uses": f"actions/checkout@{pinned('checkout')}"}]
    steps += [{"uses": f"actions/setup-python@{pinned('setup-python')}", "with": {"python-version": "3"}}]
    read = 'end=$(cat end); printf "text<<%s\\n%s\\n%s\\n" "$end" "$(cat text)" "$end" >> "$GITHUB_OUTPUT"'
    steps += [{"id": "hostile", "shell": "bash", "run": read}]
    for file in sorted(ROOT.glob("actions/*/action.yml")):
        name = file.parent.name
        keys = [
            key
            for key in yaml.safe_load(file.read_text()).get("inputs", {})
            if extent.ALL or not apart or key not in seen
        ]
        seen.update(keys)
        for hostile in [[key] for key in keys] if apart else [keys]:
            given = HARMLESS.get(name, {}) | dict.fromkeys(hostile, "${{ steps.hostile.outputs.text }}")
            step = {"uses": f"owner/gates/actions/{name}@{COMMIT}", "with": given, "continue-on-error": True}
            steps.append({"name": f"{name} {hostile[0]}", **step} if hostile else step)
    steps.append({"name": "left", "shell": "bash", "run": 'env | sed "s/^/left: /"'})
    job = {"runs-on": "ubuntu-latest", "permissions": {"contents": "read"}, "steps": steps}
    return {"name": "Hostile", "on": "pull_request", "permissions": {}, "jobs": {"batch": job}}


def pinned(name: str) -> str:
    found = re.search(rf"actions/{name}@(\w+)", (ROOT / ".github/workflows/model-ci.yml").read_text())
    assert found
    return found[1]


DECLARED = {
    output
    for file in ROOT.glob("actions/*/action.yml")
    for output in yaml.safe_load(file.read_text()).get("outputs", {})
}


@pytest.mark.parametrize(
    "text", [pytest.param(TEXT, id="corpus"), pytest.param("-" + "x" * 200_000, id="endless", marks=pytest.mark.slow)]
)
def test_no_input_of_any_action_becomes_anything_else(world: World, tmp_path: Path, text: str) -> None:
    canary = tmp_path / "canary"
    (world.repository / "columns.txt").write_text(BAD)
    (world.repository / "text").write_text(text.replace("HERE", str(canary)))
    (world.repository / "end").write_text("end_of_the_hostile_text")
    world.write(json.dumps(batch(apart=text == TEXT)))
    run = world.push()
    assert run.jobs == {"batch": "succeeded"}, run.log[-5000:]
    assert not canary.exists()
    obeyed, passed, step = [], set(), ""  # act tells what it obeys with a space after the command
    for line in run.log.splitlines():
        if started := re.search(r"⭐ Run Main ([\w-]+) [\w-]+$", line):
            step = started[1]
        elif found := re.search(r"⚙  ::([\w-]+):: ([\w-]*)=?(.*)", line):
            obeyed.append(found.groups())
            if found.groups()[1:] == ("verdict", "pass"):
                passed.add(step)
    assert {name for command, name, _ in obeyed if command == "set-output"} <= DECLARED | {"text"}
    assert passed <= {"check-data"}  # the data is sound, whatever the registry's token is
    assert {command for command, _, _ in obeyed} <= {"set-output", "add-path"}
    assert "| left: GATES_CANARY=" not in run.log
    assert "| left: PATH=" in run.log
    assert "/gates-canary" not in "".join(value for command, _, value in obeyed if command == "add-path")
    assert "***" not in run.log
    for body in world.github.bodies(BOT):
        assert re.findall(r"@acme|\]\(http|`x`|a\|b", body) == []
