"""Write a first contract from a table's profile. Pure; the table always keeps it.

A range is what was seen and a tenth of its width beyond both ends, rounded outward; it never crosses zero, and
shares stay within 0 to 1. An enum is text of at most 20 values, each in ten rows on average, or a whole number
of two values. Text may be twice as long as the longest seen. Wider is what a next batch of good data needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import reduce
from math import ceil, floor, isfinite

from gates.contract.profile import SAFE, ColumnProfile, Guess, Profile, common, together
from gates.contract.sql import TEMPORAL
from gates.schema.fields import Plain
from gates.schema.yaml_text import entry, flow

BROAD = Context(prec=60)


def schema(column: ColumnProfile, guess: Guess) -> dict[str, Plain]:
    """Return the JSON Schema of a column. A label of two values is an enum, however few its rows; a key has no upper
    end."""
    if column.category is None:
        return {}
    null = ["null"] if column.nulls else []
    if column.is_enum or (column.name == guess.label and column.is_two_valued and column.category != "boolean"):
        values = sorted(value for value, _ in column.values or ())
        return {"enum": [*values, *([None] if null else [])]}
    named = "string" if column.category in TEMPORAL else column.category
    keywords: dict[str, Plain] = {"type": [named, *null] if null else named}
    if column.format:
        keywords["format"] = column.format
    elif column.category in ("integer", "number"):
        keywords |= _range(column, key=column.name in guess.keys)
    elif column.lengths:
        shortest, longest = column.lengths
        keywords |= {"minLength": 1} if shortest else {}
        keywords["maxLength"] = max(10, 2 * longest)
    return keywords


def _range(column: ColumnProfile, *, key: bool) -> dict[str, Plain]:
    """Return bounds around what was seen; none where infinity was, or where JSON's numbers are not exact."""
    if column.low is None:
        return {}
    if key:
        return {"minimum": 0} if column.low >= 0 else {}
    if column.category == "number" and column.low >= 0 and column.high <= 1:
        ends: tuple[Plain, Plain] = (0, 1)
    else:
        ends = widened(column.low, column.high)
    bounds = {
        "minimum": None if column.below else ends[0],
        "maximum": None if column.above else ends[1],
    }
    return {word: bound for word, bound in bounds.items() if bound is not None}


def widened(low: float, high: float) -> tuple[float | None, float | None]:
    """Return the range and a tenth of its width on both sides, rounded outward; None for an end beyond what JSON can
    say."""
    least, most = Decimal(low), Decimal(high)  # exactly
    margin = BROAD.divide(BROAD.subtract(most, least) or abs(most) or Decimal(10), Decimal(10))
    step = Decimal(1).scaleb(margin.adjusted())
    if isinstance(low, int) and isinstance(high, int):
        step = max(step, Decimal(1))
    down = BROAD.divide(BROAD.subtract(least, margin), step).to_integral_value(ROUND_FLOOR)
    up = BROAD.divide(BROAD.add(most, margin), step).to_integral_value(ROUND_CEILING)
    under, over = BROAD.multiply(down, step), BROAD.multiply(up, step)
    return (
        _said(Decimal(0) if least >= 0 > under else under, low, floor),
        _said(Decimal(0) if most <= 0 < over else over, high, ceil),
    )


def _said(bound: Decimal, seen: float, outward: Callable[[Decimal], int]) -> float | None:
    """Return a bound as a number of the contract: never inside what was seen, whole where that is exact."""
    if abs(bound) <= SAFE and bound == bound.to_integral_value():
        return int(bound)
    if isinstance(seen, int):
        return None
    said = float(bound)
    said = min(said, seen) if outward is floor else max(said, seen)
    return said if isfinite(said) else None


