"""A release: what `scripts/release` builds, of a commit of this checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = "acme/gates"
PARTS = (
    *("gates", "docs", "actions", "locks", "scripts", ".github", "action.yml", "pyproject.toml", "CITATION.cff"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", ".pre-commit-hooks.yaml"),
)


def git(home: Path, *arguments: str) -> str:
    author = ("-c", "user.name=d", "-c", "user.email=d@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *author, *arguments], cwd=home, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, committed as version 0.2.0."""
    home = tmp_path_factory.mktemp("release") / "checkout"
    home.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, home / name)
    code, log = home / "gates/__init__.py", home / "CHANGELOG.md"
    code.write_text(re.sub(r'__version__ = ".*"', '__version__ = "0.2.0"', code.read_text()))
    log.write_text(log.read_text().replace("## [Unreleased]", "## [Unreleased]\n\n## [0.2.0] - 2026-12-01"))
    (home / ".gitignore").write_text("/dist/\n__pycache__/\n")
    git(home, "init", "--quiet")
    for key, value in {"user.name": "d", "user.email": "d@example.invalid", "tag.gpgsign": "false"}.items():
        git(home, "config", key, value)
    git(home, "add", "--all")
    git(home, "commit", "--quiet", "--message", "Version 0.2.0")
    return home


def release(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, home / "scripts/release", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dist(checkout: Path) -> Path:
    done = release(checkout, "0.2.0", "--project", PROJECT, "--untried")
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout / "dist"


def test_it_builds_three_files(dist: Path) -> None:
    names = {file.name for file in dist.iterdir()}
    assert names == {"gates_ml-0.2.0-py3-none-any.whl", "gates_ml-0.2.0.tar.gz", "gates-0.2.0-server.tar.gz"}


def test_the_wheel_says_what_it_is_and_has_all_of_the_package(dist: Path) -> None:
    with zipfile.ZipFile(dist / "gates_ml-0.2.0-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        told = Parser().parsestr(wheel.read("gates_ml-0.2.0.dist-info/METADATA").decode())
        entry = wheel.read("gates_ml-0.2.0.dist-info/entry_points.txt").decode()
    assert (told["Name"], told["Version"], told["Requires-Python"]) == ("gates-ml", "0.2.0", ">=3.11")
    assert "gates = gates.cli:main" in entry
    assert "Programming Language :: Python :: 3.11" in told.get_all("Classifier")
    assert f"Homepage, https://github.com/{PROJECT}" in told.get_all("Project-URL")
    assert "OWNER/gates" not in str(told)
    links = ["".join(link) for link in re.findall(r'\]\(([^)]*)\)|(?:src|srcset)="([^"]*)"', told.get_payload())]
    pages, files = (f"https://github.com/{PROJECT}/{form}/v0.2.0/" for form in ("blob", "raw"))
    assert [link for link in links if not link.startswith((pages, files))] == []  # the index knows no other file
    assert {f"{pages}docs/README.md", f"{files}docs/pictures/comment-light.png"} <= set(links)
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "gates").rglob("*") if path.is_file()}
    assert {name for name in here if "__pycache__" not in name} <= names
    assert {name.split("/")[0] for name in names} == {"gates", "gates_ml-0.2.0.dist-info"}


def test_the_sdist_has_what_its_pages_link_to(dist: Path) -> None:
    with tarfile.open(dist / "gates_ml-0.2.0.tar.gz") as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "docs/README.md"} <= names
    assert not {name for name in names if name.startswith(("tests/", ".github/"))}


def test_the_servers_form_calls_nothing_that_a_server_does_not_know(dist: Path) -> None:
    with tarfile.open(dist / "gates-0.2.0-server.tar.gz") as archive:
        texts = {
            member.name.split("/", 1)[1]: archive.extractfile(member).read().decode()  # type: ignore[union-attr] # a file
            for member in archive.getmembers()
            if member.isfile() and member.name.endswith((".yml", "scripts/install"))
        }
    called = {name: text for name, text in texts.items() if re.search(r"action\.yml$|/model-[a-z-]+\.yml$", name)}
    assert {"action.yml", "actions/gate/action.yml", ".github/workflows/model-ci.yml"} <= set(called)
    assert not [name for name, text in called.items() if "uses: $/" in text]
    assert f"uses: {PROJECT}/actions/setup@v0.2.0" in called["actions/gate/action.yml"]
    for text in called.values():
        assert isinstance(yaml.safe_load(text), dict)
    assert "scripts/install" in texts


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("0.3.0", "--project", PROJECT), "gates/__init__.py has another version than 0.3.0"),
        (("0.3.0", "--project", PROJECT), "CHANGELOG.md has no section [0.3.0]"),
        (("v0.2", "--project", PROJECT), "v0.2 is not a version such as 0.2.0"),
        (("0.2.0", "--project", "OWNER/gates"), "OWNER/gates is not OWNER/NAME of a project"),
    ],
)
def test_what_is_not_ready_is_not_released(checkout: Path, arguments: tuple[str, ...], told: str) -> None:
    done = release(checkout, *arguments, "--untried")
    assert done.returncode in (1, 2)
    assert told in done.stderr


def test_a_change_that_is_not_committed_is_not_released(checkout: Path) -> None:
    (checkout / "new.txt").write_text("")
    done = release(checkout, "0.2.0", "--project", PROJECT, "--untried")
    (checkout / "new.txt").unlink()
    assert "the work tree has changes that are not committed" in done.stderr


@pytest.mark.slow
def test_it_works_in_an_empty_environment_and_tags(checkout: Path) -> None:
    done = release(checkout, "0.2.0", "--project", PROJECT, "--tag")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "python3.11: gates_ml-0.2.0-py3-none-any.whl works" in done.stdout
    assert git(checkout, "tag") == "v0.2.0"
    assert "the tag v0.2.0 exists" in release(checkout, "0.2.0", "--project", PROJECT).stderr


def test_a_pre_commit_hook_checks_the_policy() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "gates check"
    for path, matches in (
        ("gates.yaml", True),
        ("models/a/gates.yaml", True),
        ("contract.yml", True),
        ("x.yaml", False),
    ):
        assert bool(re.search(hook["files"], path)) is matches


def test_the_citation_has_the_version() -> None:
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert f'__version__ = "{told["version"]}"' in (ROOT / "gates/__init__.py").read_text()
