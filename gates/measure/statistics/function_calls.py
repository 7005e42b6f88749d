"""Compute metrics that are somebody else's functions: rows go to a child process, which returns values and errors.

The child holds no secrets, and nothing that it answers is believed that is not a finite number. What runs there is
``gates.measure.statistics.bootstrap``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from gates.documents.evidence import Computed, Evidence, Slice
from gates.documents.slices import Dimension
from gates.documents.statistic import Statistic
from gates.errors import GatesError
from gates.kinds.protocol import Needs
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.labels import Labels
from gates.measure.statistics.cells import Key
from gates.metrics.functions import FUNCTIONS, is_general
from gates.policy import Policy
from gates.schema.canonical import settled
from gates.system import identity, sandbox

_ONE = 2.0**Computed.UNIT
_MOST = 1e40
_NUMBERS = ("candidate", "champion", "aa", "bb", "ab")
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMetric:
    """How somebody else's code is run: ``folder`` for what is made on the way, ``root`` where its modules lie. Where
    the repository's own may not be ``called``, as beside credentials, its metrics are left out. ``apart``: jobs that
    don't trust each other do the steps, so the repository's own may not run where a job has an identity."""

    folder: Path
    root: Path
    environ: Mapping[str, str]
    called: bool = True
    apart: bool = False


Found = dict[tuple[str, str], dict[Key, Computed]]  # (statistic's id, dimension's id) -> of each slice


def general(joined: ScoredRows, policy: Policy, needs: Needs, labels: Labels, guest: GuestMetric) -> Found:
    """Return every such metric along every dimension that asks for it: one child a metric. Raises ``GatesError`` with
    the function's own complaint where it can't be called at all."""
    wanted = sorted({one for one, _ in needs.wanted if is_general(one)})
    if not wanted:
        return {}
    guest.folder.mkdir(parents=True, exist_ok=True)
    rows = guest.folder / "rows.parquet"
    _write(joined, rows)
    answers: Found = {}
    for statistic in wanted:
        along = [dimension for dimension in needs.dimensions if (statistic, dimension) in needs.wanted]
        if not guest.called and is_foreign(statistic.name):
            answers |= {(statistic.id, dimension.id): {} for dimension in along}
            continue
        if guest.apart and is_foreign(statistic.name):
            identity.refuse(guest.environ, f"the metric {statistic.name}")
        answers |= _asked(joined, policy, labels, guest, rows, statistic, along)
    rows.unlink()
    return answers


def is_foreign(name: str) -> bool:
    """Tell whether a metric is a function of the repository, and not scikit-learn's."""
    return name not in FUNCTIONS


def taken(fresh: Evidence, judged: Evidence, names: Iterable[str]) -> Evidence:
    """Complete evidence that was measured without some metrics, by their ids, from evidence of the same models.

    Raises ``GatesError`` where that is of another champion: then it says nothing about this one.
    """
    wanted = set(names)
    if not wanted:
        return fresh
    if _models(fresh) != _models(judged):
        raise GatesError("the champion has changed, and metrics of your own are not computed here")
    runs = zip(fresh.runs, judged.runs, strict=True)
    return replace(
        fresh,
        slices=_with(fresh.slices, judged.slices, wanted),
        anchored=_with(fresh.anchored, judged.anchored, wanted),
        based=_with(fresh.based, judged.based, wanted),
        runs=tuple(replace(run, slices=_with(run.slices, old.slices, wanted)) for run, old in runs),
    )


def _models(evidence: Evidence) -> list[tuple[str | None, str] | None]:
    named = (evidence.candidate, evidence.champion, evidence.anchor)
    return [(one.version, one.digest) if one else None for one in named]


def _with(fresh: Sequence[Slice], judged: Sequence[Slice], wanted: set[str]) -> tuple[Slice, ...]:
    """Return slices with the wanted metrics of those of the same name, in the order in which these have them."""
    wanted_of = {(slice_.dimension, slice_.key): slice_.computed for slice_ in judged}
    return tuple(
        replace(
            slice_,
            computed=tuple(
                old if old.id in wanted else next((new for new in slice_.computed if new.id == old.id), old)
                for old in wanted_of.get((slice_.dimension, slice_.key), ())
                if old.id in wanted or old.id in {new.id for new in slice_.computed}
            ),
        )
        if wanted & {old.id for old in wanted_of.get((slice_.dimension, slice_.key), ())}
        else slice_
        for slice_ in fresh
    )


