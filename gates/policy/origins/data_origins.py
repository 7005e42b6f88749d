"""The part `data.from` of a policy: where tables are copied from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare

DriverName = Literal["postgresql", "snowflake", "bigquery", "flightsql"]  # each is a row of gates/origins/query.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a table is copied from: objects of a store, or the rows of a query."""

    url: str | None = declare(
        "An object, or a glob of objects: s3://, gs:// or az://, then the bucket and the path.",
        default=None,
        stricter="free",
        pattern=r"^(s3|gs|az|file)://[^?#\s@]+$",
    )
    sql: str | None = declare("File with one SELECT.", default=None, stricter="free", minLength=1)
    driver: DriverName | None = declare("What answers it.", default=None, stricter="free")
    variable: str | None = declare(
        "The environment variable that holds the database's address, with the login.",
        default=None,
        stricter="free",
        pattern="^[A-Z][A-Z0-9_]*$",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What `gates fetch` copies to the places of the tables."""

    holdout: Origin | None = declare(
        "The rows that both models are judged on.", default=None, short="url", stricter="free"
    )
    train: Origin | None = declare("The rows to train on.", default=None, short="url", stricter="free")
