"""What people see of an experiment: report.html, the site, gates status, and the lines of a look."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edge_project import call
from experiment_world import CLICKS, ExperimentWorld, alike

from gates.checkout.workspace import Workspace
from gates.ledger.experiments.experiment_standing import last_experiment
from gates.ledger.ledger import opened
from gates.wording import signed

CTR, MS = "ratio[of=clicks, per=impressions]:min_improvement", "mean[of=latency_ms]:max_worsening"
HOSTILE = "<script>alert(1)</script>"
PICTURES = os.environ.get("GATES_SCREENSHOTS")


def looked(world: ExperimentWorld, *days: float, code: int | None = None) -> None:
    for day in days:
        world.look(day, code=code)


def told(world: ExperimentWorld) -> tuple[str, str]:
    """report.html, and the model's page of the site."""
    done = world.gates("report", "--format", "html")
    assert done.code == 0, done.out + done.err
    site = world.base / "site"
    assert call("site", str(world.root), "--to", str(site), env=world.environment()).code == 0
    (page,) = site.glob("*churn*.html")
    return (world.work / "report.html").read_text(), page.read_text()


def section(page: str) -> str:
    (found,) = re.findall(r'<section id="experiment".*?</section>', page, re.DOTALL)
    return str(found)


def standing(world: ExperimentWorld) -> dict[str, Any]:
    """What `gates status` says of the experiment."""
    found: dict[str, Any] = json.loads(world.run("status", "--json").out)["experiment"]
    return found


def test_looks_are_drawn_over_the_days(begun: ExperimentWorld) -> None:
    begun.log(change=alike, reach=30)
    looked(begun, 3, 5, 7.5, 10.5, 12)
    for page in told(begun):
        found = section(page)
        charts = re.findall(r"<figcaption>([^<]*)</figcaption>(<svg class=\"past days.*?</svg>)", found, re.DOTALL)
        assert {name.split(" (")[0] for name, _ in charts} == {CTR, MS}
        for name, picture in charts:
            marks = picture.count('class="p ')
            assert marks == 5, f"{name}: a mark a look"
            assert len(re.findall(r'<(?:circle|path) class="p [a-z]+ planned"', picture)) == 1, "the planned end"
            assert picture.count('class="z"') == 1, "the limit"
            assert "days since the start" in picture
            assert "min_days" in picture
            assert "units" in picture
        assert "planned end was look 3" in found
        assert "3,000 of 2,000 planned units are closed" in found
        assert len(re.findall(r"<tr><th scope=\"row\">(?:champion|challenger) v\d", found)) == 2
        assert "Shown, not judged" in found
        assert found.count("by week of exposure") >= 2
        digests = begun.arms()
        assert all(digest in found for digest in digests)
        assert "(across_bar)" in found


def test_the_bounds_of_the_table_are_those_that_were_judged(begun: ExperimentWorld) -> None:
    begun.log(change=alike, reach=30)
    first, end = begun.look(5), begun.look(10.5)
    page, _ = told(begun)
    rows = re.findall(
        r"<th scope=\"row\">(\d+): [^<]*</th><td>[^<]*</td><td>(\w+)</td><td>[^<]*</td>"
        r"<td>([^<]*)</td><td>([^<]*)</td>",
        section(page),
    )
    for decision, which, of in ((first, "1", "every look"), (end, "2", "planned end")):
        for one in decision["gates"]:
            if one["kind"] != "metric":
                continue
            low, high = (signed(one["difference"][end_]) for end_ in ("low", "high"))
            assert (which, one["verdict"], f"{low} to {high}", of) in rows


def test_a_log_that_is_wrong_shows_no_effect(begun: ExperimentWorld) -> None:
    begun.log(lift=0.06, reach=12)
    begun.look(5)
    (begun.root / "exposures/log.parquet").unlink()
    begun.look(6, code=2)
    page, _ = told(begun)
    found = section(page)
    assert "💥 error" in found
    assert "Shown, not judged" not in found


def test_what_others_wrote_is_no_markup(begun: ExperimentWorld) -> None:
    begun.log(reach=6)
    begun.look(5)
    assert begun.gates("experiment", "stop", "--reason", HOSTILE).code == 0
    for page in told(begun):
        assert HOSTILE not in page
        assert "stopped on" in section(page)
        assert "&lt;script&gt;" in section(page)


def test_columns_of_hostile_names_are_no_markup(tmp_path: Path) -> None:
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged({"gates": [CLICKS | {"of": HOSTILE}]})
    assert world.gates("experiment", "start").code == 0
    world.log(change=lambda _, outcomes: [row.update({HOSTILE: row["clicks"]}) for row in outcomes])
    world.look(5)
    for page in told(world):
        assert HOSTILE not in page
        assert "ratio[of=&lt;script&gt;alert(1)&lt;/script&gt;" in section(page)
        assert 'class="past days"' in page


def test_a_plan_that_was_changed_is_said(begun: ExperimentWorld) -> None:
    policy = begun.root / "gates.yaml"
    policy.write_text(policy.read_text().replace("2000", "2500"))
    ledger = opened(begun.root, begun.environment())
    found = last_experiment(ledger, ledger.head(), Workspace(policy=policy).load(), begun.began)
    assert found is not None
    assert found.told.endswith("the policy has another plan than at the start, so it can't be looked at")


