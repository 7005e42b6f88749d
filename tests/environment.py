"""What the tests see of the caller's environment: what is named here, and nothing else, before anything is imported.

Importing it changes this process, and with it all that the tests start. A test that wants something else says so.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

CALLER = dict(os.environ)
"""The environment as it was; what installs packages needs its ways to them."""

KEPT = {
    *("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR", "USER", "LOGNAME"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *(
        "NODE_USE_SYSTEM_CA",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "GATES_BROWSER",
        "GATES_SCREENSHOTS",
    ),
}
KEPT_PREFIXES = ("PYTEST_", "COV_", "COVERAGE_", "PIP_", "UV_")
FIXED = {
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "xterm-256color",
    "COLUMNS": "80",
    "LINES": "24",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "NO_PROXY": "localhost,127.0.0.1,::1",  # the servers of the tests
    "no_proxy": "localhost,127.0.0.1,::1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_NUM_THREADS": "1",  # two workers share two cores: threads that wait for each other take time from both
    "OPENBLAS_NUM_THREADS": "1",
}
UMASK = 0o022
PREFIX = "gates-tests-home-"


def fixed(caller: dict[str, str], home: Path) -> dict[str, str]:
    """What is left of a caller's environment, and what stands in it whatever the caller has."""
    kept = {name: value for name, value in caller.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    return kept | FIXED | {"HOME": str(home)}


def settle() -> Path:
    """Change this process's environment; gives its home, which is empty, and which the workers that it starts share."""
    home = Path(CALLER.get("HOME", ""))
    if not home.name.startswith(PREFIX):
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
    os.environ.clear()
    os.environ.update(fixed(CALLER, home))
    os.umask(UMASK)
    time.tzset()
    return home


HOME = settle()


def leave() -> None:
    """Remove what ``settle`` made."""
    if str(HOME) != CALLER.get("HOME"):
        shutil.rmtree(HOME, ignore_errors=True)
