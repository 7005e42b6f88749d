"""`gates badge`, and the champions in the report, over the life of an alias: promoted, moved by hand, gone back."""

from __future__ import annotations

import json
from typing import Any

from test_promotion import better, client, gates, judged
from worlds import World, git

from gates.ledger.champions import champions
from gates.ledger.ledger import opened


def message(world: World, *arguments: str) -> str:
    done = gates(world, "badge", "--format", "shields", *arguments)
    assert done.code == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    return str(told["message"])


def test_it_says_what_serves_and_whether_somebody_moved_it(world: World) -> None:
    rows = judged(world)
    assert message(world) == "nothing promoted yet"
    gates(world, "promote")
    assert message(world).startswith("v1 · pass · roc_auc 0.")
    better(world, rows)
    gates(world, "promote")
    first, second = ("v1 · pass · roc_auc", "v2 · pass · roc_auc")
    assert message(world).startswith(second)
    client(world).set_registered_model_alias("churn", "champion", "1")
    assert message(world) == "moved by hand: version 1"
    client(world).set_registered_model_alias("churn", "champion", "2")
    assert gates(world, "rollback", "--reason", "calls dropped").code == 0
    assert message(world).startswith(first)
    gates(world, "report", "--format", "html")
    page = (world.work / "report.html").read_text()
    assert page.index("rollback v1") < page.index("promotion v2") < page.index("promotion v1")
    assert page.count('class="past"') == 1
    ledger = opened(world.root, world.environment())
    (last,) = champions(ledger, ledger.head(), "churn", "champion", most=1)
    assert (last.record.kind, last.judged.kind, last.judged.sequence) == ("rollback", "promotion", 2)
    wrong = gates(world, "badge", "--stage", "nowhere")
    assert (wrong.code, "no stage nowhere; the policy has champion" in wrong.err) == (2, True)


def test_it_is_kept_beside_the_pictures_where_a_readme_finds_it(world: World) -> None:
    judged(world)
    done = gates(world, "badge", "--store", GITHUB_REPOSITORY="acme/churn")
    path = "badges/churn-champion"
    assert done.out == (f"![churn-champion](https://github.com/acme/churn/blob/gates-pictures/{path}.svg?raw=true)\n")
    assert git(world.origin, "show", f"gates-pictures:{path}.svg").startswith("<svg ")
    assert json.loads(git(world.origin, "show", f"gates-pictures:{path}.json"))["color"] == "lightgrey"
    target = world.base / "badge.svg"
    assert gates(world, "badge", "--output", str(target)).out == ""
    assert target.read_text().startswith("<svg ")
    assert gates(world, "verify", "--all").code == 0
