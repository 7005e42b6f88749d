"""Predictions matched to the holdout's rows by key: the same on both sides, or an error that says which differ."""

from __future__ import annotations

from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.holdout.tables import OpenTable
from gates.policy import Policy
from gates.wording import counted, plural

SHOWN = 5  # rows that a message names


def match_rows(engine: Engine, name: str, view: OpenTable, policy: Policy, *, secret: bool) -> None:
    """Return the same rows on both sides, or an error that says how many differ and which."""
    ((expected,),) = engine.run("SELECT count(*) FROM gates_rows")
    ((given,),) = engine.run(f"SELECT count(*) FROM {name}")
    if not policy.data.key:
        if expected != given:
            raise GatesError(
                f"{counted(given, 'prediction')} for {counted(expected, 'holdout row')}",
                where=view.path,
                hint="Predict every row of GATES_HOLDOUT once, in its order, or set data.key.",
            )
        return
    for what, sql in (
        (("prediction has no key", "predictions have no key"), f"SELECT row_key FROM {name} WHERE row_key IS NULL"),
        (("key occurs twice", "keys occur twice"), f"SELECT row_key FROM {name} GROUP BY row_key HAVING count(*) > 1"),
        (
            ("holdout row has no prediction", "holdout rows have no prediction"),
            f"SELECT row_key FROM gates_rows EXCEPT SELECT row_key FROM {name}",
        ),
        (
            ("prediction belongs to no holdout row", "predictions belong to no holdout row"),
            f"SELECT row_key FROM {name} EXCEPT SELECT row_key FROM gates_rows",
        ),
    ):
        ((wrong,),) = engine.run(f"SELECT count(*) FROM ({sql})")
        if wrong and secret:
            hidden = f"{policy.data.key} is x-sensitive: none is named"
            raise GatesError(f"{plural(wrong, *what)} ({hidden})", where=view.path)
        if wrong:
            first = engine.run(f"SELECT row_key FROM ({sql}) ORDER BY row_key LIMIT {SHOWN}")
            shown = ", ".join(str(row[0]) for row in first if row[0] is not None) + (", …" if wrong > SHOWN else "")
            which = f" ({policy.data.key}: {shown})" if first[0][0] is not None else f" in {policy.data.key}"
            beside, why = _beside(engine, name, view, policy.data.key)
            hint = " ".join(filter(None, (why, _spelt(engine, name)))) or None
            raise GatesError(f"{plural(wrong, *what)}{which}{beside}", where=view.path, hint=hint)


def _spelt(engine: Engine, name: str) -> str | None:
    """Tell how to fix keys of which none is the holdout's: another program may have made 7 or 7.0 of 007."""
    ((same,),) = engine.run(f"SELECT count(*) FROM gates_rows WHERE row_key IN (SELECT row_key FROM {name})")
    if same:
        return None
    ours, theirs = (engine.run(f"SELECT min(row_key) FROM {table}")[0][0] for table in ("gates_rows", name))
    return f"No key matches the holdout's: write them as {ours}, not {theirs}; read them as text, with dtype=str."


def _beside(engine: Engine, name: str, view: OpenTable, key: str) -> tuple[str, str | None]:
    """Return the predictions' own keys, where they are none of the holdout's, and how they may have come to differ."""
    strange = f"SELECT row_key FROM {name} WHERE row_key IS NOT NULL EXCEPT SELECT row_key FROM gates_rows"
    first = [str(row[0]) for row in engine.run(f"SELECT row_key FROM ({strange}) ORDER BY row_key LIMIT {SHOWN}")]
    lacking = [
        str(row[0])
        for row in engine.run(
            f"SELECT row_key FROM gates_rows EXCEPT SELECT row_key FROM {name} ORDER BY row_key LIMIT {SHOWN}"
        )
    ]
    if not first or not lacking:
        return "", None
    alike = {_as_number(one) for one in first} & {_as_number(one) for one in lacking} - {None}
    theirs = f"; the predictions have {', '.join(first)} ({view.told(key)})"
    if not alike:
        return theirs, None
    return theirs, "They are the same numbers, written differently."


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