def _write(joined: ScoredRows, target: Path) -> None:
    """Return the rows in an order that is theirs alone: by unit or key, then by all that the child sees."""
    models = joined.models
    columns = [
        "unit",
        "label",
        *(one for model in models for one in (model.call, model.score, *model.scores)),
        "weight",
        *joined.parts.values(),
    ]
    listed = ", ".join(columns)
    joined.engine.write(f"SELECT {listed} FROM joined ORDER BY {listed}", target)


def _asked(
    joined: ScoredRows,
    policy: Policy,
    labels: Labels,
    guest: GuestMetric,
    rows: Path,
    statistic: Statistic,
    along: Iterable[Dimension],
) -> Found:
    dimensions = list(along)
    function = FUNCTIONS.get(statistic.name)
    wanted = {
        "id": statistic.id,
        "function": statistic.name,
        "takes": function and function.takes,
        "arguments": dict(statistic.parameters),
        "models": [[model.call, model.score, list(model.scores)] for model in joined.models],
        "scored": list(joined.scored_by),
        "together": policy.data.unit is not None,
        "places": joined.places if policy.data.weight else None,
        "dimensions": [[dimension.id, joined.columns(dimension)] for dimension in dimensions],
        "root": None if function else str(guest.root),
        **labels.plain(),
    }
    answer = _answer(statistic, wanted, rows, guest, policy.train.seconds)
    try:
        answers = {
            (statistic.id, dimension.id): {tuple(key): _computed(statistic.id, told) for key, told in slices}
            for dimension, slices in zip(dimensions, answer, strict=True)
        }
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise _failed(statistic, "it returned no valid answer") from error
    return answers


def _failed(statistic: Statistic, why: str) -> GatesError:
    return GatesError(f"{statistic.name} could not be computed: {why}", where="gates")


def _answer(statistic: Statistic, wanted: Mapping[str, Any], rows: Path, guest: GuestMetric, seconds: int) -> Any:
    asked, answer, log = (rows.with_name(name) for name in ("asked.json", "answer.json", "metric.log"))
    answer.unlink(missing_ok=True)
    asked.write_text(json.dumps(wanted))
    command = [sys.executable, "-P", "-m", "gates.measure.statistics.bootstrap", *map(str, (rows, asked, answer))]
    status = sandbox.run(command, guest.folder, sandbox.without_secrets(guest.environ), log, seconds)
    if status is None:
        raise _failed(statistic, f"it took longer than {seconds} s (train.timeout)")
    if status or not answer.exists():
        last = " / ".join(sandbox.last_lines(log, 3)) or "it printed nothing"
        raise _failed(statistic, f"its process ended with exit code {status}: {last}")
    try:
        reply = json.loads(answer.read_bytes())
        complaint = reply["complaint"]
    except (ValueError, TypeError, KeyError) as error:
        raise _failed(statistic, "it returned no valid answer") from error
    if complaint is not None:
        raise _failed(statistic, _plain(complaint))
    return reply["found"]


def _plain(text: object) -> str:
    return "".join(one for one in str(text) if one.isprintable())[:_SHOWN]


def _computed(id_: str, reply: Mapping[str, Any]) -> Computed:
    """Return what the child says of one slice, where it says it as numbers."""
    groups = int(reply["groups"])
    if reply["why"] is not None:
        return _undefined(id_, _plain(reply["why"]), groups)
    numbers = [float(reply[name]) for name in _NUMBERS]
    candidate, champion, aa, bb, ab = numbers
    if not all(isfinite(one) and abs(one) < _MOST for one in (candidate, champion, *(abs(v) ** 0.5 for v in numbers))):
        return _undefined(id_, "it is not a finite number", 0)
    return Computed(
        id=id_,
        why=None,
        paired=bool(reply["paired"]),
        candidate=_units(candidate),
        champion=_units(champion),
        aa=_units(aa, 2),
        bb=_units(bb, 2),
        ab=_units(ab, 2),
        groups=groups,
        method="bootstrap",
    )


def _units(value: float, power: int = 1) -> int:
    return int(settled(value) * _ONE**power)


def _undefined(id_: str, why: str, groups: int) -> Computed:
    return Computed(
        id=id_, why=why, paired=False, candidate=0, champion=0, aa=0, bb=0, ab=0, groups=groups, method="bootstrap"
    )
