"""The pages of the documentation, and the blocks in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "configs").glob("*/README.md")])
BLOCK = re.compile(r"(?:<!-- (file|add|run|says)(?:: ([^ ]+))? -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str, str, str]]:
    """(what is done with it, with which argument, its language, its text) of each block."""
    return [match.groups() for match in BLOCK.finditer(page.read_text())]
