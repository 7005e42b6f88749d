"""All looks together are wrong as seldom as is said; rules that people use instead are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts/benches"))

from experiment import CONFIDENCE, EFFECT, SCENES, Passed, Scene, drawn_days, gaussian, passes, random

REPEATS = 20_000


def test_looking_often_is_wrong_as_seldom_as_one_look() -> None:
    found = gaussian(REPEATS, 0.0)
    error = 2 * (0.05 * 0.95 / REPEATS) ** 0.5
    assert found.both / REPEATS <= 1 - CONFIDENCE + error
    assert found.peeked / REPEATS > 0.2, "a fixed test that is looked at every day: the control"
    assert abs(found.fixed / REPEATS - 0.05) < 2 * error


def test_it_costs_little_power() -> None:
    found = gaussian(REPEATS, EFFECT)
    assert found.both >= 0.95 * found.fixed
    assert found.sequence < 0.7 * found.fixed, "the sequence alone costs much: the control"


@pytest.mark.parametrize("scene", [SCENES[1], SCENES[3]], ids=lambda scene: scene.name)
def test_sums_of_users_behave_alike(scene: Scene) -> None:
    """Shares that differ, and users of whom few see most."""
    total, draw, repeats = Passed(), random("test", scene.name), 150
    for _ in range(repeats):
        passes(drawn_days(scene, draw, 28, 0.0), total)
    assert total.both / repeats <= 0.05 + 2.5 * (0.05 * 0.95 / repeats) ** 0.5
    assert total.peeked > 2 * total.both
