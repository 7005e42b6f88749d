"""Read CODEOWNERS as GitHub does: the last pattern that matches a path names its owners."""

from __future__ import annotations

import re
from functools import cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")  # GitHub takes the first
_STARS = re.compile(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?)")
_SPLIT = re.compile(r"(?<!\\)\s+")


def owners_of(path: str, text: str) -> tuple[str, ...]:
    """Who owns a path from the repository's root; nobody where no pattern matches, or the last one names none."""
    found: tuple[str, ...] = ()
    for line in text.splitlines():
        pattern, *owners = _SPLIT.split(re.sub(r"(^|\s)#.*", "", line).strip())
        if pattern and not re.search(r"^!|[\[\]]", pattern) and _form(pattern).fullmatch(path):
            found = tuple(owners)
    return found


@cache
def _form(pattern: str) -> re.Pattern[str]:
    """Patterns are those of .gitignore, without negation and ranges; what matches a folder matches all in it, save for
    a pattern that ends with a star alone."""
    plain = pattern.replace("\\ ", " ").replace("\\#", "#")
    anchored = "/" in plain.rstrip("/")
    inner = plain.strip("/")
    form = "".join(
        _TOKENS.get(token, re.escape(token)) for token in re.split(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?)", inner)
    )
    start = "" if anchored else "(?:.*/)?"
    end = "/.*" if plain.endswith("/") else "" if inner.endswith("/*") else "(?:/.*)?"
    return re.compile(start + form + end, re.DOTALL)


_TOKENS = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
