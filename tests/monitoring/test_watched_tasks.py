"""Every task's answers are watched, not only those of two classes; and what an adopted model lacks is said."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from edge_project import Rows, pick, without, write_table
from live_world import MONITOR, LiveWorld, answered, rules
from worlds import git


def prices(n: int, seed: int, off: float = 0.0) -> Rows:
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    truth = [draw.uniform(10, 50) for _ in range(n)]
    return [
        {"id": str(place), "y": round(one, 3), "prediction": round(one + draw.gauss(off, 2), 3)}
        for place, one in enumerate(truth)
    ]


def kinds(n: int, seed: int, off: float = 0.0) -> Rows:
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    names = ("cat", "cow", "dog")
    rows = []
    for place in range(n):
        truth = draw.choice(names)
        called = truth if draw.random() < 0.85 - off else draw.choice([one for one in names if one != truth])
        scores = {f"score_{one}": 0.8 if one == called else 0.1 for one in names}
        rows.append({"id": str(place), "y": truth} | scores)
    return rows


def orders(n: int, seed: int, off: float = 0.0) -> Rows:
    """Twenty documents a query, of which the relevant ones are scored higher."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    rows = []
    for place in range(n):
        relevant = int(draw.random() < 0.3)
        score = round(draw.gauss(relevant * (1.5 - off), 1), 4)
        rows.append({"id": str(place), "q": place // 20, "y": relevant, "score": score})
    return rows


TASKS: dict[str, tuple[Any, float, dict[str, Any], dict[str, Any]]] = {
    "regression": (prices, 3.0, {}, {"metric": "mae", "max_worsening": 1.0}),
    "multiclass": (kinds, 0.4, {}, {"metric": "accuracy", "max_worsening": 0.1}),
    "ranking": (orders, 2.5, {"query": "q"}, {"metric": "ndcg", "k": 10, "max_worsening": 0.1}),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_watched(empty: LiveWorld, task: str) -> None:
    make, worse, more, gate = TASKS[task]
    data = {"holdout": "holdout.csv", "label": "y", "positive": None, "key": "id"} | more
    section = {name: value for name, value in MONITOR.items() if name != "labels"} | {"gates": [gate]}
    calls = [name for name in make(1, 1)[0] if name.startswith(("score", "prediction"))]
    rows = make(2000, 1)
    empty.begin(task=task, data=data, monitor=section, gates=[gate])
    write_table(empty.root / "holdout.csv", without(rows, *calls))
    write_table(empty.root / "made/predictions.csv", pick(rows, "id", *calls))
    empty.commit("data")
    for command in ("run", "promote"):
        done = empty.gates(command)
        assert (command, done.code) in (("run", 0), ("promote", 0), ("promote", 1)), done.out + done.err
        if done.code:  # nothing but a comparison is asked, so the first one needs a floor
            floor = {"regression": {"max": 9}}.get(task, {"min": 0.1})
            empty.policy(task=task, data=data, monitor=section, gates=[gate | floor])
            empty.commit("floor")
            assert (empty.gates("run").code, empty.gates("promote").code) == (0, 0)
    digest = empty.champion["digest"]
    for day, off in ((0, 0.0), (1, worse)):
        live = [
            row | {"id": f"{day}-{place}", "at": empty.day(day) + timedelta(seconds=place), "by": digest}
            for place, row in enumerate(make(1000, 10 + day, off))
        ]
        write_table(empty.root / f"served/{day}.parquet", live)
    found = empty.judged(2, code=1)
    label = next(one for one in rules(found, "labels") if one.endswith("max_worsening"))
    assert rules(found, "labels", 0)[label]["verdict"] == "pass"
    assert rules(found, "labels", 1)[label]["code"] == "alarm"
    assert empty.gates("verify", "--all").code == 0


def test_an_adopted_model_has_nothing_to_be_compared_with(world: LiveWorld) -> None:
    world.better(answered(1500, seed=1))
    assert world.gates("promote").code == 0
    clone = world.base / "by-hand"
    git(world.base, "clone", "-q", "--branch", "gates-registry", str(world.origin), str(clone))
    names = clone / "churn/registered.json"
    names.write_text(names.read_text().replace('"champion":"2"', '"champion":"1"'))
    git(clone, "commit", "-q", "--all", "-m", "by hand")
    git(clone, "push", "-q", "origin", "HEAD:gates-registry")
    assert world.gates("adopt", "--reason", "it was better").code == 0
    world.days([0])
    found = rules(world.judged(1), "labels")
    assert found["recall:min"]["verdict"] in ("pass", "inconclusive")
    assert (found["roc_auc:max_worsening"]["verdict"], found["roc_auc:max_worsening"]["code"]) == (
        "inconclusive", "no_reference"
    )  # fmt: skip
