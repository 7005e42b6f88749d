"""model-ci.yml started by something else than a pull request: the merge queue, new data, the clock. The data is not in
git; a command brings it."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import World
from telco import BROKEN, POLICY


def said(world: World) -> list[tuple[str, str]]:
    """(commit, state) of each status."""
    return [(one["url"].rpartition("/")[2], one["state"]) for one in world.github.statuses]


def test_the_merge_queue_new_data_and_the_clock(world: World, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.move(world.repository / "data", lake / "data")
    world.call(fetch=f"cp -r {lake}/data .")
    (world.repository / ".gitignore").write_text("data/\n")
    base = world.commit()
    (world.repository / "columns.txt").write_text("contract internet_service")
    head = world.commit()
    queued = world.run("merge_group", {"merge_group": {"head_sha": head, "base_sha": base}})
    assert queued.verdicts == {"data": "pass", "judge": "pass", "report": "pass"}, queued.log
    assert (queued.failed, queued.caller) == (set(), "pass")
    assert said(world) == [(head, "success")]
    assert world.github.comments == []  # the queue has no pull request to comment on

    holdout = lake / "data/holdout.csv"
    holdout.write_text(holdout.read_text().replace("Electronic", "Barter"))
    (world.repository / "contract.yaml").write_text(BROKEN.replace("[cash]", "[electronic_check, mailed_check]"))
    (world.repository / "gates.yaml").write_text(POLICY.replace("key: id", "key: id\n  contract: contract.yaml"))
    head = world.commit()
    for name, payload in (("repository_dispatch", {"action": "new-data"}), ("schedule", {"schedule": "0 5 * * 1"})):
        run = world.run(name, payload | {"repository": {"default_branch": "main"}})
        assert run.verdicts == {"data": "fail", "report": "fail"}, run.log  # though no file of the repository changed
        assert run.failed == {"data", "report"}
        assert "payment_method" in run.log
        assert said(world)[-1] == (head, "failure")
