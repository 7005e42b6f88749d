"""Killed at any step, or with a registry and a remote that fail: run again, alias and ledger agree, and one promotion
stands."""

from __future__ import annotations

import signal

import pytest
from extent import part
from test_promotion import card_is_kept
from worlds import World

STRIDE = part(1, 13)  # at every step, or at every thirteenth


def prepared(world: World, *, second: bool) -> int:
    """A candidate that was judged; gives how many records there are already."""
    rows = world.begin()
    if second:
        world.sound(["run"], ["promote"])
        world.better(rows)
        return 2
    assert world.run("run").code == 0
    return 0


@pytest.mark.parametrize(
    ("second", "stride"), [(False, part(5, 40)), (True, STRIDE)], ids=["the first champion", "a second one"]
)
def test_killed_at_every_step_it_is_finished_or_undone(world: World, second: bool, stride: int) -> None:
    before = prepared(world, second=second)
    world.snapshot()
    step, code = 1, -signal.SIGKILL
    while True:
        world.restore()
        code = world.run("promote", hook={"counter": str(world.base / "counter"), "kill": step}).code
        if code == 0:
            break
        assert code == -signal.SIGKILL
        records = world.sound(["promote"], ["promote"])
        assert [one["kind"] for one in records[before:]].count("promotion") == 1, step
        card_is_kept(world)
        step += stride
    assert step > 20, "the sweep must have met every write"


RARER = [pytest.param(*one, marks=pytest.mark.slow) for one in ((2, False), (5, False), (7, True), (11, False))]


@pytest.mark.parametrize(("every", "late"), [(3, True), *RARER])
def test_a_registry_and_a_remote_that_fail_every_nth_call(world: World, every: int, late: bool) -> None:
    before = prepared(world, second=True)
    hook = {"counter": str(world.base / "counter"), "every": every, "late": late}
    for _ in range(6):  # `late`: what was asked for is done, and only the answer is lost
        code = world.run("promote", hook=hook).code
        assert code in (0, 1, 3), "what fails is outside, or was undone"
    records = world.sound(["promote"])
    assert [one["kind"] for one in records[before:]].count("promotion") == 1
