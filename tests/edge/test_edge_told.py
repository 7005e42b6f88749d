"""How a verdict is told: observing, formats, annotations, comment and status."""

from __future__ import annotations

import html
import json
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from edge_project import Done, Project, call, git, obeyed, pull_request

sys.path.insert(0, str(Path(__file__).parent.parent / "github"))

from fake_github import FakeGitHub, Trouble

from gates.cli import options
from gates.documents.record import User
from gates.errors import GatesError
from gates.judge.waivers import accept
from gates.schema.validation import read_json

FAILING = [{"metric": "roc_auc", "min": 0.99}]
HEAD = "a" * 40


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model that fails. Nobody changes it: copies are made."""
    project = Project(tmp_path_factory.mktemp("failed"))
    project.ready(gates=FAILING)
    assert project.gates("run").code == 1
    return project.root


@pytest.fixture
def judged(project: Project, failed: Path) -> Project:
    shutil.copytree(failed, project.root, dirs_exist_ok=True)
    return project


def on(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    monkeypatch.setattr(options, "today", lambda: day)


# -- mode: observe until --


@pytest.mark.parametrize(("day", "code"), [("2027-02-28", 0), ("2027-03-01", 0), ("2027-03-02", 1), ("2035-01-01", 1)])
def test_observing_tells_and_ends_by_itself(
    judged: Project, monkeypatch: pytest.MonkeyPatch, day: str, code: int
) -> None:
    judged.policy(gates=FAILING, mode="observe until 2027-03-01")
    on(monkeypatch, day)
    done = judged.gates("judge")
    assert done.code == code
    assert ("👁 observing until 2027-03-01, nothing is blocked — ❌ do not merge yet" in done.out) == (code == 0)
    assert judged.decision["verdict"] == "fail"
    report = (judged.work / "report.md") if judged.gates("report").code == 0 else None
    assert report is not None
    text = report.read_text()
    assert ("**The policy only observes until 2027-03-01**" in text) == (code == 0)
    assert ("stopped observing after 2027-03-01" in text) == (code == 1)


@pytest.mark.parametrize("strict", ["warn", "fail"])
def test_observing_lets_doubt_pass_too(judged: Project, monkeypatch: pytest.MonkeyPatch, strict: str) -> None:
    on(monkeypatch, "2026-11-24")
    doubt = [{"metric": "roc_auc", "min": 0.89}]
    judged.policy(gates=doubt, on_inconclusive=strict)
    assert judged.gates("judge").code == (1 if strict == "fail" else 0)
    judged.policy(gates=doubt, on_inconclusive=strict, mode="observe until 2027-03-01")
    assert judged.gates("judge").code == 0


def test_observing_does_not_soften_an_error(project: Project) -> None:
    project.ready(train="exit 1", mode="observe until 2999-01-01")
    done = project.gates("run")
    assert done.code == 2
    assert "👁" not in done.out


def test_observing_promotes_nothing_that_fails(judged: Project) -> None:
    judged.policy(gates=FAILING, mode="observe until 2999-01-01")
    assert judged.gates("judge").code == 0
    assert judged.gates("promote").code == 1


# -- formats --


@pytest.mark.parametrize(
    ("form", "file", "start"),
    [("markdown", "report.md", "## ❌"), ("junit", "junit.xml", "<?xml"), ("sarif", "gates.sarif", "{")],
)
def test_a_format_with_a_file_is_written_and_its_path_told(judged: Project, form: str, file: str, start: str) -> None:
    done = judged.gates("report", "--format", form)
    path = judged.work / file
    assert (done.code, done.out) == (0, f"{path.resolve()}\n")
    assert path.read_text().startswith(start)


def test_a_format_without_a_file_is_printed(judged: Project) -> None:
    assert judged.gates("report", "--format", "terminal").out.strip().splitlines()[-2].startswith("❌ do not merge yet")
    assert judged.gates("report", "--format", "annotations").out.startswith("::error file=gates.yaml,line=")


def test_sarif_stands_at_the_limits_line(judged: Project) -> None:
    judged.gates("report", "--format", "sarif")
    (run,) = json.loads((judged.work / "gates.sarif").read_text())["runs"]
    (result,) = run["results"]
    line = result["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert '"min": 0.99' in (judged.root / "gates.yaml").read_text().splitlines()[line - 1]


def test_every_limit_has_its_line(project: Project) -> None:
    (project.root / "contract.yaml").write_text("table: [{rows: {min: 10}}]\n")
    gates: list[dict[str, Any]] = [
        {"metric": "roc_auc", "min": 0.99, "slices": {"min": 0.98}},
        {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
        {"data": "holdout"},
    ]
    project.ready(data={"contract": "contract.yaml"}, slices=["region"], gates=gates)
    project.gates("run")
    project.gates("report", "--format", "junit")
    lines = (project.root / "gates.yaml").read_text().splitlines()
    from junitparser import JUnitXml

    (suite,) = JUnitXml.fromstring((project.work / "junit.xml").read_bytes())
    found = {case.name: lines[int(case._elem.get("line")) - 1].strip() for case in suite}
    assert found.pop("roc_auc:min") == '"min": 0.99,'
    assert found.pop("demographic_parity_difference by sex:max") == '"max": 0.9'
    assert found.pop("data.holdout:rows").startswith('"data"')
    assert set(found.values()) == {'"min": 0.98'}


# -- annotations --


def test_an_annotation_is_obeyed_and_nothing_else(judged: Project) -> None:
    done = judged.gates("annotate", GITHUB_ACTIONS="true")
    (command,) = obeyed(done)
    assert command.startswith("::error file=gates.yaml,line=")
    assert command.endswith(f"::{judged.decision['reason'].replace('%', '%25')}")
    assert done.code == 0


def test_in_a_folder_the_file_is_told_from_the_repositorys_root(judged: Project) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(judged.root.resolve().parent)}
    (command,) = obeyed(judged.gates("annotate", **env))
    assert command.startswith("::error file=project/gates.yaml,")


@pytest.mark.parametrize("bad", ["\n::error::x", '{"x": "\\n::error::y"}', "[]", ""])
def test_what_cannot_be_annotated_is_told_and_not_obeyed(judged: Project, bad: str) -> None:
    (judged.work / "decision.json").write_text(bad)
    done = judged.gates("annotate", GITHUB_ACTIONS="true")
    assert done.code == 2
    assert obeyed(done) == []


def test_a_ledger_that_cannot_be_read_is_not_obeyed(judged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def holding(*_: object) -> None:
        raise GatesError("bad\n::error::from the ledger")

    monkeypatch.setattr("gates.ledger.acceptances.holding", holding)
    (command,) = obeyed(judged.gates("annotate", GITHUB_ACTIONS="true"))
    assert "from the ledger" not in command
    assert "can't be read: bad" in judged.gates("report", "--format", "terminal").err


def test_mistakes_of_the_policy_are_annotated(judged: Project) -> None:
    judged.policy(modle=1)
    judged.gates("run")
    (command,) = obeyed(judged.gates("annotate", GITHUB_ACTIONS="true"))
    assert "modle: unknown key" in command
    line = int(command.split("line=")[1].split(",")[0])
    assert '"modle"' in (judged.root / "gates.yaml").read_text().splitlines()[line - 1]


# -- comment and status --


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    """With a pull request."""
    github.heads[7] = HEAD
    return github


def without_policy(project: Project) -> str:
    """A commit of the project's repository that has no policy yet: nothing of it judges."""
    if not (project.root / ".git").exists():
        git(project.root, "init", "--quiet", "--initial-branch=main")
        git(project.root, "commit", "--quiet", "--allow-empty", "--message=nothing yet")
    return git(project.root, "rev-parse", "HEAD")


