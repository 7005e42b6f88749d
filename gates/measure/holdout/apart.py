"""Check that training and holdout have different rows: a model judged on rows it learned from passes every rule."""

from __future__ import annotations

from gates.contract.rules.contract_rule import Contract
from gates.contract.sql import quoted
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.holdout.tables import OpenTable, content_digest, row_text
from gates.policy import Policy
from gates.wording import counted

MOST = 0.01  # of the holdout's rows may stand in the training data, too, where the contract says nothing of it
TELLING = 0.9  # so many of the holdout's rows must differ from each other: else equal rows may be equal by chance
_CHANCE = 2  # times as many rows as chance makes equal


def refuse_shared(
    engine: Engine, train: OpenTable, holdout: OpenTable, policy: Policy, contract: Contract | None
) -> None:
    """Raise ``GatesError`` where the training data holds the holdout's rows, unless the contract says how many may
    stand in both, or nothing is learnt (``task: score``)."""
    told = contract is not None and any(rule.id.startswith("leakage(") for rule in contract.rules)
    if told or policy.task == "score":
        return
    rows, shared = _shared(engine, train, holdout, policy.data.key)
    if not shared and rows == _rows(engine, train) and content_digest(engine, train) == content_digest(engine, holdout):
        shared = rows
    if shared:
        which = "every row" if shared == rows else f"{shared:,} of {counted(rows, 'row')}"
        raise GatesError(
            f"{which} of {holdout.path} {'stands' if shared == rows else 'stand'} in {train.path}, too: "
            "a model can't be judged on rows it learned from",
            where="data.train",
            hint="Use other rows, or allow a share of them with a rule `leakage:` in the contract.",
        )


def _rows(engine: Engine, table: OpenTable) -> int:
    ((rows,),) = engine.run(f"SELECT count(*) FROM {quoted(table.name)}")
    return int(rows)


def _shared(engine: Engine, train: OpenTable, holdout: OpenTable, key: str | None) -> tuple[int, int]:
    """Count the rows of the holdout, and how many of them are in the training data; 0 where these are few, or chance.

    Rows are compared by what both tables have besides the key, because they may have been renumbered; where that is too
    little, by the key, too.
    """
    both = [name for name in holdout.columns if name in train.columns and name != key]
    if not both:
        return 0, 0
    ours, theirs = (_hashed(table, both, key) for table in (holdout, train))
    ((rows, distinct, alike),) = engine.run(
        f"SELECT sum(n), count(*), sum(n * n) FROM (SELECT count(*) AS n FROM ({ours}) r GROUP BY h) c"
    )
    chance = 0.0
    if distinct > TELLING * rows:
        beside = f"LEFT JOIN (SELECT DISTINCT h FROM ({theirs}) r) t ON t.h = o.h"
        ((shared,),) = engine.run(f"SELECT count(t.h) FROM ({ours}) o {beside}")
    elif key is not None and key in train.columns:
        equal = "count(DISTINCT CASE WHEN o.h = t.h THEN o.k END)"
        ((met, shared),) = engine.run(
            f"SELECT count(DISTINCT o.k), {equal} FROM ({ours}) o JOIN ({theirs}) t ON t.k = o.k"
        )
        chance = float(met) * float(alike) / float(rows) ** 2
    else:
        shared = 0
    few = MOST * float(rows) + _CHANCE * chance
    return int(rows), int(shared) if shared > few else 0


def _hashed(table: OpenTable, columns: list[str], key: str | None) -> str:
    """Write SQL of each row's hash over some columns, with its key."""
    part = OpenTable(name=table.name, path=table.path, columns={name: table.columns[name] for name in columns})
    named = f"CAST({quoted(key)} AS VARCHAR)" if key in table.columns and key is not None else "CAST(NULL AS VARCHAR)"
    text = f"gates_hex(substr(sha256({row_text(part)}), 1, 15))"
    return f"SELECT {text} AS h, {named} AS k FROM {quoted(table.name)}"
