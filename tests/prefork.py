"""The command `gates`, run by a process that has imported MLflow, pandas and scikit-learn already: importing them takes
five seconds of a core each time. It has judged and promoted a model, too, so that what is made once a process
(SQLAlchemy's statements, templates, validators) is there.

``started(folder)`` begins a server and gives a folder with two programs. `gates` hands its arguments, environment,
folder, umask, streams and ignored signals to a fork of that server, and ends as it does; a signal that it gets it hands
on, and where it is killed the fork is, too. `python` does so for the modules that gates starts itself and for the
scripts that are named here, and is the real one for all else. test_prefork.py holds them to processes of their own.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import json
import marshal
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
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
SCRIPTS = (str(Path(__file__).parent / "promotion/hooked.py"), "train.py")  # the examples' training, too
MODULES = ("gates.measure.holdout.scoring", "gates.measure.statistics.bootstrap")
EMPTY = "empty.db"  # beside the programs: an MLflow registry on SQLite that nobody has used
POLICY = {
    "version": 1, "model": "warm", "data": {"holdout": "holdout.csv", "label": "y", "positive": "1", "key": "id"},
    "train": 'cp scores.csv "$GATES_OUT/predictions.csv"', "slices": ["half"],
    "gates": [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.1, "slices": {"min": 0.1}}],
}  # fmt: skip
GIT = """
git init -q --bare origin.git
git init -q repository
cd repository
mv ../gates.yaml ../holdout.csv ../scores.csv .
git remote add origin ../origin.git
git add gates.yaml holdout.csv
git -c user.name=x -c user.email=x@example.invalid commit -q -m first
git push -q origin HEAD:main
git fetch -q
"""
COMMANDS = (
    *(["check"], ["run"], ["promote"], ["run"], ["promote"], ["status"], ["history"], ["verify", "--all"]),
    *(["train"], ["measure"], ["judge"], ["report", "--format", "terminal"]),
)
HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NUMBER, WIDTH = b"%-12d", 12  # as both ends send one
CLIENT = """\
#!{python} -IS
import _signal, _socket, array, marshal, os, sys  # those that are written in C: importing others takes as long again

program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if program == "python" and not set(arguments[:3]) & {named}:
    os.execv({python!r}, [{python!r}, *arguments])
umask = os.umask(0)
os.umask(umask)
asked = dict(program=program, arguments=arguments, folder=os.getcwd(), umask=umask, environment=dict(os.environ))
asked["ignored"] = [one for one in {handed_on} if _signal.getsignal(one) == _signal.SIG_IGN]
told = marshal.dumps(asked)
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
server.sendmsg([{number!r} % len(told)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(told)
worker = int(server.recv({width}))
for one in {handed_on}:
    if one not in asked["ignored"]:
        _signal.signal(one, lambda number, _: os.kill(worker, number))
code = int(server.recv({width}) or 70)
if code < 0:
    if code != -{kill}:
        _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def started(folder: Path) -> Iterator[Path]:
    """A folder with programs for the PATH, as long as the server runs."""
    address, programs = str(folder / "socket"), folder / "bin"
    programs.mkdir()
    numbers = {"kill": int(signal.SIGKILL), "handed_on": tuple(map(int, HANDED_ON)), "number": NUMBER, "width": WIDTH}
    client = CLIENT.format(python=sys.executable, address=address, named={*MODULES, *SCRIPTS}, **numbers)
    for name in ("gates", "python"):
        (programs / name).write_text(client)
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


def _warmed(registry: Path) -> None:
    """Judge and promote a model; ``registry`` is made on the way. All that it leaves behind is in memory."""
    import logging
    import shutil

    import mlflow

    from gates.cli import cli

    before, folder, ends = dict(os.environ), os.getcwd(), []
    logging.getLogger("alembic").setLevel(logging.WARNING)
    mlflow.MlflowClient(f"sqlite:///{registry}").search_registered_models()
    with tempfile.TemporaryDirectory() as home, open(os.devnull, "w") as nowhere:
        shutil.copyfile(registry, f"{home}/mlflow.db")
        os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
        os.environ |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}  # a bar starts a thread
        Path(home, "gates.yaml").write_text(json.dumps(POLICY))
        rows = [(number, number % 3 // 2, number % 2) for number in range(60)]
        for name, text in (("holdout", "{},{},{}"), ("scores", "{},{}")):
            lines = ["id,y,half" if name == "holdout" else "id,score", *(text.format(*row) for row in rows)]
            Path(home, f"{name}.csv").write_text("\n".join(lines))
        subprocess.run(["sh", "-ec", GIT], cwd=home, check=True)
        os.chdir(f"{home}/repository")
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            for command in COMMANDS:
                try:
                    cli.main(command, prog_name="gates", standalone_mode=False)
                except SystemExit as ended:
                    ends.append((command, ended.code))
        os.chdir(folder)
    assert not any(code for _, code in ends), ends
    os.environ.clear()
    os.environ.update(before)


def _serve(address: str) -> None:
    """Fork for everyone who asks, until standard input ends."""
    gc.disable()  # nothing of what is imported goes away
    for name in PRELOADED:
        importlib.import_module(name)
    _warmed(Path(address).with_name(EMPTY))
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(600)  # of pools that nobody holds any more: a fork has one thread alone
            assert not thread.is_alive(), thread
    gc.freeze()
    gc.enable()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)
    running: dict[int, tuple[int, socket.socket]] = {}  # what tells of its end, the process, and who waits for it
    while True:
        waiting = [asker for _, asker in running.values()]
        ready, _, _ = select.select([listener, 0, *running, *waiting], [], [])
        for worker, asker in running.values():
            if 0 in ready or (asker in ready and not asker.recv(1)):  # nobody waits any more
                os.kill(worker, signal.SIGKILL)
        if 0 in ready:
            return
        for ended in [one for one in running if one in ready]:
            worker, asker = running.pop(ended)
            _, status = os.waitpid(worker, 0)
            with suppress(BrokenPipeError, ConnectionResetError):
                asker.sendall(NUMBER % os.waitstatus_to_exitcode(status))
            asker.close()
            os.close(ended)
        if listener in ready:
            asker, _ = listener.accept()
            worker = _begun(asker, [listener, *waiting])
            running[os.pidfd_open(worker)] = worker, asker


def _begun(asker: socket.socket, others: list[socket.socket]) -> int:
    """Start what is asked for; gives its process."""
    streams = array.array("i")
    size, given, _, _ = asker.recvmsg(WIDTH, socket.CMSG_LEN(3 * streams.itemsize))
    streams.frombytes(given[0][2])
    asked = marshal.loads(asker.recv(int(size), socket.MSG_WAITALL))  # noqa: S302 -- of our own client
    worker = os.fork()
    if worker == 0:
        for one in (asker, *others):
            one.close()
        os.setsid()
        _become(asked, list(streams))
    for stream in streams:
        os.close(stream)
    asker.sendall(NUMBER % worker)
    return worker


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
        if arguments[0] in SCRIPTS:
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
            runpy.run_path(arguments[0], run_name="__main__")
            return 0
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
