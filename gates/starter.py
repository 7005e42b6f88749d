"""The first policy of a repository, from what its data looks like: guesses, and the text. Pure. Every guess is told in
a comment beside it, with what to do where it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gates.contract.profile import ColumnProfile, Guess, Profile, common
from gates.emit import flow
from gates.errors import GatesError
from gates.fields import Plain
from gates.validate import nearest

# fmt: off
LABELS = (
    "label", "target", "y", "class", "outcome", "churn", "churned", "default", "defaulted", "fraud", "converted",
    "survived", "malignant", "status",
)
POSITIVE = (
    "1", "true", "yes", "y", "t", "positive", "pos", "bad", "churn", "churned", "left", "default", "fraud",
    "malignant", "sick", "died",
)
# fmt: on
NATURAL = ({0, 1}, {"0", "1"}, {"false", "true"})  # values of which the policy need not say the positive one
KEYLIKE = re.compile(r"(^|[^a-z])(id|key|uuid|guid|number|nr|rownames?|index)$|[a-z]I[dD]$", re.IGNORECASE)
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MANY = 100  # rows from which on a column without repeats is a key whatever its name
COLUMN = 34  # of the comments


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """The guess, and why the label and the positive value are what they are."""

    guess: Guess
    label_why: str
    positive_why: str


def guess(tables: Sequence[Profile], label: str | None, key: str | None) -> Guessed:
    """What the columns mean, the user's word first. Raises ``GatesError`` where that can't be so."""
    for name, role in ((label, "--label"), (key, "--key")):
        for table in tables:
            if name is not None and name not in table.names:
                raise GatesError(f"{role}: {table.path} has no column {name}{nearest(name, table.names)}")
    if key is not None:
        _require_unique(tables, key)
    chosen, why = (label, "") if label is not None else _label(tables)
    positive, positive_why = _positive([table[chosen] for table in tables]) if chosen is not None else (None, "")
    keys = (key,) if key is not None else tuple(_keys(tables, chosen))
    return Guessed(guess=Guess(label=chosen, positive=positive, keys=keys), label_why=why, positive_why=positive_why)


def _require_unique(tables: Sequence[Profile], key: str) -> None:
    for table in tables:
        column = table[key]
        if not column.unique:
            what = f"{column.nulls:,} rows lack it" if column.nulls else "its values repeat, or are no text or integers"
            raise GatesError(f"--key: {key} is no key of {table.path}: {what}", mend="Name a column without repeats.")


def _label(tables: Sequence[Profile]) -> tuple[str | None, str]:
    names = list(common(tables))
    fitting = [name for name in names if all(table[name].is_two_valued for table in tables)]
    for known in LABELS:
        for name in fitting:
            if name.lower() == known:
                return name, "guessed by its name"
    if fitting and fitting[-1] == names[-1]:
        return fitting[-1], "guessed: the last column, and of two values"
    if len(fitting) == 1:
        return fitting[0], "guessed: the only column of two values"
    return None, ""


def _positive(labels: Sequence[ColumnProfile]) -> tuple[Plain, str]:
    """The positive one of two values, and why; None for any other number of values."""
    counts: dict[Plain, int] = {}
    for label in labels:
        for value, rows in label.values or ():
            counts[value] = counts.get(value, 0) + rows
    if len(counts) != 2 or not all(label.is_two_valued for label in labels):  # noqa: PLR2004 -- a binary task
        return None, ""
    if set(counts) in NATURAL and labels[0].category != "number":
        return max(counts), ""
    texts = {f"{value:g}" if isinstance(value, float) else str(value).lower(): value for value in counts}
    for known in POSITIVE:
        if known in texts:
            return texts[known], "guessed by its name"
    return min(counts, key=lambda value: (counts[value], str(value))), "guessed: the rarer one"


def _keys(tables: Sequence[Profile], label: str | None) -> list[str]:
    """Columns without repeats that look like keys by name; else the first one of all, given enough rows."""
    unique = [name for name in common(tables) if name != label and all(table[name].unique for table in tables)]
    named = [name for name in unique if KEYLIKE.search(name)]
    enough = all(table.rows >= MANY for table in tables)
    return named or (unique[:1] if enough else [])


def model_name(text: str) -> str:
    """A model's name made of any text, such as that of a folder."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:100]
    return found.rstrip("-") or "model"


def policy(guessed: Guessed, tables: Sequence[Profile], model: str) -> str:
    """The text of ``gates.yaml``: the last of the tables is the holdout."""
    guess, holdout = guessed.guess, tables[-1]
    lines = [_POLICY_OPENING, "version: 1", _line(f"model: {flow(model)}", "its name in the registry"), "", "data:"]
    if len(tables) > 1:
        lines.append(_line(f"  train: {flow(tables[0].path)}", "handed to the training as GATES_TRAIN"))
    else:
        lines.append(_line("  # train: train.parquet", "other rows than the holdout's: those can't judge"))
    lines.append(_line(f"  holdout: {flow(holdout.path)}", "labelled rows on which the models are judged"))
    lines += _label_lines(guessed, holdout)
    if guess.keys:
        lines.append(_line(f"  key: {flow(guess.keys[0])}", "by which predictions find their rows"))
    lines += [
        "  contract: contract.yaml",
        "",
        _line("train: python train.py", "yours; it writes predictions or a model into $GATES_OUT"),
    ]
    lines += ["", *_slices(guess, holdout), _GATES]
    return "\n".join(lines)


def _label_lines(guessed: Guessed, holdout: Profile) -> list[str]:
    guess = guessed.guess
    if guess.label is None:
        return [_line("  label: label", "no column of two values stood out: name yours")]
    column = holdout[guess.label]
    why = guessed.label_why or "the truth"
    if column.nulls:
        why = f"missing in {column.nulls:,} rows, which can't be judged: take them out"
    elif not column.is_two_valued:
        why = "not two values: write task: multiclass, or regression, and its metrics"
    lines = [_line(f"  label: {flow(guess.label)}", why)]
    if guess.positive is not None and guessed.positive_why:
        lines.append(_line(f"  positive: {flow(guess.positive)}", guessed.positive_why))
    return lines


def _slices(guess: Guess, holdout: Profile) -> list[str]:
    """Text of few values is what people slice by; a suggestion, as slices cost rows."""
    fitting = [one.name for one in holdout.columns if one.is_enum and one.category == "string"]
    simple = [name for name in fitting if name != guess.label and re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)]
    return [_line(f"# slices: [{', '.join(simple[:2])}]", "to be judged apart, too"), ""] if simple else []


def _line(text: str, comment: str) -> str:
    return f"{text:<{COLUMN}}  # {comment}"


_POLICY_OPENING = """\
# What must hold before a model may ship. Written by `gates init`; make it yours.
# `gates check` tells every mistake in it, `gates check --explain` every default."""

_GATES = """\
gates:
  - metric: roc_auc
    min: 0.5                        # no better than chance: put here what your model must reach
    max_worsening: 0.01             # surely not worse than the champion by more than this
  # - metric: recall                # `gates schema` names all metrics
  #   max_worsening: 0.05
"""
