"""`gates power`: how many rows a rule needs follows from the bounds that it was judged by."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project, refused, table
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from gates.documents.decision import Code, Decision, Estimate, GateVerdict, Verdict
from gates.judge.power_plan import power_plan

RULES = [{"metric": "recall", "min": 0.4}, {"metric": "roc_auc", "min": 0.5}]


def verdict(**fields: Any) -> GateVerdict:
    bare = GateVerdict.without_metric(
        id="recall", kind="metric", rule="min", verdict=Verdict.PASS, code=Code.ABOVE_BAR, reason="", bar=0.6, n=1000
    )
    known = {"metric": "recall", "candidate": Estimate(value=0.7, low=0.67, high=0.73), "detectable": 0.05}
    return GateVerdict(**{name: getattr(bare, name) for name in GateVerdict.__slots__} | known | fields)


def decision(*gates: GateVerdict) -> Decision:
    return Decision(
        schema="gates/decision/v1", verdict=Verdict.PASS, code=Code.ABOVE_BAR, reason="", model="churn",
        confidence=0.95, candidate=None, champion=None, gates=gates, evidence=None, policy=None,
    )  # fmt: skip


def needed(effect: float | None, **fields: Any) -> int | None:
    (rule,) = power_plan(decision(verdict(**fields)), effect, None).rules
    return rule.needed


@given(st.integers(1, 10**6), st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.floats(0, 0.99))
def test_so_many_rows_reveal_it_and_fewer_do_not(n: int, detectable: float, effect: float, training: float) -> None:
    found = needed(effect, n=n, detectable=detectable, training=training)
    always = detectable * sqrt(training)

    def then(rows: int) -> float:
        return sqrt(always**2 + (detectable**2 - always**2) * n / rows)

    if found is None:
        assert then(100 * n) > effect * (1 - 1e-9)
        return
    assert then(found) <= effect * (1 + 1e-9)
    fewer = int(found * 0.85)  # two digits are told
    assert fewer < 1 or then(fewer) > effect


def test_it_is_the_textbooks_number() -> None:
    """One share against a limit, by a one-sided z test: (z(0.95) + z(0.80))² p(1 − p) / d²."""
    share, n = 0.7, 1000
    error = sqrt(share * (1 - share) / n)
    detectable = (norm.ppf(0.95) + norm.ppf(0.8)) * error
    textbook = (norm.ppf(0.95) + norm.ppf(0.8)) ** 2 * share * (1 - share) / 0.05**2
    assert needed(0.05, n=n, detectable=detectable) == pytest.approx(textbook, abs=1)


def test_by_default_a_comparison_is_to_reveal_its_limit_and_others_where_they_lie() -> None:
    judged = Estimate(value=0.01, low=-0.02, high=0.04)
    rules = power_plan(
        decision(
            verdict(),
            verdict(rule="max_worsening", bar=0.02, difference=judged),
            verdict(rule="max_worsening", bar=0.0, difference=judged, id="auc"),
        ), None, None,
    ).rules  # fmt: skip
    assert [rule.distance for rule in rules] == pytest.approx([0.1, 0.02, 0.01])


def test_what_has_no_bounds_is_named_and_slices_come_when_asked() -> None:
    given_ = decision(
        verdict(), verdict(id="f1", detectable=None), verdict(id="auc", candidate=None), verdict(slice={"sex": "f"})
    )
    plan = power_plan(given_, 0.01, 500.0)
    assert ([rule.rule for rule in plan.rules], plan.unbounded) == (["recall:min"], ("f1:min", "auc:min"))
    assert plan.rules[0].days == -(-(plan.rules[0].needed or 0) // 500)
    assert len(power_plan(given_, 0.01, None, slices=True).rules) == 2


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.ready(table(600), gates=RULES)
    return made


def test_the_command(project: Project) -> None:
    refused(project.gates("power"), "decision.json")
    project.gates("run")
    done = project.gates("power", "--effect", "0.02", "--per-day", "100", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [(one["rule"], one["rows"], one["distance"]) for one in told["rules"]] == [
        ("recall:min", 600, 0.02), ("roc_auc:min", 600, 0.02)
    ]  # fmt: skip
    assert all(one["days"] == -(-one["needed"] // 100) for one in told["rules"])
    text = project.gates("power", "--effect", "0.02", "--per-day", "100").out
    assert all(word in text for word in ("recall:min", "rows needed", "days", "80 %", "95 %"))
    assert "days" not in project.gates("power").out, "nobody knows how many rows a day has"
    for wrong in ("0", "-1", "nan", "inf", "much"):
        done = project.gates("power", "--effect", wrong)
        assert (done.code, "Traceback" in done.err) == (2, False), (wrong, done.out)
