"""Runs model-ci.yml for real: a user's repository, this product at a commit, act as the runner, a fake GitHub.

act runs jobs on this machine. It knows no permissions, environments or concurrency: what passes here shows that
the wiring works, and says nothing about security on GitHub.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from documented import documented
from fake_github import FakeGitHub

ROOT = Path(__file__).parents[2]


def _script(name: str) -> Any:
    """A script of this checkout, as a module."""
    path = str(ROOT / "scripts" / name)
    loader = SourceFileLoader(name, path)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


RELEASE = _script("release")  # builds a form without `$/`, too
USED = ("actions", "action.yml", ".github/workflows")
INSTALLED = ("gates", "locks", "scripts", "pyproject.toml", "README.md", "LICENSE")
COMMIT = "1" * 40  # what users pin
PLACEHOLDER = re.compile(r"OWNER/(gates[\w./-]*)@(?:FULL-COMMIT-)?SHA")  # what pages show in the place of both
SECRETS = {"GITHUB_TOKEN": "ghs_bot", "DATA_CREDENTIAL": "kept-in-the-lake"}
STUBS = Path(__file__).parent / "stubs"
# MLflow takes five seconds more to import where nothing is kept compiled.
ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
ENVIRON["MLFLOW_DISABLE_TELEMETRY"] = "true"
PATTERNS = shutil.ignore_patterns("__pycache__", ".*_cache")


def copy_product(target: Path, *names: str) -> None:
    """Parts of this checkout as users get them, with `$/x`, which act doesn't know, spelt out."""
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=PATTERNS, dirs_exist_ok=True)
        else:
            shutil.copy(source, target / name)
    RELEASE.spelled_out(target, "owner/gates", COMMIT)


def third_parties() -> dict[str, Path]:
    """`actions/x@sha` as the workflows pin it, and the stub that stands in for it."""
    texts = [path.read_text() for path in ROOT.glob(".github/workflows/model-*.yml")]
    pins = {pin for text in texts for pin in re.findall(r"uses: (actions/[\w-]+@[0-9a-f]{40})", text)}
    return {pin: STUBS / pin.split("/")[1].split("@")[0] for pin in pins}


@dataclass
class Run:
    """What came of a push: the log, how each job ended, the last `verdict` of each job.

    ``caller`` is the verdict that the calling workflow was given. act gives none where a job has failed.
    """

    log: str
    jobs: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    caller: str | None = None

    @property
    def failed(self) -> set[str]:
        return {job for job, result in self.jobs.items() if result == "failed"}


