"""Run untrusted code in child processes: no credentials, no way to control the runner, nothing outlives it.

What a child may see of the environment is a list of names, not all but some. While it runs, this process can't be read
by it through /proc (on Linux, by anybody but root), and all that it has started, whatever group or session that is in
by then, is ended with it. docs/security.md says where this ends.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gates.errors import Exit, GatesError
from gates.system.activity import ran
from gates.system.telemetry import spans

# What programs need to run at all, to find their libraries and to be told of the run. None holds a credential.
_ALLOWED = """
PATH HOME USER LOGNAME SHELL HOSTNAME LANG LANGUAGE TZ TERM COLUMNS LINES NO_COLOR CI TMPDIR TEMP TMP
LC_ALL LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES LC_MONETARY LC_NAME LC_NUMERIC
LC_PAPER LC_TELEPHONE LC_TIME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONHOME PYTHONPATH PYTHONHASHSEED PYTHONUNBUFFERED PYTHONUTF8
PYTHONIOENCODING PYTHONDONTWRITEBYTECODE PYTHONWARNINGS PYTHONNOUSERSITE R_LIBS R_LIBS_USER JULIA_DEPOT_PATH
LD_LIBRARY_PATH DYLD_LIBRARY_PATH JAVA_HOME SPARK_HOME HADOOP_HOME HADOOP_CONF_DIR PYSPARK_PYTHON
SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
http_proxy https_proxy no_proxy all_proxy
CUDA_HOME CUDA_PATH CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUBLAS_WORKSPACE_CONFIG
NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES
OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS LOKY_MAX_CPU_COUNT
TF_CPP_MIN_LOG_LEVEL TF_DETERMINISTIC_OPS TF_FORCE_GPU_ALLOW_GROWTH
HF_HOME HF_HUB_OFFLINE TRANSFORMERS_OFFLINE TORCH_HOME NLTK_DATA MPLBACKEND
MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI MLFLOW_EXPERIMENT_NAME MLFLOW_EXPERIMENT_ID MLFLOW_DISABLE_TELEMETRY
GITHUB_ACTIONS GITHUB_WORKSPACE GITHUB_REPOSITORY GITHUB_REF GITHUB_REF_NAME GITHUB_HEAD_REF GITHUB_BASE_REF
GITHUB_SHA GITHUB_EVENT_NAME GITHUB_WORKFLOW GITHUB_JOB GITHUB_ACTOR GITHUB_RUN_ID GITHUB_RUN_NUMBER
GITHUB_RUN_ATTEMPT GITHUB_SERVER_URL GITHUB_API_URL RUNNER_OS RUNNER_ARCH RUNNER_NAME RUNNER_TEMP RUNNER_TOOL_CACHE
TRACEPARENT
"""
ALLOWED = frozenset(_ALLOWED.split())
SECRETS = re.compile(
    "TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|CONNECTION_STRING|(ACCESS|API|PRIVATE|ACCOUNT|STORAGE)_?KEY|_PAT$"
    "|AUTH_SOCK|AUTH_CONFIG|^OTEL_EXPORTER_",
    re.IGNORECASE,
)
RUNNER_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
LOGIN = re.compile(r"//[^/@\s]*@")  # an address with a user, and perhaps a password, in it
PATIENCE = 10  # seconds for processes that were killed to be gone
_LONGEST = 20 * 86400  # seconds that are as milliseconds an int of C
_DUMPABLE, _ADOPT, _ADOPTS = 4, 36, 37  # prctl's PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER and PR_GET_CHILD_SUBREAPER
_ENVIRONMENT = slice(47, 49)  # its first and last address in /proc/self/stat, after the program's name


def without_secrets(environment: Mapping[str, str], named: Sequence[str] = ()) -> dict[str, str]:
    """Return what a child sees of the environment: what stands in ``ALLOWED``, and what is ``named`` beside that.

    Raises ``GatesError`` where a name is that of a credential, or of a file by which a step steers the runner.
    """
    for name in named:
        if SECRETS.search(name) or name in RUNNER_FILES:
            raise GatesError(
                f"{name} is a credential or controls the runner; a training gets none", where="train.environment"
            )
    seen = {name: value for name, value in environment.items() if name in ALLOWED or name in named}
    return {name: value for name, value in seen.items() if not LOGIN.search(value)}


def guard() -> None:
    """Make ready for children, as the command line does when it starts. Does nothing but on Linux.

    The environment that this process was started with goes out of /proc, where each process of the same user can read
    it; programs started from here, and libraries, still see it. Orphans of a child become children of this process.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, ValueError):
        first, last = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_ENVIRONMENT])
        known = dict(os.environb)
        if 0 < first < last:
            ctypes.memset(first, 0, last - first)
        for name, value in known.items():
            os.putenv(name, value)
    _prctl(_ADOPT, 1)


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, seconds: int | None = None
) -> int | None:
    """Return the exit code; None where the time ran out. Both streams go to ``log``; whatever the process left running
    is ended with it. Raises ``GatesError`` where something of it can't be ended."""
    before = _children()
    with ran("command", _told(command)), _unreadable(), log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 -- running what the policy and its model say is the point
            list(command),
            cwd=folder,
            env={**environment, **spans.carried()},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait() if seconds is None or _ended_within(process, seconds) else None
        finally:
            _end(process, before)


