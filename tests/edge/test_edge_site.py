"""`gates site`: one site about the models of several repositories, from real ledgers."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from edge_project import Project, call, git, table

from gates.cli import options
from gates.ledger.ledger import HERE

pytestmark = pytest.mark.usefixtures("forked_children")

ROWS = table(240)
GATES = [{"metric": "roc_auc", "min": 0.6}, {"metric": "accuracy", "min": 0.99}]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Path:
    """A repository with a promoted model; one of its rules failed and was accepted."""
    project = Project(tmp_path_factory.mktemp("repositories") / "churn", GATES_REGISTRY="git")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    (project.root / ".gitignore").write_text(".gates/\n")
    project.ready(ROWS, gates=GATES, promotion={"waivable": ["accuracy"], "open_waivers": True})
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message=first")
    project.gates("run")
    reason = "<b>Friday</b> & 'soon'"
    for gate, until in (("accuracy:min", "2099-12-31"),):
        done = project.gates("waive", "--gate", gate, "--reason", reason, "--until", until)
        assert done.code == 0, done.err
    assert project.gates("promote").code == 0
    return project.root


def site(to: Path, *arguments: str) -> tuple[int, dict[str, str], str]:
    """Exit code, the pages' text without markup by their names, and standard error."""
    done = call("site", *arguments, "--to", str(to))
    pages = {path.name: path.read_text() for path in to.glob("*.html")} if to.exists() else {}
    texts = {name: html.unescape(re.sub(r"<[^>]+>", " ", text.partition("<body>")[2])) for name, text in pages.items()}
    return done.code, texts, done.err


def test_every_model_of_every_repository_has_a_page(served, tmp_path):
    other = tmp_path / "empty"
    git(tmp_path, "init", "--quiet", str(other))
    code, pages, _ = site(tmp_path / "site", str(served), str(other))
    assert (code, set(pages)) == (0, {"index.html", "churn-churn-0.html"})
    assert "1 model of 2 repositories; 1 of them serve" in pages["index.html"]
    assert "champion: v1" in pages["index.html"]
    assert "1 accepted rule" in pages["index.html"]
    assert "Without a ledger yet: empty." in pages["index.html"]
    model = pages["churn-churn-0.html"]
    for told in ("champion is version 1", "accuracy:min", "2099-12-31", "<b>Friday</b> & 'soon'", "roc_auc"):
        assert told in model, told
    source = (tmp_path / "site/churn-churn-0.html").read_text()
    assert "<b>Friday" not in source
    assert 'href="churn-churn-0.html"' in (tmp_path / "site/index.html").read_text()


def test_a_list_of_repositories_and_an_address(served, tmp_path):
    listed = tmp_path / "repositories.txt"
    listed.write_text(f"# ours\nfile://{served}  # the first\n\n")
    code, pages, _ = site(tmp_path / "site", "--list", str(listed))
    assert code == 0
    (model,) = set(pages) - {"index.html"}
    assert model.endswith("churn-churn-0.html")


@pytest.mark.parametrize(
    ("today", "shown"), [("2099-12-31", "(soon)"), ("2099-12-01", ""), ("2100-01-01", "1 more ended")]
)
def test_what_was_accepted_ends(served, tmp_path, monkeypatch, today, shown):
    monkeypatch.setattr(options, "today", lambda: today)
    _, pages, _ = site(tmp_path / "site", str(served))
    model = pages["churn-churn-0.html"]
    assert shown in model
    source = (tmp_path / "site/churn-churn-0.html").read_text()
    section = source.partition('id="waivers"')[2].partition('id="records"')[0]
    assert ("accuracy:min" in section) == (today <= "2099-12-31")
    assert ("1 accepted rule" in pages["index.html"]) == (today <= "2099-12-31")


def test_what_cannot_be_read_is_said_and_is_no_success(served, tmp_path):
    code, pages, _ = site(tmp_path / "site", str(served), str(tmp_path / "gone"))
    assert code == 3
    assert "Can't be read" in pages["index.html"]
    assert "gone" in pages["index.html"]
    assert "champion: v1" in pages["index.html"]


def test_a_ledger_with_flaws_is_said_and_comes_first(served, tmp_path):
    broken = shutil.copytree(served, tmp_path / "broken")
    record = git(broken, "show", f"{HERE}:record.json")
    record = re.sub(r'("evidence":"sha256:)....', r"\g<1>0000", record)
    (tmp_path / "record.json").write_text(record)
    blob = git(broken, "hash-object", "-w", "--", str(tmp_path / "record.json"))
    tree = git(broken, "ls-tree", HERE).replace(git(broken, "rev-parse", f"{HERE}:record.json"), blob)
    made = subprocess.run(["git", "mktree"], cwd=broken, input=f"{tree}\n", capture_output=True, text=True, check=True)
    commit = git(broken, "commit-tree", made.stdout.strip(), "-p", f"{HERE}~1", "-m", "changed")
    git(broken, "update-ref", HERE, commit)
    code, pages, _ = site(tmp_path / "site", str(served), str(broken))
    assert code == 1
    index = pages["index.html"]
    assert "Ledgers with flaws" in index
    assert index.index("ledger with flaws") < index.index("champion: v1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no repository is named"),
        (["--list", "nowhere.txt"], "nowhere.txt"),
        (["--", "--upload-pack=touch pwned"], "is no repository"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, pages, err = site(tmp_path / "site", *(arguments if "--" not in arguments else []))
    if "--" in arguments:
        done = call("site", "--to", str(tmp_path / "site"), *arguments)
        code, err = done.code, done.err
    assert code == 2
    assert said in err
    assert pages == {}
    assert not (tmp_path / "pwned").exists()