class World:
    """A user's repository with a pull request, on a GitHub of its own."""

    PR = 7

    def __init__(self, folder: Path, github: FakeGitHub, gates: Path) -> None:
        self.github = github
        self.gates = gates  # the command that the jobs run
        self.repository = folder / "user"
        self.artifacts = folder / "artifacts"
        self.product = folder / "product"
        self.seen = folder / "seen"
        self.variables: dict[str, str] = {}  # further ones of every job
        for path in (self.repository / ".github/workflows", self.artifacts, self.product, self.seen):
            path.mkdir(parents=True)
        copy_product(self.product, *USED)  # act copies all that is there at each step
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", "https://github.com/acme/churn")
        self.git("commit", "--quiet", "--allow-empty", "--message=start")
        self.git("config", "uploadpack.allowFilter", "true")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def call(self, page: str, name: str, elsewhere: dict[str, str] | None = None, /, **inputs: str | None) -> None:
        """Write the user's workflow, as a page shows it, whose job `model` is ours."""
        self.write(documented(page, name, elsewhere, **inputs) + AFTER)

    def write(self, text: str, name: str = "ci.yml") -> None:
        """Write a workflow of the user's."""
        text = PLACEHOLDER.sub(rf"owner/\1@{COMMIT}", text)
        (self.repository / ".github/workflows" / name).write_text(text)

    def tamper(self, script: str) -> None:
        """A shell script that every download ends with, given the job's name and the folder."""
        path = self.seen / "tamper"
        path.write_text(f'#!/usr/bin/env bash\nset -eu\njob=$1\ncd "$2"\n{script}\n')
        path.chmod(0o755)

    def commit(self) -> str:
        """Commit what lies there."""
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.git("rev-parse", "HEAD")

    def push(self, *, install: bool = False, fork: bool = False, workflow: str = "ci.yml") -> Run:
        """Commit, and run what GitHub would run on the pull request. ``install``: as on a new machine."""
        self.github.heads[self.PR] = head = self.commit()
        event = _event(self.PR, head, self._base(), "mallory/churn" if fork else "acme/churn")
        return self.run("pull_request", event, install=install, workflow=workflow)

    def run(self, name: str, payload: dict[str, Any], *, install: bool = False, workflow: str = "ci.yml") -> Run:
        """Run a workflow on an event."""
        event = self.repository.with_name("event.json")
        event.write_text(json.dumps(payload))
        given = {"GITHUB_API_URL": self.github.url, "TEST_ARTIFACTS": self.artifacts, "TEST_SEEN": self.seen}
        given |= self.variables
        given |= {"TEST_ORIGIN": self.repository, "TEST_SHA": self.git("rev-parse", "HEAD")}
        if install:
            copy_product(self.product, *INSTALLED)
        else:  # as in an image that has gates ready
            given["TEST_GATES"] = self.gates
        local = {f"owner/gates@{COMMIT}": self.product} | third_parties()
        command = [
            "act",
            name,
            "--eventpath",
            event,
            "--workflows",
            f".github/workflows/{workflow}",
            "--actor",
            "dana",
            "--rm",
            "--no-skip-checkout",
        ]
        for label in ("ubuntu-latest", "gpu"):
            command += ["--platform", f"{label}=-self-hosted"]  # here, not in a container
        command += [part for name, value in SECRETS.items() for part in ("--secret", f"{name}={value}")]
        command += [part for name, value in given.items() for part in ("--env", f"{name}={value}")]
        command += [part for name, value in local.items() for part in ("--local-repository", f"{name}={value}")]
        done = subprocess.run(
            [*map(str, command)], cwd=self.repository, env=ENVIRON, capture_output=True, text=True, check=False
        )
        return _read(done.stdout + done.stderr)

    def handed_over(self) -> list[tuple[int, str, int]]:
        """The artifacts that the runs so far have uploaded, as the API lists them: id, name, size."""
        names = sorted(self.artifacts.glob("*.name"))
        return [(int(name.stem), name.read_text().strip(), 1000) for name in names]

    def _base(self) -> str:
        """The commit that the pull request starts from: what a test says, else the repository's first, empty one."""
        return self.github.bases.get(self.PR) or self.git("rev-list", "--max-parents=0", "HEAD")

    def git(self, *arguments: str) -> str:
        author = ("-c", "user.name=dana", "-c", "user.email=dana@example.invalid", "-c", "commit.gpgsign=false")
        command = ["git", *author, "-c", "core.hooksPath=/dev/null", *arguments]
        done = subprocess.run(command, cwd=self.repository, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def _event(number: int, head: str, base: str, repository: str) -> dict[str, Any]:
    pull = {"number": number, "head": {"sha": head, "ref": "better", "repo": {"full_name": repository}}}
    return {"number": number, "pull_request": pull | {"base": {"sha": base, "ref": "main"}}}


def on_main(before: str = "0" * 40) -> dict[str, Any]:
    """The event of a push to the default branch."""
    return {"ref": "refs/heads/main", "before": before, "repository": {"default_branch": "main"}}


def by_hand(**inputs: str) -> dict[str, Any]:
    """The event of somebody who starts a workflow on the default branch and fills its form in."""
    return on_main() | {"inputs": {name.replace("_", "-"): value for name, value in inputs.items()}}


def _read(log: str) -> Run:
    run = Run(log)
    for line in log.splitlines():
        job, _, told = line.removeprefix("[").partition("]")
        job = job.split("/")[-1].strip()
        if found := re.search(r"🏁\s+Job (succeeded|failed)", told):
            run.jobs[job] = found[1]
        elif found := re.search(r"⚙  ::set-output:: verdict=(.*)", told):
            run.verdicts[job] = found[1]
        elif found := re.search(r"\| verdict=<(.*)> result=", told):
            run.caller = found[1]
    return run


AFTER = """\
  after:
    needs: model
    if: always()
    runs-on: ubuntu-latest
    steps:
      - shell: bash
        env:
          VERDICT: ${{ needs.model.outputs.verdict }}
          RESULT: ${{ needs.model.result }}
        run: echo "verdict=<$VERDICT> result=<$RESULT>"
"""


def differences(product: Path) -> list[tuple[str, str]]:
    """Each line that differs between this checkout and the copy, as it is here and there."""
    found = []
    for file in product.rglob("*"):
        if file.is_file():
            here = (ROOT / file.relative_to(product)).read_bytes().decode().split("\n")
            there = file.read_bytes().decode().split("\n")
            assert len(here) == len(there), file
            found += [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]]
    return found
