"""Count one look at an experiment: who was exposed, whether the log is sound, and the sums of each arm and week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from gates.documents.live.experiment_evidence import (
    ArmQuantile,
    EarlierSalt,
    ExperimentArm,
    ExperimentEvidence,
    ExposureWeek,
    InventedArm,
    UnitSums,
)
from gates.documents.live.experiment_step import ComparedModel, salt_of
from gates.errors import Exit, GatesError
from gates.measure.holdout.tables import MissingColumnError
from gates.measure.live.experiment_quantiles import Bounds, GateQuantile, arm_quantile, find_quantile
from gates.measure.live.experiment_tables import (
    MICROS,
    NONE,
    UNITS,
    VALUES,
    ExperimentTables,
    Trial,
    micros,
)
from gates.measure.live.experiment_terms import Summed, Terms, strictly_below, terms_of
from gates.measure.live.window_times import moment, text_of
from gates.measure.statistics.moments import WIDE, summed, whole_numbers
from gates.policy.experiment_section import ExperimentGate
from gates.stats.experiments.arm_ratio import ArmSums
from gates.wording import counted

MANY = 0.001  # share of units in another arm than their hash says, from which earlier salts are tried
_ARMS: tuple[tuple[Literal["champion", "challenger"], int], ...] = (("champion", 0), ("challenger", 1))
_TERMS = 5  # sums of a gate: x, y, xx, xy, yy


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known of a look before anything is counted. ``before``: the time of the look before; ``salts``: the
    start records of earlier experiments; ``confidence``: of bounds over all looks together."""

    bare: ExperimentEvidence
    champion: ComparedModel
    challenger: ComparedModel
    before: str | None
    salts: Sequence[str]
    confidence: float


def counted_look(tables: ExperimentTables, look: Look) -> ExperimentEvidence:
    """Count a look. What can't be counted is evidence, too: ``unreadable`` says why."""
    try:
        return _counted(tables, look)
    except GatesError as error:
        if error.exit_code is Exit.OUTSIDE:
            raise
        why = f"{error.what} ({error.hint})" if error.hint else error.what
        return replace(look.bare, unreadable=why, lacking=isinstance(error, MissingColumnError))


