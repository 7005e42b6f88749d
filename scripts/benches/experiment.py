"""How often an experiment is wrong when it is looked at again and again, what that costs in power, and how long a look
takes: by simulation on sums, with the very functions that judge, beside a fixed test that is looked at as often.

    scripts/bench experiment [--only looks,quantiles,units] [--repeats 20000] [--units 2000000]

Whatever is drawn is seeded. It ends with code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import NormalDist, median
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from goals import Goals, table

from gates.stats.experiments.arm_quantile import Bounded, bounded_difference, share_span
from gates.stats.experiments.arm_ratio import ArmSums, difference
from gates.stats.experiments.confidence_sequence import early, planned
from gates.stats.experiments.sample_ratio import BROKEN, is_broken, log_evidence

if TYPE_CHECKING:
    import duckdb

Floats = npt.NDArray[np.float64]
UNITS, LOOKS, CONFIDENCE = 40_000, 28, 0.95
FIXED = NormalDist().inv_cdf(CONFIDENCE)
EFFECT = 2.486  # standard errors of the planned end: 80 % power of the fixed test
RATE, SEEN = 0.05, 10  # clicks per impression, impressions of a unit


def percent(share: float) -> str:
    """Of a share."""
    return f"{100 * share:.1f} %"


def random(*names: object) -> np.random.Generator:
    """A generator of its own for each scene."""
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


# --- looks at sums ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Units of two arms: how many of the champion's, and how a day's sums (n, x, y, xx, xy, yy) are drawn."""

    name: str
    share: float = 0.5
    skewed: bool = False


def day_sums(draw: np.random.Generator, n: int, rate: float, *, skewed: bool) -> tuple[float, ...]:
    """The sums of a day's units. Skewed ones see 1 to thousands of impressions, and differ in how they click."""
    seen = np.ceil(draw.pareto(1.5, n) + 1e-9) + 1 if skewed else np.full(n, float(SEEN))
    seen = np.minimum(seen, 2_000)
    own = draw.beta(20 * rate, 20 * (1 - rate), n)
    clicks = draw.binomial(seen.astype(np.int64), own).astype(np.float64)
    return n, clicks.sum(), seen.sum(), (clicks**2).sum(), (clicks * seen).sum(), (seen**2).sum()


def drawn_days(scene: Scene, draw: np.random.Generator, days: int, lift: float) -> list[tuple[ArmSums, ArmSums]]:
    """Both arms' sums up to each day."""
    totals = [np.zeros(6), np.zeros(6)]
    found = []
    for day in range(days):
        size = UNITS * (day + 1) // days - UNITS * day // days
        mine = int(draw.binomial(size, scene.share))
        for arm, (n, rate) in enumerate(((mine, RATE), (size - mine, RATE + lift))):
            totals[arm] += np.array(day_sums(draw, n, rate, skewed=scene.skewed))
        pair = [ArmSums(n=int(n), x=x, y=y, xx=xx, xy=xy, yy=yy) for n, x, y, xx, xy, yy in totals]
        found.append((pair[0], pair[1]))
    return found


@dataclass(kw_only=True)
class Passed:
    """In how many experiments a rule passed."""

    fixed: int = 0
    peeked: int = 0
    sequence: int = 0
    both: int = 0


def passes(days: Sequence[tuple[ArmSums, ArmSums]], total: Passed) -> None:
    """Look at each day, and count which rule says that the challenger is better."""
    standard: list[tuple[int, float]] = []
    for champion, challenger in days:
        compared = difference(champion, challenger)
        if compared is not None and compared[1] > 0:
            standard.append((champion.n + challenger.n, compared[0] / compared[1]))
    full = 1 - (1 - CONFIDENCE) * 5  # of which `early` spends a fifth: the sequence alone, at the whole chance
    end = standard[-1][1]
    total.fixed += end >= FIXED
    total.peeked += any(z >= FIXED for _, z in standard)
    total.sequence += any(z >= early(n, UNITS, full) for n, z in standard)
    total.both += any(z >= early(n, UNITS, CONFIDENCE) for n, z in standard[:-1]) or end >= planned(CONFIDENCE)


def gaussian(repeats: int, effect: float) -> Passed:
    """The same on standard normal increments: what large sums become. Many experiments at a time."""
    draw, total = random("gaussian", effect), Passed()
    n = np.arange(1, LOOKS + 1) * UNITS // LOOKS
    steps = draw.standard_normal((repeats, LOOKS)) * np.sqrt(np.diff(n, prepend=0))
    walk = (steps.cumsum(axis=1) + effect * n / np.sqrt(UNITS)) / np.sqrt(n)
    full = 1 - (1 - CONFIDENCE) * 5
    alone = np.array([early(int(one), UNITS, full) for one in n])
    looks = np.array([early(int(one), UNITS, CONFIDENCE) for one in n])
    total.fixed = int((walk[:, -1] >= FIXED).sum())
    total.peeked = int((walk >= FIXED).any(axis=1).sum())
    total.sequence = int((walk >= alone).any(axis=1).sum())
    both = (walk[:, :-1] >= looks[:-1]).any(axis=1) | (walk[:, -1] >= planned(CONFIDENCE))
    total.both = int(both.sum())
    return total


