"""Draw the decision as one small picture for a comment: the verdict, and each interval with its limit."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from gates.documents.decision import Decision, GateVerdict, Verdict
from gates.report.escape import flat, xml
from gates.report.headline import first_line, sign, word
from gates.report.html.pictures import HIGH, MARKS, WIDE, coloured, forest
from gates.report.interval import held, within
from gates.report.rule_list import by_badness
from gates.report.run_facts import Facts
from gates.wording import plural

MOST = 12  # rows: the table has all of them
ROW, TOP, BOTTOM = 24, 40, 30
WIDTH = 840  # what a comment has room for
VERDICT, NAME, PICTURE, VALUES = 12, 124, 424, 640  # where the columns begin
LEGEND = "line: the judged interval · dot: its value · tall mark: the limit · thin mark: the champion, or no change"
STYLE = f"""text {{ font: 13px system-ui, sans-serif; fill: var(--ink); }}
.head {{ font-size: 15px; font-weight: bold; }} .quiet {{ fill: var(--quiet); font-size: 12px; }}
.paper {{ fill: var(--paper); stroke: var(--line); }} .rule {{ stroke: var(--line); }}
.pass text {{ fill: var(--good); }} .fail text, .error text {{ fill: var(--bad); }}
.inconclusive text {{ fill: var(--unsure); }}
{MARKS}"""


def render(decision: Decision, facts: Facts) -> str:
    """Return the picture, light or dark as its reader prefers."""
    dark = f"@media (prefers-color-scheme: dark) {{ {coloured(STYLE, 'dark')} }}"
    return _drawn(decision, facts, f"{coloured(STYLE, 'light')}\n{dark}")


def picture(decision: Decision, facts: Facts, scheme: str) -> str:
    """Return the picture in one scheme, light or dark: GitHub has one of its own, which an image can't ask for."""
    return _drawn(decision, facts, coloured(STYLE, scheme))


def drawable(decision: Decision) -> bool:
    """Tell whether any rule has an interval to draw."""
    return any(map(forest, decision.gates))


def spoken(decision: Decision, facts: Facts) -> str:
    """Return the same in words, for those who can't see it: the verdict, and the rules by verdict. Not yet escaped."""
    counts = {verdict: sum(gate.verdict is verdict for gate in _drawn_of(decision)) for verdict in Verdict}
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return flat(f"{decision.model}: {first_line(decision, facts)[1]}. Intervals and limits: {counted or 'none'}.")


def _drawn_of(decision: Decision) -> list[GateVerdict]:
    """Return the rules that can be drawn, the worst first."""
    return by_badness(tuple(gate for gate in decision.gates if forest(gate)))


def _drawn(decision: Decision, facts: Facts, style: str) -> str:
    gates = _drawn_of(decision)
    shown = gates[:MOST]
    height = TOP + ROW * len(shown) + BOTTOM
    shown_sign, words = first_line(decision, facts)
    more = f"{plural(len(gates) - len(shown), 'more rule', 'more rules')} not drawn · " if len(gates) > MOST else ""
    aloud = _text(spoken(decision, facts))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{aloud}"><title>{aloud}</title><style>{style}</style>',
        f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        _cell(VERDICT, 0, WIDTH - 2 * VERDICT, TOP, f"{shown_sign} {words} ({decision.model})", "head"),
        *(part for place, gate in enumerate(shown) for part in _row(gate, TOP + place * ROW)),
        _cell(VERDICT, height - BOTTOM, WIDTH - 2 * VERDICT, BOTTOM, more + LEGEND, "quiet"),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(gate: GateVerdict, top: int) -> Iterator[str]:
    yield f'<path class="rule" d="M{VERDICT} {top}H{WIDTH - VERDICT}"/><g class="{gate.verdict}">'
    yield _cell(VERDICT, top, NAME - VERDICT, ROW, f"{sign(gate.verdict)} {word(gate.verdict)}") + "</g>"
    yield _cell(NAME, top, PICTURE - NAME - VERDICT, ROW, gate.label)
    yield forest(gate, f'x="{PICTURE}" y="{top + (ROW - HIGH) // 2}" width="{WIDE}" height="{HIGH}" ')
    yield _cell(VALUES, top, WIDTH - VALUES - VERDICT, ROW, _values(gate), "quiet")


def _values(gate: GateVerdict) -> str:
    found = held(gate)
    if found is None:
        return ""
    judged, _ = found
    return within(gate, judged, change=judged is gate.difference)


def _cell(x: int, y: int, wide: int, high: int, foreign: str, kind: str = "") -> str:
    """Return text that is cut off at the end of its cell, as an inner picture is."""
    style = f' class="{kind}"' if kind else ""
    middle = high // 2 + 5
    return (
        f'<svg x="{x}" y="{y}" width="{wide}" height="{high}"><text{style} y="{middle}">{_text(foreign)}</text></svg>'
    )


def _text(foreign: str) -> str:
    return escape(xml(flat(foreign, 160)))
