"""Where things are and where gates runs, whatever the current folder and the system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from edge_project import call

from gates.registry.address import rooted

ADDRESSES = {
    "sqlite:///mlflow.db": "sqlite:////policy/mlflow.db",
    "sqlite:///../shared/mlflow.db": "sqlite:////policy/../shared/mlflow.db",
    "sqlite:////srv/mlflow.db": "sqlite:////srv/mlflow.db",
    "sqlite:///:memory:": "sqlite:///:memory:",
    "mlruns": "/policy/mlruns",
    "./mlruns": "/policy/mlruns",
    "/srv/mlruns": "/srv/mlruns",
    "file:mlruns": "/policy/mlruns",
    "file:///srv/mlruns": "file:///srv/mlruns",
    "https://mlflow.example": "https://mlflow.example",
    "http://u:p@127.0.0.1:5000": "http://u:p@127.0.0.1:5000",
    "postgresql+psycopg2://db/mlflow": "postgresql+psycopg2://db/mlflow",
    "databricks": "databricks",
    "databricks-uc:profile": "databricks-uc:profile",
}


@pytest.mark.parametrize(("written", "meant"), ADDRESSES.items())
def test_a_relative_registry_starts_at_the_policy(
    written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        assert rooted(written, Path("/policy")) == meant


@pytest.mark.parametrize("command", ["run", "check", "promote", "status", "verify", "doctor", "schema", "--help"])
@pytest.mark.parametrize("lacking", ["O_NOFOLLOW", "killpg"])
def test_on_windows_every_command_says_so(command: str, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, lacking)
    done = call(command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gates: runs on Linux and macOS. On Windows use it inside WSL")
