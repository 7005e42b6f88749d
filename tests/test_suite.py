"""The suite itself: what it leaves out by default is listed, the caller's environment changes nothing, and all is tried
each night."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import environment
import pytest
import yaml

TESTS = Path(__file__).parent
ROOT = TESTS.parent
WORKFLOWS = ROOT / ".github/workflows"
IN_PART = re.compile(r"mark\.slow\b|\bpart\(\d|\bextent\.ALL\b")
LISTED = re.compile(r"^\| `([\w/.]+)` \|", re.MULTILINE)
GIT = "[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = true\n\thooksPath = /nowhere\n[init]\n\tdefaultBranch = odd\n"
PLACES = (  # git, terminals, colours, clocks, permissions of files, and processes of their own
    *("test_progress.py", "report/test_report_golden.py", "github/test_pictures.py"),
    *(
        f"edge/test_edge_git.py::{name}"
        for name in ("test_no_setting_changes_what_is_said", "test_where_the_ledger_is")
    ),
    *("doctor/test_doctor_files.py", "edge/test_edge_help.py::test_a_terminal_gets_colours_unless_it_says_no"),
)


def test_what_is_left_out_by_default_is_listed() -> None:
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if "node_modules" not in path.parts and path != Path(__file__) and IN_PART.search(path.read_text())
    }
    assert sorted(LISTED.findall((TESTS / "README.md").read_text())) == sorted(found - {"conftest.py", "extent.py"})


def test_slow_tests_run_with_all_alone() -> None:
    for arguments, ran in (((), False), (("--all",), True)):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:xdist", "test_scripts.py", *arguments]
        told = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True).stdout
        assert "test_a_script_is_executable" in told
        assert ("test_the_demo_shows" in told) is ran


@pytest.mark.parametrize(("file", "event", "command"), [
    ("ci.yml", "pull_request", "bash .ci/run"), ("nightly.yml", "schedule", "scripts/test --all < /dev/null"),
])  # fmt: skip
def test_the_default_part_runs_for_each_change_and_all_of_it_each_night(file: str, event: str, command: str) -> None:
    content = yaml.safe_load((WORKFLOWS / file).read_text())
    assert event in content[True]  # to YAML, a key `on` is the truth
    assert command in [step.get("run") for job in content["jobs"].values() for step in job["steps"]]
    assert "exec scripts/test <" in (ROOT / ".ci/run").read_text()


def test_the_callers_environment_changes_nothing(tmp_path: Path) -> None:
    """A part of the suite in a terminal that can nothing, far from Greenwich, with a git that signs, and no home."""
    (tmp_path / "gitconfig").write_text(GIT)
    odd = {
        "TERM": "dumb", "LANG": "C", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "NO_COLOR": "1", "FORCE_COLOR": "1",
        "COLUMNS": "20", "LINES": "5", "HOME": "/proc/nowhere", "XDG_CONFIG_HOME": "/proc/nowhere",
        "XDG_CACHE_HOME": "/proc/nowhere", "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_DIR": "/nowhere",
        "GIT_AUTHOR_DATE": "1999-12-31T00:00:00Z", "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "output"),
        "CI": "true", "MLFLOW_TRACKING_URI": "sqlite:////nowhere/a.db", "GATES_TOKEN": "x", "JAVA_HOME": "/nowhere",
        "PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1", "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9", "MPLBACKEND": "nowhere", "LESS": "x", "EDITOR": "/nowhere",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *PLACES]
    done = subprocess.run(
        command, cwd=TESTS, env=dict(os.environ) | odd, umask=0o077, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "output").exists()


def test_what_is_fixed_is_what_a_test_sees() -> None:
    code = "import environment, json, os; print(json.dumps(dict(os.environ)))"  # later, libraries add some of their own
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent), "GITHUB_TOKEN": "x", "COLUMNS": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    allowed = environment.KEPT | set(environment.FIXED) | {"HOME", "LC_CTYPE"}
    assert [name for name in seen if name not in allowed and not name.startswith(environment.KEPT_PREFIXES)] == []
    assert environment.FIXED.items() <= seen.items()
    umask = os.umask(environment.UMASK)
    assert umask == environment.UMASK
    assert environment.fixed({"GITHUB_TOKEN": "x", "PATH": "/bin", "TZ": "Asia/Kathmandu"}, Path("/h")) == {
        "PATH": "/bin", "HOME": "/h", **environment.FIXED
    }  # fmt: skip
