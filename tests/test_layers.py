"""Every module stands in a layer; scripts/test runs import-linter, which holds the layers themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS, PURE = CONTRACTS
MOST = 12  # modules of a folder


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


EFFECTS = {"measure", "system"}  # packages below report that read files, or start programs
OBSERVED = (
    "gauges",
    "observed_model",
    "observed_bars",
    "samples",
    "promql_text",
    "alert_rules",
    "rule_cases",
    "dashboard",
)
PARTS = {  # pure ones of others
    *("gates.project.guesses", "gates.project.policy_text"),
    *("gates.github.caller_texts", "gates.github.caller_workflows"),
    *(f"gates.observability.{name}" for name in OBSERVED),
}
FILES = {"gates.attestation": "gates.attestation.statement"}  # the other module reads a key


def test_all_from_report_downward_is_held_to_be_pure():
    below = {"report", *layered(next(i for i, layer in enumerate(LAYERS["layers"]) if layer.startswith("monitoring")))}
    packages = {f"gates.{name}" for name in below - EFFECTS}
    assert {FILES.get(name, name) for name in packages} | PARTS == set(PURE["source_modules"])


def test_nothing_new_stands_at_the_root():
    files = {path.stem for path in (ROOT / "gates").glob("*.py")}
    assert files == {"__init__", "__main__", "api", "errors", "wording"}


def sources() -> list[Path]:
    """Every module of the package, less the template's files."""
    every = (ROOT / "gates").rglob("*.py")
    return [path for path in every if "template" not in path.parts]


def test_no_module_bears_the_name_of_another():
    names = Counter(path.stem for path in sources() if path.stem != "__init__")
    assert [name for name, times in names.items() if times > 1] == []


def test_no_public_class_bears_the_name_of_another():
    found = [
        node.name
        for path in sources()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [name for name, times in Counter(found).items() if times > 1] == []


def test_no_folder_has_more_than_twelve_modules():
    folders = Counter(path.parent for path in sources() if path.stem != "__init__")
    assert [str(folder) for folder, modules in folders.items() if modules > MOST] == []


def test_a_published_format_is_declared_among_the_documents():
    published = re.compile(r'Literal\["gates/[a-z-]+/v\d+"\]')
    declaring = (path for path in sources() if published.search(path.read_text()))
    packages = {path.relative_to(ROOT / "gates").parts[0] for path in declaring}
    assert packages == {"documents"}


def test_every_package_says_in_one_sentence_what_lives_there():
    for path in sources():
        if path.stem == "__init__":
            told = ast.get_docstring(ast.parse(path.read_text())) or ""
            assert told.split("\n\n")[0].rstrip().endswith("."), path


def test_the_pure_part_may_not_load_the_heavy_one():
    heavy = {"pandas", "numpy", "scipy", "duckdb", "pyarrow", "mlflow", "requests", "sklearn", "fairlearn"}
    assert heavy | {"subprocess", "socket", "time", "os", "pathlib"} <= set(PURE["forbidden_modules"])


def test_the_checks_run_the_linter():
    assert "lint-imports" in (ROOT / "scripts/test").read_text()


@pytest.mark.slow
def test_the_ways_of_three_commands_can_be_followed():
    done = subprocess.run([sys.executable, ROOT / "scripts/ways.py"], capture_output=True, text=True, check=True)
    entered = [int(line.split()[0]) for line in done.stdout.splitlines() if "packages entered" in line]
    assert len(entered) == 3
    assert all(0 < packages <= len(modules()) for packages in entered)
