"""Live rows as ``monitor.py`` measures them: made, counted and judged by the very functions of `gates monitor`.

live_windows.py large FOLDER | scan FOLDER    one child of its own each, so that its peak memory is its own
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gates.documents.live.drift_profile import FILE as PROFILE
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.live_evidence import SCHEMA, ColumnCounts, LiveEvidence, LiveWindow, WatchedModel
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.record import DECISION, EVIDENCE, POLICY
from gates.ledger.ledger import HERE, Ledger
from gates.ledger.watched import ServedModels, last_watch
from gates.measure.engines import connect
from gates.measure.holdout.tables import open_table
from gates.measure.live import drift_bins
from gates.measure.live.live_tables import LiveTables
from gates.measure.live.window_counts import Serving, counted
from gates.measure.live.window_times import WindowTime, text_of, window_at
from gates.monitoring.judge_windows import judge_windows
from gates.monitoring.reference import Reference
from gates.policy import ResolvedPolicy
from gates.policy.live_policies import measured
from gates.policy.policy_file import read
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.system.git import Git

DAY = 86_400
FIRST = datetime(2026, 1, 1, tzinfo=UTC)  # when the first window begins
NOW = datetime(2030, 1, 1, tzinfo=UTC)
MODEL = WatchedModel(digest=f"sha256:{1:064x}", version="1", record=f"sha256:{2:064x}")
CATEGORIES = {"plan": 3, "region": 12, "city": 50, "shop": 200}
NUMBERS = ("age", "amount", "share", "wait", "score", "calls")
COLUMNS = (*NUMBERS, *CATEGORIES)
THEN = 20_000  # rows of the reference


def rows_of(n: int, name: str) -> dict[str, Any]:
    """Ten columns, of numbers and text of few and many values, from one law; ``name`` seeds them."""
    chance = np.random.default_rng(zlib.crc32(name.encode()))
    found: dict[str, Any] = {
        "age": chance.normal(40, 12, n),
        "amount": chance.lognormal(3, 1, n),
        "share": chance.beta(2, 5, n),
        "wait": chance.exponential(3, n),
        "score": chance.uniform(size=n),
        "calls": chance.poisson(3, n),
    }
    for column, size in CATEGORIES.items():
        weights = 1 / np.arange(1, size + 1)
        words = np.array([f"{column} {place}" for place in range(size)])
        found[column] = words[chance.choice(size, n, p=weights / weights.sum())]
    return found


def write(folder: Path, rows: int, windows: int) -> None:
    """A reference, and windows of a day each, none of which differs from it but by chance. The file has a row group a
    window, as one has that is added to day by day."""
    pq.write_table(pa.table(rows_of(THEN, "reference")), folder / "reference.parquet")
    n = rows * windows
    live = rows_of(n, f"live {rows}")
    seconds = (np.arange(n) // rows) * DAY + np.arange(n) % rows * (DAY // (rows + 1) or 1) % DAY
    live |= {"id": np.arange(n), "at": np.datetime64(FIRST.replace(tzinfo=None), "us") + seconds * 10**6}
    pq.write_table(pa.table(live), folder / "live.parquet", row_group_size=rows)


def policy(columns: Sequence[str]) -> ResolvedPolicy:
    """PSI of every column, at most 0.1."""
    asked = {
        "version": 1,
        "model": "bench",
        "data": {"holdout": "reference.parquet", "label": "y"},
        "train": {"run": "true"},
        "gates": [{"metric": "accuracy", "min": 0.5}],
        "monitor": {
            "live": "live.parquet",
            "key": "id",
            "time": "at",
            "window": "1d",
            "gates": [{"drift": "psi", "columns": list(columns), "max": 0.1}],
        },
    }
    return read(json.dumps(asked).encode(), "gates.yaml", lambda _: b"")


@dataclass(kw_only=True)
class Watching:
    """A folder of live rows, and all that judging its windows rests on."""

    folder: Path
    columns: Sequence[str] = COLUMNS

    @cached_property
    def resolved(self) -> ResolvedPolicy:
        """The policy."""
        return policy(self.columns)

    @cached_property
    def profile(self) -> DriftProfile:
        """What a promotion keeps of the reference."""
        engine = connect(NOW)
        table = open_table(engine, self.folder, "reference.parquet", "reference")
        return drift_bins.profile(engine, [table], [(column, "psi") for column in self.columns])

    @property
    def references(self) -> dict[str, Reference]:
        """By the digest of the promotion's record."""
        return {MODEL.record: Reference(record=MODEL.record, evidence=None, profile=self.profile)}

    def counted(self, place: int, windows: int = 1) -> Iterator[LiveWindow]:
        """Count some windows, from one of them on, with tables that are opened for it."""
        monitor = self.resolved.policy.monitor
        assert monitor is not None  # noqa: S101 -- ``policy`` writes one
        tables = LiveTables(resolved=self.resolved, monitor=monitor, root=self.folder, now=NOW)
        serving = Serving(
            model_at=lambda _: MODEL,
            known=frozenset([MODEL.digest]),
            profiles={MODEL.record: self.profile},
            classes={},
        )
        first = window_at(FIRST, DAY).number + place
        for number in range(first, first + windows):
            yield counted(tables, WindowTime(number, DAY), "rows", serving, {})

    def evidence(self, windows: Sequence[LiveWindow], before: MonitoringDecision | None) -> LiveEvidence:
        """What a record keeps of them."""
        monitor = self.resolved.policy.monitor
        assert monitor is not None  # noqa: S101
        return LiveEvidence(
            schema=SCHEMA,
            model=self.resolved.policy.model,
            measured=measured(self.resolved, monitor),
            previous=digest(before) if before else None,
            windows=tuple(windows),
        )

    def judged(self, windows: Sequence[LiveWindow], before: MonitoringDecision | None = None) -> MonitoringDecision:
        """The decision about some windows that follow those of the decision before."""
        return judge_windows(self.resolved, self.evidence(windows, before), self.references, before)


