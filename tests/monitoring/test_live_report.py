"""What live rows said is in report.html and on the site: windows over time, rule by rule, and how columns lie now."""

from __future__ import annotations

import re

from live_world import MONITOR, LiveWorld, answered, flipped

WATCHED = {
    "gates": [
        {"metric": "roc_auc", "max_worsening": 0.05},
        {"drift": "psi", "columns": ["region", "age", "score"], "max": 0.3},
    ]
}
HOSTILE = "<script>alert(1)</script>"


def told(world: LiveWorld) -> tuple[str, str]:
    """report.html, and the model's page of the site."""
    for command in (("report", "--format", "html"), ("status",)):
        world.gates(*command)
    site = world.base / "site"
    done = world.run("status", "--json")
    assert done.code in (0, 1)
    from edge_project import call

    assert call("site", str(world.root), "--to", str(site), env=world.environment()).code == 0
    (page,) = site.glob("*churn*.html")
    return (world.work / "report.html").read_text(), page.read_text()


def test_windows_are_drawn_rule_by_rule(empty: LiveWorld) -> None:
    empty.promoted(WATCHED)
    empty.days(range(3))
    empty.serve(3, flipped([row | {"region": HOSTILE} for row in answered(400, 9)], 0.4))
    empty.judged(2, code=None)
    empty.judged(4, code=1)
    for page in told(empty):
        assert '<section id="live"' in page
        assert HOSTILE not in page
        charts = re.findall(r"<figcaption>([^<]*) \((?:−0.05|0.3)\)</figcaption>(<svg.*?</svg>)", page, re.DOTALL)
        assert {name for name, _ in charts} == {
            "roc_auc:max_worsening", "psi of region:max", "psi of age:max", "psi of score:max"
        }  # fmt: skip
        for name, picture in charts:
            assert picture.count("<circle") == 4, f"{name}: a mark a window, of both records"
            assert picture.count('class="z"') == 1, "the limit"
        (auc,) = (picture for name, picture in charts if name.startswith("roc_auc"))
        assert 'class="p fail"' in auc
        assert "v1 when it was promoted, and in the window of" in page
        assert page.index("psi of region") < page.index("psi of age"), "what did not pass comes first"


def test_a_bin_has_a_name_that_people_read(empty: LiveWorld) -> None:
    empty.promoted(WATCHED)
    empty.days(range(1))
    empty.judged(1, code=None)
    page, _ = told(empty)
    section = page[page.index("<h3>age: v1") :]
    names = re.findall(r'<th scope="row">([^<]+)</th>', section[: section.index("</table>")])
    assert all(re.fullmatch(r"\d+ to \d+|below \d+|above \d+", name) for name in names), names
    assert re.search(r'<th scope="row">north</th><td>\d\d\.\d %', page)


def test_without_the_section_there_is_nothing_to_see(empty: LiveWorld) -> None:
    empty.promoted(MONITOR)
    empty.gates("report", "--format", "html")
    assert '<section id="live"' not in (empty.work / "report.html").read_text()
