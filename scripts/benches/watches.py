"""The watch over live windows, simulated: how long until a false alarm, how soon a change is found, and how often the
bounds of a drift are wrong; beside rules without a stated rate of false alarms, on the same draws.

What ``gates.stats.e_detector`` says of one window is tabulated, and its detectors go on as arrays: tests compare these
with the functions themselves. ``monitor.py`` prints the tables. Whatever is drawn is seeded.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gates.monitoring.first_windows import change
from gates.stats.distributions.chisquare import below
from gates.stats.drift import SMOOTH
from gates.stats.e_detector import MOST, SHIFTS, said, strength
from gates.stats.proportions import share, square_and_add
from gates.stats.quantity import Quantity

Floats = npt.NDArray[np.float64]
Draw = Callable[
    [np.random.Generator, tuple[int, ...]], Floats
]  # of that shape: how far windows lie beyond a limit, or what they say
Random = np.random.Generator
EVERY = 365  # windows to a false alarm: what is asked for
P = 1.6448536269514722  # the standard normal quantile of 0.95


def normal_chance(standard: float) -> float:
    """The chance that a standard normal number lies below."""
    return NormalDist().cdf(standard)


def normal_quantile(chance: float) -> float:
    """The number below which a standard normal one lies with that chance."""
    return NormalDist().inv_cdf(chance)


def random(*names: object) -> Random:
    """A generator of its own for each scene."""
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


# --- detectors as arrays ------------------------------------------------------------------------------------------


def grown(logs: Floats, window: Floats) -> Floats:
    """As ``e_detector.grown``, of arrays: the last axis is that of ``SHIFTS``."""
    return np.logaddexp(0, logs) + window


def of_normal(standard: Floats) -> Floats:
    """As ``e_detector.of_normal``, of arrays."""
    shifts = np.array(SHIFTS)
    return shifts * standard[..., None] - shifts**2 / 2


def fresh(shape: tuple[int, ...]) -> Floats:
    """Detectors before the first window."""
    return np.full((*shape, len(SHIFTS)), -np.inf)


def alarms(logs: Floats, watched: int, every: int = EVERY) -> npt.NDArray[np.bool_]:
    """Whether each detector raises an alarm, where ``watched`` limits share the false alarms."""
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]).mean(axis=-1)) >= math.log(every * watched))


def first_alarms(draw: Draw, chance: Random, repeats: int, rules: int, watched: int, most: int) -> Floats:
    """Windows until any of some rules raises an alarm; ``most`` where none has by then."""
    found = np.full(repeats, float(most))
    alive = np.arange(repeats)
    logs = fresh((repeats, rules))
    for window in range(1, most + 1):
        logs = grown(logs, draw(chance, (len(alive), rules)))
        over = alarms(logs, watched).any(axis=1)
        found[alive[over]] = window
        alive, logs = alive[~over], logs[~over]
        if not len(alive):
            break
    return found


def normal(shift: float = 0.0) -> Draw:
    """Windows whose distance from the limit is normal, ``shift`` standard errors beyond it."""
    return lambda chance, shape: np.clip(chance.normal(shift, 1, shape), -MOST, MOST)


def saying(draw: Draw) -> Draw:
    """What windows say whose distances from the limit are drawn."""
    return lambda chance, shape: of_normal(draw(chance, shape))


def of_table(table: Floats, n: int, p: float) -> Draw:
    """What windows of ``n`` rows say, by their count."""
    return lambda chance, shape: table[chance.binomial(n, p, shape)]


@functools.cache
def tabulated(n: int, limit: float, sign: int) -> Floats:
    """What each count of ``n`` rows says against a limit of their share."""
    return np.array([said(share(count, n), limit, sign) for count in range(n + 1)])


@dataclass(frozen=True, slots=True)
class RunLength:
    """Windows to the first alarm: their mean (runs that were cut off count as they are, so it is at least this), its
    standard error over it, and the share of runs that were cut off."""

    mean: float
    error: float
    cut: float

    @classmethod
    def of(cls, windows: Floats, most: int) -> RunLength:
        """Of runs."""
        mean = float(windows.mean())
        error = float(windows.std() / math.sqrt(len(windows)) / mean)
        return cls(mean, error, float((windows >= most).mean()))


def run_length(draw: Draw, rules: int, repeats: int, *names: object, most: int = 10 * EVERY) -> RunLength:
    """Of rules whose limits are exactly kept, so that every alarm is false."""
    return RunLength.of(first_alarms(draw, random(*names, rules), repeats, rules, rules, most), most)


def delay(shift: float, watched: int, repeats: int) -> float:
    """Mean windows to the alarm of one of ``watched`` rules that is ``shift`` standard errors beyond its limit."""
    return float(first_alarms(saying(normal(shift)), random("delay", shift), repeats, 1, watched, 5_000).mean())


def delay_of_share(n: int, limit: float, sign: int, shift: float, watched: int, repeats: int) -> float:
    """The same of a share of ``n`` rows, in standard errors at the limit."""
    p = limit - sign * shift * math.sqrt(limit * (1 - limit) / n)
    draw = of_table(tabulated(n, limit, sign), n, p)
    return float(first_alarms(draw, random("delay", n, limit, shift), repeats, 1, watched, 5_000).mean())


# --- rules without a stated rate of false alarms ------------------------------------------------------------------


def each_window(line: float, most: int) -> Callable[[Draw, Random, int, int], Floats]:
    """A rule that blames a window alone, where it is ``line`` standard errors beyond the limit."""

    def windows(draw: Draw, chance: Random, repeats: int, rules: int) -> Floats:
        found = np.full(repeats, float(most))
        for run in range(repeats):
            for start in range(0, most, 1000):
                over = (draw(chance, (1000, rules)) >= line).any(axis=1)
                if over.any():
                    found[run] = start + 1 + int(over.argmax())
                    break
        return found

    return windows


def three_of_five(draw: Draw, chance: Random, repeats: int, rules: int, most: int = 5_000) -> Floats:
    """Windows until three of a rule's last five are blamed at 0.05."""
    found = np.full(repeats, float(most))
    alive = np.arange(repeats)
    last = np.zeros((repeats, rules, 5), dtype=bool)
    for window in range(1, most + 1):
        last = np.roll(last, 1, axis=2)
        last[:, :, 0] = draw(chance, (len(alive), rules)) >= P
        over = (last.sum(axis=2) >= 3).any(axis=1)
        found[alive[over]] = window
        alive, last = alive[~over], last[~over]
        if not len(alive):
            break
    return found


