#!/usr/bin/env python3
"""Draw the pictures of docs/observability.md: what each query of a generated dashboard returns from a real Prometheus.

Needs prometheus and promtool (scripts/prometheus). The history is made up: four weeks in which a model loses recall. It
is written as `gates observe` and a server write it, laid into a Prometheus, and asked for by the dashboard's queries.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, sin
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pictures import STYLE, text

from gates.observability import exposition
from gates.observability.dashboard import STATES, dashboard_document
from gates.observability.observed_model import ObservedBar, ObservedModel, ServingVersion
from gates.observability.samples import samples
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read
from gates.wording import number

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from prometheus_server import prometheus, query, rows, stored  # noqa: E402

PICTURES = {name: ROOT / f"docs/pictures/dashboard-{name}.svg" for name in ("model", "server")}
FIRST = "Requests a second"  # the first panel of a server
END, DAY, APART = 1_796_000_400, 86_400, 1800  # seconds: the newest sample, a window, between samples
DAYS = 28
SPANS = {
    "model": (27 * DAY, DAY, "27 days"),
    "server": (2 * DAY, 2 * 3600, "2 days"),
}  # seconds, between points, in words
DROP = 17  # the day on which recall falls
WIDE, HIGH, GAP = 40, 21, 8  # of a cell of Grafana's grid, and between panels
LEGEND = 175
LINES = ("one", "two", "three", "pass")
SHADES = {"not judged": "#8c959f", "pass": "#1a7f37", "inconclusive": "#9a6700", "FAIL": "#cf222e", "ERROR": "#82071e"}
POLICY = {
    "version": 1, "model": "churn", "data": {"holdout": "holdout.parquet", "label": "churn"},
    "train": "python train.py", "gates": [{"metric": "recall", "min": 0.6}],
    "monitor": {"live": "served/*.parquet", "key": "id", "time": "at", "window": "1d", "delay": "2h",
                "gates": [{"metric": "recall", "min": 0.6}], "alert": {"retrain": ["recall"]}},
    "retrain": {"fresh_rows": 5000, "cooldown": "7d", "budget": "4 in 90d", "snapshot": "python snapshot.py"},
}  # fmt: skip


def observed(day: int) -> ObservedModel:
    """What the ledger says after a day."""
    late = max(0, day - DROP)
    value = 0.71 + 0.012 * sin(2.3 * day) - (0.16 if late else 0)
    evidence = min(1.05, 0.02 + 0.35 * late)
    verdict = "fail" if evidence >= 1 else "inconclusive" if late else "pass"
    bar = ObservedBar(name="recall:min", verdict=verdict, value=value, low=value - 0.05, high=value + 0.05, limit=0.6,
                      evidence=evidence)  # fmt: skip
    return ObservedModel(
        name="churn",
        serving=(ServingVersion(alias="champion", version="12", digest="sha256:12"),),
        bars=(ObservedBar(name="served:champion", verdict="pass"), bar),
        rows=round(4800 + 600 * sin(0.9 * day)),
        labelled=round(4500 + 500 * sin(0.9 * day)),
        until=float(END - END % DAY - (DAYS - 1 - day) * DAY),
        records={"monitor": float(END - (DAYS - 1 - day) * DAY)},
        budget=3 if late > 4 else 4,
    )


def history() -> str:
    """All of it as OpenMetrics."""
    families: dict[str, list[str]] = {}
    texts = [exposition.text(samples(observed(day))).decode().splitlines() for day in range(DAYS)]
    for place in range(DAYS * DAY // APART):
        at = END - (DAYS * DAY // APART - 1 - place) * APART
        for line in [*(one for one in texts[place * APART // DAY] if one[0] != "#"), *served(place)]:
            families.setdefault(line.partition("{")[0], []).append(f"{line} {at}")
    return "".join(f"{line}\n" for family in families.values() for line in family) + "# EOF\n"


def served(place: int) -> Iterator[str]:
    """What a server tells of itself."""
    requests = sum_to(place)
    yield f'model_requests_total{{model="churn",version="12",code="200"}} {requests}'
    yield f'model_requests_total{{model="churn",version="12",code="500"}} {requests // 400}'
    for edge in (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0):
        within = requests * (1 - exp(-edge / 0.02))
        yield f'model_request_duration_seconds_bucket{{model="churn",le="{edge}"}} {within:.0f}'
    yield f'model_request_duration_seconds_bucket{{model="churn",le="+Inf"}} {requests}'
    yield f'model_queue_depth{{model="churn"}} {round(3 + 3 * sin(place / 7))}'
    for step in range(1, 11):
        yield f'model_prediction_score_bucket{{model="churn",le="{step / 10}"}} {requests * (step / 10) ** 0.5:.0f}'
    yield f'model_prediction_score_bucket{{model="churn",le="+Inf"}} {requests}'
    yield 'model_info{model="churn",version="12",digest="sha256:12"} 1'


def sum_to(place: int) -> int:
    """Requests so far: more by day than by night."""
    return round(place * 5400 + 30_000 * (1 - sin(place * APART / DAY * 6.283)))


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a panel lies."""

    x: int
    y: int
    wide: int
    high: int
    kind: str

    Line = tuple[str, list[tuple[float, float]]]

    def across(self, at: float) -> float:
        """Where a time lies."""
        span = SPANS[self.kind][0]
        return self.x + 70 + (at - END + span) / span * (self.wide - LEGEND - 84)