def note(column: ColumnProfile, keywords: dict[str, Plain]) -> str:
    """Return what was seen of a column and does not stand in its schema, for the comment behind it."""
    if column.nulls == column.rows:
        return "empty in all rows, so nothing is known"
    parts = []
    if column.category is None:
        parts.append("has different types in the two tables")
    elif column.low is not None and "enum" not in keywords:
        parts.append(f"{flow(column.low)} to {flow(column.high)}")
    if column.lengths and "maxLength" in keywords:
        parts.append(f"{column.lengths[0]} to {column.lengths[1]} character{'s' * (column.lengths[1] != 1)}")
    for count, what in ((column.nan, "NaN"), (column.below, "-infinity"), (column.above, "infinity")):
        if count:
            parts.append(f"{what} in {_rows(count)}")
    if column.nulls:
        parts.append(f"missing in {_rows(column.nulls)}")
    return ", ".join(parts)


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def table_rules(guess: Guess, tables: Sequence[Profile]) -> Iterator[tuple[dict[str, Plain], str]]:
    """Yield the rules that each of the tables keeps on its own, with a comment each."""
    fewest = min(table.rows for table in tables)
    yield {"rows": {"min": _fewest(fewest)}}, f"seen: {fewest:,}"
    for key in guess.keys:
        yield {"unique": key}, "no value twice, none missing"
    if guess.apart and guess.keys:
        yield {"leakage": guess.keys[0]}, "no row of the holdout was trained on"
    for name in common(tables):
        share = max(table[name].null_share for table in tables)
        most = min(1.0, ceil(share * 150 + 0.5) / 100)
        if share and most < 1:
            yield {"nulls": name, "max": most}, f"seen: {share:.2%} missing"
    if guess.label is not None and guess.positive is not None:
        yield _balance([table[guess.label] for table in tables], guess.positive)


def _balance(labels: Sequence[ColumnProfile], positive: Plain) -> tuple[dict[str, Plain], str]:
    """Return the share of the positive class: from half of the smallest seen to one and a half of the largest."""
    shares = [dict(label.values or ()).get(positive, 0) / label.rows for label in labels]
    bounds = {"min": floor(min(shares) * 50) / 100, "max": min(1.0, ceil(max(shares) * 150) / 100)}
    seen = " and ".join(f"{share:.2%}" for share in shares)
    return {"values": labels[0].name, "equal": positive, **bounds}, f"class balance; seen: {seen}"


def _fewest(seen: int) -> int:
    """Return half of the rows seen, to one digit."""
    half = max(1, seen // 2)
    step = int("1".ljust(len(str(half)), "0"))
    return half // step * step


def contract(guess: Guess, tables: Sequence[Profile]) -> str:
    """Return the text of ``contract.yaml``, which each of the tables keeps."""
    profile = reduce(together, tables)
    seen = ", ".join(f"{flow(table.path)} ({_rows(table.rows)})" for table in tables)
    lines = [_HEADER.format(seen=seen), "record:", "  type: object", "  required:"]
    lines += [f"    - {flow(column.name)}" for column in profile.columns]
    lines += ["  properties:"]
    for column in profile.columns:
        made = schema(column, guess)
        line, comment = entry(column.name, made, "    "), note(column, made)
        lines.append(f"{line}  # {comment}" if comment else line)
    lines += ["", "table:"]
    for rule, comment in table_rules(guess, tables):
        first, *rest = (entry(word, value, "") for word, value in rule.items())
        lines += [f"  - {first}  # {comment}", *(f"    {line}" for line in rest)]
    return "\n".join([*lines, *_suggested(profile)]) + "\n"


def _suggested(profile: Profile) -> Iterator[str]:
    """Yield, as comments, the rules that only the user can decide on."""
    yield "  # More that a contract can say; remove the # from what you want:"
    yield "  # - columns: exact  # no columns but those named above"
    when = next((column for column in profile.columns if column.category in ("date", "timestamp")), None)
    if when:
        yield f"  # - {entry('fresh', when.name, '')}"
        yield "  #   within: 7d"
    drifting = next((column for column in profile.columns if column.category == "number"), None)
    if drifting:
        yield f"  # - {entry('drift', drifting.name, '')}  # holdout against the training data"
        yield "  #   max: 0.2"


_HEADER = """\
# What a row and a table of data must look like: a JSON Schema of one row, and rules over the table.
# Written by `gates init` from {seen}; edit it.
# Ranges and lengths leave room beyond what was seen: tighten what you know. Values that were seen are in
# enums and comments: review them before you commit this. `x-sensitive: true` on a column keeps its
# values out of every report."""
