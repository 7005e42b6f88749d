"""Make the policies by which live rows are counted: those of the model's own, with a window in the holdout's place."""

from __future__ import annotations

from dataclasses import replace

from gates.contract.rules.contract_rule import ContractRule
from gates.contract.rules.table_rules import COLUMNS
from gates.documents.slices import AUTO
from gates.kinds.live_gates import LiveMetricRule
from gates.kinds.protocol import Needs
from gates.policy.monitor_section import Monitor
from gates.policy.resolved import ResolvedPolicy
from gates.policy.sections import Gate, Policy
from gates.policy.watched_gates import needs_labels
from gates.schema.canonical import digest
from gates.schema.fields import plain

WINDOW = "window.parquet"  # the rows of one window, in the place of the holdout


def rules_of(policy: Policy, part: str) -> tuple[LiveMetricRule, ...]:
    """Return the metrics that are counted of all rows of a window, or of those with labels; an estimate is neither."""
    wanted = part == "labels"
    watched = policy.monitor.metrics if policy.monitor else ()
    return tuple(rule for rule in watched if not rule.estimate and needs_labels(rule, policy.task) is wanted)


def parts_of(policy: Policy) -> tuple[str, ...]:
    """Return the parts of a window that are judged: all rows, and those with a label where a metric needs one."""
    return ("rows", "labels") if rules_of(policy, "labels") else ("rows",)


def of_part(resolved: ResolvedPolicy, part: str) -> ResolvedPolicy | None:
    """Return the policy by which a part of a window is counted; None where no metric looks at it.

    Without labels nothing but columns is looked at, as `task: score` does.
    """
    policy = resolved.policy
    rules = rules_of(policy, part)
    if policy.monitor is None or not rules:
        return None
    data = replace(policy.data, holdout=WINDOW, train=None, reuse=None, engine="duckdb", key=policy.monitor.key)
    if part == "rows" and policy.task != "score":
        data = replace(data, label=None, positive=None, classes=(), query=None)
    derived = replace(
        policy,
        task="score" if part == "rows" else policy.task,
        data=data,
        train=replace(policy.train, seeds=1),
        anchor=None,
        slices=tuple(one for one in policy.slices if one != AUTO),
        monitor=None,
        retrain=None,
        experiment=None,
        report=None,
        gates=tuple(Gate(kind="metric", rule=rule) for rule in rules),
    )
    return ResolvedPolicy(policy=derived, contract=resolved.contract)  # which says what must be shown nowhere


def measured(resolved: ResolvedPolicy, monitor: Monitor) -> str:
    """Return the digest of all that decides how live rows are counted; limits and confidence don't."""
    parts = {part: of_part(resolved, part) for part in ("rows", "labels")}
    where = ("live", "labels", "key", "time", "model", "window", "delay", "label_delay")
    return digest(
        {
            "parts": {part: one.measured if one else None for part, one in parts.items()},
            "where": {name: getattr(monitor, name) for name in where},
            "drift": [[rule.drift, list(rule.columns)] for rule in monitor.drifts],
            "contract": plain(resolved.contract) if monitor.checks_data else None,
        }
        | ({"called": plain(resolved.policy.predict)} if monitor.estimates else {})
        | ({"asked": Needs(questions=monitor.questions).asked} if monitor.questions else {})
    )


def live_rules(resolved: ResolvedPolicy) -> tuple[ContractRule, ...]:
    """Return the contract's rules that live rows are held to: those of one table, which say nothing of the label.

    Which columns there are is not asked: logs have others beside the features, and no label.
    """
    label = resolved.policy.data.label
    rules = resolved.contract.rules if resolved.contract else ()
    return tuple(rule for rule in rules if "holdout" in rule.tables and rule.beside is None and not _left(rule, label))


def _left(rule: ContractRule, label: str | None) -> bool:
    return rule.id == COLUMNS or (label is not None and (label in rule.columns or rule.id.startswith(f"{label}.")))
