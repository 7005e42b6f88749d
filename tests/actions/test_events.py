"""model-ci.yml started by something else than a pull request: the merge queue, new data, the clock. The data is not in
git; a command brings it, with a credential."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from extent import part
from harness import SECRETS, World
from pytest_httpserver import HTTPServer
from telco import BROKEN, POLICY


def said(world: World) -> list[tuple[str, str]]:
    """(commit, state) of each status."""
    return [(one["url"].rpartition("/")[2], one["state"]) for one in world.github.statuses]


def export(home: Path, lake: HTTPServer) -> None:
    """Put what lies in the folder `data` where a workflow fetches it."""
    done = subprocess.run(["tar", "--create", "data"], cwd=home, capture_output=True, check=True)
    asked = {"Authorization": f"Bearer {SECRETS['DATA_CREDENTIAL']}"}
    lake.clear()
    lake.expect_request("/churn/2026-09.tar", headers=asked).respond_with_data(done.stdout)


UNPROMPTED = (("repository_dispatch", {"action": "new-data"}), ("schedule", {"schedule": "0 5 * * 1"}))
UNSEEN = """
assert not os.path.exists("data")
assert not os.environ.get("DATA_CREDENTIAL")
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page fetches by curl")
@pytest.mark.slow
def test_the_merge_queue_new_data_and_the_clock(world: World, tmp_path: Path, httpserver: HTTPServer) -> None:
    export(world.repository, httpserver)
    world.call("warehouse", "model", {"https://data.example": httpserver.url_for("").rstrip("/")})
    (world.repository / "train.py").write_text((world.repository / "train.py").read_text() + UNSEEN)
    (world.repository / "data").rename(tmp_path / "data")
    base = world.commit()
    (world.repository / "columns.txt").write_text("contract internet_service")
    head = world.commit()
    queued = world.run(
        "merge_group", {"merge_group": {"head_sha": head, "base_sha": base, "base_ref": "refs/heads/main"}}
    )
    assert queued.verdicts == {"data": "pass", "judge": "pass", "report": "pass"}, queued.log
    assert (queued.failed, queued.caller) == (set(), "pass")
    assert said(world) == [(head, "success")]
    assert world.github.comments == []  # the queue has no pull request to comment on

    holdout = tmp_path / "data/holdout.csv"
    holdout.write_text(holdout.read_text().replace("Electronic", "Barter"))
    export(tmp_path, httpserver)
    (world.repository / "contract.yaml").write_text(BROKEN.replace("[cash]", "[electronic_check, mailed_check]"))
    (world.repository / "gates.yaml").write_text(POLICY.replace("key: id", "key: id\n  contract: contract.yaml"))
    head = world.commit()
    for name, payload in UNPROMPTED[: part(2, 1)]:
        run = world.run(name, payload | {"repository": {"default_branch": "main"}})
        assert run.verdicts == {"data": "fail", "report": "fail"}, run.log  # though no file of the repository changed
        assert run.failed == {"data", "report"}
        assert "payment_method" in run.log
        assert said(world)[-1] == (head, "failure")
