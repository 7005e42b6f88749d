"""For all tests of this folder."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("edge", "promotion")]  # for their worlds
