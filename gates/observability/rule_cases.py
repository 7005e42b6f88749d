"""Tests of the alert rules, as ``promtool test rules`` reads them: when each fires, and when it doesn't. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from gates.observability import gauges
from gates.observability.alert_rules import SERVED, AlertRule, alert_rules, monitor_of, overdue_after
from gates.observability.promql_text import selector
from gates.policy import ResolvedPolicy
from gates.policy.monitor_section import seconds
from gates.schema.fields import Plain

STEPS = 6  # samples of a window
GONE = "stale"  # a series that is no more; _ is a sample that was never taken
_BAR = "recall:min"
_ABSENT, _ROLLOUT = 3600, 900  # seconds, as in the rules
_STRONG, _WEAK = 0.75, 0.25  # of an alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCase:
    """Series and whether an alert fires after so many samples. ``labels``: what tells the alert apart, if it does."""

    alert: str
    name: str
    series: Mapping[str, str]
    after: int
    labels: Mapping[str, str] | None = None
    value: float = 1.0

    @property
    def title(self) -> str:
        """What distinguishes it."""
        return f"{self.alert}: {self.name}"


def rule_cases(resolved: ResolvedPolicy) -> Sequence[RuleCase]:
    """Return the cases of every rule that the policy gets."""
    cases = _Cases(resolved)
    found = [*cases.failing(), *cases.growing(), *cases.overdue(), *cases.absent(), *cases.served()]
    return [*found, *cases.budget()] if resolved.policy.retrain is not None else found


def cases_document(resolved: ResolvedPolicy, rules: str) -> dict[str, Plain]:
    """Return the file of tests. ``rules``: the rule file that it is about."""
    every = {rule.name: rule for rule in alert_rules(resolved)}
    step = f"{seconds(monitor_of(resolved).window) // STEPS}s"
    tests = [_written(case, every[case.alert], step, resolved) for case in rule_cases(resolved)]
    return {"rule_files": [rules], "evaluation_interval": step, "tests": tests}


def _written(case: RuleCase, rule: AlertRule, step: str, resolved: ResolvedPolicy) -> dict[str, Plain]:
    model = resolved.champion[0]
    expected: list[Plain] = []
    if case.labels is not None:
        labels = {"model": model, **case.labels}
        texts = {"summary": rule.summary, "description": rule.description}
        expected.append(
            {
                "exp_labels": {"severity": rule.severity, **labels},
                "exp_annotations": {key: _expanded(text, labels, case.value) for key, text in texts.items()},
            }
        )
    return {
        "name": case.title,
        "interval": step,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{case.after * int(step[:-1])}s", "alertname": case.alert, "exp_alerts": expected}
        ],
    }


def _expanded(template: str, labels: Mapping[str, str], value: float) -> str:
    """Return an annotation as Prometheus writes it. Names are put in last and once: one may look like a template."""
    pieces = template.split("{{ $labels.")
    texts = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition(" }}")
        texts += [labels[name], rest]
    if len(texts) == 1:
        texts = [template.replace("{{ $value | humanizePercentage }}", f"{value * 100:.4g}%")]
    return "".join(texts)


class _Cases:
    """The cases of one policy. Its samples are a sixth of a window apart, from second 0."""

    def __init__(self, resolved: ResolvedPolicy) -> None:
        self.monitor = monitor_of(resolved)
        self.model = {"model": resolved.champion[0]}
        self.window = seconds(self.monitor.window)
        self.step = self.window // STEPS
        self.end = selector(gauges.WINDOW_END.name, self.model)

    def failing(self) -> Iterator[RuleCase]:
        alert = "GatesBarFailing"
        bad = {one: self._verdict(one) for one in gauges.VERDICTS}
        for verdict in ("fail", "error"):
            labels = {"bar": _BAR, "verdict": verdict}
            yield RuleCase(alert=alert, name=verdict, series={bad[verdict]: "1"}, after=0, labels=labels)
        fine = {bad["pass"]: "1", bad["inconclusive"]: "1", bad["not_judged"]: "1", bad["fail"]: "0", bad["error"]: "0"}
        yield RuleCase(alert=alert, name="no rule fails", series=fine, after=0)
        gone = {bad["fail"]: f"1 {GONE}"}
        yield RuleCase(alert=alert, name="what is gone is another rule's", series=gone, after=1)
        yield RuleCase(alert=alert, name="no sample", series={bad["fail"]: "_ _"}, after=1)

    def growing(self) -> Iterator[RuleCase]:
        alert = "GatesEvidenceGrowing"
        ratio = selector(gauges.EVIDENCE.name, self.model, f'bar="{_BAR}"')
        two, after = f"0+0x{STEPS - 1} {self.window}+0x{STEPS}", STEPS + 2
        strong = {ratio: f"{_STRONG}+0x{after}", self.end: two}
        yield RuleCase(alert=alert, name="two windows", series=strong, after=after, labels={"bar": _BAR}, value=_STRONG)
        first = {ratio: f"{_WEAK}+0x{STEPS - 1} {_STRONG}+0x{STEPS}", self.end: two}
        yield RuleCase(alert=alert, name="one window", series=first, after=after)
        same = {ratio: f"{_STRONG}+0x{after}", self.end: f"0+0x{after}"}
        yield RuleCase(alert=alert, name="the same window for long", series=same, after=after)
        weak = {ratio: f"{_WEAK}+0x{after}", self.end: two}
        yield RuleCase(alert=alert, name="little evidence", series=weak, after=after)
        gone = {ratio: f"{_STRONG}+0x{after - 1} {GONE}", self.end: two}
        yield RuleCase(alert=alert, name="evidence that is gone", series=gone, after=after)

    def overdue(self) -> Iterator[RuleCase]:
        alert, after = "GatesWindowOverdue", overdue_after(self.monitor) // self.step + 1
        old = {self.end: f"0+0x{after}"}
        yield RuleCase(alert=alert, name="a window is missing", series=old, after=after, labels={})
        yield RuleCase(alert=alert, name="not yet", series=old, after=after - 1)
        yield RuleCase(alert=alert, name="no sample", series={self.end: f"_x{after}"}, after=after)

    def absent(self) -> Iterator[RuleCase]:
        alert, after = "GatesWindowAbsent", ceil(_ABSENT / self.step) + 2
        yield RuleCase(alert=alert, name="gone", series={self.end: f"0 {GONE}"}, after=after, labels={})
        yield RuleCase(alert=alert, name="never told", series={self.end: f"_x{after}"}, after=after, labels={})
        yield RuleCase(alert=alert, name="told", series={self.end: f"0+0x{after}"}, after=after)
        late = {self.end: f"_x{after} 0"}
        yield RuleCase(alert=alert, name="told for the first time", series=late, after=after)

    def served(self) -> Iterator[RuleCase]:
        alert, after = "GatesUnknownModelServed", ceil(_ROLLOUT / self.step) + 1
        serves = selector(SERVED, self.model, 'version="3"', 'digest="sha256:3"')
        named = {one: self._serving(one) for one in ("2", "3")}
        labels = {"version": "3", "digest": "sha256:3"}
        always = f"1+0x{after}"
        other = {serves: always, named["2"]: always}
        yield RuleCase(alert=alert, name="another version", series=other, after=after, labels=labels)
        later = 2 * after
        gone = {serves: f"1+0x{later}", named["3"]: f"1 {GONE}"}
        yield RuleCase(alert=alert, name="nobody confirms it", series=gone, after=later, labels=labels)
        yield RuleCase(alert=alert, name="the same", series={serves: always, named["3"]: always}, after=after)
        yield RuleCase(alert=alert, name="a rollout", series=other, after=0)
        yield RuleCase(alert=alert, name="nothing serves", series={named["3"]: always, serves: "_"}, after=after)

    def budget(self) -> Iterator[RuleCase]:
        alert, left = "GatesRetrainBudgetSpent", selector(gauges.BUDGET.name, self.model)
        yield RuleCase(alert=alert, name="spent", series={left: "0"}, after=0, labels={})
        yield RuleCase(alert=alert, name="one is left", series={left: "1"}, after=0)
        yield RuleCase(alert=alert, name="gone", series={left: f"0 {GONE}"}, after=1)

    def _verdict(self, verdict: str) -> str:
        return selector(gauges.VERDICT.name, self.model, f'bar="{_BAR}"', f'verdict="{verdict}"')

    def _serving(self, version: str) -> str:
        more = ('alias="champion"', f'version="{version}"', f'digest="sha256:{version}"')
        return selector(gauges.SERVING.name, self.model, *more)
