"""A project of a user in a temporary folder: its policy, its tables, and the command line run in this process."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow
import pyarrow.parquet

from gates import cli

Rows = list[dict[str, Any]]
COPY = 'cp -r made/. "$GATES_OUT"'  # the training of most tests: what was made beforehand
OURS = ("GITHUB_", "GATES_", "MLFLOW_", "OTEL_", "TRACEPARENT", "NO_COLOR", "CI")


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what steers gates; `python` is the one that runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """Standard error without the lines of progress, and without what a training printed while it ran."""
        lines = [line for line in self.err.splitlines() if not line.startswith(("✓", "✗"))]
        return "\n".join(dropwhile(lambda line: line.startswith("  | "), lines))


def call(*arguments: str, env: Mapping[str, str] | None = None) -> Done:
    """`gates ARGUMENT...` in this process: its arguments, environment and streams are what main() is given."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, clean_environment(**(env or {})), clear=True),
        mock.patch.object(sys, "argv", ["gates", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            return Done(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() returned")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], types: Mapping[str, Any] | None = None) -> Path:
    """A CSV or Parquet file; ``types``: Arrow types of columns where guessing won't do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table = pyarrow.Table.from_pylist([dict(row) for row in rows])
        for name, kind in (types or {}).items():
            place = table.column_names.index(name)
            table = table.set_column(place, name, table.column(name).cast(kind))
        pyarrow.parquet.write_table(table, path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, fieldnames=list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
    return path


def table(n: int = 240, seed: int = 1) -> Rows:
    """Synthetic rows with the label `churn`, and the `score` that a fair model gives each."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    rows = []
    for number in range(n):
        positive = draw.random() < 0.4
        rows.append(
            {
                "id": 1000 + number,
                "region": draw.choice(["north", "south", None]),
                "age": draw.randint(18, 80),
                "sex": draw.choice(["f", "m"]),
                "churn": "left" if positive else "stayed",
                "score": round(min(1.0, max(0.0, draw.gauss(0.65 if positive else 0.35, 0.18))), 2),
            }
        )
    return rows


def featured(seed: int = 1, n: int = 200) -> Rows:
    """Rows whose `score` is a feature, called x, that all models below look at."""
    return [row | {"x": row["score"], "x2": row["score"] ** 2} for row in table(n, seed)]


def pick(rows: Iterable[Mapping[str, Any]], *columns: str) -> Rows:
    """Some columns only."""
    return [{column: row[column] for column in columns} for row in rows]


def without(rows: Iterable[Mapping[str, Any]], *columns: str) -> Rows:
    """All columns but some."""
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


class Project:
    """A folder with `gates.yaml`, a holdout, and predictions that the training copies into its output."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.root = root
        self.environ = environ
        root.mkdir(parents=True, exist_ok=True)
        (root / "made").mkdir(exist_ok=True)

    @property
    def work(self) -> Path:
        return self.root / ".gates"

    def policy(self, *, data: Mapping[str, Any] | None = None, **top: Any) -> None:
        """Write the policy; a key set to None is left out."""
        base: dict[str, Any] = {
            "version": 1,
            "model": "churn",
            "data": {"holdout": "holdout.csv", "label": "churn", "positive": "left", "key": "id"} | dict(data or {}),
            "train": COPY,
            "gates": [{"metric": "roc_auc", "min": 0.6}],
        }
        base |= top
        base["data"] = {name: value for name, value in base["data"].items() if value is not None}
        text = json.dumps(
            {name: value for name, value in base.items() if value is not None}, indent=1, ensure_ascii=False
        )
        (self.root / "gates.yaml").write_text(text)

    def holdout(self, rows: Rows, name: str = "holdout.csv") -> None:
        write_table(self.root / name, without(rows, "score"))

    def predictions(self, rows: Rows, *columns: str, name: str = "predictions.csv") -> None:
        write_table(self.root / "made" / name, pick(rows, *(columns or ("id", "score"))))

    def ready(self, rows: Rows | None = None, **policy: Any) -> Rows:
        """The usual project: passes."""
        rows = table() if rows is None else rows
        self.policy(**policy)
        self.holdout(rows)
        self.predictions(rows)
        return rows

    def gates(self, command: str, *arguments: str, **env: str) -> Done:
        return call(command, "--policy", str(self.root / "gates.yaml"), *arguments, env=self.environ | env)

    def python(self, code: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A process of its own, in the project's folder."""
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.root,
            env=clean_environment(**(self.environ | env)),
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / f"{name}.json").read_text())
        return found

    @property
    def evidence(self) -> dict[str, Any]:
        return self.json("evidence")

    @property
    def decision(self) -> dict[str, Any]:
        return self.json("decision")

    def bytes(self, *names: str) -> dict[str, bytes]:
        return {name: (self.work / name).read_bytes() for name in names or ("evidence.json", "decision.json")}

    def gate(self, rule: str, chosen: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The one verdict of that rule."""
        (found,) = (one for one in self.decision["gates"] if one["rule"] == rule and chosen(one))
        result: dict[str, Any] = found
        return result


def refused(done: Done, *words: str) -> str:
    """The one clear message of a command that ended with 2; holds every word and no traceback."""
    assert done.code == 2, (done.code, done.err)
    assert "Traceback" not in done.err
    assert [line.startswith("gates: ") for line in done.complaint.splitlines()].count(True) == 1, done.complaint
    assert done.complaint.startswith("gates: "), done.complaint
    for word in words:
        assert word in done.complaint, f"{word!r} is not in: {done.complaint}"
    return done.complaint


def obeyed(done: Done) -> list[str]:
    """The lines that GitHub's runner would take for commands."""
    found = []
    stopped = ""
    for line in (done.err + "\n" + done.out).replace("\r", "\n").split("\n"):
        text = line.strip()
        if stopped:
            stopped = "" if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
        elif text.startswith(("::", "##[")):
            found.append(text)
    return found


def save_model_to(folder: Path) -> Rows:
    """A pickled logistic regression, and the rows that it scores."""
    import mlflow.sklearn
    import pandas
    from sklearn.linear_model import LogisticRegression

    rows = featured(seed=7)
    frame = pandas.DataFrame(rows)[["x"]]
    model = LogisticRegression().fit(frame, [row["churn"] for row in rows])
    signature = mlflow.models.infer_signature(frame, model.predict_proba(frame))
    mlflow.sklearn.save_model(
        model, folder, signature=signature, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
    )
    return rows


def soon(true: Callable[[], object]) -> bool:
    """Whether something comes true. A machine may be busy; it is waited for no longer than it takes."""
    for _ in range(2400):
        if true():
            return True
        time.sleep(0.05)
    return False


def state(pid: int) -> str:
    """A process's state: R where it runs, S where it sleeps, Z where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def git(root: Path, *arguments: str) -> str:
    """What git prints, run in a repository by an author of its own."""
    author = ["-c", "user.name=dana", "-c", "user.email=dana@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *author, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


SEEDED = """
import csv, os, random
draw = random.Random(os.environ["GATES_SEED"])
with open(os.environ["GATES_HOLDOUT"]) as holdout, open(os.environ["GATES_OUT"] + "/predictions.csv", "w") as out:
    told = csv.writer(out)
    told.writerow(["id", "score"])
    for row in csv.DictReader(holdout):
        told.writerow([row["id"], min(1, max(0, float(row["x"]) + draw.gauss(0, NOISE)))])
"""


def seeded(noise: float) -> str:
    """A training whose scores are the column `x`, and as much noise as that, drawn by the seed it is given."""
    return SEEDED.replace("NOISE", str(noise))


def pull_request(project: Project, url: str, *, head: str, base: str, fork: bool = False) -> dict[str, str]:
    """The environment of a run on pull request 7, with its event; ``url`` is the API's."""
    pull = {"number": 7, "head": {"sha": head, "repo": {"full_name": "mallory/churn" if fork else "acme/churn"}}}
    event = project.root.parent / "event.json"
    event.write_text(json.dumps({"pull_request": pull | {"base": {"sha": base, "ref": "main"}}}))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": "acme/churn",
        "GITHUB_EVENT_PATH": str(event), "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": "11", "GITHUB_SHA": "c" * 40,
        "GITHUB_API_URL": url, "GITHUB_TOKEN": "ghs_bot", "GITHUB_WORKSPACE": str(project.root.resolve()),
    }  # fmt: skip