# --- a reference that is an estimate, too -------------------------------------------------------------------------

TRUTH, ROWS = 0.85, 1_000  # of the metric when it was promoted; in a window


@dataclass(frozen=True, slots=True)
class Referenced:
    """How often an alarm comes within a year though nothing changed, and after how many windows a drop is found."""

    false: float
    median: float
    missed: float


def referenced(holdout: int, margin: float, drop: float, years: int) -> Referenced:
    """A share that may be ``margin`` less than it was on the holdout, which is an estimate, with both errors by MOVER
    as ``monitoring.live_rules`` has it. Every reference is one of 50 that are equally likely."""
    chance = random("referenced", holdout, margin)
    strata = 50
    references = np.quantile(chance.binomial(holdout, TRUTH, 400_000), (np.arange(strata) + 0.5) / strata)
    false, found = [], []
    for reference in references:
        then = share(round(float(reference)), holdout)

        @functools.cache
        def beyond(count: int, then: Quantity = then) -> float:
            return strength(square_and_add(share(count, ROWS), then, 0.0), -margin, 1)

        def drawn(p: float, look: Callable[[int], float] = beyond) -> Draw:
            return saying(lambda chance, shape: np.vectorize(look, otypes=[float])(chance.binomial(ROWS, p, shape)))

        runs = max(1, years // strata)
        false.append(first_alarms(drawn(TRUTH), chance, runs, 1, 1, EVERY + 1) <= EVERY)
        found.append(first_alarms(drawn(TRUTH - drop), chance, runs, 1, 1, 101))
    windows = np.concatenate(found)
    return Referenced(float(np.mean(false)), float(np.median(windows)), float((windows > 100).mean()))


# --- the first windows as the reference ---------------------------------------------------------------------------

WINDOWS, SEASON = 28, 7
ROLLING = 8
GRID = np.arange(-15, 15.001, 0.05)


@functools.cache
def by_windows(windows: int, season: int) -> Floats:
    """How far a window lies beyond, over ``GRID``: its distance from the mean of its phase in standard errors."""
    first = [(place % season, float((place // season) % 2 * 2 - 1)) for place in range(windows)]
    return np.array([beyond(first, 0, at) for at in error_of(first, 0) * GRID + mean_of(first, 0)])


def beyond(first: Sequence[tuple[int, float]], phase: int, value: float) -> float:
    """How far one window lies beyond no change at all, by the very functions that judge; larger is better."""
    found = change(first, phase, Quantity(value=value, bounds=lambda _: (value, value), method=""))
    assert found is not None  # noqa: S101 -- every phase has windows
    return strength(found[1], 0.0, 1)


def mean_of(first: Sequence[tuple[int, float]], phase: int) -> float:
    """The mean of the windows of a phase."""
    return float(np.mean([value for at, value in first if at == phase]))


def error_of(first: Sequence[tuple[int, float]], phase: int) -> float:
    """The standard error of a further window, less that mean."""
    phases = {at for at, _ in first}
    squares = sum((value - mean_of(first, at)) ** 2 for at, value in first)
    same = sum(at == phase for at, _ in first)
    return math.sqrt(squares / (len(first) - len(phases)) * (1 + 1 / same))


def against_first(drop: float, repeats: int, most: int) -> Floats:
    """Windows until an alarm after the first ``WINDOWS``, where a window's noise is 1 and it falls by ``drop``."""
    chance, each = random("first windows", drop), WINDOWS // SEASON
    first = chance.normal(size=(repeats, each, SEASON))
    means = first.mean(axis=1)
    spread = np.sqrt(((first - means[:, None]) ** 2).sum(axis=(1, 2)) / (WINDOWS - SEASON))
    table, found, alive, logs = by_windows(WINDOWS, SEASON), np.full(repeats, most + 1.0), np.arange(repeats), None
    logs = fresh((repeats,))
    for window in range(most):
        values = chance.normal(size=len(alive)) - drop
        scaled = (values - means[alive, window % SEASON]) / (spread[alive] * math.sqrt(1 + 1 / each))
        logs = grown(logs, of_normal(np.interp(scaled, GRID, table)))
        over = alarms(logs, 1)
        found[alive[over]] = window + 1
        alive, logs = alive[~over], logs[~over]
    return found


def against_newest(drop: float, repeats: int, most: int) -> Floats:
    """The same where the last ``ROLLING`` windows are the baseline: a negative control."""
    chance, table = random("rolling", drop), by_windows(ROLLING, 1)
    last, logs, found = chance.normal(size=(repeats, ROLLING)), fresh((repeats,)), np.full(repeats, most + 1.0)
    for window in range(most):
        values = chance.normal(size=repeats) - drop
        error = last.std(axis=1, ddof=1) * math.sqrt(1 + 1 / ROLLING)
        logs = grown(logs, of_normal(np.interp((values - last.mean(axis=1)) / error, GRID, table)))
        found = np.where(alarms(logs, 1), np.minimum(found, window + 1), found)
        last = np.column_stack([last[:, 1:], values])
    return found


# --- bounds of the PSI --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DriftScene:
    """A column of ``bins`` bins, ``live`` rows in a window and ``then`` in the profile, and a true PSI at its limit.

    ``shape``: how the profile's rows lie in its bins; ``way``: how the live ones have moved away from that.
    """

    bins: int
    live: int
    then: int
    limit: float
    shape: str
    way: str

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """Of live rows and of the profile's, in each bin."""
        place = np.arange(self.bins)
        q = np.ones(self.bins) if self.shape == "even" else 1 / np.sqrt(place + 1)
        q = q / q.sum()
        towards = {"tilted": place / self.bins, "one bin": place == 0, "every other": place % 2}[self.way]

        def moved(by: float) -> Floats:
            p = q * np.exp(by * towards)
            return np.asarray(p / p.sum())

        low, high = 0.0, 8.0
        for _ in range(60):
            by = (low + high) / 2
            p = moved(by)
            low, high = (by, high) if ((p - q) * np.log(p / q)).sum() < self.limit else (low, by)
        return moved(low), q

    @property
    def least(self) -> float:
        """Expected rows of the emptiest bin, in either table."""
        p, q = self.shares
        return float(min(self.live * p.min(), self.then * q.min()))


EXPECTED = 20


def scenes() -> Iterator[DriftScene]:
    """Every scene in which each bin of both tables is to have ``EXPECTED`` rows."""
    for bins, live in ((4, 200), (4, 2_000), (10, 500), (10, 1_000), (10, 10_000), (25, 2_000), (25, 20_000)):
        for then in (2 * live, 20_000):
            for limit in (0.1, 0.25):
                for shape, way in (("even", "tilted"), ("falling", "every other"), ("even", "one bin")):
                    scene = DriftScene(bins, live, then, limit, shape, way)
                    if scene.least >= EXPECTED:
                        yield scene


def counts(scene: DriftScene, chance: Random, repeats: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draws of both tables."""
    p, q = scene.shares
    return chance.multinomial(scene.live, p, repeats), chance.multinomial(scene.then, q, repeats)


def psi(live: npt.NDArray[np.int64], then: npt.NDArray[np.int64]) -> Floats:
    """As ``stats.drift.psi``, a row each."""
    p, q = ((some + SMOOTH) / (some.sum(axis=1, keepdims=True) + SMOOTH * some.shape[1]) for some in (live, then))
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=1))


def blamed_from(scene: DriftScene, level: float) -> float:
    """The PSI from which on p is below ``level``: the distance of ``stats.drift`` has its lower bound at the limit."""
    unit = 1 / scene.live + 1 / scene.then
    low, high = 0.0, 50 * scene.limit + 100 * unit
    for _ in range(80):
        middle = (low + high) / 2
        share_beyond = 1 - below(middle / unit, scene.bins - 1, scene.limit / unit)
        low, high = (low, middle) if share_beyond < level else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class Blamed:
    """The shares of windows that are blamed though the true PSI is the limit: at 0.05, at 0.01, and by the point."""

    five: float
    one: float
    point: float


def blamed(scene: DriftScene, repeats: int) -> Blamed:
    """Of one scene."""
    found = psi(*counts(scene, random(scene), repeats))
    lines = (blamed_from(scene, 0.05), blamed_from(scene, 0.01), scene.limit)
    return Blamed(*(float((found > line).mean()) for line in lines))
