"""Run a training, which is a shell command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gates.errors import GatesError
from gates.measure.training_facts import LAUNCHED
from gates.policy import Policy
from gates.system import sandbox

SHOWN = 20  # last lines of a failed training
HINT = "Write an MLflow model folder to $GATES_OUT/model, or $GATES_OUT/predictions.parquet or .csv."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the command is given: the holdout without its label; the training tables: a file, a glob, or a table of the
    engine."""

    holdout: Path
    train: Path | str | None


def train(
    policy: Policy, root: Path, out: Path, tables: Tables, environment: Mapping[str, str], log: Path, seed: int
) -> None:
    """Run the command beside the policy, to fill the fresh folder ``out``.

    Raises ``GatesError`` with the last lines of its output where it fails, takes too long or leaves nothing.
    """
    given = {"GATES_OUT": str(out), "GATES_HOLDOUT": str(tables.holdout), "GATES_SEED": str(seed)}
    if tables.train:
        given["GATES_TRAIN"] = str(tables.train)
    seen = sandbox.without_secrets(environment, policy.train.environment)
    where = f"train: {policy.train.run}"
    run_shell(policy.train.run, root, {**seen, **given}, log, (policy.train.seconds, policy.train.timeout), where)
    if out.is_symlink() or not out.is_dir():
        what = "a link" if out.is_symlink() else "a file" if out.exists() else "nothing"
        raise GatesError(f"left {what} in place of the folder $GATES_OUT", where=where, hint=HINT)
    if not any(out.iterdir()):
        raise GatesError("wrote nothing into $GATES_OUT", where=where, hint=HINT)
    if (out / LAUNCHED).exists() or (out / LAUNCHED).is_symlink():
        raise GatesError(f"wrote {LAUNCHED}, which gates itself writes of a job", where=where, hint="Write facts.json.")


def run_shell(command: str, root: Path, seen: Mapping[str, str], log: Path, limit: tuple[int, str], where: str) -> None:
    """Run a shell command of the policy beside it. ``limit``: the longest time in seconds, and as the policy says it.

    Raises ``GatesError`` with the last lines of its output where it fails or takes too long.
    """
    status = sandbox.run(["/bin/sh", "-c", command], root, seen, log, limit[0])
    if status is None:
        raise GatesError(f"stopped after {limit[1]}", where=where, hint="Raise train.timeout.")
    if status:
        last = "\n".join(f"  | {line}" for line in sandbox.last_lines(log, SHOWN)) or "  (it printed nothing)"
        raise GatesError(f"ended with exit code {status}; its last lines:\n{last}", where=where)
