"""`gates reproduce`: a record's commit, policy and data, trained again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_promotion import gates, judged
from worlds import World, git, table

DRAWN = """
import csv, os, random
rows = list(csv.DictReader(open(os.environ["GATES_HOLDOUT"])))
draw = random.Random(os.environ.get("SEED_OF_TEST", "1"))
with open(os.environ["GATES_OUT"] + "/predictions.csv", "w") as file:
    file.write("id,score\\n")
    for row in rows:
        file.write(f"{row['id']},{round(int(row['age']) / 100 + draw.random() / 100, 6)}\\n")
"""
TRAIN = {"run": "python train.py", "environment": ["SEED_OF_TEST", "X"]}
LOOSE = [{"metric": "roc_auc", "min": 0.01, "max_worsening": 0.9}]


def trained(world: World, **policy: Any) -> None:
    (world.root / "train.py").write_text(DRAWN)
    judged(world, **({"train": TRAIN, "gates": LOOSE} | policy))
    done = gates(world, "promote")
    assert done.code == 0, done.err


def reproduced(world: World, record: str = "2", **env: str) -> tuple[int, dict[str, Any]]:
    done = gates(world, "reproduce", record, "--json", **env)
    assert done.out, done.err
    return done.code, json.loads(done.out)


def test_what_is_trained_again_is_the_same(world: World) -> None:
    trained(world)
    (world.root / "train.py").write_text("raise SystemExit('the code of now has no part in it')")
    world.policy(gates=[{"metric": "recall", "min": 0.5}])
    world.commit("other code")
    before = git(world.root, "status", "--porcelain"), (world.root / ".git" / "index").read_bytes()
    code, found = reproduced(world)
    assert code == 0
    assert (found["model"], found["predictions"], found["evidence"], found["parts"]) == (True, True, True, [])
    assert (git(world.root, "status", "--porcelain"), (world.root / ".git" / "index").read_bytes()) == before
    assert git(world.root, "worktree", "list").count("\n") == 0
    assert "are the same as record 2's" in gates(world, "reproduce", "2").out


def test_a_second_one_is_measured_against_the_champion_of_then(world: World) -> None:
    trained(world)
    (world.root / "train.py").write_text(DRAWN.replace("/ 100 +", "/ 90 +"))
    world.commit("better")
    assert gates(world, "run").code == 0
    assert gates(world, "promote").code == 0
    code, found = reproduced(world, "4")
    assert (code, found["evidence"], found["parts"]) == (0, True, [])


def test_it_says_where_they_part(world: World) -> None:
    trained(world)
    code, found = reproduced(world, SEED_OF_TEST="2")
    assert (code, found["predictions"], found["model"]) == (1, False, False)
    assert found["parts"][0].startswith("predictions: 240 of 240 rows differ, first row 1: {'id': 1000")


def test_data_that_is_not_in_the_commit_must_be_what_it_was(world: World) -> None:
    (world.root / "data").mkdir()
    (world.root / "data" / ".gitignore").write_text("*\n")
    world.holdout(table(), "data/holdout.csv")
    trained(world, data={"holdout": "data/holdout.csv"})
    assert reproduced(world)[0] == 0
    path = world.root / "data" / "holdout.csv"
    path.write_text(path.read_text().replace(",f,", ",x,", 1))
    done = gates(world, "reproduce", "2")
    assert (done.code, "the holdout data here has changed" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("record", "words"),
    [("7", "no record has the number or digest 7"), ("abc", "no record has the number or digest abc")],
)
def test_a_record_that_is_none(world: World, record: str, words: str) -> None:
    trained(world)
    done = gates(world, "reproduce", record)
    assert (done.code, words in done.err) == (2, True)


def test_the_same_numbers_of_other_bytes(world: World) -> None:
    """Files that no verdict rests on may differ: that is said, and is no failure."""
    trained(world)
    (world.root / "train.py").write_text(
        DRAWN + "open(os.environ['GATES_OUT'] + '/log.txt', 'w').write(os.environ['X'])"
    )
    world.commit("a log")
    assert gates(world, "run", X="then").code == 0
    assert gates(world, "promote").code == 0
    code, found = reproduced(world, "4", X="now")
    assert (code, found["model"], found["predictions"], found["evidence"], found["parts"]) == (0, False, True, True, [])


def test_a_commit_that_is_not_here(world: World) -> None:
    """A clone that is not deep enough, or a history that was rewritten."""
    trained(world)
    commit = git(world.root, "rev-parse", "HEAD")
    (world.root / "train.py").write_text(DRAWN + "# other")
    git(world.root, "commit", "-q", "-a", "--amend", "-m", "another first")
    git(world.root, "push", "-q", "-f", "origin", "HEAD:main")
    git(world.root, "reflog", "expire", "--expire=now", "--all")
    git(world.root, "fetch", "-q", "origin")
    git(world.root, "update-ref", "-d", "ORIG_HEAD")
    git(world.root, "gc", "-q", "--prune=now")
    done = gates(world, "reproduce", "2")
    assert (done.code, f"commit {commit[:12]} is not here" in done.err) == (3, True), done.err


def test_data_that_is_gone(world: World) -> None:
    (world.root / "data").mkdir()
    (world.root / "data" / ".gitignore").write_text("*\n")
    world.holdout(table(), "data/holdout.csv")
    trained(world, data={"holdout": "data/holdout.csv"})
    (world.root / "data" / "holdout.csv").unlink()
    done = gates(world, "reproduce", "2")
    assert (done.code, "data/holdout.csv" in done.err) == (2, True), done.err


def test_a_record_outside_a_repository_names_no_commit(world: World) -> None:
    world.ready(gates=LOOSE)
    assert gates(world, "run").code == 0
    assert gates(world, "promote").code == 0
    done = gates(world, "reproduce", "2")
    assert (done.code, "names no commit" in done.err) == (2, True), done.err


def test_what_nobody_committed_is_told_before_it_is_promoted_and_when_it_is_trained_again(world: World) -> None:
    trained(world)
    (world.root / "train.py").write_text(DRAWN.replace("/ 100 +", "/ 99 +"))
    assert gates(world, "run").code == 0
    done = gates(world, "promote")
    assert done.code == 0, done.err
    assert "warning: train.py is not as in commit " in done.err
    done = gates(world, "reproduce", "4")
    assert done.code == 1
    assert "the work tree differed from commit " in done.out


def test_where_all_is_committed_nobody_is_warned(world: World) -> None:
    """Negative control; and data that git neither tracks nor ignores are told."""
    judged(world, gates=LOOSE)
    done = gates(world, "promote", "--dry-run")
    assert (done.code, "warning" in done.err) == (0, False)
    git(world.root, "rm", "--quiet", "--cached", "holdout.csv")
    git(world.root, "commit", "--quiet", "--message=without the data")
    git(world.root, "push", "--quiet", "origin", "main")
    done = gates(world, "promote", "--dry-run")
    assert "warning: holdout.csv is in no commit" in done.err
