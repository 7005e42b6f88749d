"""What people call a record by: its number, or the beginning of its digest."""

from __future__ import annotations

from gates.errors import GatesError
from gates.wording import counted

DIGITS = 7  # of a digest name a record


def not_one(named: str, found: int, where: str) -> GatesError:
    """Return the error of a text that should name one record, and names none or several."""
    if not found:
        return GatesError(f"no record has the number or digest {named}", where=where, hint="gates history lists them.")
    told = counted(found, "record")
    return GatesError(f"{told} have a digest that starts with {named}", where=where, hint="Write more of the digest.")


def names(named: str, sequence: int, told: str) -> bool:
    """Tell whether a text names a record: its number, or the first seven digits of its digest or more."""
    start = named.removeprefix("sha256:")
    return named == str(sequence) or (len(start) >= DIGITS and told.removeprefix("sha256:").startswith(start))
