"""How much is tried: all of it with GATES_LONG=1, as this project's own CI does; else what fits into a quarter of an
hour."""

import os

import pytest

LONG = os.environ.get("GATES_LONG") == "1"
long = pytest.mark.skipif(not LONG, reason="takes long: GATES_LONG=1")
