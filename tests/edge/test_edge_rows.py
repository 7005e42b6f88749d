"""`report:` in the policy: which rows reports show, and to whom they never do."""

from __future__ import annotations

import json

import pytest
from edge_project import Project, git, pull_request, refused, table

pytestmark = pytest.mark.usefixtures("forked_children")

REPORT = {"rows": 3, "columns": ["region"]}


def commit(project: Project) -> str:
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--allow-empty", "--message=change")
    return git(project.root, "rev-parse", "HEAD")


@pytest.fixture
def compared(tmp_path) -> Project:
    """A repository with a champion, and a candidate that is worse on some rows."""
    project = Project(tmp_path / "repository", GATES_REGISTRY="git")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    (project.root / ".gitignore").write_text(".gates/\n")
    rows = project.ready(report=REPORT)
    commit(project)
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    project.predictions([row | {"score": 1 - row["score"] if row["id"] % 9 == 0 else row["score"]} for row in rows])
    commit(project)
    return project


def shown(project: Project) -> list[bool]:
    """Whether the rows are in each report."""
    return ["got worse" in (project.work / f"report.{form}").read_text() for form in ("md", "html")]


def test_rows_stand_in_every_report_with_the_columns_that_the_policy_names(compared):
    done = compared.gates("run")
    rows = compared.json("rows")
    assert f"{rows['worse']} rows got worse, {rows['better']} better" in done.out
    assert shown(compared) == [True, True]
    assert len(rows["worst"]) == 3
    regions = {str(row["id"]): row["region"] for row in table()}
    assert all(row["columns"] == [regions[row["key"]] or None] for row in rows["worst"])
    report = (compared.work / "report.md").read_text()
    assert all(f"| {row['key']} |" in report for row in rows["worst"])


def test_of_other_evidence_none_are_shown(compared):
    compared.gates("run")
    path = compared.work / "rows.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"evidence": "sha256:" + "0" * 64}))
    compared.gates("judge")
    assert shown(compared) == [False, False]
    path.write_text("{}")
    assert "the rows that changed can't be read" in compared.gates("judge").err


def test_without_the_key_in_the_policy_none_are_kept(compared):
    compared.policy()
    compared.gates("run")
    assert not (compared.work / "rows.json").exists()
    assert shown(compared) == [False, False]


def test_a_pull_request_shows_what_its_base_asks_for_too(compared):
    """Labels and columns are not shown because of a change that nobody has approved yet."""
    compared.policy(report={"rows": 5, "columns": ["region", "age"]})
    commit(compared)
    compared.gates("run", "--base", "main~1")
    rows = compared.json("rows")
    assert (rows["columns"], len(rows["worst"])) == (["region"], 3)
    compared.policy()
    base = commit(compared)
    compared.policy(report=REPORT)
    commit(compared)
    compared.gates("run", "--base", base)
    assert not (compared.work / "rows.json").exists()


def test_what_the_base_hides_stays_hidden(compared):
    rules = {"record": {"properties": {"region": {"x-sensitive": True}}}}
    (compared.root / "contract.yaml").write_text(json.dumps(rules))
    compared.policy(data={"contract": "contract.yaml"}, report={"columns": ["age"]})
    base = commit(compared)
    (compared.root / "contract.yaml").write_text(json.dumps({"record": {}}))
    compared.policy(data={"contract": "contract.yaml"}, report={"columns": ["age", "region"]})
    commit(compared)
    compared.gates("run", "--base", base)
    assert compared.json("rows")["columns"] == ["age"]


def test_a_fork_sees_none(compared):
    head = git(compared.root, "rev-parse", "HEAD")
    event = pull_request(compared, "http://127.0.0.1:9", head=head, base=head, fork=True)
    compared.gates("run")
    rows = (compared.work / "rows.json").read_bytes()
    compared.gates("run", **event)
    assert not (compared.work / "rows.json").exists()
    (compared.work / "rows.json").write_bytes(rows)  # handed over by whoever made the evidence
    compared.gates("judge", **event)
    assert shown(compared) == [False, False]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"data": {"key": None}}, ["shows rows by their key", "data.key"]),
        ({"report": {"columns": ["sex"]}}, ["sex is x-sensitive in the contract", "no report shows it"]),
        ({"sensitive": "id"}, ["would show the key of rows, which is x-sensitive"]),
        ({"report": {"rows": 51}}, ["rows", "50"]),
        ({"report": {"rows": 0}}, ["rows", "1"]),
        ({"report": {"columns": ["region", "region"]}}, ["columns"]),
        ({"report": {"column": ["region"]}}, ["did you mean columns"]),
    ],
)
def test_what_cannot_be_shown_is_a_mistake_of_the_policy(project, policy, words):
    hidden = policy.pop("sensitive", "sex")
    (project.root / "contract.yaml").write_text(json.dumps({"record": {"properties": {hidden: {"x-sensitive": True}}}}))
    data = {"contract": "contract.yaml"} | policy.pop("data", {})
    project.ready(data=data, **({"report": REPORT} | policy))
    refused(project.gates("check"), "gates.yaml:", *words)


def test_a_ranking_has_no_right_and_wrong_rows(project):
    project.ready(
        task="ranking", data={"positive": None, "query": "region"}, gates=[{"metric": "mrr", "min": 0.1}], report={}
    )
    refused(project.gates("check"), "a row of task: ranking is neither right nor wrong")
