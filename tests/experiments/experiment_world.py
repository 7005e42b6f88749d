"""A repository with a champion and a challenger, and the log of an experiment between them: units, arms, outcomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from live_world import LiveWorld, answered

CLICKS: dict[str, Any] = {
    "metric": "ratio", "of": "clicks", "per": "impressions", "better": "larger", "min_improvement": 0
}  # fmt: skip
LATENCY: dict[str, Any] = {"metric": "mean", "of": "latency_ms", "better": "smaller", "max_worsening": 20}
EXPERIMENT: dict[str, Any] = {
    "split": {"champion": 0.5, "challenger": 0.5}, "unit": "user_id", "exposures": "exposures/*.parquet",
    "outcomes": "outcomes/*.parquet", "window": "1d", "units": 2000, "min_days": 7, "max_days": 21,
    "gates": [CLICKS, LATENCY],
}  # fmt: skip
STAGES: dict[str, Any] = {"stages": [{"alias": "challenger"}, {"alias": "champion", "experiment": "required"}]}
DAY = timedelta(days=1)
SHARE = 16**13


def first_arm(salt: str, unit: object, share: float = 0.5) -> bool:
    """As configs/recommender/serve.py assigns users."""
    return int(hashlib.sha256(f"{salt}:{unit}".encode()).hexdigest()[:13], 16) / SHARE < share


def alike(exposures: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> None:
    """Both arms have the same clicks, whatever the salt: unit by unit in turn, so no look ever decides."""
    turns: dict[str, int] = {}
    for seen, row in zip(exposures, outcomes, strict=True):
        turns[seen["arm"]] = turns.get(seen["arm"], -1) + 1
        row["clicks"] = turns[seen["arm"]] % 5


class ExperimentWorld(LiveWorld):
    """Days are counted from the start of the experiment."""

    def challenged(self, section: Mapping[str, Any] | None = None, **policy: Any) -> None:
        """A champion, and a challenger that is another model."""
        rows = answered(400, seed=1)
        self.begin(rows, promotion=STAGES, experiment=EXPERIMENT | dict(section or {}), **policy)
        self.promote(rows)
        assert self.gates("promote").code == 0
        self.better(rows)
        done = self.gates("promote", "--stage", "challenger")
        assert done.code == 0, done.out + done.err

    def steps(self) -> list[dict[str, Any]]:
        return [one for one in self.records() if one["kind"] == "experiment"]

    @property
    def started(self) -> dict[str, Any]:
        return [one for one in self.steps() if one["experiment"]["state"] == "started"][-1]

    @property
    def salt(self) -> str:
        return str(self.started["digest"][7:19])

    @cached_property
    def began(self) -> datetime:
        at = self.started["experiment"].get("begins") or self.started["at"]
        return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)

    def time(self, day: float) -> str:
        return (self.began + day * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")

    def arms(self) -> tuple[str, str]:
        step = self.started["experiment"]
        return step["champion"]["digest"], step["challenger"]["digest"]

    def log(
        self,
        n: int = 3000,
        days: float = 9,
        lift: float = 0.0,
        slower: float = 0.0,
        seed: int = 1,
        share: float = 0.5,
        change: Callable[[list[dict[str, Any]], list[dict[str, Any]]], Any] = lambda *_: None,
        salt: str | None = None,
        name: str = "log",
        reach: float | None = None,
        nobody: Any = "nobody",
    ) -> None:
        """The log of ``n`` units that come over the days: ten impressions each, an hour after the exposure."""
        draw, (champion, challenger) = np.random.default_rng(seed), self.arms()
        salt = salt or self.salt
        exposures, outcomes = [], []
        for number in range(n):
            unit = f"u{number}"
            first = first_arm(salt, unit, share)
            at = self.began + timedelta(seconds=1) + days * DAY * number / n
            exposures.append({"user_id": unit, "time": at, "arm": champion if first else challenger})
            clicks = int(draw.binomial(10, 0.2 if first else 0.2 + lift))
            latency = float(draw.normal(100 if first else 100 + slower, 20))
            outcomes.append(
                {"user_id": unit, "time": at + DAY / 24, "clicks": clicks, "impressions": 10, "latency_ms": latency}
            )
        change(exposures, outcomes)
        for hour in range(1, round(24 * (reach or 0))):  # others come, too: the log goes on
            other = {"user_id": nobody, "time": self.began + hour * DAY / 24}
            outcomes.append(other | {"clicks": 0, "impressions": 0, "latency_ms": 100.0})
        self.write("exposures", name, exposures)
        self.write("outcomes", name, outcomes)

    def write(self, folder: str, name: str, rows: list[dict[str, Any]]) -> None:
        (self.root / folder).mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), self.root / folder / f"{name}.parquet")

    def look(self, day: float, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """`gates experiment` as of a day; what was judged."""
        done = self.gates("experiment", "--until", self.time(day), "--json", *arguments)
        assert code is None or done.code == code, done.out + done.err
        found: dict[str, Any] = json.loads(done.out)
        return found


def gate(decision: Mapping[str, Any], label: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in decision["gates"] if f"{one['id']}:{one['rule']}" == label)
    return found
