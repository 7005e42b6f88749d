"""A look at the registry's file tells what MLflow tells, and asks MLflow only where it can't."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from worlds import World

from gates.registry.address import MLflowAddress
from gates.registry.mlflow import MLflowRegistry
from gates.registry.sqlite import SQLiteRegistry


def unasked() -> MLflowRegistry:
    raise AssertionError("MLflow was asked")


@pytest.fixture
def registry(world: World) -> MLflowRegistry:
    world.begin()
    world.sound(["run"], ["promote"])
    return MLflowRegistry(uri(world), world.root)


def uri(world: World) -> str:
    return f"sqlite:///{world.database}"


def test_it_is_told_from_the_file_alone(world: World, registry: MLflowRegistry) -> None:
    glance = SQLiteRegistry(MLflowAddress(uri(world), uri(world)), unasked)
    assert glance.at("churn", "champion") == registry.at("churn", "champion") == "1"
    assert glance.at("churn", "shadow") is registry.at("churn", "shadow") is None
    assert glance.at("another", "champion") is registry.at("another", "champion") is None
    assert glance.stored("churn", "1") == registry.stored("churn", "1")
    (file,) = world.database.parent.rglob("artifacts/candidate/predictions.csv")
    before = glance.stored("churn", "1")
    file.write_text(file.read_text() + "\n")
    assert before != glance.stored("churn", "1") == registry.stored("churn", "1")


STATUS = """
import sys
from gates.cli import main
sys.argv = ["gates", "status"]
try:
    main()
finally:
    print("mlflow" in sys.modules, file=sys.stderr)
"""


def test_status_never_loads_mlflow(world: World, registry: MLflowRegistry) -> None:
    assert registry.at("churn", "champion") == "1"
    command = [sys.executable, "-c", STATUS]
    done = subprocess.run(command, cwd=world.root, env=world.environment(), capture_output=True, text=True, check=True)
    assert "version 1, since record 2" in done.stdout
    assert done.stderr.splitlines()[-1] == "False"


def forgotten(file: Path) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("ALTER TABLE registered_model_aliases RENAME TO aliases_of_another_time")


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [forgotten, gone])
def test_other_tables_are_left_to_mlflow(
    world: World, registry: MLflowRegistry, change: Callable[[Path], None]
) -> None:
    assert registry.at("churn", "champion") == "1"
    change(world.database)
    with pytest.raises(AssertionError, match="MLflow was asked"):
        SQLiteRegistry(MLflowAddress(uri(world), uri(world)), unasked).at("churn", "champion")


def test_a_registry_behind_an_address_is_mlflows() -> None:
    server, file = "https://registry.example", "sqlite:///mlflow.db"
    for address in (MLflowAddress(server, server), MLflowAddress(file, server), MLflowAddress(server, file)):
        with pytest.raises(AssertionError, match="MLflow was asked"):
            SQLiteRegistry(address, unasked).stored("churn", "1")
