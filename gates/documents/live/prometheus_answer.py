"""What a Prometheus answered: values as it wrote them, and how old the newest samples were. No label of any series."""

from __future__ import annotations

from dataclasses import dataclass

from gates.schema.fields import TIME_PATTERN, declare


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorAges:
    """How old the newest sample of one selector of a query was at each moment."""

    WRITTEN = "whole"
    selector: str = declare("The selector, without range and offset.")
    ages: tuple[tuple[int, int], ...] = declare(
        "(which moment, from 0; milliseconds since the newest sample). A moment without a recent sample is left out."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAnswer:
    """The answer to one query, at one moment or at several that lie a step apart."""

    WRITTEN = "whole"
    query: str = declare("The PromQL expression, as the policy writes it.")
    over: int = declare("The seconds that the moments lie in; 0: it was asked at one moment.", minimum=0)
    step: int = declare("Seconds from moment to moment; 0 for one moment.", minimum=0)
    at: str = declare("The moment, or the last one, UTC.", pattern=TIME_PATTERN)
    series: int = declare("How many series came back.", minimum=0)
    samples: tuple[tuple[int, str], ...] = declare(
        "(which moment, from 0; the value as Prometheus wrote it); none unless one series came back."
    )
    warnings: int = declare("How many warnings came with it, such as of a partial response.", minimum=0)
    selectors: tuple[SelectorAges, ...] = declare("Of each selector of the query, in its order.")

    @property
    def moments(self) -> int:
        """At how many moments it was asked."""
        return self.over // self.step if self.step else 1
