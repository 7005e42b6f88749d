"""Git is asked in one way: whatever a user, a repository or a training has set, the same is said, nothing is run."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project, git

from gates.checkout.trusted_policy import trusted
from gates.checkout.workspace import Workspace
from gates.documents.record import LEDGER, RecordKind
from gates.errors import Exit, GatesError
from gates.github import changed_policies
from gates.github.event import Event
from gates.ledger.ledger import Ledger, opened
from gates.promotion.provenance import draft, run
from gates.schema.canonical import canonical
from gates.system import git_settings
from gates.system.files import folder_digest
from gates.system.git import Git, failed, repository

POLICY = """
{version: 1, model: m, data: {holdout: h.csv, label: y}, train: {run: "true"}, gates: [{metric: roc_auc, min: 0.5}]}
"""
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def made(root: Path) -> Path:
    """A repository with a policy in a subfolder, and a bare remote beside it."""
    (root / "m").mkdir(parents=True)
    (root / "m/gates.yaml").write_text(POLICY)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=a policy")
    git(root.parent, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(root, "remote", "add", "origin", "../remote.git")
    git(root, "push", "--quiet", "origin", "main")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made(tmp_path / "repository")


def found(root: Path, environ: Mapping[str, str] = ENVIRON) -> Git:
    told = repository(root, environ)
    assert told is not None
    return told[0]


def everything(root: Path, environ: Mapping[str, str] = ENVIRON) -> list[object]:
    """What gates asks git, from reading a policy to writing and reading a ledger."""
    asked = found(root, environ)
    ledger = opened(root / "m", environ)
    here = run(environ, asked)
    entry = ledger.append_last(draft("m", here, RecordKind.REFUSAL, "champion", "why"), {})
    base = asked.resolve("HEAD")
    happened = Event(
        name="push", repository="a/b", head_sha=base or "", base_sha=base, branch="refs/heads/main", pr=None,
        is_fork=False, actor="a", run_id=1, run_attempt=1, api_url="", server_url="",
    )  # fmt: skip
    planned = changed_policies.plan(root, happened, ".", ["m/gates.yaml"], [])
    policy = trusted(Workspace(policy=root / "m/gates.yaml"), environ)
    return [asked.clean(), policy.ref, planned, len(list(ledger.entries(entry.commit.id)))]


def planted(root: Path) -> Path:
    """A program that tells that it was run."""
    program = root.parent / "planted"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> "{root.parent}/ran"\nexit 0\n')
    program.chmod(0o755)
    return program


PROGRAMS = (
    "core.fsmonitor", "filter.x.clean", "filter.x.process", "remote.origin.uploadpack", "remote.origin.receivepack",
    "core.pager", "diff.external", "diff.x.textconv", "diff.x.command", "gpg.program", "core.editor", "sequence.editor",
    "core.sshCommand", "core.askPass", "credential.helper", "uploadpack.packObjectsHook", "interactive.diffFilter",
)  # fmt: skip


def test_no_program_that_a_training_has_planted_is_run(root: Path) -> None:
    (root / ".gitattributes").write_text("* filter=x diff=x\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=attributes")
    program = planted(root)
    hooks = root / ".git/hooks"
    for hook in ("post-index-change", "reference-transaction", "pre-push", "post-checkout", "pre-auto-gc"):
        hooks.mkdir(exist_ok=True)
        (hooks / hook).symlink_to(program)
    for setting in PROGRAMS:
        git(root, "config", setting, f"{program} {setting}")
    os.utime(root / "m/gates.yaml")  # else what stands in the index is believed
    everything(root)
    assert not (root.parent / "ran").exists(), (root.parent / "ran").read_text()


def test_the_control_of_planted_programs(root: Path) -> None:
    program = planted(root)
    git(root, "config", "core.fsmonitor", str(program))
    git(root, "status")
    assert (root.parent / "ran").exists()


SETTINGS = {
    "log.showSignature": "true", "submodule.recurse": "true", "status.submoduleSummary": "true", "color.ui": "always",
    "core.quotePath": "false", "log.decorate": "full", "log.date": "relative", "diff.noprefix": "true",
    "diff.ignoreSubmodules": "all", "status.short": "true", "status.branch": "true", "fetch.prune": "true",
    "push.gpgSign": "true", "push.followTags": "true", "core.abbrev": "4", "log.follow": "true",
    "diff.renames": "copies",
    "format.pretty": "short", "log.abbrevCommit": "true", "push.default": "nothing",
    "push.recurseSubmodules": "on-demand",
    "commit.gpgSign": "true", "core.warnAmbiguousRefs": "true", "fetch.recurseSubmodules": "true",
}  # fmt: skip


def test_no_setting_changes_what_is_said(root: Path) -> None:
    before = everything(root)
    for setting, value in SETTINGS.items():
        git(root, "config", setting, value)
    after = everything(root)
    assert before[:-1] == after[:-1]
    assert (before[0], after[-1]) == (True, 2)


VARIABLES = (
    "GIT_DIR", "GIT_INDEX_FILE", "GIT_TRACE", "GIT_EXTERNAL_DIFF", "GIT_LITERAL_PATHSPECS", "GIT_REPLACE_REF_BASE",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_NAMESPACE", "GIT_ATTR_SOURCE", "GIT_WORK_TREE",
)  # fmt: skip


def test_no_variable_leads_elsewhere(root: Path) -> None:
    assert everything(root, ENVIRON | dict.fromkeys(VARIABLES, "1"))[0] is True


@pytest.mark.parametrize("network", [False, True])
def test_credentials_are_seen_where_a_remote_is_asked_and_those_of_the_registry_nowhere(network: bool) -> None:
    given = {"GITHUB_TOKEN": "x", "MLFLOW_TRACKING_TOKEN": "y", "AWS_SECRET_ACCESS_KEY": "z", "GIT_SSH_COMMAND": "ssh"}
    given["GATES_REGISTRY_CREDENTIALS"] = "AWS_SECRET_ACCESS_KEY=z"
    seen = git_settings.environment(ENVIRON | given, network=network)
    assert seen.keys() & given.keys() == ({"GITHUB_TOKEN", "GIT_SSH_COMMAND"} if network else {"GIT_SSH_COMMAND"})


@pytest.mark.parametrize(
    "name",
    ["a b", "ümlaut", "日本語", "line\u2028separator", "next\x85line", "new\nline", "tab\t", os.fsdecode(b"\xff\xfe")],
)
def test_a_repository_may_stand_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    root = made(tmp_path / name)
    told = repository(root / "m", ENVIRON)
    assert told is not None
    assert (told[0].folder, told[1]) == (root / ".git", root)
    assert everything(root)[0] is True


@pytest.mark.parametrize(
    ("said", "told"),
    [("git version 2.30.9", "gates needs git 2.31 or later"), ("git version 1.8.3.1", "2.31"), ("nonsense", "2.31")],
)
def test_an_old_git_is_told(tmp_path: Path, root: Path, said: str, told: str) -> None:
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/git"
    shim.write_text(f"#!/bin/sh\necho '{said}'\n")
    shim.chmod(0o755)
    with pytest.raises(GatesError, match=told):
        repository(root, ENVIRON | {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})


def test_a_git_of_a_vendor_is_new_enough(tmp_path: Path) -> None:
    for said in ("git version 2.31.0", "git version 2.39.5 (Apple Git-154)", "git version 3.0.0.windows.1"):
        folder = tmp_path / said
        folder.mkdir()
        (folder / "git").write_text(f"#!/bin/sh\necho '{said}'\n")
        (folder / "git").chmod(0o755)
        git_settings.need({"PATH": f"{folder}:/usr/bin:/bin"})


HEADERS: dict[str, bool] = {
    "http.https://git.example.com/.extraheader": True,
    "http.https://github.com.evil.example/.extraheader": True,
    "http.https://github.com/.extraheader": False,
    "http.extraheader": False,
}


@pytest.mark.parametrize(("setting", "ours"), HEADERS.items())
def test_a_login_for_another_host_does_not_disable_ours(root: Path, setting: str, ours: bool) -> None:
    git(root, "config", setting, "AUTHORIZATION: basic eDp5")
    environ = ENVIRON | {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "ghs_x", "GITHUB_SERVER_URL": "https://github.com"}
    seen = found(root, environ).environment(network=True)
    assert ("http.https://github.com/.extraheader" in seen.values()) == ours


@pytest.mark.parametrize("there", ["m", ".", "/"])
def test_nothing_depends_on_the_current_folder(root: Path, there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / there)
    assert everything(root)[-1] == 1
    assert everything(root, ENVIRON | {"GATES_LEDGER": "../remote.git"})[-1] == 2
    assert git(root.parent / "remote.git", "rev-list", "--count", LEDGER) == "2"


def test_one_lock_for_all_work_trees_that_no_prune_takes_away(root: Path) -> None:
    git(root, "worktree", "add", "--quiet", "../beside", "-b", "beside")
    lock = found(root.parent / "beside").lock
    assert lock.resolve() == found(root).lock.resolve() == (root / ".git/gates-lock").resolve()
    lock.touch()
    git(root, "worktree", "prune")
    assert lock.exists()


GH013 = """remote: error: GH013: Repository rule violations found for refs/heads/gates-ledger.
remote: - Changes must be made through a pull request.
remote: Review all repository rules at https://u:secret@github.com/acme/churn/rules\x1b[31m
To https://x-access-token:secret@github.com/acme/churn
 ! [remote rejected] 1 -> gates-ledger (push declined due to repository rule violations)
