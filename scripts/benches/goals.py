"""What a bench was to reach, and its tables. For other benches; it measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Goals:
    """What was to be reached."""

    missed: list[str] = field(default_factory=list)

    def hold(self, what: str, *, met: bool) -> None:
        """Remember a goal, and print it as a sentence."""
        if not met:
            self.missed.append(what)
        print(f"Goal {'met' if met else '**missed**'}: {what}.", flush=True)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print Markdown."""
    print(f"\n**{title}**\n")
    print(f"| {' | '.join(head)} |\n|:--|{'--:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)
