"""What each alias of a model names, and how that stands: the document that ``gates status --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gates.schema.fields import declare

SCHEMA: Literal["gates/standing/v1"] = "gates/standing/v1"


class AliasState(StrEnum):
    """How an alias stands. Codes are stable and never reused."""

    AS_PROMOTED = "as_promoted"
    NOTHING = "nothing"  # neither registry nor ledger knows of anything
    MOVED = "moved"  # the registry's alias names another version than the ledger, or none
    UNKNOWN = "unknown"  # the registry's alias names something, and the ledger says nothing of it
    BYTES_CHANGED = "bytes_changed"
    ELSEWHERE = "other_registry"  # the ledger says that it is in another registry than the one that was asked


AGREED = (AliasState.AS_PROMOTED, AliasState.NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAlias:
    """One alias."""

    WRITTEN = "whole"
    alias: str = declare("Its name.")
    state: AliasState = declare("Its state.")
    told: str = declare("Its state in one sentence.")
    mend: str | None = declare("What to do about it; null if all is well.")
    version: str | None = declare("What the registry's alias names.")
    record: int | None = declare("The ledger's record of what it should name.")
    digest: str | None = declare("Digest of the model that it should name.")
    since: str | None = declare("When that was recorded.")
    today: str | None = declare(
        "The verdict of today's policy on that record's evidence; null if it can't be determined."
    )
    why: str | None = declare("That verdict's reason, or why there is none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWatch:
    """What was judged last of the rows that the model answers."""

    WRITTEN = "whole"
    record: int | None = declare("The newest record of live windows; null if none was judged since the promotion.")
    verdict: str | None = declare("Its verdict.")
    told: str = declare("How that stands, in one sentence.")
    until: str | None = declare("Until when live rows have been judged, UTC.")
    overdue: bool = declare("Whether more than one window is due and was not judged.")

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong: no alarm, no error, and no window that nobody has judged."""
        return not self.overdue and self.verdict not in ("fail", "error")


class ExperimentStanding(StrEnum):
    """How the newest experiment stands."""

    NONE = "none"  # a promotion asks for one, and none was started
    RUNNING = "running"
    ENDED = "ended"
    STOPPED = "stopped"
    UNREAD = "unread"  # the ledger's records of it can't be read


@dataclass(frozen=True, slots=True, kw_only=True)
class LastExperiment:
    """The newest experiment of a model."""

    WRITTEN = "whole"
    state: ExperimentStanding = declare("Whether it runs.")
    told: str = declare("How it stands, in one sentence.")
    record: int | None = declare("The record that started it; null if there is none.")
    since: str | None = declare("When it was started, UTC.")
    challenger: str | None = declare("The version that is compared with the champion.")
    look: str | None = declare("The time of the newest look, UTC; null if there was none.")
    verdict: str | None = declare("The verdict of the newest look.")
    code: str | None = declare("Its reason as a stable word.")
    closed: int | None = declare("Units whose window was over at that look.")
    units: int | None = declare("How many are planned.")
    permits: bool | None = declare(
        "Of one that has ended with a pass: whether the challenger may be promoted on it now."
    )
    overdue: bool = declare("Whether it runs and nobody has looked for a week, or its last day is over.")

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong: a look that is missing or can't be judged is; a challenger that loses is not."""
        wrong = self.state is ExperimentStanding.UNREAD or self.overdue
        return not wrong and not (self.state is ExperimentStanding.RUNNING and self.verdict == "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model's aliases, and the ledger's state."""

    WRITTEN = "whole"
    schema: Literal["gates/standing/v1"] = declare("Format of this document.")
    model: str = declare("The registered model's name.")
    aliases: tuple[ServedAlias, ...] = declare("In the order of the stages.")
    records: int = declare("The ledger's length.")
    head: str | None = declare("Digest of its newest record.")
    open: int | None = declare("The record of a promotion that was started but not finished; null for none.")
    waits: str | None = declare("Until when others wait for it, UTC; null if nobody waits.")

    watch: LastWatch | None = declare(
        "What was judged of live rows; null if the policy asks for nothing, or nothing was promoted.",
        default=None,
        late=True,
    )
    experiment: LastExperiment | None = declare(
        "The newest experiment; null if the policy has none.", default=None, late=True
    )

    @property
    def sound(self) -> bool:
        """Whether everything is as it was promoted, live rows say nothing else, and experiments are looked at."""
        agreed = self.open is None and all(one.state in AGREED for one in self.aliases)
        return agreed and all(one is None or one.sound for one in (self.watch, self.experiment))
