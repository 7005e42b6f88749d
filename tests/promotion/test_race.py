"""Many promotions at once against one registry and one remote: one order, no lost record, the last one serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from extent import part
from worlds import World, git


def clones(world: World, count: int) -> list[Path]:
    """As many checkouts, each with a candidate of its own to be trained."""
    rows = world.begin()
    made = []
    for number in range(count):
        folder = world.base / f"clone-{number}"
        git(world.base, "clone", "-q", str(world.origin), folder.name)
        (world.root / "made" / "number").write_text(str(number))
        shutil.copytree(world.root / "made", folder / "made")
        made.append(folder)
    assert rows
    return made


def raced(world: World, folders: list[Path], **hook: object) -> None:
    started = [
        world.start(["run"], ["promote"], root=folder, hook={**hook, "counter": str(folder / "counter")})
        for folder in folders
    ]
    for process in started:
        *_, last = world.end(process)
        assert last.code == 0, last.err
    records = world.sound()
    promotions = [one for one in records if one["kind"] == "promotion"]
    assert len(promotions) == len({one["model"]["digest"] for one in promotions}) == len(folders)
    assert [one["after"]["version"] for one in promotions[:-1]] == [one["before"]["version"] for one in promotions[1:]]
    assert world.standing()["aliases"][0]["version"] == promotions[-1]["after"]["version"]


def test_many_promotions_at_once(world: World) -> None:
    raced(world, clones(world, part(50, 6)))


@pytest.mark.slow
def test_promotions_of_several_machines_at_once(world: World) -> None:
    """Without a lock in common: only the ledger's compare-and-swap and the intents keep them apart."""
    raced(world, clones(world, part(6, 3)), machines=True)
