"""A recommender that was promoted, and its server, started as its README says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_server import free_port

CONFIG = Path(__file__).parents[2] / "configs/recommender"
KEPT = shutil.ignore_patterns("data", ".gates", "__pycache__", "served")
LIMITS = {"min": 0.1, "max_worsening": 0.9}
STAGES = {"champion": ("challenger", "champion"), "challenger": ("challenger",)}
PARAMETERS = {"champion": "params.json", "challenger": "candidates/popular.json"}


@dataclass(frozen=True)
class Shop:
    """The example's folder, with a champion and a challenger that were promoted, and the folder of each."""

    root: Path
    models: Path

    def gates(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gates", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def digest(self, alias: str) -> str:
        told = json.loads(self.gates("status", "--json").stdout)["aliases"]
        return next(str(one["digest"]) for one in told if one["alias"] == alias)


@dataclass(frozen=True)
class Server:
    """A running server. ``process``: to be stopped by who wants to see what then happens."""

    url: str
    logs: Path
    process: subprocess.Popen[str]

    def post(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}/{path}", json=body, timeout=60)

    def metrics(self) -> dict[str, float]:
        lines = requests.get(f"{self.url}/metrics", timeout=60).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def rows(self, log: str) -> list[dict[str, Any]]:
        return [json.loads(line) for file in sorted((self.logs / log).glob("*.jsonl")) for line in file.open()]


def run(folder: Path, *command: str | Path) -> None:
    done = subprocess.run([*command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The champion is the model of the README; the challenger one that the example's gates would stop, so here they
    let it through."""
    root = tmp_path_factory.mktemp("shop") / "recommender"
    shutil.copytree(CONFIG, root, ignore=KEPT)
    policy = (root / "gates.yaml").read_text()
    policy = re.sub(r"\b(min|max_worsening): [\d.]+", lambda found: f"{found[1]}: {LIMITS[found[1]]}", policy)
    (root / "gates.yaml").write_text(policy)
    run(root, sys.executable, "prepare.py")
    run(root, "git", "init", "--quiet", "--initial-branch=main")
    models = root.with_name("models")
    for role, parameters in PARAMETERS.items():
        (root / "params.json").write_bytes((CONFIG / parameters).read_bytes())
        run(root, "git", "add", ":!data")
        run(root, "git", "-c", "user.name=dana", "-c", "user.email=dana@example.invalid", "commit", "-qm", role)
        run(root, sys.executable, "-m", "gates", "run")
        for stage in STAGES[role]:
            run(root, sys.executable, "-m", "gates", "promote", "--stage", stage)
        shutil.copytree(root / ".gates/candidate", models / role)
    return Shop(root=root, models=models)


Starting = Callable[..., Server]


@pytest.fixture
def start(shop: Shop, tmp_path: Path) -> Iterator[Starting]:
    """start(ARGUMENT...): a server with the champion, until the test ends."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str | Path, champion: Path = shop.models / "champion") -> Server:
        port, logs = free_port(), tmp_path / "logs"
        command = [sys.executable, "serve.py", "--champion", champion, "--port", str(port)]
        environ = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        process = subprocess.Popen(
            [*map(str, command), "--logs", str(logs), *map(str, arguments)], cwd=shop.root, env=environ, text=True
        )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                requests.get(f"{url}/healthz", timeout=10).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        assert process.poll() is None
        return Server(url=url, logs=logs, process=process)

    yield go
    for process in started:
        process.kill()
        process.wait()