def comment(project: Project, github: FakeGitHub, *, head: str = HEAD, fork: bool = False, **more: str) -> Done:
    env = pull_request(project, github.url, head=head, base=without_policy(project), fork=fork)
    github.heads[7] = head
    if "policies" in more:
        return call("unchanged", "--policies", more["policies"], env=env)
    return project.gates("comment", **env)


def test_one_comment_and_one_status_from_push_to_push(judged: Project, github: FakeGitHub) -> None:
    assert comment(judged, github).code == 1
    (body,) = github.bodies()
    assert body.startswith("## ❌ gates: do not merge yet")
    told = html.unescape(body)
    assert f"git fetch origin pull/7/head && git checkout {HEAD} && gates run" in told
    assert github.statuses[-1]["state"] == "failure"
    assert github.statuses[-1]["description"] == "do not merge yet — 1 of 1 rule failed"
    judged.policy(gates=[{"metric": "roc_auc", "min": 0.6}])
    assert comment(judged, github, head="d" * 40).code == 0
    (body,) = github.bodies()
    assert "❌ <code>aaaaaaa</code> → ✅ <code>ddddddd</code>" in body
    assert github.statuses[-1]["state"] == "success"
    assert len({status["context"] for status in github.statuses}) == 1


def test_observing_is_a_success_that_says_so(
    judged: Project, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, "2026-11-24")
    judged.policy(gates=FAILING, mode="observe until 2027-03-01")
    assert comment(judged, github).code == 0
    assert github.bodies()[0].startswith("## 👁 gates: observing until 2027-03-01, nothing is blocked — ❌")
    assert github.statuses[-1]["state"] == "success"
    assert github.statuses[-1]["description"].startswith("observing until 2027-03-01: do not merge yet")


