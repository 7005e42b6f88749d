"""Write numbers in plain words, and text that a terminal can show."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import Enum

POINT = 100  # one point is a hundredth
MINUS = "−"
_SMALL, _LARGE = Decimal("1e-6"), Decimal("1e15")  # between them a number has few enough digits to be written out
_DIGITS = 12  # that are shown at most beyond the usual ones, as numbers are judged at so many
Noun = tuple[str, str]  # of one, of many
ROW: Noun = ("row", "rows")
QUERY: Noun = ("query", "queries")


class Hopeless(Enum):
    """Why no number of rows would settle a question."""

    AT_BAR = "it lies at the limit: more {of} are unlikely to decide, so move the limit or accept it"
    TRAINING = "more {of} don't reduce the noise of training: train more seeds, move the limit or accept it"


def number(value: float, more: int = 0) -> str:
    """Return a value at three decimals, more where it is small: ``0.812``, ``0.0004``, ``−1,234.5``. ``more``
    digits."""
    if value and abs(value) < 0.01:  # noqa: PLR2004 -- three decimals would show one digit or none
        return _plain(f"{value:.{2 + more}g}")
    return _plain(f"{value:,.{3 + more}f}" if abs(value) < POINT else f"{value:,.{1 + more}f}")


def _plain(told: str) -> str:
    """Return a number without a power of ten where a reader can do without, and with a real minus."""
    if "e" in told and _SMALL <= abs(Decimal(told)) < _LARGE:
        told = f"{Decimal(told):,f}"
    return told.replace("-", MINUS)


def apart(text: Callable[[float, int], str], value: float, limit: float, unit: float = 1.0) -> str:
    """Return a value in as many digits as show on which side of the limit it lies. ``unit``: what the text counts
    in."""
    rendered = text(value, 0)
    for more in range(_DIGITS):
        rendered = text(value, more)
        shown = float(rendered.replace(",", "").replace(MINUS, "-")) / unit
        if (shown > limit) - (shown < limit) == (value > limit) - (value < limit):
            break
    return rendered


def limit_text(value: float) -> str:
    """Return a limit as its author wrote it: ``0.8``, ``500``."""
    return _plain(f"{value:,.10g}")


def written(value: float) -> str:
    """Return a number as it is written in YAML, to be pasted: ``-0.05``, ``1234.5``."""
    return f"{value:.10g}"


def signed(value: float, more: int = 0) -> str:
    """Return a difference with its sign: ``+0.018``, ``−0.071``, ``0``. ``more`` digits."""
    return f"{'+' if value > 0 else MINUS}{number(abs(value), more)}" if value else "0"


def size(value: float, *, points: bool, limit: float | None = None) -> str:
    """Return the size of a difference: ``1.4 points``, ``0.25 points``; as a number where points make no sense.

    ``limit``: from which it is distinguished.
    """
    if not points:
        return number(abs(value)) if limit is None else apart(number, abs(value), abs(limit))
    told = _points(abs(value)) if limit is None else apart(_points, abs(value), abs(limit), POINT)
    return f"{told} point{'' if told == '1' else 's'}"


def asked_size(limit: float, *, points: bool) -> str:
    """Return the size of a difference as the policy's author wrote it: ``10``, ``1.25 points``."""
    told = limit_text(limit * POINT if points else limit)
    return f"{told} point{'' if told == '1' else 's'}" if points else told


def _points(value: float, more: int = 0) -> str:
    scaled = value * POINT
    if scaled and scaled < 0.01:  # noqa: PLR2004 -- two decimals would show nothing
        return _plain(f"{scaled:.{2 + more}g}")
    return f"{scaled:.{1 + more}f}".removesuffix(".0") if scaled >= 1 or scaled == 0 else f"{scaled:.{2 + more}f}"


def standing(value: float, *, points: bool, limit: float | None = None) -> str:
    """Say how one model compares with the other, larger being better: ``8.8 points worse``, ``as good``. ``limit``:
    from which it is distinguished."""
    if not value:
        return "as good"
    edge = limit if limit is not None and value * limit > 0 else None  # beyond zero they are apart as it is
    return f"{size(value, points=points, limit=edge)} {'better' if value > 0 else 'worse'}"


def between(low: float, high: float, *, points: bool, limit: float | None = None) -> str:
    """Say between which two places one model is: ``between 1.4 and 8.8 points worse``."""
    near, far = (standing(end, points=points, limit=limit) for end in sorted((low, high), key=abs))
    if not low or not high:
        return f"up to {far}" if low or high else "as good"
    if low < 0 < high:
        return f"between {standing(low, points=points, limit=limit)} and {standing(high, points=points, limit=limit)}"
    return f"between {near.split(' ')[0]} and {far}"


def percent(confidence: float) -> str:
    """Write 0.95 as ``95 %``."""
    return f"{confidence * 100:.6g} %"


def printable(foreign: str) -> str:
    """Return foreign text for a terminal, without what one obeys: line breaks and control characters become spaces."""
    return "".join(letter if letter.isprintable() else " " for letter in foreign)


def rows(n: int) -> str:
    """Write a number of rows: ``1 row``, ``48,210 rows``."""
    return plural(n, *ROW)


def plural(n: int, one: str, many: str) -> str:
    """Write a number with its noun and verb: ``1 rule holds``, ``3 rules hold``."""
    return f"{n:,} {one if n == 1 else many}"


def all_of(n: int, one: str, many: str) -> str:
    """Write that it is all of them: ``the one rule holds``, ``all 3 rules hold``."""
    return f"the one {one}" if n == 1 else f"all {plural(n, one, many)}"


def have(n: int) -> str:
    """Return the verb of so many: ``has`` of one, ``have``."""
    return "has" if n == 1 else "have"


def counted(n: int, noun: str) -> str:
    """Write a number with a noun whose plural is regular: ``1 row``, ``3 queries``."""
    return plural(n, noun, f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}{'e' * noun.endswith('s')}s")
