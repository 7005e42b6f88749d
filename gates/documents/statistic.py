"""What can be counted for a metric: metrics request it, and measuring answers by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Parameter = float | int | str | tuple[tuple[float, ...], ...]
Parameters = tuple[tuple[str, Parameter], ...]  # sorted by name


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Statistic:
    """A request for counts.

    ``cells``: rows by label and both models' calls. ``ranks``: sums of placements, for ROC-AUC. ``moments``: sums
    and products of quantities of each row, such as squared errors. ``computed``: a value with its error, of what no
    small sums hold, such as average precision or a metric of the user's own.
    """

    form: Literal["cells", "ranks", "moments", "computed"]
    name: str = ""
    parameters: Parameters = ()

    @property
    def of(self) -> tuple[str, ...]:
        """The columns of the predictions that it is about."""
        named = dict(self.parameters)
        return tuple(str(named[name]) for name in ("of", "per") if name in named)

    @property
    def id(self) -> str:
        """One text for a request: ``pinball_loss[alpha=0.9]``."""
        return self.name + parameters_text(self.parameters)


CELLS = Statistic(form="cells")
RANKS = Statistic(form="ranks")


def parameters_text(parameters: Parameters) -> str:
    """Write a metric's parameters: ``[k=10]``; nothing where there are none."""
    told = ", ".join(f"{name}={_told(value)}" for name, value in parameters)
    return f"[{told}]" if told else ""


def _told(value: Parameter | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_told, value))}]"
    return f"{value:.12g}" if isinstance(value, float | int) else str(value)