def alarms(folder: Path, windows: int) -> tuple[list[bool], float]:
    """Whether any column raises an alarm, of each window, and the median of seconds: each is counted and judged by
    itself, as a schedule would do it."""
    watching = Watching(folder=folder)
    watching.profile  # noqa: B018 -- made once, when the model is promoted
    found, before, seconds = [], None, []
    for place in range(windows):
        start = time.perf_counter()
        before = watching.judged(list(watching.counted(place)), before)
        seconds.append(time.perf_counter() - start)
        found.append(any(rule.gate.code == "alarm" for window in before.windows for rule in window.rules))
    return found, statistics.median(seconds)


# --- a large window ----------------------------------------------------------------------------------------------

MANY = 14  # columns of numbers; of text there are as many as ``WORDS`` has
WORDS = {"c0": 2, "c1": 5, "c2": 12, "c3": 30, "c4": 80, "c5": 400}
WIDE = (*(f"x{place}" for place in range(MANY)), *WORDS)


def write_large(folder: Path, rows: int) -> None:
    """A window of twenty columns beside its key and time, and a reference of the same law."""
    engine = duckdb.connect()
    engine.execute("SELECT setseed(0.5)")
    numbers = [
        f"{law} AS x{place}"
        for place, law in zip(
            range(MANY),
            [
                *("random()", "random() + random()", "-ln(random())", "exp(2 * random())", "floor(20 * random())"),
                *("CAST(100 * random() AS INTEGER)", "CAST(random() < 0.2 AS INTEGER) * random()") * 5,
            ],
            strict=False,
        )
    ]
    words = [f"'w' || CAST(floor({size} * random() * random()) AS INTEGER) AS {name}" for name, size in WORDS.items()]
    drawn = ", ".join([*numbers, *words])
    when = f"TIMESTAMP '{FIRST:%Y-%m-%d}' + to_microseconds(CAST(range * {DAY * 10**6} // {rows} AS BIGINT)) AS at"
    engine.execute(f"COPY (SELECT range AS id, {when}, {drawn} FROM range({rows})) TO '{folder}/live.parquet'")
    engine.execute(f"COPY (SELECT {drawn} FROM range({THEN})) TO '{folder}/reference.parquet'")


def scan(folder: Path) -> float:
    """Seconds of a bare sum of every column that is watched, the largest one where it is text."""
    engine = duckdb.connect()
    start = time.perf_counter()
    asked = ", ".join(f"{'max' if name in WORDS else 'sum'}({name})" for name in WIDE)
    engine.execute(f"SELECT {asked} FROM '{folder}/live.parquet'").fetchall()
    return time.perf_counter() - start


def large(folder: Path) -> float:
    """Seconds from opening a window to its decision."""
    watching = Watching(folder=folder, columns=WIDE)
    watching.profile  # noqa: B018 -- made once, when the model is promoted
    start = time.perf_counter()
    decision = watching.judged(list(watching.counted(0)))
    seconds = time.perf_counter() - start
    if decision.windows[0].rows < THEN or len(decision.windows[0].rules) <= len(WIDE):
        sys.exit(f"not all was counted: {decision.windows[0]}")
    return seconds


CHILDREN = {"scan": scan, "large": large}