def looks(repeats: int, goals: Goals) -> None:
    """False passes and power over all looks."""
    none, some = gaussian(repeats, 0.0), gaussian(repeats, EFFECT)
    rows = [
        ["fixed z, one look", percent(none.fixed / repeats), percent(some.fixed / repeats)],
        ["fixed z, at every look", percent(none.peeked / repeats), "–"],
        ["confidence sequence alone", percent(none.sequence / repeats), percent(some.sequence / repeats)],
        ["**both: what gates does**", percent(none.both / repeats), percent(some.both / repeats)],
    ]
    table(f"{LOOKS} looks, {repeats:,} experiments", ["rule", "false passes", f"power at {EFFECT} errors"], rows)
    goals.hold("at most 5 % false passes with 28 looks", met=none.both / repeats <= 1 - CONFIDENCE)
    goals.hold("at least 95 % of the fixed test's power", met=some.both >= 0.95 * some.fixed)
    goals.hold("a fixed test that is looked at as often passes falsely in far more", met=none.peeked > 3 * none.both)


SCENES = (
    Scene(name="½ : ½"),
    Scene(name="0.8 : 0.2", share=0.8),
    Scene(name="0.95 : 0.05", share=0.95),
    Scene(name="½ : ½, skewed users", skewed=True),
    Scene(name="0.8 : 0.2, skewed users", share=0.8, skewed=True),
)


def scenes(repeats: int, goals: Goals) -> None:
    """No difference, on sums of clicks and impressions over users."""
    rows, worst = [], 0.0
    for scene in SCENES:
        draw, total = random(scene.name), Passed()
        for _ in range(repeats):
            passes(drawn_days(scene, draw, LOOKS, 0.0), total)
        worst = max(worst, total.both / repeats)
        rows.append([scene.name, *(percent(one / repeats) for one in (total.fixed, total.peeked, total.both))])
    head = ["units", "fixed z, one look", "fixed z, at every look", "gates"]
    table(f"False passes of {LOOKS} looks at clicks per impression, {repeats:,} experiments each", head, rows)
    error = 2 * (0.05 * 0.95 / repeats) ** 0.5
    goals.hold(f"at most 5 % in every scene, and two errors ({percent(0.05 + error)})", met=worst <= 0.05 + error)


