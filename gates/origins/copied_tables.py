"""Copy a policy's tables from where `data.from` says that they are, once, with a receipt each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gates.errors import GatesError
from gates.origins import objects, query, receipt
from gates.origins.receipt import Receipt
from gates.policy.origins.data_origins import Origin
from gates.policy.sections import DataSection
from gates.schema.canonical import digest_bytes
from gates.system import files

TABLES: tuple[Literal["holdout", "train"], ...] = ("holdout", "train")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """What is copied where. ``read`` gives the text of a query's file, of the commit that counts; ``now`` the time."""

    data: DataSection
    root: Path
    work: Path
    environ: Mapping[str, str]
    read: Callable[[str], bytes]
    now: str

    def run(self, *, fresh: bool) -> Iterator[tuple[str, Receipt, bool]]:
        """Copy each table that has an origin. Yields its name, its receipt, and whether it was copied now."""
        for table in TABLES:
            origin, target = self.origin(table), getattr(self.data, table)
            if origin is None:
                continue
            if target is None:
                raise GatesError(
                    f"says where {table} is, and data.{table} does not say where to copy it", where="data.from"
                )
            self._refuse_elsewhere(table, target)
            before = receipt.read(self.work, table)
            source = self._source(origin)
            if not fresh and before and before.source == source and before.whole(self.root):
                yield table, before, False
                continue
            files.remove(receipt.path(self.work, table))
            copied = self._copied(table, origin, target, source)
            receipt.write(self.work, table, copied)
            yield table, copied, True

    def _refuse_elsewhere(self, table: str, target: str) -> None:
        """Raise ``GatesError`` for a place outside of the policy's folder: a pull request may have named it."""
        folder = (self.root / target).parent.resolve()
        if not folder.is_relative_to(self.root.resolve()) or ".git" in folder.parts:
            hint = "gates fetch writes below the policy's folder alone."
            raise GatesError(f"{target} lies elsewhere", where=f"data.{table}", hint=hint)

    def origin(self, table: str) -> Origin | None:
        """Return where a table comes from. Raises ``GatesError`` for half an origin."""
        origin: Origin | None = getattr(self.data.from_, table) if self.data.from_ else None
        if origin is None:
            return None
        asked = (origin.sql, origin.driver, origin.variable)
        if bool(origin.url) == any(asked) or (any(asked) and not all(asked)):
            what, hint = "is neither a url nor a query", "Write a url, or sql, driver and variable."
            raise GatesError(what, where=f"data.from.{table}", hint=hint)
        return origin

    def _source(self, origin: Origin) -> dict[str, Any]:
        source = {name: value for name, value in asdict(origin).items() if value is not None}
        if origin.sql:
            source["digest"] = digest_bytes(self.read(origin.sql))
        return source

    def _copied(self, table: str, origin: Origin, target: str, source: Mapping[str, Any]) -> Receipt:
        if origin.url:
            made = list(objects.copied(origin.url, target, self.root, self.environ))
            parts, paths = [part for part, _ in made], [path for _, path in made]
        else:
            parts, paths = [self._asked(table, origin, target, source)], [self.root / target]
        hashed = {path.relative_to(self.root).as_posix(): files.sha256(path) for path in paths}
        return Receipt(source=source, parts=parts, files=hashed, at=self.now)

    def _asked(self, table: str, origin: Origin, target: str, source: Mapping[str, Any]) -> dict[str, Any]:
        assert origin.sql and origin.driver and origin.variable  # noqa: S101, PT018 -- ``origin`` has looked
        if Path(target).suffix != ".parquet":
            raise GatesError(f"{target} is not a Parquet file", where=f"data.{table}", hint="Name it …/NAME.parquet.")
        address = self.environ.get(origin.variable)
        if not address:
            raise GatesError("is not set", where=origin.variable, hint="It holds the address of the database.")
        text = self.read(origin.sql).decode("utf-8", "replace")
        asked = query.ordered(text, query.DRIVERS[origin.driver].dialect, self.data.key, origin.sql)
        rows = query.copied(origin.driver, asked, address, self.root / target, origin.sql)
        return {"driver": origin.driver, "sql": source["digest"], "rows": rows, "at": self.now}


def pointer(data: DataSection, work: Path, root: Path, table: str) -> str | None:
    """Return what a record says of where a table came from; None where the policy does not say where it is kept.

    Raises ``GatesError`` where the files are not those of the receipt.
    """
    origin = getattr(data.from_, table, None) if data.from_ else None
    if origin is None:
        return None
    copy = receipt.read(work, table)
    if copy is None:
        return f"fetched:{receipt.NONE.replace(' ', '-')}"
    if not copy.whole(root):
        hint = "Run gates fetch again, or remove the receipt."
        raise GatesError("is not what gates fetch copied", where=str(getattr(data, table)), hint=hint)
    return copy.pointer
