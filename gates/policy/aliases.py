"""Find the aliases that a policy moves, which decide whether two policies are about the same model."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from gates.errors import GatesError
from gates.policy.resolved import ResolvedPolicy
from gates.policy.sections import Policy
from gates.schema.fields import written
from gates.schema.yaml_text import parse

Alias = tuple[str, str]  # a registered model's name, an alias of it

_NEEDED = tuple(written(one).encode() for one in fields(Policy) if one.default is MISSING)
_CHAMPION = re.compile("models:/([^/@]+)@[^/@]+")
_ESCAPE = re.compile(rb"\\(?:[xuU]|\r?\n)")  # what a key may be spelt with instead of its letters
_KEYS = (re.compile(rb"(?m)^[\"']?gates[\"']?[ \t]*:"), re.compile(rb"(?m)^[\"']?(?:model|champion)[\"']?[ \t]*:"))
_INLINE = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*\{")
_FENCE = re.compile(rb"(?m)^(?:```|~~~)")  # a page that shows a policy is none


def aliases(resolved: ResolvedPolicy) -> frozenset[Alias]:
    """Return every alias that a promotion by this policy may move: the champion's, and those of the stages before
    it."""
    name, alias = resolved.champion
    return frozenset({(name, alias), *((name, stage.alias) for stage in resolved.stages)})


def might_move(data: bytes, wanted: frozenset[Alias]) -> bool:
    """Tell whether a file could be a policy that moves one of these aliases: a quick look, which misses none."""
    if not all(word in data for word in _NEEDED) and not _ESCAPE.search(data):
        return _looks_like_one(data, wanted)
    try:
        value = parse(data, "policy").value
    except GatesError:
        return _looks_like_one(data, wanted)
    if not isinstance(value, dict) or "gates" not in value:
        return False
    champion = value.get("champion")
    named = _CHAMPION.fullmatch(str(champion)) if champion is not None else None
    if champion is not None and named is None:
        return _looks_like_one(data, wanted)
    return (named.group(1) if named else str(value.get("model"))) in {name for name, _ in wanted}


def _looks_like_one(data: bytes, wanted: frozenset[Alias]) -> bool:
    """Tell whether a file that is no policy as it stands seems to have been meant for one of these models."""
    text = data.replace(b"\0", b"")  # whatever it is encoded in
    if not any(name.encode() in text for name, _ in wanted) or _FENCE.search(text):
        return False
    if _INLINE.match(text):
        return b"gates" in text and (b"model" in text or b"champion" in text)
    return all(key.search(text) for key in _KEYS)
