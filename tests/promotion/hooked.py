"""Commands of `gates` in one process, whose effects fail, end it or are watched: ``hooked.py JSON`` with the commands,
where their streams go, and what happens to their effects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

REMOTE = ("push", "fetch", "ls-remote")
WRITES = ("fast-import", "update-ref", "push", "init")
CHANGES = (
    "create_experiment", "create_run", "log_artifacts", "log_artifact", "set_terminated", "create_registered_model",
    "create_logged_model", "log_model_artifacts", "finalize_logged_model", "log_outputs", "log_inputs", "log_batch",
    "set_logged_model_tags", "update_registered_model", "create_model_version", "set_registered_model_alias",
    "delete_registered_model_alias",
)  # fmt: skip
LOOKS = (
    "get_model_version_by_alias",
    "get_model_version",
    "search_model_versions",
    "get_run",
    "get_experiment_by_name",
)


def _commands(commands: list[list[str]], streams: str, hook: dict[str, Any] | None) -> None:
    """`gates ARGUMENT...` for each command, until one fails; what `hook` says happens to their effects."""
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


if __name__ == "__main__":
    _commands(*json.loads(sys.argv[1]))
