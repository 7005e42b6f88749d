"""Keep foreign text as text in Markdown, HTML and XML: no markup, no link, no mention."""

from __future__ import annotations

import re

LONGEST = 400  # characters of one piece of foreign text

_BREAK = "\u200b"  # zero width: breaks what GitHub turns into a mention, a reference or a link
_MARKUP = re.compile(r"[\\`*\[\]<>|~&\"$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEADING = re.compile(r"^([0-9]{0,9})([-+#=.)])")
_RULES = "(?:m(?:in|ax)|max_worsening|min_improvement|suspicious_gain)"  # they stand behind a colon in a rule's label
_EMOJI = rf":(?!{_RULES}:)(?=[a-z0-9_+\-]*[a-z+\-][a-z0-9_+\-]*:)"
_LINKED = re.compile(rf"[@#]|{_EMOJI}|(?<=:)//|(?<=[Ww]{{3}})\.|(?<=[Gg][Hh])-(?=\d)")


def flat(foreign: str, longest: int = LONGEST) -> str:
    """Return foreign text as one line of at most ``longest`` characters, without those that can't be seen. Not yet
    escaped."""
    seen = " ".join(_INVISIBLE.sub("", foreign.replace("\n", " ").replace("\r", " ")).split())
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"


def xml(foreign: str) -> str:
    """Return foreign text without the characters that XML can't hold, escaped or not. Not yet escaped."""
    return _NOT_XML.sub("\ufffd", foreign)


def text(foreign: str) -> str:
    """Return foreign text for a line of Markdown or a table cell: one line, at most ``LONGEST`` characters."""
    cut = flat(foreign)
    broken = _LINKED.sub(
        lambda found: found.group() + _BREAK if found.group() in "@#:" else _BREAK + found.group(), cut
    )
    return _MARKUP.sub(lambda found: f"&#{ord(found.group())};", broken)


def line(foreign: str) -> str:
    """Return the same for the beginning of a line, where more characters mean something: no list, no heading, no
    rule."""
    return _LEADING.sub(lambda found: f"{found[1]}&#{ord(found[2])};", text(foreign))


def code(foreign: str) -> str:
    """Return the same, shown as code."""
    return f"<code>{text(foreign)}</code>"
