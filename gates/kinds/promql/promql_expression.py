"""Look into a PromQL expression: is it one, which series does it look at, and how far back. Pure.

The parser is loaded where a policy has such an expression, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promql_parser import VectorSelector

MOST_PARTS = 200  # brackets and operators; of thousands, one in the other, the parser overflows its stack and dies
_NAME = "__name__"
_PARTS = re.compile(r"[(\[+*/%^<>=!-]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSelector:
    """Series that an expression looks at: ``text`` is PromQL for them, without range and offset.

    ``offset``: so many seconds before the moment asked about they are looked at. ``reach``: how far before the moment
    the oldest sample may lie that counts, in seconds.
    """

    text: str
    matchers: frozenset[tuple[str, str, str]]
    offset: int
    reach: int

    def covers(self, other: SeriesSelector) -> bool:
        """Tell whether the other one selects some of these very series: it asks for all that this one asks for."""
        return self.offset == other.offset and self.matchers <= other.matchers


@lru_cache(maxsize=1024)
def selectors_of(expression: str) -> tuple[SeriesSelector, ...]:
    """Return each selector of an expression, once, in its order. Raises ``ValueError`` where it is no PromQL."""
    return tuple(dict.fromkeys(_selectors(_parsed(expression), 0, 0)))


def _parsed(expression: str) -> Any:
    from promql_parser import parse

    if len(_PARTS.findall(expression)) > MOST_PARTS:
        raise ValueError(f"it has more than {MOST_PARTS} brackets and operators; record a part of it by a rule")
    return parse(expression)


def complaints(expression: str) -> Iterator[str]:
    """Yield why an expression can't be asked, or why its answer would mean nothing."""
    from promql_parser import MatrixSelector, ParenExpr, StringLiteral, SubqueryExpr, VectorSelector, walk

    try:
        parsed = _parsed(expression)
    except ValueError as error:
        yield f"is no PromQL that can be asked: {' '.join(str(error).split())}"
        return
    nodes: list[Any] = []
    walk(parsed, lambda node: nodes.append(node))  # noqa: PLW0108 -- what append gives would end the walk
    if any(getattr(node, "at", None) is not None for node in nodes):
        yield "has an @: gates chooses the moment that is asked about, so that no policy can pin a good one"
    selectors = [node for node in nodes if isinstance(node, VectorSelector)]
    if not selectors:
        yield "names no series, so its answer would always be the same"
    for one in selectors:
        if one.matchers.or_matchers:
            yield f"{one.name or 'a selector'} has an `or` between matchers, which Prometheus does not know"
        elif _metric(one) is None:
            yield "has a selector without the name of a metric, so nobody can tell whether its series are stale"
    while isinstance(parsed, ParenExpr):
        parsed = parsed.expr
    if isinstance(parsed, MatrixSelector | SubqueryExpr | StringLiteral):
        yield "gives no number but a range of samples or a text; use a function such as rate or max_over_time"


def _metric(selector: VectorSelector) -> str | None:
    """Return the name of the metric that a selector looks at; None where it may be any."""
    named = (one.value for one in selector.matchers.matchers if one.name == _NAME and str(one.op).endswith(".Equal"))
    return selector.name or next(named, None)


def _selectors(node: Any, offset: int, reach: int) -> Iterator[SeriesSelector]:
    """Yield the selectors below a node. Ranges and offsets of subqueries around a selector add up."""
    from promql_parser import MatrixSelector, SubqueryExpr, VectorSelector

    if node is None:
        return
    if isinstance(node, VectorSelector):
        own = offset + _seconds(node.offset)
        yield SeriesSelector(text=_text(node), matchers=_matchers(node), offset=own, reach=own + reach)
    elif isinstance(node, MatrixSelector):
        yield from _selectors(node.vector_selector, offset, reach + _seconds(node.range))
    elif isinstance(node, SubqueryExpr):
        yield from _selectors(node.expr, offset + _seconds(node.offset), reach + _seconds(node.range))
    else:
        for name in ("lhs", "rhs", "expr", "param"):
            yield from _selectors(getattr(node, name, None), offset, reach)
        for argument in getattr(node, "args", None) or ():
            yield from _selectors(argument, offset, reach)


def _seconds(span: Any) -> int:
    return round(span.total_seconds()) if span is not None else 0


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _operator(matcher: Any) -> str:
    return _OPERATORS[str(matcher.op).rpartition(".")[2]]


def _matchers(selector: VectorSelector) -> frozenset[tuple[str, str, str]]:
    known = {(one.name, _operator(one), one.value) for one in selector.matchers.matchers}
    return frozenset(known | ({(_NAME, "=", selector.name)} if selector.name else set()))


def _text(selector: VectorSelector) -> str:
    """Write a selector in PromQL. The parser's own form does not escape."""
    matchers = (f'{one.name}{_operator(one)}"{one.value.translate(_ESCAPED)}"' for one in selector.matchers.matchers)
    braces = ", ".join(matchers)
    return f"{selector.name or ''}{{{braces}}}" if braces or not selector.name else selector.name
