"""`gates observe` says how many units each arm of an experiment has."""

from __future__ import annotations

from experiment_world import ExperimentWorld


def units(world: ExperimentWorld) -> dict[str, float]:
    done = world.gates("observe")
    assert done.code == 0, done.out + done.err
    lines = [line for line in done.out.splitlines() if line.startswith("gates_experiment_units{")]
    return {line.split('arm="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def test_units_of_each_arm_from_start_to_promotion(begun: ExperimentWorld) -> None:
    assert units(begun) == {"champion": 0, "challenger": 0}
    begun.log(lift=0.06, reach=12)
    found = begun.look(10.5)
    counted = units(begun)
    assert found["verdict"] == "pass"
    assert sum(counted.values()) == found["closed"]
    assert all(count > 1000 for count in counted.values())
    assert begun.gates("promote", "--stage", "champion").code == 0
    assert units(begun) == {}, "that one is over"


def test_a_stopped_one_has_none(begun: ExperimentWorld) -> None:
    assert begun.gates("experiment", "stop", "--reason", "it was a rehearsal").code == 0
    assert units(begun) == {}