def test_nothing_to_judge_says_so_where_something_was_said(judged: Project, github: FakeGitHub) -> None:
    policies = f"{judged.root / 'gates.yaml'}\n\n"
    assert comment(judged, github, policies=policies).code == 0
    assert github.bodies() == []
    assert github.statuses[-1]["state"] == "success"
    comment(judged, github)
    assert comment(judged, github, policies=policies, head="e" * 40).code == 0
    assert github.bodies()[0].startswith("## ➖ gates: nothing to judge — the model's inputs are unchanged")


def test_a_fork_is_told_in_the_report_and_writes_nothing(judged: Project, github: FakeGitHub) -> None:
    assert comment(judged, github, fork=True).code == 1
    assert github.asked == []
    assert (judged.work / "report.md").read_text().startswith("## 🔎 gates: reported by a fork, not verified — ❌")


def test_what_was_accepted_counts_and_is_shown(
    judged: Project, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gates.documents.decision import Decision

    on(monkeypatch, "2026-11-24")
    judged.policy(gates=FAILING, promotion={"waivable": ["roc_auc"], "open_waivers": True})
    judged.gates("judge")
    decision = read_json(Decision, (judged.work / "decision.json").read_bytes(), "decision")
    given = {"who": User(id=1, login="dana", type="User"), "reason": "known", "until": "2026-12-31"}
    waiver = accept(decision, "roc_auc:min", **given, today="2026-11-24", waivable=("roc_auc",))
    monkeypatch.setattr("gates.pipeline.acceptance._waivers", lambda _: (waiver,))
    assert comment(judged, github).code == 0
    (body,) = github.bodies()
    assert body.startswith("## 🟡 gates: mergeable with 1 accepted rule of 1 — by dana, until 2026-12-31")
    assert "roc_auc:min: fail, accepted by dana until 2026-12-31" in body
    assert "whoever may write the ledger may accept" in body
    assert github.statuses[-1]["state"] == "success"
    on(monkeypatch, "2027-01-01")
    assert comment(judged, github, head="f" * 40).code == 1
    (body,) = github.bodies()
    assert "the acceptance by dana does not hold: it ended on 2026-12-31" in body
    assert "✅ <code>aaaaaaa</code> → ❌ <code>fffffff</code>" in body


TROUBLES = {
    "401": Trouble(401, "Bad credentials"), "404": Trouble(404, "Not Found"), "409": Trouble(409, "Conflict"),
    "422": Trouble(422, "Validation Failed"), "429": Trouble(429, headers={"Retry-After": "0"}), "500": Trouble(500),
    "hung up": Trouble(502, hang_up=True), "broken": Trouble(200, raw=b"{"),
    "secondary": Trouble(403, "You have exceeded a secondary rate limit.", headers={"Retry-After": "0"}),
}  # fmt: skip


MET = [
    pytest.param(limit, name, operation, marks=[] if (place + (limit == 0.99)) % 2 else [pytest.mark.slow])
    for place, (name, operation) in enumerate(
        product(TROUBLES, ("GET pulls/get", "POST issues/create-comment", "POST repos/create-commit-status"))
    )
    for limit in (0.6, 0.99)
]


@pytest.mark.parametrize(("limit", "name", "operation"), MET)
def test_under_any_trouble_the_verdict_stands_and_the_log_says_what_happened(
    judged: Project, github: FakeGitHub, operation: str, name: str, limit: float
) -> None:
    judged.policy(gates=[{"metric": "roc_auc", "min": limit}])
    verb, asked = operation.split()
    github.fail(verb, asked, *[TROUBLES[name]] * 20)
    done = comment(judged, github)
    hidden = asked == "repos/create-commit-status" and name == "404"  # no right to set one is no failure
    assert done.code == (1 if limit > 0.9 else 0 if hidden else 3)
    assert done.out == f"{'fail' if limit > 0.9 else 'pass'}: {judged.decision['reason']}\n"
    assert "could not" in done.err
    assert ("The verdict stands" in done.err) != hidden
    assert len(github.bodies()) <= 1
