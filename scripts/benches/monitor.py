"""How long `gates monitor` watches until a false alarm, how soon it finds a change, and what that costs: by simulation
and on rows, beside peers and rules without a stated rate of false alarms.

    scripts/bench monitor [--only watch,peers,ledger] [--repeats 600] [--windows 100] [--large]

``--large`` adds a window of ten million rows. Whatever is drawn is seeded. It ends with code 1 where a goal is missed;
a goal that could not be measured is missed. The peers have an environment of their own, of ``locks/monitor-peers.txt``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import watches
from goals import Goals, table
from watches import EVERY

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-monitor-peers"
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # both phone home otherwise


def percent(share: float) -> str:
    """Of a share."""
    return f"{100 * share:.3g} %"


# --- the watch ----------------------------------------------------------------------------------------------------

RULES = (10, 30)
SHARES = (  # rows in a window, limit of a share of them, and which way is up
    *((200, 0.9, 1), (200, 0.1, 1), (400, 0.9, 1), (400, 0.1, 1)),
    *((2_000, 0.9, 1), (2_000, 0.1, 1), (2_000, 0.5, 1)),
)
ERROR = 0.05  # the largest standard error of a mean run length, over it
DELAYS = {1: 18, 2: 6, 3: 3}  # standard errors beyond the limit: windows until the alarm, at most


def run_lengths(repeats: int, goals: Goals) -> None:
    """Windows until a false alarm."""
    scenes: list[tuple[str, watches.Draw]] = [("normal", watches.saying(watches.normal()))]
    for n, limit, sign in SHARES:
        scenes.append((_scene(n, limit), watches.of_table(watches.tabulated(n, limit, sign), n, limit)))
    rows, least, error = [], float("inf"), 0.0
    for named, draw in scenes:
        found = [watches.run_length(draw, rules, repeats, named) for rules in RULES]
        least, error = min(least, *(one.mean for one in found)), max(error, *(one.error for one in found))
        rows.append([named, *(f"{one.mean:,.0f} ± {one.mean * one.error:,.0f}" for one in found)])
    head = ["each window", *(f"{rules} rules" for rules in RULES)]
    table(
        f"Windows to a false alarm, of {EVERY} asked for (runs end at {10 * EVERY:,}, so means are at least)",
        head,
        rows,
    )
    goals.hold(f"at least {EVERY} windows to a false alarm in every cell", met=least >= EVERY)
    goals.hold(f"a standard error below {percent(ERROR)}", met=error < ERROR)


def _scene(n: int, limit: float) -> str:
    events = round(n * min(limit, 1 - limit))
    side = "many" if limit > 0.5 else "few"  # of what is rare
    return f"{n:,} rows, {events:,} events expected" + (f", alarm at too {side}" if limit != 0.5 else "")


def delays(repeats: int, goals: Goals) -> None:
    """Windows until a change is found."""
    late = {"normal": [watches.delay(shift, 10, 10 * repeats) for shift in DELAYS]}
    for n, limit, sign in SHARES:
        late[_scene(n, limit)] = [watches.delay_of_share(n, limit, sign, shift, 10, 10 * repeats) for shift in DELAYS]
    rows = [[scene, *(f"{windows:.1f}" for windows in found)] for scene, found in late.items()]
    head = ["each window", *(f"{shift} standard errors" for shift in DELAYS)]
    table("Mean windows to the alarm of one of 10 rules that went beyond its limit", head, rows)
    for scene, found in late.items():
        met = all(windows <= most for windows, most in zip(found, DELAYS.values(), strict=True))
        goals.hold(f"{scene}: at most 18, 6 and 3 windows at 1, 2 and 3 standard errors", met=met)


REFERENCED = {(2_000, 0.01): (0.08, 7), (10_000, 0.01): (0.004, 5)}  # (holdout, margin): at most


def references(repeats: int, goals: Goals) -> None:
    """A reference that is an estimate."""
    rows, met = [], True
    for holdout, margin in (*REFERENCED, (2_000, 0.0), (10_000, 0.0)):
        found = watches.referenced(holdout, margin, 0.03, 4 * repeats)
        most = REFERENCED.get((holdout, margin))
        met &= most is None or (found.false <= most[0] and found.median <= most[1])
        what = f"{holdout:,} rows; {100 * margin:.0f}"
        rows.append([what, percent(found.false), f"{found.median:.0f}", percent(found.missed)])
    head = [
        "holdout; margin in points",
        "alarm within a year, no change",
        "3 points lost: median windows",
        "not found in 100",
    ]
    table("Against what a model was promoted with, windows of 1,000 rows", head, rows)
    what = "with a margin of a point, at most 8 % and 7 windows for 2,000 rows, 0.4 % and 5 windows for 10,000"
    goals.hold(what, met=met)


def firsts(repeats: int, goals: Goals) -> None:
    """The first windows as the reference, and a baseline that follows the newest ones."""
    n = 10 * repeats
    false = float((watches.against_first(0.0, n, EVERY) <= EVERY).mean())
    found, newest = watches.against_first(3.0, n, 60), watches.against_newest(3.0, n, 60)
    lost, missed = percent(float((found > 60).mean())), float((newest > 60).mean())
    idle = float((watches.against_newest(0.0, n, EVERY) <= EVERY).mean())
    head = ["baseline", "alarm within a year, no change", "3 σ lost: median windows", "not found in 60"]
    rows = [
        ["the first 28 windows, season 7", percent(false), f"{np.median(found):.0f}", lost],
        ["the last 8 windows", percent(idle), "–", percent(missed)],
    ]
    table("Against windows", head, rows)
    met = false <= 0.39 and float(np.median(found)) <= 3
    goals.hold("an alarm within a year in at most 39 %, and 3 σ found within 3 windows", met=met)
    goals.hold("the last 8 windows miss most drops", met=missed > 0.5)


def drifts(repeats: int, goals: Goals) -> None:
    """Bounds of the PSI where it equals its limit."""
    found = [watches.blamed(scene, 40 * repeats) for scene in watches.scenes()]
    rows = []
    for name, of in (("p < 0.05", "five"), ("p < 0.01", "one"), ("the PSI itself is above the limit", "point")):
        shares = [getattr(one, of) for one in found]
        rows.append([name, percent(min(shares)), percent(float(np.median(shares))), percent(max(shares))])
    head = ["blamed", "least", "median", "most"]
    table(
        f"Windows whose true PSI is the limit, {len(found)} scenes of {watches.EXPECTED} rows a bin and more",
        head,
        rows,
    )
    met = all(0.03 <= one.five <= 0.08 and 0.005 <= one.one <= 0.02 for one in found)
    goals.hold("p < 0.05 in 3 to 8 %, p < 0.01 in 0.5 to 2 %", met=met)
    goals.hold("the PSI itself blames more than 8 % in every scene", met=all(one.point > 0.08 for one in found))


def controls(repeats: int, goals: Goals) -> None:
    """Rules without a stated rate of false alarms."""
    draw = watches.normal()
    single = EVERY * 10
    line = -watches.normal_quantile(1 / single)
    found = {
        "p < 0.05 in a window": watches.each_window(watches.P, 100_000)(draw, watches.random("p"), repeats, 10),
        "3 σ in a window": watches.each_window(3.0, 100_000)(draw, watches.random("3"), repeats, 10),
        "3 of 5 windows at p < 0.05": watches.three_of_five(draw, watches.random("5"), repeats, 10),
        "a window at 1 / 3,650": watches.each_window(line, 100_000)(draw, watches.random("b"), repeats, 10),
    }
    rows = []
    for (name, windows), at in zip(found.items(), (watches.P, 3.0, None, line), strict=True):
        late = ["–"] * 3 if at is None else [f"{1 / (1 - watches.normal_chance(at - shift)):.1f}" for shift in DELAYS]
        rows.append([name, f"{windows.mean():,.1f}", *late])
    head = ["rule", "windows to a false alarm", *(f"at {shift} standard errors" for shift in DELAYS)]
    table("The same with 10 rules, by rules that look at windows alone", head, rows)
    far = all(found[name].mean() < EVERY / 2 for name in list(found)[:3])
    goals.hold("the first three come to a false alarm in less than half the time", met=far)


def watch(repeats: int, goals: Goals) -> None:
    """All that is simulated."""
    for part in (run_lengths, delays, references, firsts, drifts, controls):
        part(repeats, goals)


# --- rows, beside peers -------------------------------------------------------------------------------------------

SIZES, FULL = (500, 2_000), 100_000
SPEED = 50  # times Evidently's


def peers_installed() -> str:
    """Make the peers' environment; why not, or nothing."""
    command = [str(ROOT / "scripts/install"), str(PEERS), str(ROOT / "locks/monitor-peers.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return " ".join(done.stderr.split()[-60:]) if done.returncode else ""


def peer(name: str, folder: Path, rows: int, windows: int) -> dict[str, Any]:
    """What a peer says, in a process of its own."""
    script = str(Path(__file__).with_name("monitor_peers.py"))
    files = [str(folder / "reference.parquet"), str(folder / "live.parquet")]
    command = [str(PEERS / "bin/python"), script, name, *files, str(rows), str(windows)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | QUIET
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def peers(windows: int, goals: Goals) -> None:
    """Windows without any drift, by everybody's defaults."""
    import live_windows

    why = peers_installed()
    rows: dict[str, list[str]] = {}
    taken: dict[str, float] = {}
    ours = 0
    for size in (*SIZES, FULL):
        some = windows if size != FULL else 3
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            live_windows.write(folder, size, some)
            live_windows.alarms(folder, 1)  # what is imported is imported
            flags, seconds = live_windows.alarms(folder, some)
            ours += sum(flags) if size != FULL else 0
            said = {"gates": (flags, seconds)}
            for name in () if why else ("evidently", "nannyml"):
                one = peer(name, folder, size, some if size != FULL or name == "evidently" else 1)
                said[f"{name} {one['version']}"] = (one["alarms"], one["seconds"])
        for name, (flags, seconds) in said.items():
            share = [] if size == FULL else [percent(float(np.mean(flags)))]
            rows.setdefault(name, []).extend([*share, f"{seconds:.3f} s"])
            taken[name.split()[0]] = seconds  # of the largest
    head = [
        "defaults",
        *(f"{text} of {size:,}" for size in SIZES for text in ("any column alarms in windows", "a window")),
    ]
    title = f"{windows} windows without any drift, ten columns, reference of {live_windows.THEN:,} rows"
    table(title, [*head, f"a window of {FULL:,}"], [[name, *cells] for name, cells in rows.items()])
    if why:
        print(f"The peers could not be installed here: {why}\n")
    goals.hold(f"ours raises at most one alarm in {2 * windows} windows", met=ours <= 1)
    times = taken["evidently"] / taken["gates"] if not why else 0.0
    what = f"a window of {FULL:,} rows at {SPEED} times Evidently's speed; it is {times:.0f} times"
    goals.hold(what, met=times >= SPEED)


# --- costs --------------------------------------------------------------------------------------------------------

OVER_SCAN, MEMORY = 4, 700  # times; MB
HISTORY, JUDGED = 1_000, 0.3  # windows in the ledger; seconds


def large(rows: int, runs: int, goals: Goals) -> None:
    """A large window, beside a bare scan."""
    import live_windows

    with tempfile.TemporaryDirectory() as made:
        live_windows.write_large(Path(made), rows)
        pairs = [[live_windows.child(what, Path(made)) for what in ("scan", "large")] for _ in range(runs)]
    (bare, _), (seconds, memory) = (
        (statistics.median(one[side][0] for one in pairs), max(one[side][1] for one in pairs)) for side in (0, 1)
    )
    head = ["", "seconds", "against the scan", "peak memory"]
    took = [
        ["bare scan", f"{bare:.2f}", "1.0×", ""],
        ["gates", f"{seconds:.2f}", f"{seconds / bare:.1f}×", f"{memory:.0f} MB"],
    ]
    table(f"A window of {rows:,} rows, drift of {len(live_windows.WIDE)} columns, from Parquet to decision", head, took)
    goals.hold(f"at most {OVER_SCAN} times the scan", met=seconds <= OVER_SCAN * bare)
    goals.hold(f"below {MEMORY} MB", met=memory < MEMORY)


def ledger(runs: int, goals: Goals) -> None:
    """One more window, with many in the ledger."""
    import live_windows

    with tempfile.TemporaryDirectory() as made:
        kept, watching = live_windows.history(Path(made), HISTORY)
        took = [live_windows.next_window(kept, watching, HISTORY) for _ in range(runs)]
    reading, judging = (statistics.median(side) for side in zip(*took, strict=True))
    rows = [
        ["history read", f"{reading:.3f} s"],
        ["window judged", f"{judging:.3f} s"],
        ["both", f"{reading + judging:.3f} s"],
    ]
    table(f"One more window of ten columns, {HISTORY:,} in the ledger", ["", "median"], rows)
    goals.hold(f"below {JUDGED} s", met=reading + judging < JUDGED)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="watch,peers,ledger")
    parser.add_argument("--repeats", type=int, default=600, help="runs to a false alarm")
    parser.add_argument("--windows", type=int, default=100, help="without drift, for peers and us")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of --large")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    parts: dict[str, Callable[[Goals], None]] = {
        "watch": lambda goals: watch(given.repeats, goals),
        "peers": lambda goals: peers(given.windows, goals),
        "ledger": lambda goals: ledger(given.runs, goals),
        "large": lambda goals: large(given.rows, given.runs, goals),
    }
    asked = [*given.only.split(","), *(["large"] if given.large else [])]
    names = ", ".join(f"{one} {version(one)}" for one in ("numpy", "duckdb"))
    load, start, goals = os.getloadavg()[0], time.perf_counter(), Goals()
    print(f"Python {platform.python_version()}, {names}, {os.cpu_count()} cores, load {load:.1f}")
    for name in dict.fromkeys(one for one in asked if one):
        parts[name](goals)
    print(f"\n{time.perf_counter() - start:.0f} s; goals missed: {'; '.join(goals.missed) or 'none'}")
    sys.exit(bool(goals.missed))


if __name__ == "__main__":
    main()