def drawn(panel: dict[str, Any], address: str, kind: str, above: int) -> Iterator[str]:
    """One panel with what its queries return. ``above``: rows of the grid that another picture has."""
    grid = panel["gridPos"]
    place = {"x": grid["x"] * WIDE, "y": (grid["y"] - above) * HIGH}
    box = Box(**place, wide=grid["w"] * WIDE - GAP, high=grid["h"] * HIGH - GAP, kind=kind)
    yield f'<rect class="p" x="{box.x}" y="{box.y}" width="{box.wide}" height="{box.high}" rx="4"/>'
    yield text(box.x + 12, box.y + 22, panel["title"], "t")
    queries = [(target["expr"].replace("$__rate_interval", "2h"), target) for target in panel["targets"]]
    if panel["type"] in ("stat", "bargauge"):
        found = [(legend(one, target), float(one["value"][1])) for expression, target in queries
                 for one in query(address, expression, END)]  # fmt: skip
        found = alone(found) if panel["targets"][0].get("format") == "heatmap" else found
        yield from (numbers if panel["type"] == "stat" else bars)(box, found, panel["fieldConfig"]["defaults"]["unit"])
        return
    span, step, _ = SPANS[kind]
    ranges = {"start": END - span, "end": END, "step": step}
    lines = [(legend(one, target), [(float(at), float(value)) for at, value in one["values"]])
             for expression, target in queries
             for one in rows(address, "query_range", {"query": expression, **ranges})]  # fmt: skip
    if not lines:
        raise ValueError(f"no rows: {panel['title']}")
    yield from (states if panel["type"] == "state-timeline" else curves)(box, lines)


def legend(row: dict[str, Any], target: dict[str, Any]) -> str:
    """A row's name, as Grafana writes it."""
    name = target["legendFormat"]
    for label, value in row["metric"].items():
        name = name.replace(f"{{{{{label}}}}}", value)
    return "" if name == "__auto" else name


Line = tuple[str, list[tuple[float, float]]]


def curves(box: Box, lines: Sequence[Line]) -> Iterator[str]:
    """Lines over time, with their names beside them."""
    values = [value for _, points in lines for _, value in points]
    low, high = min(0.0, *values) if min(values) < 0.3 * max(values) else min(values), max(values)
    top, bottom = box.y + 42, box.y + box.high - 26
    for mark in (low, high):
        place = bottom - (mark - low) / ((high - low) or 1) * (bottom - top)
        yield text(box.x + 62, place + 4, number(mark), "s e")
    span, _, words = SPANS[box.kind]
    yield f'<path class="a" d="M{box.across(END - span):.0f} {top}V{bottom}H{box.across(END):.0f}"/>'
    yield text(box.across(END), bottom + 17, words, "s e")
    for place, (name, points) in enumerate(lines):
        path = "L".join(
            f"{box.across(at):.0f} {bottom - (value - low) / ((high - low) or 1) * (bottom - top):.0f}"
            for at, value in points
        )
        yield f'<path class="{LINES[place % 4]}" d="M{path}"/>'
        side, beside = box.x + box.wide - LEGEND - 4, top + 8 + 20 * place
        yield f'<path class="{LINES[place % 4]}" d="M{side:.0f} {beside:.0f}h14"/>'
        yield text(side + 20, beside + 4, name, "s")


