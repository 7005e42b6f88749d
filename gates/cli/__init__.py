"""The command line: the only place that creates effects and passes them down. Errors become exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import NoReturn, cast

import click

from gates import __version__
from gates.errors import Exit, GatesError
from gates.github.outputs import stop_commands
from gates.system import sandbox
from gates.system.telemetry import spans

MODULES = {  # the module of each command; it is imported when the command is asked for
    "job_commands": ("run", "plan", "check-data", "train", "score"),
    "steps": ("check", "measure", "merge", "judge", "report", "power", "schema"),
    "promotion_commands": ("promote", "rollback", "adopt", "waive"),
    "ledger_commands": ("status", "history", "verify", "reproduce", "site"),
    "github_commands": ("comment", "unchanged", "annotate", "doctor"),
    "picture_commands": ("picture", "badge"),
    "other_runs": ("find-fork", "report-fork", "find-run", "keep"),
    "data_commands": ("init", "data", "fetch", "take-artifact"),
    "policy_commands": ("policy", "contract"),
    "statement_commands": ("statement", "card"),
    "machines.launch_commands": ("jobs", "stop"),
    "after_release.monitor_commands": ("monitor",),
    "after_release.alert_commands": ("alert",),
    "after_release.retrain_commands": ("retrain",),
    "after_release.snapshot_commands": ("snapshot",),
    "after_release.observe_commands": ("observe",),
    "after_release.experiment_commands": ("experiment",),
}


class Commands(Mapping[str, click.Command]):
    """The commands by their names."""

    _module: Mapping[str, str] = {name: module for module, names in MODULES.items() for name in names}

    def __getitem__(self, name: str) -> click.Command:
        found: click.Command = getattr(import_module(f"gates.cli.{self._module[name]}"), name.replace("-", "_"))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._module)

    def __len__(self) -> int:
        return len(self._module)


@click.group(
    commands=cast(MutableMapping[str, click.Command], Commands()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gates")
def cli() -> None:
    """Decide whether a machine-learning model may ship, by the rules in gates.yaml.

    \b
    Exit codes: 0 may ship, 1 may not, 2 a mistake in policy, data, model or usage,
    3 something outside failed.

    \b
    Example:
      gates run
    """


def _run_command_line() -> NoReturn:
    """Run a command without click's own ``main``, which gives a broken pipe exit code 1: that would be a verdict."""
    try:
        with cli.make_context("gates", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.exit(Exit.SHIP)
    except click.exceptions.Exit as done:  # --help, --version
        sys.exit(done.exit_code)
    except Exception:
        stop_commands(os.environ, sys.stderr)  # what is told about it may quote anything
        raise
    finally:
        sys.stdout.flush()


def _refuse_windows() -> None:
    """End where locks, links and processes are not those of a POSIX system: what is promised rests on them."""
    lacking = [name for name in ("O_NOFOLLOW", "O_NONBLOCK", "killpg") if not hasattr(os, name)]
    if os.name == "posix" and not lacking:
        return
    click.echo("gates: runs on Linux and macOS. On Windows use it inside WSL", err=True)
    sys.exit(Exit.INPUT)


def _is_obeyed(arguments: list[str]) -> bool:
    """Tell whether the runner may obey what this command prints: only where all text that it prints is escaped."""
    return arguments[:1] == ["annotate"] and "GITHUB_ACTIONS" in os.environ


def main() -> NoReturn:
    """Run the command line, and send its trace where the environment asks for one."""
    with spans.traced(spans.command_name(sys.argv[1:], Commands()), os.environ, _send):
        _end_in_exit_code()


def _send(trace: spans.TaskTrace) -> None:
    from gates.system.telemetry.otlp import sender

    sender(os.environ, sys.stderr, __version__)(trace)


def _end_in_exit_code() -> NoReturn:
    """Run the command line; every error ends in its exit code, none in a traceback."""
    if not _is_obeyed(sys.argv[1:]):
        stop_commands(os.environ, sys.stderr)
    _refuse_windows()
    gc.set_threshold(50_000, 20, 20)  # most of what a command loads stays to its end: looking for garbage takes a tenth
    sandbox.guard()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a training is ended with us
    try:
        _run_command_line()
    except GatesError as error:
        click.echo(f"gates: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.INPUT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("gates: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:  # nobody reads on: what is still buffered goes nowhere, in silence
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OUTSIDE)
    except OSError as error:  # a full or a read-only disk, a file that is somebody else's
        if os.environ.get("GATES_DEBUG"):
            raise
        click.echo(f"gates: {error.filename or 'the system'}: {error.strerror or error}", err=True)
        sys.exit(Exit.OUTSIDE)
    except Exception as error:  # the unforeseen is neither a verdict nor the user's mistake
        if os.environ.get("GATES_DEBUG"):
            raise
        line = (str(error).splitlines() or [""])[0]
        click.echo(f"gates: unexpected error: {type(error).__name__}: {line} (GATES_DEBUG=1 shows where)", err=True)
        sys.exit(Exit.OUTSIDE)