def loads(draw: np.random.Generator, units: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Units and how long their pages took: they differ in their networks, and few load most pages."""
    pages = np.minimum(np.ceil(draw.pareto(1.5, units) + 1e-9).astype(np.int64) + 1, 50)
    unit = np.repeat(np.arange(units), pages)
    return unit, np.exp(draw.normal(4, 0.5, units))[unit] * draw.lognormal(0, 0.3, len(unit))


def arm_of(unit: npt.NDArray[np.int64], took_: Floats, q: float, errors: float, *, rows: bool) -> Bounded | None:
    """An arm's quantile and its bounds. ``rows``: as if no two rows were of one unit."""
    if rows:
        unit = np.arange(len(took_))
    order, each = np.sort(took_), np.bincount(unit).astype(float)
    value = float(order[int(np.ceil(q * len(order))) - 1])
    both = []
    for under in (np.bincount(unit, took_ <= value), np.bincount(unit, took_ < value)):
        x, y, xx, xy, yy = under.sum(), each.sum(), (under**2).sum(), (under * each).sum(), (each**2).sum()
        both.append(ArmSums(n=len(each), x=float(x), y=float(y), xx=float(xx), xy=float(xy), yy=float(yy)))
    span = share_span(both, q, errors)
    if span is None:
        return None
    low, high = (float(order[int(np.ceil(share * len(order))) - 1]) for share in span)
    return Bounded(value=value, low=low, high=high)


def quantiles(repeats: int, goals: Goals) -> None:
    """No difference between the slowest of two arms, whose rows come in units."""
    rows, worst, units, looked = [], 0.0, 8_000, 14
    for q in (0.5, 0.9, 0.95):
        draw, passed = random("quantiles", q), {"gates": 0, "peeked": 0, "of rows": 0}
        for _ in range(repeats):
            arms = [loads(draw, units // 2) for _ in range(2)]
            found = dict.fromkeys(passed, False)
            for look_ in range(1, looked + 1):
                n = units // 2 * look_ // looked
                parts = [(unit[unit < n], took_[unit < n]) for unit, took_ in arms]
                end = look_ == looked
                ours = planned(CONFIDENCE) if end else early(2 * n, units, CONFIDENCE)
                for rule, errors in (("gates", ours), ("peeked", FIXED), ("of rows", ours)):
                    both = [arm_of(unit, took_, q, errors, rows=rule == "of rows") for unit, took_ in parts]
                    if both[0] is not None and both[1] is not None:
                        found[rule] |= bounded_difference(both[0], both[1]).high < 0
            for rule, wrong in found.items():
                passed[rule] += wrong
        worst = max(worst, passed["gates"] / repeats)
        rows.append([f"{q}", *(percent(passed[rule] / repeats) for rule in ("of rows", "peeked", "gates"))])
    head = ["quantile", "as if rows were units", "fixed z, at every look", "gates"]
    table(f"False passes of {looked} looks at a quantile, {units:,} units, {repeats:,} experiments each", head, rows)
    error = 2 * (0.05 * 0.95 / repeats) ** 0.5
    goals.hold(f"at most 5 % of each quantile, and two errors ({percent(0.05 + error)})", met=worst <= 0.05 + error)


def shares(repeats: int, goals: Goals) -> None:
    """Units that don't fall by their shares."""
    draw, broken = random("shares"), 0
    for _ in range(repeats):
        counts = np.cumsum(draw.binomial(1_000, 0.5, 100))
        sizes = 1_000 * np.arange(1, 101)
        broken += any(is_broken((int(a), int(n - a)), (0.5, 0.5)) for a, n in zip(counts, sizes, strict=True))
    late = []
    for _ in range(max(50, repeats // 20)):
        first, n = 0, 0
        while log_evidence((first, n - first), (0.5, 0.5)) < BROKEN:
            first, n = first + int(draw.binomial(250, 0.52)), n + 250
        late.append(n)
    rows = [
        ["½ : ½ as planned, 100 looks", percent(broken / repeats)],
        ["52 : 48, units until told", f"{median(late):,.0f}"],
    ]
    table("Units that fall into the wrong arm", ["", "gates"], rows)
    goals.hold("at most 0.1 % false", met=broken / repeats <= 0.001 + 2 * (0.001 / repeats) ** 0.5)
    goals.hold("52 : 48 is found within 15,000 units, median", met=median(late) <= 15_000)


# --- a look at rows -----------------------------------------------------------------------------------------------


ROUNDS = 5


def took(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


WIDE, NARROW = (5, 15), (2, 0)  # outcomes of a unit, and columns that no gate looks at
BEGIN = "TIMESTAMP '2026-01-01 00:00:01'"
UNTIL = "2026-03-01T00:00:00Z"
A, B, START = ("sha256:" + letter * 64 for letter in "ab4")


def written(db: duckdb.DuckDBPyConnection, root: Path, units: int, log: tuple[int, int]) -> tuple[Path, Path, int]:
    """Write the log of an experiment as Parquet. Returns exposures, outcomes and how many outcomes there are."""
    from gates.documents.live.experiment_step import salt_of

    each, idle = log
    exposures, outcomes = root / "exposures.parquet", root / "outcomes.parquet"
    shown = f"{BEGIN} + INTERVAL (i % {units} % 1200000) SECOND"
    arm = f"CASE WHEN sha256('{salt_of(START)}:' || i) < '8' THEN '{A}' ELSE '{B}' END AS arm"
    db.execute(f"COPY (SELECT i AS user_id, {shown} AS time, {arm} FROM range({units}) t(i)) TO '{exposures}'")
    others = "".join(f", (hash(i + {at + 3}) % 100000) / 8.0 AS c{at}" for at in range(idle))
    db.execute(
        f"COPY (SELECT i % {units} AS user_id, {shown} + INTERVAL ((i // {units}) * 33 + 1) HOUR AS time, "
        "CAST(hash(i) % 20 = 0 AS INTEGER) AS clicks, 1 + CAST(hash(i + 1) % 9 AS INTEGER) AS impressions, "
        f"(hash(i + 2) % 1000) / 10.0 AS latency_ms{others} FROM range({each * units}) t(i)) TO '{outcomes}'"
    )
    return exposures, outcomes, each * units


def a_look(root: Path) -> int:
    """Take a look at a log, and return how many units are closed."""
    from gates.documents.live.experiment_evidence import SCHEMA, ExperimentEvidence
    from gates.documents.live.experiment_step import ComparedModel, salt_of
    from gates.measure.live.experiment_sums import Look, counted_look
    from gates.measure.live.experiment_tables import ExperimentTables
    from gates.policy.experiment_section import Experiment, ExperimentGate, Split

    gates = (
        ExperimentGate(metric="ratio", of="clicks", per="impressions", better="larger", min_improvement=0),
        ExperimentGate(metric="mean", of="latency_ms", better="smaller", max_worsening=20),
    )
    section = Experiment(
        split=Split(champion=0.5, challenger=0.5), unit="user_id", exposures="exposures.parquet",
        outcomes="outcomes.parquet", window="7d", units=40_000, min_days=14, max_days=42, gates=gates,
    )  # fmt: skip
    bare = ExperimentEvidence(
        schema=SCHEMA, model="m", plan=START, start=START, salt=salt_of(START), started="2026-01-01T00:00:00Z",
        until=UNTIL, reach=None, previous=None, unreadable=None, lacking=False, arms=(),
        invented=(), both=0, other=0, salts=(), backwards=0, forwards=0, outcomes=0, duplicates=0, earlier=0,
    )  # fmt: skip
    models = [ComparedModel(digest=digest, version=number) for digest, number in ((A, "1"), (B, "2"))]
    look = Look(bare=bare, champion=models[0], challenger=models[1], before=None, salts=(), confidence=CONFIDENCE)
    tables = ExperimentTables(experiment=section, root=root, until=datetime.fromisoformat(UNTIL))
    return counted_look(tables, look).closed


def rows_of(units: int, log: tuple[int, int], goals: Goals | None) -> None:
    """How long a look takes beside reading every column, and beside the join that any count by user needs."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="bench-experiment-") as folder, duckdb.connect() as db:
        root = Path(folder)
        exposures, outcomes, rows = written(db, root, units, log)
        numbers = ["clicks", "impressions", "latency_ms", *(f"c{at}" for at in range(log[1]))]

        def scan() -> None:
            db.execute(f"SELECT max(user_id), max(time), max(arm) FROM '{exposures}'").fetchall()
            sums = ", ".join(f"sum({name})" for name in numbers)
            db.execute(f"SELECT max(user_id), max(time), {sums} FROM '{outcomes}'").fetchall()

        def join() -> None:
            sums = "sum(clicks) AS c, sum(impressions) AS i, sum(latency_ms) AS l"
            first = f"SELECT user_id, min(time) AS f, min(arm) AS arm FROM '{exposures}' GROUP BY 1"
            near = "o.user_id = e.user_id AND o.time >= e.f AND o.time < e.f + INTERVAL 7 DAY"
            each = f"SELECT e.user_id, e.arm, {sums} FROM ({first}) e JOIN '{outcomes}' o ON {near} GROUP BY 1, 2"
            db.execute(f"SELECT arm, count(*), sum(c), sum(i), sum(l), sum(c * i) FROM ({each}) GROUP BY 1").fetchall()

        closed: list[int] = []
        works = {
            "reading every column": scan,
            "a join by user, and its sums": join,
            "a look": lambda: closed.append(a_look(root)),
        }
        rounds = [[took(work) for work in works.values()] for _ in range(ROUNDS)]
    against = [[seconds / each[0] for seconds in each] for each in rounds]
    table(
        f"{units:,} units, {rows:,} outcomes of {2 + len(numbers)} columns, {closed[-1]:,} units closed",
        ["", f"median of {ROUNDS}", "against the scan", "from – to"],
        [
            [name, f"{median(column(rounds, at)):.2f} s", f"{median(column(against, at)):.1f}×",
             f"{min(column(against, at)):.1f} – {max(column(against, at)):.1f}"]
            for at, name in enumerate(works)
        ],
    )  # fmt: skip
    if goals:
        goals.hold("a look takes less than 4 times the scan", met=median(column(against, 2)) < 4)


def column(rows: list[list[float]], at: int) -> list[float]:
    """Return one column of a table."""
    return [row[at] for row in rows]


def main() -> None:
    """Measure, and say which goals were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="looks,scenes,quantiles,shares,units")
    parser.add_argument("--repeats", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=2_000_000)
    asked = parser.parse_args()
    goals, only = Goals(), asked.only.split(",")
    if "looks" in only:
        looks(asked.repeats, goals)
    if "scenes" in only:
        scenes(max(100, asked.repeats // 40), goals)
    if "quantiles" in only:
        quantiles(max(100, asked.repeats // 40), goals)
    if "shares" in only:
        shares(max(100, asked.repeats // 20), goals)
    if "units" in only:
        rows_of(asked.units, WIDE, goals)
        rows_of(asked.units, NARROW, None)
    sys.exit(1 if goals.missed else 0)


if __name__ == "__main__":
    main()
