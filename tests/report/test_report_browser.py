"""The HTML report as people meet it: in a real browser, light and dark, by keyboard, on a telephone, on paper."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from reports import PASSES, champion_of, decision_of
from telco import settle
from test_report_html import HOSTILE

from gates.documents.evidence import Finding, Part
from gates.documents.overview import AliasHistory, ModelOverview, RepositoryOverview
from gates.documents.spread import Curve
from gates.report.html import render
from gates.report.run_facts import Facts
from gates.report.site import pages

TESTS = Path(__file__).parents[1]
AXE = TESTS / "node_modules/axe-core/axe.min.js"
PICTURES = os.environ.get("GATES_SCREENSHOTS")
SCHEMES, WIDTHS = ("light", "dark"), (390, 800, 1280)
LONG = "a_name_without_any_place_to_break_it_" * 4


@pytest.fixture(scope="module")
def reports(tmp_path_factory, policy_of, evidence_of, forked):
    """The path of each report: of the example on its real data, of hostile text, of as many rules as we promise."""
    folder = tmp_path_factory.mktemp("reports")
    pages = {"hostile": hostile(policy_of, evidence_of), "large": large()}
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages} | {"telco": telco(folder / "telco", str(forked / "gates"))}


def telco(folder: Path, gates: str) -> Path:
    """What `gates run` writes of a second model against the first, which was promoted."""
    settle(folder)
    policy = folder / "gates.yaml"
    fair = "  - metric: demographic_parity_difference\n    by: female\n    max: 0.1\n"
    policy.write_text(policy.read_text().replace("  key: id\n", "  key: id\n  reuse: 20\n") + fair)
    for command in (
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "add", "."),
        ("git", "commit", "--quiet", "--message=first"),
        (gates, "run"),
        (gates, "promote"),
        ("sh", "-c", "echo contract internet_service > columns.txt"),
        (gates, "run"),
    ):
        done = subprocess.run(command, cwd=folder, env=ALONE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / ".gates/report.html"


ALONE = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GIT_", "MLFLOW_"))} | {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.invalid",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.invalid",
}


def hostile(policy_of, evidence_of) -> str:
    """Every place that foreign text can reach holds markup, and words that no line can break."""
    nasty = f"{HOSTILE} {LONG}"
    resolved = policy_of({"gates": [{"metric": "roc_auc", "min": 0.5}]})
    evidence = evidence_of(resolved, [{"scores": [[1, 0.9, 0.8, 40], [0, 0.2, 0.3, 60]]}])
    parts = (Part(label=nasty, here=1, there=2), Part(label=None, here=2, there=1))
    finding = Finding(table=nasty, rule=nasty, rows=3, count=1, examples=(nasty,), parts=parts)
    bins = ((20000, 60, 0), (40000, 0, 40))
    curves = tuple(Curve(model=model, counts="labels", bins=bins) for model in ("candidate", "champion"))
    evidence = replace(evidence, findings=(finding,), curves=curves, classes=(nasty, f"not {nasty}"))
    gates = [
        replace(gate, id=f"{gate.id}{nasty}", slice={nasty: nasty}, reason=nasty, against=against)
        for name in ("fails", "cannot_tell", "fairness", "first_run", "data_broken")
        for gate in decision_of(name).gates
        for against in (None, "anchor")
    ]
    gates = [replace(gate, groups={nasty: 0.5, f"b{nasty}": None}) if gate.groups else gate for gate in gates]
    decision = replace(decision_of("fails"), model=nasty, reason=nasty, gates=tuple(gates), used=19, reuse=20)
    before = tuple(champion_of(replace(PASSES, gates=tuple(gates)), 1 + n % 12, foreign=nasty) for n in range(14))
    facts = Facts(evidence=evidence, weaker=(nasty,), commit=nasty, version=nasty, reproduce=nasty, champions=before)
    return render(decision, facts)


def large() -> str:
    gate = next(gate for gate in decision_of("passes").gates if gate.difference)
    gates = (
        replace(gate, id=f"metric_number_{at}", slice={"a_column_of_some_length": f"value {place}"})
        for at in range(20)
        for place in range(50)
    )
    return render(replace(decision_of("passes"), gates=tuple(gates)), Facts())


@pytest.fixture
def opened(chromium, reports):
    """opened(name): the page. Afterwards: it said nothing to the console and asked for nothing but itself."""
    pages, said, asked = [], [], []

    def open_(name: str, *, width: int = 1280, scheme: str = "light"):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.set_default_timeout(300_000)  # milliseconds: a machine may be busy
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(reports[name].as_uri())
        asked.remove(reports[name].as_uri())
        return page

    yield open_
    for page in pages:
        page.close()
    assert (said, asked) == ([], [])


def shown(page) -> list[list[str]]:
    """The cells of the rows that can be seen, from the top."""
    return page.evaluate(
        "[...document.querySelectorAll('.rules tbody tr')].filter((row) => row.offsetHeight)"
        ".map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"
    )


def violations(page) -> list[tuple[str, str, str]]:
    """What stands in the way of a screen reader."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found, kept = page.evaluate("axe.run().then((found) => [found.violations, found.passes.length])")
    assert kept > 15, "its rules were applied"
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def tab_to(page, selector: str) -> None:
    """By the Tab key alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_site_of_models_fits_its_width_and_has_no_violation(chromium, tmp_path, scheme):
    decision = replace(PASSES, gates=tuple(replace(one, id=f"{LONG}{one.id}") for one in PASSES.gates))
    champions = tuple(champion_of(decision, version, foreign=HOSTILE) for version in (1, 2, 3))
    records = tuple(one.record for one in reversed(champions))
    alias = AliasHistory(name="champion", champions=champions)
    models = (
        ModelOverview(name="churn", aliases=(alias,), records=records, waivers=()),
        ModelOverview(name=LONG, aliases=(), records=records, waivers=()),
    )
    every = (
        RepositoryOverview(name="acme/churn", records=3, models=models, flaws=(HOSTILE,)),
        RepositoryOverview(name=LONG, unread=HOSTILE),
        RepositoryOverview(name="empty"),
    )
    said = []
    for name, text in pages(every, "2026-11-30", "2026-12-14", "1.2.3"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in sorted(path.name for path in tmp_path.glob("*.html")):
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / name).as_uri())
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        assert violations(page) == []
        if name == "index.html":
            page.fill("#find", "churn")
            assert page.inner_text("#shown") == "2 of 2"
            page.fill("#find", "nothing of that name")
            assert page.inner_text("#shown") == "0 of 2"
            page.fill("#find", "")
            page.click("a[href^='acme-churn-churn']")
            assert "churn" in page.inner_text("h1")
        page.close()
    assert said == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["telco", "hostile"])
def test_nothing_stands_in_the_way_of_a_screen_reader(opened, name, scheme):
    assert violations(opened(name, scheme=scheme)) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["telco", "hostile"])
def test_the_page_fits_its_width(opened, name, scheme):
    page = opened(name, scheme=scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if PICTURES:  # for people to look at: they are not compared
            page.screenshot(path=Path(PICTURES, f"{name}-{scheme}-{width}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_rows_are_sorted_by_keyboard(opened):
    page = opened("telco")
    tab_to(page, "th:nth-child(2) button")
    page.keyboard.press("Enter")
    assert page.get_attribute("th:nth-child(2)", "aria-sort") == "ascending"
    rising = [row[1] for row in shown(page)]
    assert rising == sorted(rising)
    page.keyboard.press("Space")
    assert page.get_attribute("th:nth-child(2)", "aria-sort") == "descending"
    assert [row[1] for row in shown(page)] == sorted(rising, reverse=True)


def test_rows_are_filtered_by_keyboard(opened):
    page = opened("large")
    every = shown(page)
    page.evaluate("document.querySelector('details.held').open = false")
    tab_to(page, "#find")
    page.keyboard.type("number_7")
    left = shown(page)  # the filter unfolds what holds
    assert left == [row for row in every if "number_7" in row[1].lower()] != every
    assert page.inner_text("#shown") == f"{len(left)} of {len(every)}"


def test_sixteen_rules_fit_on_two_screens_of_a_telephone(chromium, tmp_path):
    """Eight that did not pass, each with its remark, and eight that hold, folded."""
    fails, passes = (
        next(one for one in decision_of("fails").gates if one.verdict == word) for word in ("fail", "pass")
    )
    note = ("these rows can only reveal losses above 5.3 points", "about 15,000 rows would settle it")
    loud = [replace(fails, id=f"recall_{at}", slice={"contract": "Month-to-month"}, notes=note) for at in range(8)]
    held = [replace(passes, id=f"precision_{at}") for at in range(8)]
    file = tmp_path / "report.html"
    file.write_text(
        render(replace(decision_of("fails"), gates=(*loud, *held)), Facts(commit="0" * 40)), encoding="utf-8"
    )
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    box = page.locator("details.held").bounding_box()
    assert box["y"] + box["height"] <= 2 * 844
    page.close()


def test_the_threshold_explorer_moves_by_keyboard(opened):
    page = opened("telco")
    tab_to(page, "#threshold")
    called = "Number(document.querySelector('#points td:nth-child(2)').textContent.replaceAll(',', ''))"
    page.keyboard.press("Home")
    everyone = page.evaluate(called)
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#at") == "0.01"
    page.keyboard.press("End")
    assert everyone > page.evaluate(called)
    assert page.evaluate("document.querySelector('#points').rows.length") == 2


def test_the_history_of_a_metric_stands_where_its_table_says(opened):
    """The higher of two values is drawn higher, and the candidate is the last one."""
    page = opened("telco")
    charts = page.evaluate(
        "[...document.querySelectorAll('#past figure')].map((one) => [[...one.querySelectorAll('.p')]"
        ".map((dot) => +dot.getAttribute('cy')), [...one.querySelectorAll('tbody tr')]"
        ".map((row) => +row.cells[2].textContent), one.querySelectorAll('.p.next').length])"
    )
    assert charts
    for heights, values, later in charts:
        assert (len(heights), len(values), later) == (2, 2, 1)
        assert (heights[1] - heights[0]) * (values[1] - values[0]) <= 0
    assert "promotion v1" in page.inner_text("#past .moves")


def test_every_forest_mark_stands_where_its_numbers_say(opened):
    """Left of the limit in the picture is less than the limit in the words that a screen reader gets."""
    page = opened("telco")
    marks = page.evaluate(
        "[...document.querySelectorAll('svg.f')].map((svg) => [svg.getAttribute('aria-label'),"
        "+svg.querySelector('.p').getAttribute('cx'), svg.querySelector('.b').getBBox().x])"
    )
    assert marks
    for told, dot, line in marks:
        value, limit = (
            float(text.replace("−", "-").replace("+", "").rstrip("%"))
            for text in (told.split(",")[0], told.split("the limit is ")[1])
        )
        assert (value < limit) == (dot < line), told


@pytest.mark.parametrize("name", ["telco", "hostile"])
def test_nothing_is_cut_on_paper(opened, name):
    page = opened(name, width=718, scheme="dark")  # A4 within its margins, at 96 dots an inch
    page.emulate_media(media="print")
    cut = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)"
        ".map((one) => one.outerHTML.slice(0, 80))"
    )
    assert cut == []
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"  # ink, on white paper
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_thousand_rules_open_and_stay_small(opened, reports):
    page = opened("large")
    page.fill("#find", "metric_number_7")
    assert page.inner_text("#shown") == "50 of 1000"
    assert reports["large"].stat().st_size < 2**20
