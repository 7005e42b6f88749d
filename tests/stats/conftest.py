from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).parents[2] / "scripts/benches"


@pytest.fixture(scope="module")
def benches():
    """benches("corner"): a module of scripts/benches. Whatever it imports from its folder is forgotten afterwards."""
    ours = {file.stem for file in BENCHES.glob("*.py")} - set(sys.modules)
    sys.path.insert(0, str(BENCHES))
    yield importlib.import_module
    sys.path.remove(str(BENCHES))
    for name in ours:
        sys.modules.pop(name, None)
