"""The keys of a gate that asks a Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from gates.kinds.protocol import PromqlQuestion
from gates.schema.fields import Plain, declare

KEY = "promql"
_SHOWN = 80  # characters of a name in a sentence
_SPAN = "^[1-9][0-9]{0,4}[smhd]$"
_SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TEXT: Plain = {"type": "string", "minLength": 1, "maxLength": 5000}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromqlQueries:
    """One expression, or two that count events: of so many in ``total``, so many are ``bad``."""

    query: str | None = None
    bad: str = ""
    total: str = ""

    SCHEMA: ClassVar[Mapping[str, Plain]] = {
        "anyOf": [
            _TEXT,
            {
                "type": "object",
                "description": "Two expressions that count events.",
                "properties": {
                    "bad": {"description": "How many events were bad. No series beside a live total is none.", **_TEXT},
                    "total": {"description": "How many events there were, the bad ones with them.", **_TEXT},
                },
                "required": ["bad", "total"],
                "additionalProperties": False,
            },
        ],
    }

    @classmethod
    def read(cls, value: Plain) -> PromqlQueries:
        """Read what stands behind ``promql:``."""
        return cls(query=value) if isinstance(value, str) else cls(bad=value["bad"], total=value["total"])

    def plain(self) -> Plain:
        """Return the inverse of ``read``."""
        return self.query if self.query is not None else {"bad": self.bad, "total": self.total}

    @property
    def texts(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Each expression, with its place below the gate."""
        if self.query is not None:
            return (((KEY,), self.query),)
        return ((KEY, "bad"), self.bad), ((KEY, "total"), self.total)


@dataclass(frozen=True, kw_only=True, slots=True)
class PromqlRule:
    """Limits on what a Prometheus answers."""

    promql: PromqlQueries = declare(
        "An expression that gives one number; or `bad` and `total`, which count events: their share has an interval.",
        stricter="free",
    )
    min: float | None = declare("The value must be at least this.", default=None, stricter="larger")
    max: float | None = declare(
        "The value, or the share of bad events, must be at most this.", default=None, stricter="smaller"
    )
    over: str | None = declare(
        "Ask at every `step` of so long, such as 1h: all of them must be within the limits.",
        default=None,
        stricter="free",
        pattern=_SPAN,
    )
    step: str | None = declare("How far the steps are apart: 5m.", default=None, stricter="free", pattern=_SPAN)

    @property
    def counts(self) -> bool:
        """Whether it is about a share of events, which has an interval."""
        return self.promql.query is None

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """Each limit that is set, with its name."""
        return tuple((one, value) for one, value in (("min", self.min), ("max", self.max)) if value is not None)

    @property
    def span(self) -> tuple[int, int]:
        """`over` and `step` in seconds; 0 where it is asked at one moment."""
        return _seconds(self.over), _seconds(self.step)

    @property
    def questions(self) -> tuple[PromqlQuestion, ...]:
        """What is to be asked, in the rule's order."""
        over, step = self.span
        return tuple(PromqlQuestion(query=text, over=over, step=step) for _, text in self.promql.texts)

    @property
    def name(self) -> str:
        """The gate's name: ``promql(up) over 1h by 5m``, each run of white space as one space."""
        asked = " / ".join(" ".join(text.split()) for _, text in self.promql.texts)
        return f"{KEY}({asked})" + (f" over {self.over} by {self.step}" if self.over else "")

    @property
    def title(self) -> str:
        """The name for a sentence: cut short, as expressions are long."""
        return self.name if len(self.name) <= _SHOWN else f"{self.name[: _SHOWN - 1]}…"


def _seconds(span: str | None) -> int:
    return int(span[:-1]) * _SECONDS[span[-1]] if span else 0