def _ended_within(process: subprocess.Popen[bytes], seconds: int) -> bool:
    """Tell whether a child ends in time, as soon as it does: ``Popen.wait`` would look every 50 ms."""
    if sys.platform == "linux" and seconds <= _LONGEST:
        with suppress(OSError):  # not every container lets it through
            child = os.pidfd_open(process.pid)
            try:
                waiting = select.poll()
                waiting.register(child, select.POLLIN)
                return bool(waiting.poll(seconds * 1000))
            finally:
                os.close(child)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def leave() -> None:
    """End a child of ours that has called somebody else's code: none of its threads is waited for, and no library
    tidies up, which takes MLflow half a second."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # that code may have closed it, or put anything in its place
            stream.flush()
    os._exit(0)


@contextmanager
def _unreadable() -> Iterator[None]:
    """Keep processes of the same user from reading this one's memory or environment, or tracing it, while a child
    runs."""
    _prctl(_DUMPABLE, 0)
    try:
        yield
    finally:
        _prctl(_DUMPABLE, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _adopts() -> bool:
    """Tell whether orphans of what runs here become children of this process."""
    told = ctypes.c_int(0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPTS, ctypes.byref(told), 0, 0, 0)
    return bool(told.value)


def _told(command: Sequence[str]) -> str:
    """Return what a shell was asked, or a program's first words: the others may hold values of the data."""
    return command[-1] if command[:2] == ["/bin/sh", "-c"] else " ".join(command[:3])


def last_lines(log: Path, most: int) -> list[str]:
    """Return the end of what a process printed."""
    return log.read_text(errors="replace").splitlines()[-most:]


def _end(process: subprocess.Popen[bytes], before: set[int]) -> None:
    """End the process with all that it has started. ``before``: children of ours that are none of its.

    Where nobody has called ``guard``, as in a notebook, what was orphaned before is out of reach.
    """
    known = _descendants(process.pid, set())
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    _kill(known)
    process.wait()
    until = time.monotonic() + PATIENCE
    while _adopts() and (left := _descendants(os.getpid(), before)):
        _kill(left)
        for pid in left:
            with suppress(ChildProcessError):  # a child of a child, which becomes ours when its parent is gone
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > until:
            told = ", ".join(map(str, sorted(left)))
            raise GatesError(f"left processes that can't be stopped: {told}", where="command", exit_code=Exit.OUTSIDE)
        time.sleep(0.001)


def _kill(processes: set[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    """Return each process on this machine and its parent; none where there is no /proc."""
    parents = {}
    names = os.listdir("/proc") if os.path.isdir("/proc") else []
    for name in filter(str.isdigit, names):
        with suppress(OSError, ValueError, IndexError):  # a process may end while it is looked at
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:  # hundreds are read for each child
                stat = file.read()
            parents[int(name)] = int(stat.rpartition(b")")[2].split(None, 2)[1])
    return parents


def _children() -> set[int]:
    return {pid for pid, parent in _parents().items() if parent == os.getpid()}


def _descendants(of: int, but: set[int]) -> set[int]:
    """Return all that descends from a process, but for some children with all that descends from them."""
    parents = _parents()
    descendants: set[int] = set()
    newer = {of}
    while newer:
        newer = {pid for pid, parent in parents.items() if parent in newer} - descendants - but
        descendants |= newer
    return descendants
