"""The scripts and the locks: what a new machine meets first."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from environment import CALLER

ROOT = Path(__file__).parents[1]
ODD = {
    "TERM": "dumb",
    "LANG": "C",
    "TZ": "Asia/Kathmandu",
    "COLUMNS": "20",
    "PYTHONWARNINGS": "error",
}  # changes nothing
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
SCRIPTS = [
    ROOT / ".ci/run",
    *sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix),
]
OUTSIDE = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != f"{sys.prefix}/bin")
"""The PATH without this environment."""
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==(\S+)(?: ; [^\\]+)? \\$")
DIGEST = re.compile(r"sha256:[0-9a-f]+|\b[0-9a-f]{7}(?:[0-9a-f]{5})?\b|\b20\d\d-\d\d-\d\d\b")  # and commits, and days
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pins(lock: Path) -> set[tuple[str, str]]:
    return {match.groups() for line in lock.read_text().splitlines() if (match := PIN.match(line))}


def install(*arguments: object, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("bash"), ROOT / "scripts/install", *map(str, arguments)]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_a_lock_holds_pins_with_hashes_and_names_no_host(lock):
    text = lock.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []
    assert "://" not in text
    assert all(re.search(rf"^{name}==[^\n]+\n    --hash=", text, re.MULTILINE) for name, _ in pins(lock))


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_a_lock_brings_what_installing_needs(lock):
    assert {"uv", "hatchling", "editables"} <= {name for name, _ in pins(lock)}


def test_what_was_tested_is_what_is_installed():
    gates, demo, test = (pins(ROOT / f"locks/{name}.txt") for name in ("gates", "demo", "test"))
    assert gates < demo < test


def test_the_locks_hold_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {
        re.match(r"[\w-]+", requirement)[0]
        for requirement in [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
        if isinstance(requirement, str)
    }
    assert named <= {name for name, _ in pins(ROOT / "locks/test.txt")}


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_script_is_executable_and_sound(script):
    assert os.access(script, os.X_OK)
    if script.read_text().startswith("#!/usr/bin/env bash"):
        subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "scripts/install DIR LOCK"),
        (["somewhere"], "scripts/install DIR LOCK"),
        (["somewhere", "locks/none.txt"], "no such lock"),
    ],
)
def test_install_tells_a_mistake(arguments, told):
    done = install(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_install_leaves_a_folder_that_is_no_environment_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = install(tmp_path, ROOT / "locks/gates.txt")
    assert done.returncode == 2
    assert "left as it is" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("python", "told"),
    [
        (None, "no python3 found"),
        ('case "$*" in *version_info*) exit 1 ;; --version) echo Python 3.9.2 ;; esac', "Python 3.9.2"),
        ('case "$*" in *ensurepip*) exit 1 ;; esac', "python3-venv"),
    ],
)
def test_install_tells_what_a_machine_lacks(tmp_path, python, told):
    for tool in ("bash", "dirname", "ls"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    if python is not None:
        (tmp_path / "python3").write_text(f"#!{shutil.which('bash')}\n{python}\n")
        (tmp_path / "python3").chmod(0o755)
    done = install(tmp_path / "new", ROOT / "locks/gates.txt", path=str(tmp_path))
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_policy_that_the_example_shows_is_its_own():
    example = ROOT / "configs/telco-churn"
    assert f"```yaml\n{(example / 'gates.yaml').read_text()}```" in (example / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--help"], 0, "scripts/demo --loop"),
        (["-h"], 0, "scripts/demo --loop"),
        (["--lop"], 2, "unknown arguments: --lop"),
        (["--loop", "twice"], 2, "unknown arguments: --loop twice"),
    ],
)
def test_the_demo_tells_what_it_takes(arguments, code, told):
    done = subprocess.run([ROOT / "scripts/demo", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert told in (done.stderr if code else done.stdout)
    assert (done.stdout if code else done.stderr) == ""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A copy of this checkout, as on a new machine, and an environment: nothing of this one is on the PATH."""
    copy = tmp_path_factory.mktemp("machine")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy / file)
    return copy, CALLER | {"PATH": OUTSIDE, "MLFLOW_TRACKING_URI": "sqlite:////nowhere/at-all.db", **ODD}


def demo(machine, *arguments):
    copy, given = machine
    command = [copy / "scripts/demo", *arguments]
    return subprocess.run(command, cwd="/", env=given, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_demo_shows_a_pass_and_a_fail_and_a_second_install_finds_nothing_to_do(machine):
    done = demo(machine)

    assert done.returncode == 0, done.stderr
    assert "one passed, one was stopped" in done.stdout
    assert "\x1b" not in done.stdout
    copy, given = machine
    told = (copy / "demo/.gates/report.md").read_text().splitlines()
    shown = re.findall(r"^> ?(.*)$", (ROOT / "configs/telco-churn/README.md").read_text(), re.MULTILINE)
    assert [DIGEST.sub("", line) for line in shown] == [DIGEST.sub("", line) for line in told]

    again = [copy / "scripts/install", copy / ".venv", copy / "locks/demo.txt"]
    done = subprocess.run(again, env=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_demos_loop_comes_as_the_readme_tells_it(machine):
    done = demo(machine, "--loop")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "a drop, an alarm, a retraining, a challenger" in done.stdout
    readme = (ROOT / "configs/recommender/README.md").read_text()
    rates = re.findall(r"^click-through rate of all these days: (.*) visits$", done.stdout, re.MULTILINE)
    assert [rate.partition(" of ")[0] for rate in rates] == ["champion 0.614", "champion 0.484", "champion 0.495"]
    assert "5,629 visits, 61.4 %" in readme
    assert "falls to 48.4 %" in readme
    assert "challenger 0.587" in rates[-1]
    assert re.search(r"champion 49\.5 %,\s+challenger 58\.7 %", readme)
    rows = re.findall(r"^ +\| (?:champion|the retrained model) \| (.*) \|$", readme, re.MULTILINE)
    judged = re.findall(r":min +(0\.\d{3}) → (0\.\d{3}) ", done.stdout)
    assert list(zip(*(row.split(" | ") for row in rows), strict=True)) == judged


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "configs/recommender/prepare.py",
            "LAUNCH_YEAR = 2001",
            "LAUNCH_YEAR = 9999",
            "gates monitor fail/1, got inconclusive/0",
        ),
        ("configs/recommender/snapshot.py", "[first, rows[", "[first, rows[:0][", "of gates run pass/0, got "),
    ],
    ids=["nothing new", "nothing learned"],
)
def test_the_demos_loop_fails_where_a_step_comes_otherwise(machine, file, old, new, told):
    copy, _ = machine
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    try:
        done = demo(machine, "--loop")
    finally:
        (copy / file).write_text(text)
    assert done.returncode == 1, done.stdout
    assert told in done.stderr.splitlines()[-1]