def _counted(tables: ExperimentTables, look: Look) -> ExperimentEvidence:
    bare = look.bare
    trial = Trial(
        started=bare.started, salt=bare.salt, champion=look.champion.digest, challenger=look.challenger.digest
    )
    tables.find_units(trial)
    end = micros(moment(look.before)) if look.before else 0
    sound = "NOT crossed AND NOT other"
    ((*exposed, both, other, earlier, strangers),) = tables.engine.run(
        f"SELECT count_if(arm = 0 AND {sound}), count_if(arm = 1 AND {sound}), count_if(crossed), "
        f"count_if(other AND arm < {NONE}), count_if(arm < {NONE} AND {sound} AND first < {end}), "
        f"count_if(arm = {NONE} OR crossed) FROM {UNITS}"
    )
    both, other, earlier, strangers = (int(units or 0) for units in (both, other, earlier, strangers))
    values = _values(tables)
    reach = tables.reach
    ((backwards, forwards, rows),) = tables.engine.run(
        f"SELECT count_if(just_before), count_if(just_after), coalesce(sum(outcomes), 0) FROM {VALUES}"
    )
    return replace(
        bare,
        reach=None if reach is None else text_of(datetime.fromtimestamp(reach // MICROS, UTC)),
        arms=tuple(
            ExperimentArm(
                arm=name,
                model=model,
                exposed=int(exposed[arm] or 0),
                weeks=tuple(_weeks(tables, values, arm)),
                quantiles=tuple(_quantiles(tables, values, arm, look.confidence)),
            )
            for (name, arm), model in zip(_ARMS, (look.champion, look.challenger), strict=True)
        ),
        invented=tuple(
            InventedArm(digest=named, units=units) for named, units in (tables.invented(trial) if strangers else ())
        ),
        both=both,
        other=other,
        salts=tuple(_by_earlier(tables, look, other, other + sum(units or 0 for units in exposed))),
        backwards=int(backwards or 0),
        forwards=int(forwards or 0),
        outcomes=int(rows),
        duplicates=tables.duplicates(),
        earlier=earlier,
    )


def _by_earlier(tables: ExperimentTables, look: Look, other: int, units: int) -> Iterator[EarlierSalt]:
    if other <= MANY * units:
        return
    for start in look.salts:
        yield EarlierSalt(record=start, other=tables.other_by(salt_of(start)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """What closed units come to. ``closed``: units by arm and week; ``sums``: by arm and week, of each gate, then of
    each quantile once more; ``quantiles``: by their gates."""

    closed: Mapping[tuple[int, int], int]
    sums: Mapping[tuple[int, int], Sequence[int]]
    quantiles: Mapping[str, GateQuantile]


def _values(tables: ExperimentTables) -> _Values:
    gates = tables.experiment.gates
    quantiles = {
        gate.name: find_quantile(tables, gate, place) for place, gate in enumerate(gates) if gate.metric == "quantile"
    }
    summed = Summed(tables=tables)
    terms = [terms_of(summed, gate, quantiles.get(gate.name)) for gate in gates]
    terms += [strictly_below(summed, gate, quantiles[gate.name]) for gate in gates if gate.name in quantiles]
    tables.find_values(list(summed.columns.items()))
    _refuse_unsummed(tables, summed.odd)
    counted_units = tables.engine.run(
        f"SELECT arm, week, count(*) FROM {UNITS} WHERE {tables.closed} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    closed = {(int(arm), int(week)): int(units) for arm, week, units in counted_units}
    return _Values(closed=closed, sums=_sums(tables, terms), quantiles=quantiles)


def _weeks(tables: ExperimentTables, values: _Values, arm: int) -> Iterator[ExposureWeek]:
    """Yield the weeks of an arm with the sums of every gate."""
    for (of, week), units in values.closed.items():
        if of != arm:
            continue
        listed = []
        for place, gate in enumerate(tables.experiment.gates):
            per_unit = tables.is_per_unit(gate, gate.per)
            sums = _unit_sums(gate, values.sums.get((arm, week)), place, units, per_unit=per_unit)
            quantile = values.quantiles.get(gate.name)
            listed.append(replace(sums, value=quantile.by_week.get((arm, week))) if quantile else sums)
        yield ExposureWeek(week=week, closed=units, sums=tuple(listed))


def _quantiles(tables: ExperimentTables, values: _Values, arm: int, confidence: float) -> Iterator[ArmQuantile]:
    """Yield the quantiles of an arm."""
    gates = tables.experiment.gates
    bounds = Bounds.of(tables.experiment, sum(values.closed.values()), confidence)
    units = sum(closed for (of, _), closed in values.closed.items() if of == arm)
    again = len(gates)
    for place, gate in enumerate(gates):
        if gate.name in values.quantiles:
            both = _arm_sums(values.sums, arm, place, units), _arm_sums(values.sums, arm, again, units)
            yield arm_quantile(tables, gate, values.quantiles[gate.name], arm, both, bounds)
            again += 1


def _refuse_unsummed(tables: ExperimentTables, odd: Sequence[str]) -> None:
    """Raise ``GatesError`` where a number is NaN, infinite or too large to be summed."""
    for name in odd:
        ((bad,),) = tables.engine.run(f"SELECT coalesce(sum({name}), 0) FROM {VALUES}")
        if bad:
            what = f"{tables.outcomes.path}: {counted(int(bad), 'value')} of a gate's column can't be summed"
            raise GatesError(what, hint="Look for NaN, infinite and very large numbers.")


def _sums(tables: ExperimentTables, gates: Sequence[Terms]) -> dict[tuple[int, int], list[int]]:
    """Return by arm and week, of each gate: units with values, then x, y, xx, xy, yy in units of 2**-140."""
    pairs = [f"{terms.x} AS x{at}_, {terms.y or '0.0'} AS y{at}_" for at, terms in enumerate(gates)]
    inner = f"SELECT arm, week, {', '.join(pairs)} FROM {VALUES}"
    columns = []
    for at in range(len(gates)):
        x, y = f"CAST(x{at}_ AS DOUBLE)", f"CAST(y{at}_ AS DOUBLE)"
        columns += [x, y, f"{x} * {x}", f"{x} * {y}", f"{y} * {y}"]
    listed = ", ".join(f"{sql} AS x{at}" for at, sql in enumerate(columns))
    query = summed(f"SELECT arm, week, 1 AS weight, {listed} FROM ({inner})", ["arm", "week"], len(columns), WIDE)
    valued = ", ".join(f"count_if({terms.valued})" for terms in gates)
    with_values = {
        (int(arm), int(week)): list(map(int, counts))
        for arm, week, *counts in tables.engine.run(f"SELECT arm, week, {valued} FROM {VALUES} GROUP BY 1, 2")
    }
    sums: dict[tuple[int, int], list[int]] = {}
    for arm, week, _, _, bad, *limbs in tables.engine.run(query):
        if bad:
            raise GatesError(f"the sums of {counted(int(bad), 'unit')} are too large", where="experiment.gates")
        whole = list(whole_numbers([int(one or 0) for one in limbs], WIDE))
        counts = with_values[int(arm), int(week)]
        sums[int(arm), int(week)] = [
            number for at in range(len(gates)) for number in (counts[at], *whole[_TERMS * at : _TERMS * (at + 1)])
        ]
    return sums


def _unit_sums(gate: ExperimentGate, sums: Sequence[int] | None, place: int, units: int, *, per_unit: bool) -> UnitSums:
    """Return the sums of one gate. Where it counts units, those without an outcome count, too."""
    size = _TERMS + 1
    valued, x, y, xx, xy, yy = sums[size * place : size * (place + 1)] if sums else [0] * size
    if per_unit:
        y = yy = units << UnitSums.UNIT
        xy = x
    return UnitSums(gate=gate.name, valued=valued, x=x, y=y, xx=xx, xy=xy, yy=yy)


def _arm_sums(sums: Mapping[tuple[int, int], Sequence[int]], arm: int, place: int, units: int) -> ArmSums:
    """Add up the sums of one place over the weeks of an arm."""
    size = _TERMS + 1
    listed = [one[size * place + 1 : size * (place + 1)] for (of, _), one in sums.items() if of == arm]
    totals = [sum(column) / 2**UnitSums.UNIT for column in zip(*listed, strict=True)] or [0.0] * _TERMS
    x, y, xx, xy, yy = totals
    return ArmSums(n=units, x=x, y=y, xx=xx, xy=xy, yy=yy)
