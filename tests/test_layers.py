"""Every module stands in a layer; scripts/test runs import-linter, which holds the layers themselves."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS, PURE = CONTRACTS


def modules() -> set[str]:
    parts = {path for path in (ROOT / "gates").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    return {path.stem for path in parts} - {"__init__"}


def layered(start: int = 0) -> list[str]:
    """The modules of all layers from this one downward."""
    return [name for layer in LAYERS["layers"][start:] for name in re.split(r"\s*[|:]\s*", layer)]


def test_every_module_is_in_one_layer():
    assert LAYERS["type"] == "layers"
    assert LAYERS["exhaustive"] is True
    assert sorted(layered()) == sorted(modules())


def test_all_from_report_downward_is_held_to_be_pure():
    assert PURE["type"] == "forbidden"
    assert {f"gates.{name}" for name in layered(LAYERS["layers"].index("report"))} == set(PURE["source_modules"])


def test_the_pure_part_may_not_load_the_heavy_one():
    heavy = {"pandas", "numpy", "scipy", "duckdb", "pyarrow", "mlflow", "requests", "sklearn", "fairlearn"}
    assert heavy | {"subprocess", "socket", "time", "os", "pathlib"} <= set(PURE["forbidden_modules"])


def test_the_checks_run_the_linter():
    assert "lint-imports" in (ROOT / "scripts/test").read_text()
