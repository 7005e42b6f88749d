"""The command `gates`, run by a process that has imported MLflow, pandas and scikit-learn already: importing them takes
five seconds of a core each time.

``started(folder)`` begins a server and gives a folder with two programs. `gates` hands its arguments, environment,
folder, umask, streams and ignored signals to a fork of that server, and ends as it does; a signal that it gets it hands
on, and where it is killed the fork is, too. `python` does so for the modules that gates starts itself, and is the real
one for all else. tests/test_prefork.py holds them to processes of their own.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

PRELOADED = (
    *("mlflow", "mlflow.sklearn", "mlflow.pyfunc", "mlflow.store.model_registry.sqlalchemy_store"),
    *("mlflow.store.tracking.sqlalchemy_store", "sklearn.linear_model", "sklearn.metrics", "sklearn.ensemble"),
    *("pandas", "pyarrow.parquet", "duckdb", "jsonschema_rs", "requests", "rich.progress"),
    *("gates.cli.job_commands", "gates.cli.steps", "gates.cli.promotion_commands", "gates.cli.ledger_commands"),
    *("gates.cli.github_commands", "gates.measure.measurement", "gates.measure.holdout.inputs"),
    *("gates.promotion.promote", "gates.registry.mlflow"),
)
MODULES = ("gates.measure.holdout.scoring", "gates.measure.statistics.bootstrap")
HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLIENT = """\
#!{python} -IS
import array, json, os, signal, socket, sys

program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if program == "python" and not set(arguments[:3]) & {modules}:
    os.execv({python!r}, [{python!r}, *arguments])
umask = os.umask(0)
os.umask(umask)
asked = dict(program=program, arguments=arguments, folder=os.getcwd(), umask=umask, environment=dict(os.environ))
asked["ignored"] = [one for one in {handed_on} if signal.getsignal(one) == signal.SIG_IGN]
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
server.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(json.dumps(asked).encode() + b"\\n")
answers = server.makefile("rb")
worker = int(answers.readline())
for one in {handed_on}:
    if one not in asked["ignored"]:
        signal.signal(one, lambda number, _: os.kill(worker, number))
code = int(answers.readline() or 70)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def started(folder: Path) -> Iterator[Path]:
    """A folder with programs for the PATH, as long as the server runs."""
    address, programs = str(folder / "socket"), folder / "bin"
    programs.mkdir()
    given = {"python": sys.executable, "address": address, "modules": set(MODULES)}
    for name in ("gates", "python"):
        (programs / name).write_text(CLIENT.format(**given, handed_on=tuple(map(int, HANDED_ON))))
        (programs / name).chmod(0o755)
    server = subprocess.Popen([sys.executable, "-P", __file__, address], stdin=subprocess.PIPE)
    try:
        while not os.path.exists(address):
            assert server.poll() is None, "the server has not begun"
            time.sleep(0.02)
        yield programs
    finally:
        assert server.stdin
        server.stdin.close()  # it ends by that, as it would if this process were killed
        server.wait()


def _serve(address: str) -> None:
    """Fork for everyone who asks, until standard input ends."""
    gc.disable()  # nothing of what is imported goes away
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            return
        asker, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            with suppress(BrokenPipeError, ConnectionResetError):
                _handle(asker)
            os._exit(0)
        asker.close()


def _handle(asker: socket.socket) -> None:
    """Start what is asked for, and say how it ended; end it where nobody waits any more."""
    streams = array.array("i")
    _, given, _, _ = asker.recvmsg(1, socket.CMSG_LEN(3 * streams.itemsize))
    streams.frombytes(given[0][2])
    asked = json.loads(asker.makefile("rb").readline())
    worker = os.fork()
    if worker == 0:
        asker.close()
        os.setsid()
        _become(asked, list(streams))
    for stream in streams:
        os.close(stream)
    asker.sendall(b"%d\n" % worker)
    ended = os.pidfd_open(worker)
    ready, _, _ = select.select([ended, asker], [], [])
    if ended not in ready:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    asker.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(asked: dict[str, Any], streams: list[int]) -> NoReturn:
    """The program that is asked for, in this process."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (_stream(number, mode) for number, mode in enumerate("rww"))
        os.chdir(asked["folder"])
        os.umask(asked["umask"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        time.tzset()
        for number in asked["ignored"]:
            signal.signal(number, signal.SIG_IGN)
        code = _run(asked["program"], asked["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _stream(number: int, mode: str) -> io.TextIOWrapper:
    line_buffering = number == 2 or os.isatty(number)
    errors = "backslashreplace" if number == 2 else "strict"
    raw = os.fdopen(number, f"{mode}b", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=line_buffering)


def _run(program: str, arguments: list[str]) -> int:
    """Run the command line or a module; gives the exit code."""
    try:
        if program == "gates":
            from gates.cli import main

            sys.executable = str(PROGRAMS / "python")
            sys.argv = ["gates", *arguments]
            main()
        place = arguments.index("-m")
        sys.argv = ["-m", *arguments[place + 2 :]]
        sys.path[:0] = [] if "-P" in arguments[:place] else [os.getcwd()]
        runpy.run_module(arguments[place + 1], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    PROGRAMS = Path(sys.argv[1]).with_name("bin")
    _serve(sys.argv[1])
