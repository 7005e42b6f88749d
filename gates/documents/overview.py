"""What the ledgers of several repositories say: the models in each, what their aliases named, and who accepted what."""

from __future__ import annotations

from dataclasses import dataclass

from gates.documents.champion import Champion
from gates.documents.live.experiment_history import ExperimentHistory
from gates.documents.live.watch_history import WatchHistory
from gates.documents.record import Record, Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasHistory:
    """An alias, and the newest models that it has named, the oldest of them first."""

    name: str
    champions: tuple[Champion, ...]

    @property
    def now(self) -> Champion:
        """What it names now, by the ledger."""
        return self.champions[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverview:
    """One model of a repository. ``records``: the newest, the newest first; ``waivers``: all that were given;
    ``watch``: what live rows said; ``experiments``: the oldest first."""

    name: str
    aliases: tuple[AliasHistory, ...]
    records: tuple[Record, ...]
    waivers: tuple[Waiver, ...]
    watch: WatchHistory | None = None
    experiments: tuple[ExperimentHistory, ...] = ()

    def holding(self, today: str) -> tuple[Waiver, ...]:
        """Return the waivers that have not ended, the one that ends first in front."""
        return tuple(sorted((one for one in self.waivers if one.until >= today), key=lambda one: one.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOverview:
    """One repository's ledger. ``unread``: why it can't be read, if so; ``flaws``: what is wrong with it."""

    name: str
    records: int = 0
    models: tuple[ModelOverview, ...] = ()
    flaws: tuple[str, ...] = ()
    unread: str | None = None
