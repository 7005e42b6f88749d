"""The badge: each state has its own words and colour, and nothing foreign gets out of its text."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from extent import examples
from hypothesis import example, given, settings
from reports import FAILS, PASSES, TODAY, champion_of, settled
from test_report_hostile import HOSTILE

from gates.report.badge_svg import badge, shields, svg

WAIVER = settled(FAILS, 1).waived[0].waiver
SERVES = champion_of(PASSES, 3)
METRIC = next(gate for gate in PASSES.gates if gate.metric and gate.candidate and not gate.slice)


@pytest.mark.parametrize(
    ("champion", "trouble", "message", "colour"),
    [
        (None, None, "nothing promoted yet", "quiet"),
        (SERVES, None, "v3 · pass · roc_auc ", "good"),
        (champion_of(FAILS, 4, waivers=(WAIVER,)), None, "v4 · accepted until 2026-12-31 · ", "unsure"),
        (replace(SERVES, decision=None), None, "v3 · pass", "good"),
        (SERVES, "moved by hand: version 4", "moved by hand: version 4", "bad"),
    ],
)
def test_each_state_has_its_words_and_colour(champion, trouble, message, colour):
    made = badge("churn", "champion", champion, trouble)
    assert made.label == "churn champion"
    assert made.message.startswith(message.replace("roc_auc", METRIC.id))
    assert made.colour == colour
    assert TODAY not in made.message  # the same words whatever the day
    told = json.loads(shields(made))
    assert (told["schemaVersion"], told["message"]) == (1, made.message)


def test_the_metric_is_the_number_that_was_judged():
    value = METRIC.candidate
    assert badge("churn", "champion", SERVES).message.endswith(
        f"{METRIC.id} {value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
    )


@settings(max_examples=examples(60))
@given(foreign=HOSTILE)
@example(foreign='"/><script>alert(1)</script>')
def test_foreign_text_stays_text(foreign):
    made = badge(foreign, foreign, champion_of(replace(PASSES, gates=()), 1), foreign)
    root = ElementTree.fromstring(svg(made))  # noqa: S314 -- our own
    space = "{http://www.w3.org/2000/svg}"
    assert [part.tag.removeprefix(space) for part in root] == ["title", "style", "rect", "path", "text", "text"]
    assert len(root.get("aria-label")) <= 210
    json.loads(shields(made))
