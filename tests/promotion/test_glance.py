"""`gates status` looks into an SQLite registry itself: it says what MLflow says, and does without its import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from test_promotion import STATES, better, gates, judged
from worlds import World

from gates.errors import GatesError
from gates.registry.glance import Glance
from gates.registry.mlflow import Registry

PROBE = """
import sys
sys.argv = ["gates", "status", "--policy", sys.argv[1]]
from gates.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, "mlflow" in sys.modules)
"""


def told(registry: Any) -> list[str | None]:
    answers: list[str | None] = [registry.at("churn", alias) for alias in ("champion", "none")]
    for version in ("1", "2", "9"):
        try:
            answers.append(registry.stored("churn", version))
        except GatesError as error:
            answers.append(str(error))
    return answers


def unasked() -> Registry:
    raise AssertionError("MLflow was asked")


@pytest.mark.parametrize("name", STATES)
def test_it_says_what_mlflow_says(world: World, name: str) -> None:
    rows = judged(world)
    assert gates(world, "promote").code == 0
    better(world, rows)
    assert gates(world, "promote").code == 0
    STATES[name][0](world)
    uri = f"sqlite:///{world.database}"
    registry = Registry(uri, world.root)
    assert told(Glance(uri, lambda: registry)) == told(registry)
    assert Glance(uri, unasked).at("churn", "champion") == registry.at("churn", "champion")


def test_mlflow_is_not_loaded(world: World) -> None:
    judged(world)
    assert gates(world, "promote").code == 0
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(world.root / "gates.yaml")],
        env=world.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0 False", json.dumps(done.stdout + done.stderr)
