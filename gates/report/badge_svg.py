"""Draw a README badge of what serves: model, version, verdict, and its first metric with the interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final
from unicodedata import east_asian_width

from gates.documents.champion import Champion, measured
from gates.report.escape import flat, xml
from gates.report.html.pictures import COLOURS
from gates.wording import number

HIGH, EDGE, LETTER = 20, 8, 6.6  # pixels
LONGEST = 100  # letters on one side
# colour of ours -> the name that shields.io knows it by
SHIELDS: Final[Mapping[str, str]] = {"good": "brightgreen", "bad": "red", "unsure": "yellow", "quiet": "lightgrey"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """Two sides of a badge, and the colour of the right one: good, bad, unsure, quiet."""

    label: str
    message: str
    colour: str


def badge(
    name: str,
    alias: str,
    champion: Champion | None,
    trouble: str | None = None,
    watched: tuple[str, bool] | None = None,
) -> Badge:
    """Return the badge of what an alias names by the ledger; ``trouble`` says what is not as it was promoted.

    ``watched``: what is said of live rows, and whether that is bad.
    """
    label = flat(f"{name} {alias}", LONGEST)
    if trouble:
        return Badge(label=label, message=flat(trouble, LONGEST), colour="bad")
    if champion is None:
        return Badge(label=label, message="nothing promoted yet", colour="quiet")
    accepted = min((one.until for one in champion.waivers), default=None)
    verdict = f"accepted until {accepted}" if accepted else str(champion.judged.verdict)
    about, bad = watched or ("", False)
    parts = [f"v{champion.version}", verdict, *([about] if about else []), *_metric(champion)]
    colour = "bad" if bad else "unsure" if accepted else "good" if verdict == "pass" else "bad"
    return Badge(label=label, message=flat(" · ".join(parts), LONGEST), colour=colour)


def _metric(champion: Champion) -> list[str]:
    """Return the first of the policy's metrics, as it was measured when the model was promoted."""
    found = measured(champion.decision)[:1] if champion.decision else []
    return [f"{gate.id} {number(one.value)} ({number(one.low)} to {number(one.high)})" for gate, one in found]


def svg(badge: Badge) -> str:
    """Return the badge as a picture. White on each colour can be read; what it says is in words, too."""
    left, right = _width(badge.label), _width(badge.message)
    spoken = escape(xml(f"{badge.label}: {badge.message}"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HIGH}" role="img" '
        f'aria-label="{spoken}"><title>{spoken}</title>'
        f"<style>text {{ fill: #fff; font: 11px Verdana, Geneva, sans-serif; }}</style>"
        f'<rect width="{left + right}" height="{HIGH}" rx="3" fill="{COLOURS["light"][badge.colour]}"/>'
        f'<path d="M3 0H{left}V{HIGH}H3a3 3 0 0 1 -3 -3V3a3 3 0 0 1 3 -3z" fill="{COLOURS["light"]["ink"]}"/>'
        f"{_text(badge.label, 0, left)}{_text(badge.message, left, right)}</svg>\n"
    )


def shields(made: Badge) -> str:
    """Return the badge as shields.io's endpoint takes it."""
    value = {"schemaVersion": 1, "label": made.label, "message": made.message, "color": SHIELDS[made.colour]}
    return json.dumps(value, ensure_ascii=False) + "\n"


def _width(text: str) -> int:
    letters = sum(2 if east_asian_width(one) in "WF" else 1 for one in text)
    return round(letters * LETTER) + 2 * EDGE


def _text(foreign: str, left: int, wide: int) -> str:
    """Return text that is as wide as its side, in whatever font."""
    room = f'textLength="{wide - 2 * EDGE}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{left + EDGE}" y="14" {room}>{escape(xml(foreign))}</text>'
