"""A repository with its bare remote, a registry, and `gates` run in this process or in a fork."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "edge"))

from edge_project import Done, Project, Rows, call, clean_environment, table

GATES = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}]
HOOKED = Path(__file__).with_name("hooked.py")


class World(Project):
    """A clone with a policy in it, its remote `origin`, and an MLflow registry beside both, if there is one."""

    programs: Path
    """Where the `python` is that need not import what takes long."""
    apart = False
    """Whether each command has a process of its own: MLflow holds a registry open that was put in another's place."""

    def __init__(self, base: Path, registry: Path | None) -> None:
        self.base = base
        self.origin = base / "origin.git"
        self.database = base / "mlflow.db"
        base.mkdir(parents=True, exist_ok=True)
        super().__init__(base / "repository")
        if registry:
            shutil.copyfile(registry, self.database)

    def begin(self, rows: Rows | None = None, **policy: Any) -> Rows:
        """The first commit, on main, pushed."""
        git(self.base, "init", "-q", "--bare", "-b", "main", str(self.origin))
        git(self.root, "init", "-q", "-b", "main")
        git(self.root, "remote", "add", "origin", str(self.origin))
        (self.root / ".gitignore").write_text("made/\n")
        rows = self.ready(rows, **({"gates": GATES} | policy))
        self.commit("first")
        return rows

    def commit(self, message: str) -> str:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", message)
        git(self.root, "push", "-q", "origin", "HEAD:main")
        git(self.root, "fetch", "-q", "origin")
        return git(self.root, "rev-parse", "HEAD")

    def environment(self, **more: str) -> dict[str, str]:
        return clean_environment(**({"MLFLOW_TRACKING_URI": f"sqlite:///{self.database}"} | more))

    def start(
        self,
        *commands: Sequence[str],
        hook: Mapping[str, Any] | None = None,
        root: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Any:
        """One process begun that runs `gates ARGUMENT...` for each command, until one fails."""
        streams = str(self.base / f"{os.getpid()}-{next(_numbers)}")
        policy = str((root or self.root) / "gates.yaml")
        lines = [[command, "--policy", policy, *arguments] for command, *arguments in commands]
        asked = json.dumps([lines, streams, dict(hook) if hook else None])
        process = subprocess.Popen([self.programs / "python", HOOKED, asked], env=self.environment(**(env or {})))
        process.streams = streams  # type: ignore[attr-defined]
        process.count = len(commands)  # type: ignore[attr-defined]
        return process

    def end(self, process: Any) -> list[Done]:
        """What each command said; one that did not run has said nothing. The last has the process's exit code."""
        code = process.wait(1200)
        return [
            Done(code, *(_taken(Path(f"{process.streams}-{place}.{end}")) for end in ("out", "err")))
            for place in range(process.count)
        ]

    def run(self, *arguments: str, hook: Mapping[str, Any] | None = None, root: Path | None = None, **env: str) -> Done:
        """In this process, but where something happens to the effects."""
        if hook is None and not self.apart:
            command, *rest = arguments
            policy = str((root or self.root) / "gates.yaml")
            return call(command, "--policy", policy, *rest, env=self.environment(**env))
        (done,) = self.end(self.start(arguments, hook=hook, root=root, env=env))
        return done

    def records(self) -> list[dict[str, Any]]:
        """The records, the oldest first."""
        done = self.run("history", "--json")
        assert done.code == 0, done.err
        return [one["record"] | {"digest": one["digest"]} for one in json.loads(done.out)][::-1]

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.records()]

    def standing(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json").out)
        return found

    def sound(self, *before: Sequence[str]) -> list[dict[str, Any]]:
        """After commands that end well, registry and ledger agree, every intent is closed once, and nothing is wrong
        with the chain; gives the records."""
        for arguments in (*before, ["status"], ["verify", "--all"], ["history", "--json"]):
            told = self.run(*arguments)
            assert told.code == 0, told.out + told.err
        records = [one["record"] | {"digest": one["digest"]} for one in json.loads(told.out)][::-1]
        closed = [one["intent"] for one in records if one["intent"]]
        assert sorted(closed) == sorted(one["digest"] for one in records if one["kind"] == "intent")
        assert [one["sequence"] for one in records] == list(range(1, len(records) + 1))
        return records

    def better(self, rows: Rows, by: float = 0.05) -> None:
        """Another candidate, trained and judged."""
        self.predictions(
            [
                row | {"score": round(min(1, max(0, row["score"] + (by if row["churn"] == "left" else -by))), 3)}
                for row in rows
            ]
        )
        done = self.run("run")
        assert done.code == 0, done.err

    def snapshot(self) -> None:
        shutil.rmtree(self.base.with_name(self.base.name + "-kept"), ignore_errors=True)
        shutil.copytree(self.base, self.base.with_name(self.base.name + "-kept"), symlinks=True)

    def restore(self) -> None:
        self.apart = True
        shutil.rmtree(self.base)
        shutil.copytree(self.base.with_name(self.base.name + "-kept"), self.base, symlinks=True)


_numbers = iter(range(10**9))


def _taken(path: Path) -> str:
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


def git(folder: Path, *arguments: str, **named: Any) -> str:
    settings = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True, **named
    )
    return done.stdout.strip()


__all__ = ["GATES", "Done", "World", "git", "table"]
