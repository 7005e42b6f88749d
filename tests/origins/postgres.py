"""A real PostgreSQL, whose programs Debian keeps beside the PATH."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The newest server's folder; None where there is none."""
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def running(folder: Path, binaries: Path) -> Iterator[str]:
    """A server while the block runs: its address. It does not run as root."""
    data, port = folder / "data", free_port()
    before: list[str] = []
    if os.getuid() == 0:
        before = ["runuser", "-u", "postgres", "--"]
        for place in (folder, *folder.parents):
            if place != Path("/") and place.stat().st_uid == 0:
                place.chmod(place.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres")

    def run(name: str, *arguments: str) -> None:
        command = [*before, str(binaries / name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    run("initdb", "-D", str(data), "-U", "gates", "--auth=trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://gates:a-password@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
