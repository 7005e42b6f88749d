"""Errors that say what is wrong and how to fix it. Contains no wording of verdicts: those are data."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; docs/exit-codes.md shows this table."""

    SHIP = 0  # the model may ship
    STOP = 1  # the model may not ship
    INPUT = 2  # a mistake in policy, data, model or usage
    OUTSIDE = 3  # something outside failed: GitHub, registry, engine, or an unforeseen exception


class GatesError(Exception):
    """A failure with a place, a cause and a way out.

    ``what`` says what is wrong, ``where`` names the file (with line and column if known), the key or
    the step, ``hint`` says what to do. ``exit_code`` is ``Exit.INPUT`` for the user's mistakes and
    ``Exit.OUTSIDE`` for failures of the world.
    """

    def __init__(
        self, what: str, *, where: str | None = None, hint: str | None = None, exit_code: Exit = Exit.INPUT
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{self.what}{hint}"
