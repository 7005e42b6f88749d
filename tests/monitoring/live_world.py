"""A repository with a promoted model, and the logs of what it answered since: days of rows, labels and their faults."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "promotion"))
sys.path.insert(0, str(Path(__file__).parents[1] / "edge"))

from edge_project import Rows, pick, table, without, write_table
from worlds import World

DAY = timedelta(days=1)
SERVED = ("id", "region", "age", "sex", "score", "latency")
MONITOR: dict[str, Any] = {
    "live": "served/*.parquet",
    "labels": "labels/*.parquet",
    "key": "id",
    "time": "at",
    "model": "by",
    "window": "1d",
    "gates": [{"metric": "roc_auc", "max_worsening": 0.05}, {"metric": "recall", "min": 0.5}],
}
SLICED = {"slices": ["region"]}


def answered(n: int, seed: int) -> Rows:
    """Rows as the holdout's, with how long each answer took."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    return [row | {"latency": round(draw.gauss(100, 10), 2)} for row in table(n, seed)]


class LiveWorld(World):
    """The registry is a branch, so nothing starts slowly. Days are counted from the first after the promotion."""

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**({"MLFLOW_TRACKING_URI": ""} | more))

    def promoted(self, monitor: Mapping[str, Any] | None = None, n: int = 1500, **policy: Any) -> None:
        """The first champion, promoted on a holdout of ``n`` rows."""
        section = MONITOR | dict(monitor or {})
        rows = answered(n, seed=1)
        self.begin(rows, **({"monitor": section} | policy))
        self.promote(rows)

    def promote(self, rows: Rows) -> None:
        write_table(self.root / "holdout.csv", without(rows, "score", "latency"))
        write_table(self.root / "made/predictions.csv", pick(rows, "id", "score", "latency"))
        self.commit(f"data {len(rows)}")
        for command in ("run", "promote"):
            done = self.gates(command)
            assert done.code == 0, done.out + done.err

    @property
    def champion(self) -> dict[str, Any]:
        return next(one for one in self.standing()["aliases"] if one["alias"] == "champion")

    @cached_property
    def begins(self) -> datetime:
        """When the first window after the first promotion begins."""
        first = next(one for one in self.records() if one["kind"] == "promotion")
        at = datetime.strptime(first["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return at.replace(hour=0, minute=0, second=0) + DAY

    def day(self, number: float) -> datetime:
        return self.begins + number * DAY

    def text(self, number: float) -> str:
        return self.day(number).strftime("%Y-%m-%dT%H:%M:%SZ")

    def serve(self, day: int, rows: Rows, *, by: str | None = None, labelled: float = 1.0) -> None:
        """One day's log and labels, in files of their own."""
        digest = by if by is not None else self.champion["digest"]
        step = DAY / (len(rows) + 1)
        told = [
            row | {"id": f"{day}-{index}", "at": self.day(day) + (index + 1) * step, "by": digest}
            for index, row in enumerate(rows)
        ]
        write_table(self.root / f"served/{day:03}-{len(rows)}.parquet", without(told, "churn"))
        known = told[: round(labelled * len(told))]
        if known:
            write_table(self.root / f"labels/{day:03}.parquet", pick(known, "id", "churn"))

    def days(self, numbers: Iterable[int], n: int = 500, **named: Any) -> None:
        for number in numbers:
            self.serve(number, answered(n, seed=100 + number), **named)

    def monitor(self, until: float, *arguments: str) -> Any:
        """`gates monitor` as of a day; gives how it ended."""
        return self.gates("monitor", "--until", self.text(until), *arguments)

    def start_monitor(self, until: float) -> Any:
        """One that runs beside others."""
        return super().start(["monitor", "--until", self.text(until)])

    def judged(self, until: float, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """What was judged; the command ends with that code."""
        done = self.monitor(until, "--json", *arguments)
        assert code is None or done.code == code, done.out + done.err
        found: dict[str, Any] = json.loads(done.out)
        return found


def rules(decision: Mapping[str, Any], part: str, which: int = -1) -> dict[str, dict[str, Any]]:
    """The rules of one window of a part, by their labels."""
    windows = [one for one in decision["windows"] if one["part"] == part]
    return {_label(one["gate"]): one["gate"] | {"alarm": one["alarm"]} for one in windows[which]["rules"]}


def _label(gate: Mapping[str, Any]) -> str:
    at = "@" + ",".join(f"{key}={value}" for key, value in gate["slice"].items()) if gate["slice"] else ""
    return f"{gate['id']}:{gate['rule']}{at}"


def flipped(rows: Rows, share: float, seed: int = 5) -> Rows:
    """Some labels are the other one: the model has lost so much of what it knew."""
    draw = random.Random(seed)  # noqa: S311 -- not a secret
    other = {"left": "stayed", "stayed": "left"}
    return [row | {"churn": other[row["churn"]]} if draw.random() < share else row for row in rows]
