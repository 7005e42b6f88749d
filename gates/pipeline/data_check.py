"""Check one table against a contract, without a policy."""

from __future__ import annotations

from pathlib import Path

from gates.contract.rules.contract_rule import Contract
from gates.documents.printed.table_check import Checked
from gates.errors import GatesError
from gates.judge import table_verdict
from gates.measure.contract_check import findings
from gates.measure.engines import Engine
from gates.measure.holdout.tables import OpenTable, open_table


def hold(engine: Engine, opened: OpenTable, contract: Contract, root: Path) -> Checked:
    """Check a table by every rule that it can be held to alone; other tables that rules name are looked for beside
    ``root``.

    Raises ``GatesError`` where there is no such rule: nothing to judge is not a pass.
    """
    held = table_verdict.alone(contract, opened.name)
    if not held.rules:
        raise GatesError("the contract has no rule that one table alone can be held to", where=opened.path)
    counted = findings(engine, opened, held, lambda path: open_table(engine, root, path, f"beside {path}"))
    return table_verdict.judge(contract, opened.name, counted)
