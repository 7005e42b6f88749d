"""Write a repository's first policy from what its data seems to mean. Pure. A comment explains every guess, and what to
do if it is wrong.

Pure. A comment explains every guess, and what to do if it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from gates.contract.profile import Profile
from gates.metrics import Task
from gates.project.guesses import Guessed, classes, missing
from gates.schema.fields import Plain
from gates.schema.yaml_text import flow
from gates.wording import plural

MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
COLUMN = 34  # of the comments
REACH = "set this to what your model must reach"


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first gate of a task: its metric and limits, what a slice may lose, and another metric to think of."""

    metric: str
    limits: Mapping[str, tuple[object, str]]  # each with its comment
    slices: float
    further: tuple[str, float] | None = None  # a metric, and by how much it may get worse


_LOSS = "surely not worse than the champion by more than this"
_FIRST: Mapping[Task, First] = {
    "binary": First(
        metric="roc_auc",
        limits={"min": (0.5, f"no better than chance: {REACH}"), "max_worsening": (0.01, _LOSS)},
        slices=0.05,
        further=("recall", 0.05),
    ),
    "multiclass": First(
        metric="balanced_accuracy",
        limits={"min": (0.5, REACH), "max_worsening": (0.01, _LOSS)},
        slices=0.05,
        further=("f1_macro", 0.05),
    ),
    "regression": First(
        metric="r2",
        limits={"min": (0, f"no better than the mean: {REACH}"), "max_worsening": (0.01, _LOSS)},
        slices=0.05,
    ),
    "ranking": First(
        metric="ndcg",
        limits={
            "k": (10, "of the rows scored highest"),
            "min": (0.5, f"a beginning: {REACH}"),
            "max_worsening": (0.01, _LOSS),
        },
        slices=0.05,
        further=("mrr", 0.02),
    ),
    "score": First(
        metric="mean",
        limits={
            "better": ("larger", "of the column score in the predictions; smaller, where it is a cost"),
            "min": (0, REACH),
            "max_worsening": (0.1, f"{_LOSS}, in the score's own unit"),
        },
        slices=0.2,
    ),
}


def model_name(text: str) -> str:
    """Make a model's name of any text, such as that of a folder."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:100]
    return found.rstrip("-") or "model"


def policy(guessed: Guessed, tables: Sequence[Profile], model: str) -> str:
    """Write the text of ``gates.yaml``: the last of the tables is the holdout."""
    guess, holdout = guessed.guess, tables[-1]
    lines = [_OPENING, "version: 1", _line(f"model: {flow(model)}", "its name in the registry")]
    lines += [_line(f"task: {guessed.task}", guessed.task_why), "", "data:"]
    if len(tables) > 1:
        lines.append(_line(f"  train: {flow(tables[0].path)}", "handed to the training as GATES_TRAIN"))
    else:
        lines.append(_line("  # train: train.parquet", "not the holdout's rows"))
    labelled = "labelled rows" if guessed.task != "score" else "rows"
    lines.append(_line(f"  holdout: {flow(holdout.path)}", f"{labelled} on which the models are judged"))
    lines += _label_lines(guessed, tables)
    if guessed.query is not None:
        lines.append(_line(f"  query: {flow(guessed.query)}", guessed.query_why or "what rows are ranked for"))
    if guess.keys:
        lines.append(_line(f"  key: {flow(guess.keys[0])}", "by which predictions find their rows"))
    lines += [
        "  contract: contract.yaml",
        "",
        _line("train: python train.py", "yours; it writes predictions or a model into $GATES_OUT"),
        "",
        *_gates(guessed, tables),
    ]
    return "\n".join(lines) + "\n"


def _label_lines(guessed: Guessed, tables: Sequence[Profile]) -> list[str]:
    guess, holdout = guessed.guess, tables[-1]
    if guessed.task == "score":
        return []
    if guess.label is None:
        return [_line("  label: label", "no column stood out: name yours, and what task it is")]
    lost = missing(holdout[guess.label], guessed.task)
    why = guessed.label_why or "the truth"
    if lost:
        why = f"missing in {plural(lost, 'row: take it', 'rows: take them')} out, as it can't be judged without"
    lines = [_line(f"  label: {flow(guess.label)}", why)]
    if guess.positive is not None and guessed.positive_why:
        lines.append(_line(f"  positive: {flow(guess.positive)}", guessed.positive_why))
    every = _classes(guessed, tables)
    if len(every) > len(classes(holdout[guess.label])) > 0:
        lines.append(_line(f"  classes: {flow(every)}", "all of them: the holdout lacks some"))
    return lines


def _classes(guessed: Guessed, tables: Sequence[Profile]) -> list[Plain]:
    """Return the classes of a multiclass task that any of the tables has, where these are few."""
    label = guessed.guess.label
    if guessed.task != "multiclass" or label is None:
        return []
    return sorted({value for table in tables for value in classes(table[label])})


def _gates(guessed: Guessed, tables: Sequence[Profile]) -> Iterator[str]:
    """Yield the first gate; beside it another metric and slices as comments, each to be taken or left."""
    holdout, first = tables[-1], _FIRST[guessed.task]
    slices, n = _slices(guessed, holdout), len(_classes(guessed, tables))
    chance = {"min": (max(0.01, round(1 / n, 2)), f"no better than chance: {REACH}")} if n else {}
    yield "gates:"
    if further := first.further or _further(guessed, holdout):
        yield _line(f"  # - metric: {further[0]}", "`gates schema` names all metrics")
        yield f"  #   max_worsening: {flow(further[1])}"
    yield f"  - metric: {first.metric}"
    for name, (value, comment) in {**first.limits, **chance}.items():
        yield _line(f"    {name}: {flow(value)}", comment)
    if slices:
        yield _line(f"    # slices: {{max_worsening: {flow(first.slices)}}}", "and no slice by more than this")
        yield _line(f"# slices: [{', '.join(slices)}]", "to judge slices, too, remove both #")


def _further(guessed: Guessed, holdout: Profile) -> tuple[str, float] | None:
    """Return the mean error as a second metric of numbers. It may grow by a hundredth of what the labels span."""
    label = guessed.guess.label
    if guessed.task != "regression" or label is None or holdout[label].low is None:
        return None
    hundredth = (float(holdout[label].high) - float(holdout[label].low)) / 100
    return ("mae", float(f"{hundredth:.0e}")) if isfinite(hundredth) and hundredth > 0 else None


def _slices(guessed: Guessed, holdout: Profile) -> list[str]:
    """Suggest slices by text columns of few values, as slices cost rows. Queries are not cut apart."""
    if guessed.task == "ranking":
        return []
    fitting = [one for one in holdout.columns if one.is_enum and one.category == "string" and len(classes(one)) > 1]
    others = (guessed.guess.label, *guessed.guess.keys)
    simple = [
        one.name for one in fitting if one.name not in others and re.fullmatch(r"[A-Za-z]\w*", one.name, re.ASCII)
    ]
    return simple[:2]


def _line(text: str, comment: str) -> str:
    return f"{text:<{COLUMN}}  # {comment}"


_OPENING = """\
# What must hold before a model may ship. Written by `gates init`; edit it.
# `gates check` reports every mistake in it, `gates check --explain` prints every default."""
