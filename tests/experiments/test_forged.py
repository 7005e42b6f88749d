"""Whoever can write the ledger can write any record: what does not follow from those before it is found, and promotes
nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from experiment_world import ExperimentWorld, alike
from ledgers import Files, History, audited, chained, load, store, with_record

from gates.schema.canonical import canonical, digest_bytes

Change = Callable[[History], History]


def step(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["record.json"]).get("experiment") or {}
    return found


def says(files: Files, name: str, **more: Any) -> Files:
    """A document that says something else, and a record that names it."""
    changed = canonical(json.loads(files[f"{name}.json"]) | more)
    names = {name: digest_bytes(changed)} | ({"verdict": more["verdict"]} if "verdict" in more else {})
    return with_record(files | {f"{name}.json": changed}, lambda record: record.update(names))


def last_look(change: Callable[[Files], Files]) -> Change:
    def forge(history: History) -> History:
        place = max(place for place, files in enumerate(history) if step(files).get("state") == "look")
        return [*history[:place], change(history[place]), *history[place + 1 :]]

    return forge


def without(state: str) -> Change:
    return lambda history: [files for files in history if step(files).get("state") != state]


def moved_arms(files: Files) -> Files:
    """Sums of one arm are made larger, by evidence that its own digest fits."""
    evidence = json.loads(files["evidence.json"])
    for week in evidence["arms"][1]["weeks"]:
        for sums in week["sums"]:
            sums["x"] = str(int(sums["x"]) * 3 // 2)
            sums["xx"] = str(int(sums["xx"]) * 9 // 4)
    return says(files, "evidence", arms=evidence["arms"])


def other_step(**more: Any) -> Callable[[Files], Files]:
    return lambda files: with_record(files, lambda record: record["experiment"].update(more))


def begun_before(history: History) -> History:
    """Units that were there before the salt was known."""
    place = next(place for place, files in enumerate(history) if step(files).get("state") == "started")
    changed = other_step(begins="2020-01-01T00:00:00Z")(history[place])
    return [*history[:place], changed, *history[place + 1 :]]


FORGED: dict[str, tuple[Change, str]] = {
    "a verdict that is made a pass": (
        last_look(lambda files: says(files, "decision", verdict="pass", final=True)), "decision_differs"
    ),
    "sums that are made better": (last_look(moved_arms), "decision_differs"),
    "a planned end that is used again": (
        last_look(lambda files: says(files, "decision", planned=False, spent=False)), "decision_differs"
    ),
    "units from before the start": (begun_before, "experiment"),
    "a look that says when units count": (last_look(other_step(begins="2099-01-01T00:00:00Z")), "incomplete"),
    "looks of what was never started": (without("started"), "experiment"),
    "a look of another plan": (last_look(other_step(plan="sha256:" + "5" * 64)), "experiment"),
    "a look of another start": (last_look(other_step(start="sha256:" + "5" * 64)), "experiment"),
    "a start beside another": (
        lambda history: [*history, next(files for files in history if step(files).get("state") == "started")],
        "experiment",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def looked(begun_once: Path, tmp_path_factory: pytest.TempPathFactory) -> ExperimentWorld:
    """Two looks that decided nothing. Nobody changes it."""
    import shutil

    from worlds import git

    base = tmp_path_factory.mktemp("looked") / "world"
    shutil.copytree(begun_once, base, symlinks=True)
    world = ExperimentWorld(base, None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    world.log(change=alike, reach=12)
    world.look(6)
    world.look(10.5)
    return world


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_step_is_found_and_promotes_nothing(looked: ExperimentWorld, tmp_path: Path, name: str) -> None:
    change, flaw = FORGED[name]
    sound = load(looked.origin)
    control, _ = audited(store(tmp_path / "control", sound))
    assert control.found == (), "the control"
    forged = store(tmp_path / "forged", chained(change(sound)))
    found, _ = audited(forged)
    assert flaw in {one.code for one in found.found}, found.found
    before = load(forged)
    done = looked.gates("promote", "--stage", "champion", GATES_LEDGER=str(forged))
    assert done.code in (1, 2), done.out + done.err
    assert not [one for one in load(forged)[len(before) :] if json.loads(one["record.json"])["kind"] == "promotion"]


def test_a_promotion_without_its_experiment_is_found(begun: ExperimentWorld, tmp_path: Path) -> None:
    begun.log(lift=0.08, reach=12)
    assert begun.look(10.5)["verdict"] == "pass"
    done = begun.gates("promote", "--stage", "champion")
    assert done.code == 0, done.out + done.err
    sound = load(begun.origin)
    assert audited(store(tmp_path / "control", sound))[0].found == ()
    alone = [files for files in sound if not step(files)]
    found, _ = audited(store(tmp_path / "forged", chained(alone)))
    assert {one.code for one in found.found} == {"experiment"}
    assert "no experiment has compared this model with the champion" in found.found[0].what
    unstarted, theirs = audited(store(tmp_path / "unstarted", chained(without("started")(sound))))
    assert "experiment" in {code for _, code in theirs}
    assert unstarted.found