def test_the_list_of_models_says_how_it_stands(begun: ExperimentWorld) -> None:
    begun.log(reach=6)
    begun.look(5)
    told(begun)
    index = (begun.base / "site/index.html").read_text()
    assert re.search(r'data-name="experiment:">running since \d{4}', index)
    assert begun.gates("experiment", "stop", "--reason", "for another one").code == 0
    assert begun.gates("experiment", "start").code == 0
    _, page = told(begun)
    assert "Earlier experiments" in page
    assert "not looked at yet" in section(page)


def test_a_look_says_what_is_planned(begun: ExperimentWorld) -> None:
    begun.log(reach=12)
    done = begun.gates("experiment", "--until", begun.time(5), "--dry-run")
    assert "planned: 2,000 closed units, and 7 to 21 days; the planned end is about day 7" in done.out, done.out
    done = begun.gates("experiment", "--until", begun.time(10.5))
    assert "look 1, the planned end" in done.out


def test_status_says_how_the_experiment_stands(begun: ExperimentWorld) -> None:
    found = standing(begun)
    assert (found["state"], found["look"], found["permits"], found["overdue"]) == ("running", None, None, False)
    assert "day 0 of 7 to 21, not looked at yet" in found["told"]
    assert "➖ experiment of v2 beside v1 runs since" in begun.gates("status").out
    begun.log(lift=0.06, reach=12)
    begun.look(5)
    assert "last look today: inconclusive (too_early)" in standing(begun)["told"]
    assert "❔ experiment of v2" in begun.gates("status").out
    begun.look(10.5)
    found = standing(begun)
    assert (found["state"], found["verdict"], found["permits"]) == ("ended", "pass", True)
    assert found["told"].endswith("a promotion may rest on it")
    assert begun.gates("promote", "--stage", "champion").code == 0
    found = standing(begun)
    assert (found["permits"], found["told"].endswith("v2 is champion now")) == (False, True)


def test_status_says_that_it_was_stopped(begun: ExperimentWorld) -> None:
    assert begun.gates("experiment", "stop", "--reason", "its films are sold").code == 0
    found = standing(begun)
    assert (found["state"], found["permits"]) == ("stopped", None)
    assert found["told"].endswith(": its films are sold")


def test_status_says_that_none_was_started(tmp_path: Path) -> None:
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged()
    found = standing(world)
    assert (found["state"], found["record"]) == ("none", None)
    assert found["told"] == "a promotion to champion asks for an experiment, and none was started"
    assert "➖ a promotion to champion asks" in world.gates("status").out


@pytest.mark.parametrize(
    ("days", "overdue", "says"),
    [(6, False, "not looked at yet"), (7, True, "no look for 7 days"), (21, True, "its days are over")],
)
def test_a_missing_look_is_said(begun: ExperimentWorld, days: int, overdue: bool, says: str) -> None:
    ledger = opened(begun.root, begun.environment())
    now = begun.began + timedelta(days=days, seconds=1)
    found = last_experiment(ledger, ledger.head(), Workspace(policy=begun.root / "gates.yaml").load(), now)
    assert found is not None
    assert (found.overdue, found.sound) == (overdue, not overdue)
    assert says in found.told


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(chromium: Any, begun: ExperimentWorld, scheme: str) -> None:
    begun.log(change=alike, reach=30)
    looked(begun, 3, 5, 7.5, 9, 10.5, 12)
    told(begun)
    (model,) = (begun.base / "site").glob("*churn*.html")
    for name, path in (("report", begun.work / "report.html"), ("site", model), ("index", model.parent / "index.html")):
        page = chromium.new_page(viewport={"width": 390, "height": 900}, color_scheme=scheme, java_script_enabled=True)
        page.goto(path.as_uri())
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            if PICTURES:
                page.screenshot(path=Path(PICTURES, f"{name}-{scheme}-{width}.png"), full_page=True)
                if name == "report":
                    page.locator("#experiment").screenshot(path=Path(PICTURES, f"experiment-{scheme}-{width}.png"))
        if name != "index":
            over = page.evaluate(OVERLAPS)
            assert over == [], f"{name}: words of an axis meet, or leave their picture"
        page.close()


OVERLAPS = """[...document.querySelectorAll('svg.days')].flatMap((svg) => {
  const frame = svg.getBoundingClientRect(), words = [...svg.querySelectorAll('text')];
  const boxes = words.map((one) => one.getBoundingClientRect());
  const out = words.filter((_, at) => boxes[at].left < frame.left - 1 || boxes[at].right > frame.right + 1
    || boxes[at].bottom > frame.bottom + 1);
  const met = words.filter((_, at) => boxes.some((other, place) => place > at && boxes[at].left < other.right
    && other.left < boxes[at].right && boxes[at].top < other.bottom - 2 && other.top < boxes[at].bottom - 2));
  return [...out, ...met].map((one) => one.textContent);
})"""
