"""A contract held to tables from end to end: files, engine, evidence, judge, reports."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from gates import cli
from gates.documents.decision import Decision, GateVerdict
from gates.documents.evidence import Evidence
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.measure.measurement import Measurement
from gates.policy.policy_file import read
from gates.schema.canonical import canonical
from gates.schema.fields import plain

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Held:
    """Tables of one folder, held to a contract."""

    def __init__(
        self,
        root: Path,
        contract: Any,
        *,
        holdout: str = "holdout.parquet",
        train: str | None = None,
        engine: str = "duckdb",
        **bench: Any,
    ) -> None:
        text = contract if isinstance(contract, str) else json.dumps(contract)
        (root / "contract.yaml").write_text(text)
        policy = {
            "version": 1,
            "model": "m",
            "data": {"holdout": holdout, "label": "y", "contract": "contract.yaml", "engine": engine}
            | ({"train": train} if train else {}),
            "train": "t",
            "gates": [{"metric": "accuracy", "min": 0.01}],
        }

        def opened(path: str) -> bytes:
            try:
                return (root / path).read_bytes()
            except OSError as error:
                raise GatesError(f"can't be read: {error.strerror}") from error

        bound = read(yaml.safe_dump(policy).encode(), "gates.yaml", opened)
        self.bench = Measurement(bound, root, root, **({"now": NOW, "threads": 2} | bench))
        with mock.patch(
            "gates.measure.policy_tables.refuse_shared"
        ):  # the second table is there to be compared with: much is alike
            self.evidence: Evidence = self.bench.evidence(self.bench.check())
        self.decision: Decision = judge(bound, self.evidence)

    def gate(self, rule: str, table: str = "holdout") -> GateVerdict:
        (found,) = [one for one in self.decision.gates if one.rule == rule and one.id == f"data.{table}"]
        return found

    @property
    def bytes(self) -> bytes:
        return canonical(plain(self.evidence))


def parquet(path: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> None:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, path, **options)


def gates(*arguments: object) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the command line."""
    out, err = io.StringIO(), io.StringIO()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GATES_"))}
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", ["gates", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    return ended.value.code, out.getvalue(), err.getvalue()