def child(what: str, folder: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MB, of one of ``CHILDREN`` in a process of its own."""
    command = [sys.executable, __file__, what, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


# --- a ledger with many windows ----------------------------------------------------------------------------------


def history(folder: Path, windows: int) -> tuple[Ledger, Watching]:
    """A ledger of one promotion and a record for each window, and what watches the next one."""
    write(folder, 1_000, 1)
    watching = Watching(folder=folder)
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "ledger")], check=True)  # noqa: S603, S607
    stream = b"".join(_imported(_records(watching, windows)))
    place = ["git", f"--git-dir={folder / 'ledger'}", "fast-import", "--quiet"]
    subprocess.run(place, input=stream, check=True)  # noqa: S603
    return Ledger(git=Git(folder=folder / "ledger", environ=os.environ), remote=None), watching


def drawn(watching: Watching, place: int) -> LiveWindow:
    """A window of a thousand rows, drawn from the profile."""
    time_ = WindowTime(window_at(FIRST, DAY).number + place, DAY)
    chance = np.random.default_rng(place)
    columns = []
    for one in watching.profile.columns:
        shares = np.array(one.counts) / sum(one.counts)
        rows = tuple(map(int, chance.multinomial(1_000, shares)))
        columns.append(ColumnCounts(column=one.column, measure=one.measure, counts=rows))
    (bare,) = watching.counted(0)
    return replace(
        bare, number=time_.number, start=text_of(time_.start), end=text_of(time_.end), columns=tuple(columns)
    )


def _records(watching: Watching, windows: int) -> Iterator[dict[str, bytes]]:
    profile, document = canonical(watching.profile), watching.resolved.document
    ref = {"digest": digest_bytes(document), "path": "gates.yaml", "branch": None, "commit": None, "committed_at": None}
    who = {"id": None, "login": "x", "type": None}
    run = dict.fromkeys(("repository", "repository_id", "run_id", "run_attempt", "event", "triggering_actor"))
    none = dict.fromkeys(("code", "verdict", "decision", "evidence", "model", "source", "before", "after", "intent"))
    bare = {
        "schema": "gates/record/v1",
        "time_source": "x",
        "tool": "0",
        "python": "3",
        "name": "bench",
        "alias": "champion",
        "reason": "this measures the ledger",
        "policy": ref,
        "data": [],
        **none,
        "run": {"provider": "local", "actor": who, **run},
        "target": None,
        "holder": None,
        "lease": None,
        "approvals": [],
        "waivers": [],
        "attached": {},
    }
    after = {"version": MODEL.version, "digest": MODEL.digest}
    adopted = {"kind": "adoption", "attached": {PROFILE: digest_bytes(profile)}, "model": None, "after": after}
    last: bytes | None = None
    before: MonitoringDecision | None = None
    for place in range(windows + 1):
        at = text_of(FIRST + timedelta(days=place - 1 if place else -1))
        record = bare | {"sequence": place + 1, "previous": digest_bytes(last) if last else None, "at": at}
        if place == 0:
            documents = {PROFILE: profile, POLICY: document}
            record |= adopted
        else:
            evidence = watching.evidence([drawn(watching, place - 1)], before)
            before = watching.judged(evidence.windows, before)
            documents = {DECISION: canonical(before), EVIDENCE: canonical(evidence), POLICY: document}
            record |= {"kind": "monitor", "verdict": str(before.verdict)}
            record |= {"decision": digest(before), "evidence": digest(evidence)}
        last = canonical(record)
        yield {"record.json": last, **documents}


def _imported(records: Iterator[dict[str, bytes]]) -> Iterator[bytes]:
    for place, files in enumerate(records, 1):
        yield f"commit {HERE}\nmark :{place}\ncommitter x <x@x> {1_700_000_000 + place} +0000\ndata 0\n".encode()
        yield f"from :{place - 1}\ndeleteall\n".encode() if place > 1 else b""
        for name, data in files.items():
            yield f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"


def next_window(ledger: Ledger, watching: Watching, windows: int) -> tuple[float, float]:
    """Seconds of reading the history, and of judging one more window."""
    window = drawn(watching, windows)
    start = time.perf_counter()
    head = ledger.head()
    last = last_watch(ledger, head, "bench")
    served = ServedModels(ledger=ledger, head=head, name="bench", alias="champion")
    kept = served.references
    _ = served.known
    seconds = time.perf_counter() - start
    if last is None or len(kept) != 1:
        sys.exit("the history is not what it should be")
    before = last.decision
    evidence = watching.evidence([window], before)
    start = time.perf_counter()
    judge_windows(watching.resolved, evidence, watching.references, before)
    return seconds, time.perf_counter() - start


if __name__ == "__main__":
    took = CHILDREN[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
