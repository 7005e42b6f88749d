"""A repository with its bare remote, a registry, and `gates` run in processes forked from one that has imported it."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "edge"))

from edge_project import Project, Rows, clean_environment, table

GATES = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["mlflow", "mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store", "gates.cli",
     "gates.promotion.promote", "gates.measure", "duckdb", "pandas", "jsonschema_rs", "stamina", "filelock", "worlds"]
)  # fmt: skip

REMOTE = ("push", "fetch", "ls-remote")
WRITES = ("hash-object", "mktree", "commit-tree", "update-ref", "push", "init")
CHANGES = (
    "create_experiment", "create_run", "log_artifacts", "log_artifact", "set_terminated", "create_registered_model",
    "create_model_version", "set_registered_model_alias", "delete_registered_model_alias",
)  # fmt: skip
LOOKS = (
    "get_model_version_by_alias",
    "get_model_version",
    "search_model_versions",
    "get_run",
    "get_experiment_by_name",
)


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def _child(commands: list[list[str]], environment: dict[str, str], streams: str, hook: dict[str, Any] | None) -> None:
    """`gates ARGUMENT...` for each command, until one fails; what `hook` says happens to their effects."""
    os.environ.clear()
    os.environ.update(environment)
    if hook:
        _hooked(hook)
    import stamina

    from gates.cli import main

    stamina.set_testing(True, attempts=10, cap=True)  # no pauses

    for place, arguments in enumerate(commands):
        for number, end in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{streams}-{place}.{end}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["gates", *arguments]
        try:
            main()
        except SystemExit as ended:
            if place + 1 == len(commands) or ended.code:
                raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _hooked(hook: dict[str, Any]) -> None:
    """Counts effects, and kills before the k-th, or lets every n-th fail (before or after it was done)."""
    import mlflow

    from gates.system.git import Git

    counter = Path(hook["counter"])
    if hook.get("watch"):
        _watched(counter)
        return

    def tick() -> int:
        count = int(counter.read_text() or 0) + 1 if counter.exists() else 1
        counter.write_text(str(count))
        if count == hook.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    def fails(count: int) -> bool:
        return count % hook.get("every", 10**9) == 0

    ask = Git.ask

    def asked(self: Any, *arguments: str, **named: Any) -> Any:
        if arguments[0] not in (REMOTE if "every" in hook else WRITES):
            return ask(self, *arguments, **named)
        failing = fails(tick())
        if failing and not hook.get("late"):
            return subprocess.CompletedProcess(arguments, 128, b"", b"fatal: injected")
        done = ask(self, *arguments, **named)
        return subprocess.CompletedProcess(arguments, 128, b"", b"fatal: injected") if failing else done

    Git.ask = asked  # type: ignore[method-assign]

    def wrap(name: str) -> None:
        plain = getattr(mlflow.MlflowClient, name)

        def called(self: Any, *arguments: Any, **named: Any) -> Any:
            failing = fails(tick())
            if failing and not hook.get("late"):
                raise mlflow.exceptions.MlflowException("injected")
            result = plain(self, *arguments, **named)
            if failing:
                raise mlflow.exceptions.MlflowException("injected")
            return result

        setattr(mlflow.MlflowClient, name, called)

    if hook.get("machines"):
        _far_apart(counter.parent)
        return
    for name in (*CHANGES, *(LOOKS if "every" in hook else ())):
        wrap(name)


def _watched(log: Path) -> None:
    """What could run code of a model is written down: unpickling, and any program but git."""

    def see(event: str, arguments: Any) -> None:
        if event == "pickle.find_class" or (event == "subprocess.Popen" and "git" not in Path(str(arguments[0])).name):
            with log.open("a") as file:
                file.write(f"{event} {arguments[:2]}\n")

    sys.addaudithook(see)


def _far_apart(folder: Path) -> None:
    """As if this were a machine of its own: a lock of its own, that tells nothing about others."""
    from gates.promotion import transaction
    from gates.registry.mlflow import MLflowRegistry

    MLflowRegistry.lock = property(lambda _: folder / "lock")  # type: ignore[assignment, method-assign]
    transaction.POLL = 0.1


class World(Project):
    """A clone with a policy in it, its remote `origin`, and an MLflow registry beside both, if there is one."""

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
        process = SERVER.Process(
            target=_child, args=(lines, self.environment(**(env or {})), streams, dict(hook) if hook else None)
        )
        process.start()
        process.streams = streams  # type: ignore[attr-defined]
        process.count = len(commands)  # type: ignore[attr-defined]
        return process

    def end(self, process: Any) -> list[Done]:
        """What each command said; one that did not run has said nothing. The last has the process's exit code."""
        process.join(1200)
        assert process.exitcode is not None, "it hangs"
        return [
            Done(process.exitcode, *(_taken(Path(f"{process.streams}-{place}.{end}")) for end in ("out", "err")))
            for place in range(process.count)
        ]

    def run(self, *arguments: str, hook: Mapping[str, Any] | None = None, root: Path | None = None, **env: str) -> Done:
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
        *_, told = said = self.end(self.start(*before, ["status"], ["verify", "--all"], ["history", "--json"]))
        assert told.code == 0, "\n".join(one.out + one.err for one in said)
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
