"""What the command line says about itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from edge_project import Project, call, clean_environment

from gates import __version__, cli

COMMANDS = sorted(cli.cli.commands)


def test_version() -> None:
    done = call("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"gates, version {__version__}\n"


def test_the_help_tells_the_exit_codes() -> None:
    assert "0 may ship, 1 may not, 2 a mistake" in call("--help").out


def test_nothing_at_all_shows_the_help() -> None:
    done = call()
    assert done.code == 2
    assert "Usage: " in done.err + done.out


@pytest.mark.parametrize("command", ["runn", "Run", "promotion"])
def test_an_unknown_command_is_2(command: str) -> None:
    done = call(command)
    assert (done.code, done.out) == (2, "")
    assert command in done.err


POLICIES: dict[str, dict[str, Any]] = {
    "smallest": {},
    "numbers as text": {"data": {"positive": "1"}},
    "a number": {"data": {"positive": 1}},
    "a boolean": {"data": {"positive": True}},
    "a word that YAML 1.1 takes for a boolean": {"data": {"positive": "yes", "label": "on"}},
    "text of other scripts": {"data": {"positive": "да 👋", "label": "ünï: x"}},
    "text with marks": {"data": {"positive": "# - {a: b}", "label": "'\"\\"}},
    "a date": {"data": {"positive": "2024-01-02", "label": "12:30:00"}},
    "null as text": {"data": {"positive": "null", "label": "~"}},
    "lines": {"train": "python a.py\npython b.py\n\n  trailing  \n"},
    "a long line": {"train": "python train.py " + "--option value " * 40},
    "a training of its own": {"train": {"run": "x", "timeout": "90s"}},
    "slices": {
        "slices": ["region", {"age": [25, 40.5, 1e-7, 60][:2]}, "sex * region"],
        "gates": [{"metric": "roc_auc", "min": 0.1, "slices": {"max_worsening": 1e-05}}],
    },
    "one `by` and several": {
        "gates": [
            {"metric": "demographic_parity_ratio", "by": "sex", "min": 0.8},
            {"metric": "equal_opportunity_difference", "by": ["sex", "region"], "max": 0.999},
        ]
    },
    "a champion": {"champion": "models:/other@prod", "on_inconclusive": "fail", "confidence": 0.9},
}


@pytest.mark.parametrize("name", POLICIES)
def test_the_explained_policy_is_a_policy_and_the_same_one(project: Project, name: str) -> None:
    project.policy(**POLICIES[name])
    first = json.loads(project.gates("check", "--json").out)
    explained = project.gates("check", "--explain")
    assert (explained.code, explained.err) == (0, "")
    (project.root / "gates.yaml").write_text(explained.out)
    again = project.gates("check")
    assert (again.code, again.complaint) == (0, "")
    assert json.loads(project.gates("check", "--json").out) == first
    assert project.gates("check", "--explain").out == explained.out


def test_the_explained_policy_has_every_default(project: Project) -> None:
    project.policy()
    told = yaml.safe_load(project.gates("check", "--explain").out)
    assert told["task"] == "binary"
    assert told["predict"] == {"threshold": 0.5}
    assert told["train"]["timeout"] == "60m"
    assert told["champion"] == "models:/churn@champion"
    assert (told["confidence"], told["on_inconclusive"]) == (0.95, "warn")


def test_the_explained_policy_with_its_contract_judges_the_same(project: Project) -> None:
    """The digest of policy and contract counts a default the same whether it is written or not."""
    (project.root / "contract.yaml").write_text("record:\n  required: [id]\ntable:\n  - rows: {min: 10}\n")
    project.ready(data={"contract": "contract.yaml"})
    assert project.gates("run").code == 0
    before = project.bytes()
    (project.root / "gates.yaml").write_text(project.gates("check", "--explain").out)
    assert project.gates("judge").code == 0
    assert project.gates("run").code == 0
    assert project.bytes() == before


def terminal(project: Project, *arguments: str, **env: str) -> str:
    """What a terminal would get: standard output and error of a process that writes to one."""
    code = f"import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'gates', *{arguments!r}]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=clean_environment(**{"TERM": "xterm-256color", **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.stdout.decode()


def test_a_terminal_gets_colours_unless_it_says_no(project: Project) -> None:
    project.ready()
    assert "\x1b[" in terminal(project, "run")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = terminal(project, "run", **env)
        assert "✓ train" in plain
        assert "ready" in plain or "first run" in plain
        assert "\x1b" not in plain


@pytest.mark.parametrize("command", ["run", "report --format terminal", "check --explain", "run --json", "--help"])
@pytest.mark.parametrize("policy", [{}, {"gates": [{"metric": "roc_auc", "min": 0.99}]}])
def test_a_pipe_gets_no_escape_codes(project: Project, command: str, policy: dict[str, Any]) -> None:
    project.ready(**policy)
    project.gates("run")
    name, *arguments = command.split()
    done = project.gates(name, *arguments) if name != "--help" else call(name)
    assert done.out
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize("value", ["\x1b[2J\x1b[31mred", "\x9b31m", "a\rb", "\x07", "x\n::error::y", "\u202eright"])
def test_values_of_the_data_steer_no_terminal(project: Project, value: str) -> None:
    rows = [row | {"region": value if row["region"] == "north" else "south"} for row in project.ready()]
    project.policy(
        data={"holdout": "h.parquet"},
        slices=["region"],
        gates=[{"metric": "roc_auc", "min": 0.1, "slices": {"min": 0.99}}],
    )
    project.holdout(rows, "h.parquet")
    done = project.gates("run")
    assert done.code == 1
    assert project.decision["gates"][1]["slice"] == {"region": min(value, "south")}
    for bad in ("\x1b", "\x9b", "\r", "\x07", "\n::", "\u202e"):
        assert bad not in done.out + done.err


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_an_example_that_names_the_command(command: str, flag: str) -> None:
    done = call(*command.split(), flag)
    assert (done.code, done.err) == (0, "")
    example = done.out.split("Example:\n")[1].splitlines()[0]
    assert f"gates {command}".strip() in example
    assert all(len(line) <= 100 for line in done.out.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_a_command_that_exists(command: str) -> None:
    """Every option of an example is one of the command that it shows."""
    example = call(command, "--help").out.split("Example:\n")[1].splitlines()[0]
    for name, rest in re.findall(r"gates ([\w-]+)([^&|>]*)", example):
        known = {option for one in cli.cli.commands[name].params for option in one.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known


@pytest.mark.parametrize("value", ["08", "1e5", "0.", "+1", ".5", "1e-3"])
def test_the_explained_policy_keeps_text_that_looks_like_a_number(project: Project, value: str) -> None:
    project.policy(data={"positive": value})
    first = project.gates("check", "--json").out
    (project.root / "gates.yaml").write_text(project.gates("check", "--explain").out)
    assert project.gates("check", "--json").out == first