error: failed to push some refs to 'https://x:secret@github.com/acme/churn'
"""


def test_a_refused_push_is_told_with_the_remotes_own_words() -> None:
    error = failed(("push",), GH013.encode())
    told = str(error)
    for word in ("failed to push", "GH013", "Changes must be made through a pull request", "push declined"):
        assert word in told
    assert "secret" not in told
    assert "\x1b" not in told
    assert error.exit_code is Exit.OUTSIDE


def test_a_hook_that_refuses_is_quoted(root: Path) -> None:
    hook = root.parent / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH013: rule violations, no bots here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GatesError, match="no bots here"):
        everything(root)


REMOTES: dict[str, tuple[list[str], str | None]] = {
    "the usual one": (["origin", "fork"], "origin"),
    "the only one": (["upstream"], "upstream"),
    "none": ([], None),
}


@pytest.mark.parametrize("case", REMOTES)
def test_where_the_ledger_is(root: Path, case: str) -> None:
    names, wanted = REMOTES[case]
    git(root, "remote", "remove", "origin")
    for name in names:
        git(root, "remote", "add", name, "../remote.git")
    assert opened(root / "m", ENVIRON).remote == wanted


def test_of_several_remotes_none_is_guessed(root: Path) -> None:
    git(root, "remote", "rename", "origin", "one")
    git(root, "remote", "add", "two", "../other.git")
    with pytest.raises(GatesError, match="which remote holds the ledger"):
        opened(root / "m", ENVIRON)
    told: Ledger = opened(root / "m", ENVIRON | {"GATES_LEDGER": "two"})
    assert (told.remote, opened(root / "m", ENVIRON | {"GATES_LEDGER": "local"}).remote) == ("two", None)


def test_a_submodule_that_moved_is_a_change_whatever_the_pull_request_says(root: Path, tmp_path: Path) -> None:
    inner = made(tmp_path / "inner/code")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "m/code")
    git(root, "commit", "--quiet", "--message=a submodule")
    base = git(root, "rev-parse", "HEAD")
    git(root / "m/code", "commit", "--quiet", "--allow-empty", "--message=another training")
    git(root, "config", "--file", ".gitmodules", "submodule.m/code.ignore", "all")
    git(root, "config", "submodule.m/code.ignore", "all")
    git(root, "add", "m/code")
    git(root, "commit", "--quiet", "--message=moved", "m/code")
    happened = Event(
        name="push", repository="a/b", head_sha=git(root, "rev-parse", "HEAD"), base_sha=base, branch="refs/heads/main",
        pr=None, is_fork=False, actor="a", run_id=1, run_attempt=1, api_url="", server_url="",
    )  # fmt: skip
    assert changed_policies.plan(root, happened, ".", ["m/gates.yaml"], []).policies == ("m/gates.yaml",)


@pytest.mark.parametrize("change", ["an edit", "a submodule", "nothing"])
def test_whether_the_checkout_is_clean(root: Path, tmp_path: Path, change: str) -> None:
    inner = made(tmp_path / "inner/code")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "m/code")
    git(root, "commit", "--quiet", "--message=a submodule")
    git(root, "config", "submodule.m/code.ignore", "all")
    edited = {"an edit": root / "m/gates.yaml", "a submodule": root / "m/code/m/gates.yaml"}.get(change)
    if edited:
        edited.write_text(f"{POLICY}  # changed")
    assert found(root).clean() is (edited is None)


NAMES: dict[str, Callable[[Path], Path]] = {
    "no UTF-8": lambda folder: folder / os.fsdecode(b"\xff.bin"),
    "a newline": lambda folder: folder / "a\nb",
    "a line separator": lambda folder: folder / "a\u2028b",
    "a control character": lambda folder: folder / "a\x1bb",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_a_model_whose_name_is_no_text_is_told(tmp_path: Path, name: str) -> None:
    NAMES[name](tmp_path).touch()
    with pytest.raises(GatesError, match="whose name is not plain text") as caught:
        folder_digest(tmp_path)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    str(caught.value).encode()


def test_long_names_in_any_script_are_fine(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["深" * 80] * 8)
    deep.mkdir(parents=True)
    (deep / "モデル.bin").touch()
    assert folder_digest(tmp_path).startswith("sha256:")


@pytest.mark.parametrize("value", [{"path": "a\udcff"}, {"ä\udcff": 1}, {"path": "a\udcff", "n": 1e300}], ids=ascii)
def test_text_that_is_no_unicode_is_told_and_not_recorded(value: Any) -> None:
    with pytest.raises(GatesError, match=r"not valid Unicode.*udcff") as caught:
        canonical(value)
    str(caught.value).encode()


def test_a_policy_in_a_folder_that_is_no_utf8_is_told(project: Project) -> None:
    folder = project.root / os.fsdecode(b"m\xff")
    folder.mkdir()
    project.ready()
    for path in list(project.root.iterdir()):
        if path != folder:
            path.rename(folder / path.name)
    done = project.gates("run", "--policy", str(folder / "gates.yaml"))
    assert "unforeseen" not in done.err, done.err
    assert done.code in (0, 2)


def test_every_call_of_git_goes_one_way() -> None:
    """Nothing else in the package starts git."""
    package = Path(git_settings.__file__).parents[1]
    told = [path.name for path in package.rglob("*.py") if re.search(r'(?<!Literal)\["git"', path.read_text())]
    assert sorted(told) == ["git_settings.py"]
    assert subprocess.run(["git", "version"], capture_output=True, check=True).stdout.startswith(b"git version ")
