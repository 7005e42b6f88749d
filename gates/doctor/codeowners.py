"""Read CODEOWNERS as GitHub does: the last pattern that matches a path names its owners.

Source: GitHub's documentation, "About code owners", CODEOWNERS syntax.
"""

from __future__ import annotations

import re
from functools import cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")  # GitHub takes the first
OWNER = re.compile(r"@[A-Za-z0-9_-]{1,100}(/[A-Za-z0-9._-]{1,100})?|[^\s@#/]+@[^\s@#/]+\.[^\s@#/]+")
_COMMENT = re.compile(r"(^|\s)#.*")
_SPLIT = re.compile(r"(?<!\\)\s+")
_UNSUPPORTED = re.compile(r"^!|^\\#|[\[\]]")  # of .gitignore, but not of CODEOWNERS: GitHub skips the line

_STAR_ALONE = re.compile(r"(?<!\*\*)/\*$")


def owners_of(path: str, text: str) -> tuple[str, ...]:
    """Return who owns a path from the repository's root: nobody where no pattern matches, or the last one names
    none."""
    owners: tuple[str, ...] = ()
    for line in text.splitlines():
        pattern, *names = _SPLIT.split(_COMMENT.sub("", line).strip())
        if pattern and all(map(OWNER.fullmatch, names)) and _matches(pattern, path):
            owners = tuple(names)
    return owners


@cache
def _matches(pattern: str, path: str) -> bool:
    """Tell whether a pattern matches a path.

    The patterns are those of .gitignore, but that GitHub lets one that ends with a star alone match only what lies
    directly there, and not all that lies in a folder there.
    """
    from pathspec.patterns.gitignore.base import GitIgnorePatternError
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        found = None if _UNSUPPORTED.search(pattern) else GitIgnoreSpecPattern(pattern).match_file(path)
    except GitIgnorePatternError:  # such as one that ends with a backslash
        return False
    return found is not None and (not _STAR_ALONE.search(pattern) or found.match.end() == len(path))