def states(box: Box, lines: Sequence[Line]) -> Iterator[str]:
    """A band for each row, in pieces of one state, named where there is room."""
    words = list(STATES.values())
    for place, (name, points) in enumerate(lines):
        top = box.y + 48 + 46 * place
        yield text(box.x + box.wide - LEGEND - 4, top + 20, name, "s")
        pieces: list[list[Any]] = []
        for at, value in points:
            if not pieces or pieces[-1][0] != value:
                pieces.append([value, at, at])
            pieces[-1][2] = at + DAY
        for value, begin, end in pieces:
            word, left, right = words[int(value)], box.across(begin), box.across(min(end, END))
            yield (f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="30" fill="{SHADES[word]}"/>'
                   f'<text x="{left + 6:.1f}" y="{top + 20}" style="fill:#fff">{escape(word)}</text>')  # fmt: skip


def numbers(box: Box, found: Sequence[tuple[str, float]], unit: str) -> Iterator[str]:
    """One large number, or the names of what there is."""
    for place, (name, value) in enumerate(found):
        told = f"{value / 3600:.1f} hours" if unit == "s" else f"{value:g}"
        y = box.y + 66 + 34 * place
        yield (
            text(box.x + 12, y, name, "s")
            if name
            else f'<text x="{box.x + 12}" y="{y + 20}" style="font-size:28px">{told}</text>'
        )


def alone(found: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Each bucket less those below it, as Grafana shows the format heatmap."""
    order = sorted(found, key=lambda one: float(one[0].replace("+Inf", "inf")))
    below = [0.0, *(value for _, value in order)]
    return [(name, value - less) for (name, value), less in zip(order, below, strict=False)]


def bars(box: Box, found: Sequence[tuple[str, float]], _: str) -> Iterator[str]:
    """A bar for each edge."""
    most, high = max(value for _, value in found), (box.high - 50) / len(found)
    for place, (name, value) in enumerate(found):
        top = box.y + 38 + place * high
        if place % 2 == 0:  # there is room for every other one
            yield text(box.x + 62, top + high - 1, name, "s e")
        wide = (box.wide - LEGEND - 90) * value / most
        yield f'<rect x="{box.x + 70}" y="{top + 1:.1f}" width="{wide:.1f}" height="{high - 3:.1f}" fill="#0969da"/>'
        if place % 2 == 0:
            yield text(box.x + box.wide - LEGEND - 4, top + high - 1, f"{value:,.0f}", "s")


def pictures() -> dict[str, str]:
    """The whole dashboard as two SVGs."""
    resolved: ResolvedPolicy = read(json.dumps(POLICY).encode(), "gates.yaml", lambda _: b"")
    board = json.loads(dashboard_document(resolved))
    edge = next(one["gridPos"]["y"] for one in board["panels"] if one["title"] == FIRST)
    parts = {
        "model": (0, [one for one in board["panels"] if one["gridPos"]["y"] < edge]),
        "server": (edge, [one for one in board["panels"] if one["gridPos"]["y"] >= edge]),
    }
    with tempfile.TemporaryDirectory() as made:
        stored(Path(made), history())
        with prometheus(Path(made)) as address:
            return {kind: whole(kind, panels, address, above) for kind, (above, panels) in parts.items()}


def whole(kind: str, panels: Sequence[dict[str, Any]], address: str, above: int) -> str:
    """Some panels as one SVG."""
    pieces = [piece for panel in panels for piece in drawn(panel, address, kind, above)]
    high = max(one["gridPos"]["y"] + one["gridPos"]["h"] - above for one in panels) * HIGH
    style = STYLE + ".p{fill:#fff;stroke:#d1d9e0}@media(prefers-color-scheme:dark){.p{fill:#0d1117;stroke:#3d444d}}\n"
    titles = ", ".join(one["title"] for one in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * WIDE} {high}" width="{24 * WIDE}" role="img" '
        f'aria-labelledby="t d">\n<title id="t">The dashboard, what it shows of a {kind}</title>\n'
        f'<desc id="d">{escape(titles)}.</desc>\n<style>{style}</style>\n' + "\n".join(pieces) + "\n</svg>\n"
    )


if __name__ == "__main__":
    for name, svg in pictures().items():
        PICTURES[name].write_text(svg)
        print(PICTURES[name].relative_to(ROOT))
