from __future__ import annotations

import sys
from pathlib import Path

for folder in ("edge", "github"):  # the command line in this process, and a GitHub
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
