"""The alert rules of one model, from its policy: what Prometheus tells people when gates itself can't. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gates.errors import GatesError
from gates.observability import gauges
from gates.observability.promql_text import selector
from gates.policy import ResolvedPolicy
from gates.policy.monitor_section import Monitor, seconds
from gates.schema.fields import Plain

GROUP = "gates"
ABSENT = "1h"  # for which nothing must have been told
ROLLOUT = "15m"  # in which servers take up a new version
LATE = 3600  # seconds that a run may take, and be late
HALF = 0.5  # of an alarm
CRITICAL, WARNING = "critical", "warning"
SERVED = "model_info"  # of whatever serves: model, version, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert. ``hold``: for how long its expression must hold; in the texts ``{{ }}`` is Prometheus's."""

    name: str
    expression: str
    severity: str
    summary: str
    description: str
    hold: str | None = None

    @property
    def document(self) -> dict[str, Plain]:
        """The rule as Prometheus reads it."""
        patience = {"for": self.hold} if self.hold else {}
        return {
            "alert": self.name,
            "expr": self.expression,
            **patience,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.description},
        }


def monitor_of(resolved: ResolvedPolicy) -> Monitor:
    """Return the policy's monitor section. Raises ``GatesError`` where it has none."""
    monitor = resolved.policy.monitor
    if monitor is None:
        raise GatesError("the policy has no monitor section", where="--monitoring", hint="docs/monitoring.md has one.")
    return monitor


def overdue_after(monitor: Monitor) -> int:
    """Return for how many seconds the newest window may have ended: two windows, their delay, and a run's hour."""
    return 2 * seconds(monitor.window) + seconds(monitor.delay) + LATE


def alert_rules(resolved: ResolvedPolicy) -> Sequence[AlertRule]:
    """Return the rules for the policy's model. Raises ``GatesError`` where the policy has no monitor section."""
    monitor = monitor_of(resolved)
    model = {"model": resolved.champion[0]}
    evidence, end, serving, budget = (
        selector(one.name, model) for one in (gauges.EVIDENCE, gauges.WINDOW_END, gauges.SERVING, gauges.BUDGET)
    )
    bad = selector(gauges.VERDICT.name, model, 'verdict=~"fail|error"')
    before = f"offset {monitor.window}"
    rules = [
        AlertRule(
            name="GatesBarFailing",
            expression=f"{bad} == 1",
            severity=CRITICAL,
            summary="{{ $labels.model }}: the verdict of {{ $labels.bar }} is {{ $labels.verdict }}",
            description="Live rows raised an alarm, or could not be judged, or nobody knows what serves. "
            "Run gates status and gates history.",
        ),
        AlertRule(
            name="GatesEvidenceGrowing",
            expression=f"{evidence} > {HALF} and {evidence} {before} > {HALF} and on (model) ({end} > {end} {before})",
            severity=WARNING,
            summary="{{ $labels.model }}: {{ $labels.bar }} is on its way to an alarm",
            description="In two windows the evidence against it was more than half of what makes an alarm. "
            "It is now at {{ $value | humanizePercentage }}.",
        ),
        AlertRule(
            name="GatesWindowOverdue",
            expression=f"time() - {end} > {overdue_after(monitor)}",
            severity=CRITICAL,
            summary="{{ $labels.model }}: no window of live rows was judged in time",
            description=f"Windows last {monitor.window}, and are judged {monitor.delay} after their end. "
            "Does gates monitor run, and gates observe after it?",
        ),
        AlertRule(
            name="GatesWindowAbsent",
            expression=f"absent_over_time({end}[{ABSENT}])",
            severity=CRITICAL,
            summary="{{ $labels.model }}: nothing is told about its live rows",
            description=f"For {ABSENT} nothing has said when a window was judged. "
            "Does gates observe run, and does Prometheus collect what it writes?",
        ),
        AlertRule(
            name="GatesUnknownModelServed",
            expression=" unless on (model, digest) ".join((selector(SERVED, model), serving)),
            severity=CRITICAL,
            summary="{{ $labels.model }}: version {{ $labels.version }} serves, and no alias names it",
            description="The ledger does not say that its bytes serve. Roll out again what gates status shows.",
            hold=ROLLOUT,
        ),
    ]
    if resolved.policy.retrain is not None:
        rules.append(
            AlertRule(
                name="GatesRetrainBudgetSpent",
                expression=f"{budget} <= 0",
                severity=WARNING,
                summary="{{ $labels.model }}: the budget of retrainings is spent",
                description=f"The policy allows {resolved.policy.retrain.budget}. An alarm starts no further one.",
            )
        )
    return rules


def rules_document(resolved: ResolvedPolicy) -> dict[str, Plain]:
    """Return the rule file."""
    return {"groups": [{"name": GROUP, "rules": [rule.document for rule in alert_rules(resolved)]}]}
