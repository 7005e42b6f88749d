#!/usr/bin/env python3
"""Count the packages that a command leads through, and how often its way climbs back up.

    scripts/ways.py [FOLDER]        the ways of this checkout, or of another one

Three commands are run for real, each in a project of its own, and every function of the package that they enter is
noted. Where one function follows another of a different package, that is a step. A climb is a step to a higher layer;
each pair of packages counts once. Run it with the Python of .venv-test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from structure import ROOT, layers, packages_of

POLICY = """version: 1
model: ways
data: {holdout: holdout.csv, label: y, key: id, contract: contract.yaml}
train: cp predictions.csv "$GATES_OUT/predictions.csv"
slices: [shop]
gates:
  - {metric: roc_auc, min: 0.5, max_worsening: 0.3}
  - {metric: recall, min: 0.2, slices: {min: 0.1}}
"""
CONTRACT = "record: {properties: {id: {type: integer}, shop: {type: string}}}\n"
WAYS = {  # whose way it is -> (the commands before, the command that is followed)
    "of a policy: `gates run`": ([], ["run"]),
    "of a candidate: `gates promote`": ([["run"]], ["promote"]),
    "of a fork's evidence: `gates comment`": ([["run"]], ["comment", "--evidence", ".gates"]),
}
FOLLOW = """
import json, os, sys, threading
root, target = os.path.join(sys.argv[1], "gates") + os.sep, sys.argv[2]
steps, last = set(), {}
def enter(frame, event, argument):
    name = frame.f_code.co_filename
    if event != "call" or not name.startswith(root):
        return
    package = name[len(root):].split(os.sep)[0].removesuffix(".py")
    me = threading.get_ident()
    if package != "__init__" and last.get(me) != package:
        steps.add((last.get(me, ""), package))
        last[me] = package
sys.argv = ["gates", *sys.argv[3:]]
threading.setprofile(enter)
sys.setprofile(enter)
try:
    import gates.cli
    gates.cli.main()
finally:
    sys.setprofile(None)
    json.dump(sorted(steps), open(target, "w"))
"""


def project(folder: Path) -> None:
    """A model of two classes, whose predictions are there already."""
    rows = [(number, "east" if number % 3 else "west", number % 2) for number in range(400)]
    table = ["id,shop,y", *(f"{number},{shop},{label}" for number, shop, label in rows)]
    scores = ["id,score", *(f"{number},{0.3 + 0.4 * label + number % 7 / 100:.2f}" for number, _, label in rows)]
    texts = {"gates.yaml": POLICY, "contract.yaml": CONTRACT, "holdout.csv": table, "predictions.csv": scores}
    for name, text in texts.items():
        (folder / name).write_text(text if isinstance(text, str) else "\n".join(text) + "\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", *texts)
    git(folder, "commit", "-q", "-m", "a model")


def fork(folder: Path) -> Mapping[str, str]:
    """The environment of a run for a fork's pull request, in which nothing is written on GitHub."""
    base = git(folder, "rev-parse", "HEAD").strip()
    ends = {"head": {"sha": "a" * 40, "repo": {"full_name": "mallory/ways"}}, "base": {"sha": base, "ref": "main"}}
    (folder / "event.json").write_text(json.dumps({"pull_request": {"number": 1} | ends}))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "acme/ways", "GITHUB_ACTOR": "mallory", "GITHUB_RUN_ID": "1", "GITHUB_SHA": "a" * 40,
        "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_TOKEN": "none", "GITHUB_WORKSPACE": str(folder.resolve()),
    }  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    who = ["-c", "user.name=ways", "-c", "user.email=ways@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def followed(root: Path, name: str) -> list[tuple[str, str]]:
    """The steps between packages of one way."""
    before, command = WAYS[name]
    with tempfile.TemporaryDirectory() as place:
        folder, target = Path(place), Path(place) / "steps.json"
        project(folder)
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "MLFLOW_TRACKING"))}
        environ = plain | {"GATES_LEDGER": "local", "PYTHONPATH": str(root), "MLFLOW_DISABLE_TELEMETRY": "true"}
        for one in before:
            subprocess.run(
                [sys.executable, "-m", "gates", *one], cwd=folder, env=environ, check=True, capture_output=True
            )
        if command[0] == "comment":
            environ |= fork(folder)
        arguments = [sys.executable, "-c", FOLLOW, str(root), str(target), *command]
        done = subprocess.run(arguments, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        if not target.exists():
            sys.exit(f"{' '.join(command)}: {done.stderr}")
        return [(one, other) for one, other in json.loads(target.read_text())]


def main(root: Path) -> None:
    """Print the packages entered and the climbs of each way."""
    layer = layers(packages_of(root))
    for name in WAYS:
        steps = followed(root, name)
        packages = {package for _, package in steps}
        climbs = sum(layer.get(one, 0) < layer[other] for one, other in steps if one)
        print(f"{len(packages):5}  packages entered on the way {name}")
        print(f"{climbs:5}  climbs")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
