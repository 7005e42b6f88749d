"""Units counted on one machine, judged and recorded on another that has no log: whatever was handed over, only the
ledger says whether a look may use the planned end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edge_project import refused
from experiment_world import EXPERIMENT, STAGES, ExperimentWorld, alike
from prometheus_server import served
from test_guardrails import guarded
from worlds import Done, git

from gates.system.files import folder_digest

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def other(begun: ExperimentWorld) -> ExperimentWorld:
    """Another machine with the same repository, and without exposures and outcomes."""
    return cloned(begun)


def cloned(world: ExperimentWorld) -> ExperimentWorld:
    git(world.base, "clone", "-q", str(world.origin), str(world.base / "there" / "repository"))
    found = ExperimentWorld(world.base / "there", None)
    found.origin = world.origin
    return found


@pytest.fixture
def page(tmp_path: Path) -> dict[str, str]:
    """What the runner names: the step's outputs and the run's page."""
    return {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_OUTPUT": str(tmp_path / "outputs")}


def measured(begun: ExperimentWorld, day: float, into: Path, **env: str) -> list[str]:
    """What the first machine hands on, and the options that take it."""
    done = begun.gates("experiment", "--measure-only", "--until", begun.time(day), **env)
    assert done.code == 0, done.err
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(begun.work / "units", into / "units")
    assert done.out == f"units {folder_digest(into / 'units')}\n", "and it shows nothing of what was counted"
    return ["--handed", str(into), "--digests", done.out.strip()]


def changed(handed: list[str], change: Change) -> list[str]:
    """The same, after whoever counts has changed it, and said so."""
    path = Path(handed[1]) / "units/units.json"
    units = json.loads(path.read_text())
    change(units)
    path.write_text(json.dumps(units))
    return [*handed[:3], f"units {folder_digest(path.parent)}"]


def looked(world: ExperimentWorld, day: float, *arguments: str, **env: str) -> Done:
    return world.gates("experiment", "--until", world.time(day), *arguments, **env)


def test_both_ways_give_the_same_decision(
    begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path, page: dict[str, str]
) -> None:
    begun.log(lift=0.06, reach=12)
    early = measured(begun, 5, tmp_path / "early")
    assert [one["experiment"]["state"] for one in begun.steps()] == ["started"], "nothing is recorded"
    assert looked(other, 5, *early).code == 0
    handed = measured(begun, 10.5, tmp_path / "handed")
    there = looked(other, 10.5, *handed, "--json", **page)
    assert there.code == 0, there.err
    decision = json.loads(there.out)
    assert (decision["verdict"], decision["planned"], decision["final"]) == ("pass", True, True)
    assert not (other.root / "exposures").exists()
    assert "**✅ churn: the challenger holds every gate beside the champion, the experiment has ended" in (
        Path(page["GITHUB_STEP_SUMMARY"]).read_text()
    )
    for name in ("verdict<<", "code<<", "final<<", "record<<"):
        assert name in Path(page["GITHUB_OUTPUT"]).read_text()
    assert begun.gates("verify", "--all").code == 0
    assert begun.gates("promote", "--stage", "champion").code == 0


def test_one_machine_and_two_say_the_same(begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path) -> None:
    begun.log(lift=0.06, slower=40)
    handed = measured(begun, 4, tmp_path / "handed")
    rehearsed = looked(begun, 4, "--dry-run", "--json")
    there = looked(other, 4, *handed, "--json")
    assert (there.code, there.out) == (1, rehearsed.out), "a failed look fails its job"


def test_only_the_first_look_at_the_end_uses_it(begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path) -> None:
    begun.log(change=alike, reach=30)
    seen = []
    for day in (10.5, 12):
        done = looked(other, day, *measured(begun, day, tmp_path / "handed"), "--json")
        assert done.code == 0, done.err
        decision = json.loads(done.out)
        seen.append((decision["planned"], decision["spent"], decision["look"]))
    assert seen == [(True, True, 1), (False, True, 2)]
    assert other.gates("verify", "--all").code == 0


def test_counts_are_of_one_look(begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path) -> None:
    """What was counted before another look was recorded is no look any more, whichever was counted first."""
    begun.log(change=alike, reach=30)
    first, second = (measured(begun, day, tmp_path / str(day)) for day in (10.5, 11))
    assert looked(other, 11, *second).code == 0
    known = other.records()
    for handed in (first, second):
        done = looked(other, 12, *handed)
        assert (done.code, done.out) == (0, "somebody has looked at the experiment, or ended it, in the meantime\n")
    third = measured(begun, 12, tmp_path / "third")
    assert begun.gates("experiment", "stop", "--reason", "enough").code == 0
    assert looked(other, 13, *third, "--json").out == "null\n"
    assert other.records()[: len(known)] == known
    assert [one["experiment"]["state"] for one in other.steps()] == ["started", "look", "stopped"]


def test_units_of_another_experiment_are_refused(
    begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path, page: dict[str, str]
) -> None:
    begun.log(lift=0.06, reach=12)
    handed = measured(begun, 10.5, tmp_path / "handed")
    assert begun.gates("experiment", "stop", "--reason", "again").code == 0
    assert begun.gates("experiment", "start").code == 0
    known = other.records()
    refused(looked(other, 10.5, *handed, **page), "the experiment evidence is not of the experiment that runs")
    told = Path(page["GITHUB_STEP_SUMMARY"]).read_text()
    assert told.startswith(
        "**No look at the experiment of churn:** the experiment evidence is not of the experiment that runs"
    )
    assert other.records() == known


def test_without_an_experiment_nothing_is_measured_and_nothing_fails(
    begun: ExperimentWorld, page: dict[str, str]
) -> None:
    assert begun.gates("experiment", "stop", "--reason", "enough").code == 0
    done = begun.gates("experiment", "--measure-only", **page)
    assert (done.code, done.out) == (0, "no experiment runs of which units count by now\n")
    assert not (begun.work / "units").exists()
    assert not Path(page["GITHUB_OUTPUT"]).exists()
    assert Path(page["GITHUB_STEP_SUMMARY"]).read_text() == "_no experiment runs of which units count by now_\n"


def _more_clicks(units: dict[str, Any]) -> None:
    """More than so many units can have."""
    for week in units["arms"][1]["weeks"]:
        for sums in week["sums"]:
            sums["x"] = str(int(sums["x"]) * 100)


def _swapped(units: dict[str, Any]) -> None:
    units["arms"][0]["model"], units["arms"][1]["model"] = units["arms"][1]["model"], units["arms"][0]["model"]


def _set(**more: Any) -> Change:
    def forge(units: dict[str, Any]) -> None:
        units |= more

    return forge


OTHER = "sha256:" + "5" * 64
ANSWER = {
    "query": "up", "over": 0, "step": 0, "at": "2026-12-01T00:00:00Z", "series": 1, "samples": [[0, "1"]],
    "warnings": 0, "selectors": [],
}  # fmt: skip
FORGED: dict[str, tuple[Change, str]] = {
    "a time that is still to come": (_set(until="2199-01-01T00:00:00Z"), "is in the future"),
    "a time before the start": (_set(until="2001-01-01T00:00:00Z"), "is not later than the one before"),
    "another model's": (_set(model="other"), "are of the model other"),
    "another experiment's": (_set(start=OTHER, salt="5" * 12), "not of the experiment that runs"),
    "another start's time": (_set(started="2001-01-01T00:00:00Z"), "not of the experiment that runs"),
    "another salt": (_set(salt="5" * 12), "the salt is not that of the record"),
    "another plan": (_set(plan=OTHER), "is not what it was when the experiment was started"),
    "after a look that never was": (_set(previous=OTHER), "does not follow the look before it"),
    "models that changed places": (_swapped, "its arms are not those of the start"),
    "more than units can have": (_more_clicks, "contradicts itself"),
    "an answer that nobody asked for": (_set(answers=[ANSWER]), "the experiment evidence contradicts itself: "),
    "no counts": (lambda units: units.clear(), "schema"),
}  # fmt: skip


@pytest.fixture(scope="module")
def parcel(begun_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentWorld, list[str]]:
    """Counts of an experiment, and a machine that may record them. Nobody does."""
    base = tmp_path_factory.mktemp("parcel")
    shutil.copytree(begun_once, base / "world", symlinks=True)
    world = ExperimentWorld(base / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    world.log(lift=0.06, reach=12)
    handed = measured(world, 10.5, base / "handed")
    return cloned(world), handed


@pytest.mark.parametrize("name", FORGED)
def test_what_was_forged_is_not_recorded(parcel: tuple[ExperimentWorld, list[str]], tmp_path: Path, name: str) -> None:
    change, told = FORGED[name]
    other, handed = parcel
    known = other.records()
    shutil.copytree(handed[1], tmp_path / "handed")
    forged = changed(["--handed", str(tmp_path / "handed"), *handed[2:]], change)
    refused(looked(other, 10.5, *forged), told)
    assert other.records() == known


def _link(folder: Path) -> None:
    (folder / "units.json").unlink()
    (folder / "units.json").symlink_to("/etc/passwd")


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "other bytes": (
        lambda folder: (folder / "units.json").write_text("{}"), "is not what the job before handed over"
    ),
    "one more file": (lambda folder: (folder / "gates.yaml").write_text("x"), "does not belong there"),
    "a link": (_link, "is a link or a special file"),
    "a parcel without a digest": (
        lambda folder: shutil.copytree(folder, folder.with_name("live")), "without a digest"
    ),
    "nothing": (shutil.rmtree, "there is no such folder"),
}  # fmt: skip


def test_what_lies_in_the_way_is_replaced(begun: ExperimentWorld, tmp_path: Path) -> None:
    """A commit may hold such files; a link is never followed."""
    begun.log(reach=12)
    (tmp_path / "kept").mkdir()
    for lay in (lambda path: path.write_text("x"), lambda path: path.symlink_to(tmp_path / "kept")):
        begun.work.mkdir(exist_ok=True)
        shutil.rmtree(begun.work / "units", ignore_errors=True)
        lay(begun.work / "units")
        measured(begun, 5, tmp_path / "handed")
    assert not any((tmp_path / "kept").iterdir())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_parcel_is_refused(parcel: tuple[ExperimentWorld, list[str]], tmp_path: Path, name: str) -> None:
    change, told = HOSTILE[name]
    other, handed = parcel
    shutil.copytree(handed[1], tmp_path / "handed")
    change(tmp_path / "handed/units")
    refused(looked(other, 10.5, "--handed", str(tmp_path / "handed"), *handed[2:]), told)
    assert not (other.work / "units").exists()


def test_another_plan_of_the_default_branch_refuses_what_was_counted(
    begun: ExperimentWorld, other: ExperimentWorld, tmp_path: Path
) -> None:
    begun.log(lift=0.06, reach=12)
    handed = measured(begun, 10.5, tmp_path / "handed")
    begun.policy(promotion=STAGES, experiment=EXPERIMENT | {"units": 1000}, gates=[{"metric": "roc_auc", "min": 0.6}])
    begun.commit("an earlier end")
    git(other.root, "pull", "-q")
    refused(looked(other, 10.5, *handed), "is not what it was when the experiment was started")


def test_a_guardrail_is_asked_where_units_are_counted_and_nowhere_else(tmp_path: Path) -> None:
    world = ExperimentWorld(tmp_path / "world", None)
    world.challenged(guarded("bad"))
    assert world.gates("experiment", "start").code == 0
    world.log(n=4000, lift=0.05)
    with served(tmp_path / "prometheus", world.began + timedelta(days=10.5)) as url:
        handed = measured(world, 10.5, tmp_path / "handed", PROMETHEUS_URL=url)
    other = cloned(world)
    done = looked(other, 10.5, *handed, "--json")
    assert (done.code, json.loads(done.out)["code"]) == (1, "above_bar"), done.err
    assert other.gates("verify", "--all").code == 0


MISUSED = [
    ("--measure-only", "--dry-run"), ("--measure-only", "--json"), ("--handed", "x"),
    ("--measure-only", "--handed", "x", "--digests", "units sha256:1"),
    ("--handed", "x", "--digests", "units sha256:1", "--dry-run"), ("--measure-only", "start"),
    ("--handed", "x", "stop", "--reason", "x"), ("--digests", "units", "start"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", MISUSED)
def test_options_that_exclude_each_other(begun: ExperimentWorld, arguments: tuple[str, ...]) -> None:
    known = begun.records()
    assert begun.gates("experiment", *arguments).code == 2
    assert begun.records() == known


def test_a_start_says_why(begun: ExperimentWorld, page: dict[str, str]) -> None:
    assert begun.steps()[-1]["reason"] == "two models share the users"
    assert begun.gates("experiment", "stop", "--reason", "x").code == 0
    refused(begun.gates("experiment", "stop", "--reason", "x", **page), "no experiment runs")
    assert Path(page["GITHUB_STEP_SUMMARY"]).read_text().startswith("**No stop of the experiment of churn:** ")
    done = begun.gates("experiment", "start", "--reason", " new films <script> ", **page)
    assert done.code == 0, done.err
    assert begun.steps()[-1]["reason"] == "new films <script>"
    told = Path(page["GITHUB_STEP_SUMMARY"]).read_text()
    assert f"salt {begun.salt}, the champion's share 0.5" in told
