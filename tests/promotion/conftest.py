from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worlds import World


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow registry on SQLite that nobody has used."""
    import mlflow

    logging.getLogger("alembic").setLevel(logging.WARNING)
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture
def world(tmp_path: Path, empty_registry: Path) -> World:
    """An empty world."""
    return World(tmp_path / "world", empty_registry)
