"""What a policy may ask of a Prometheus, told when it is read: with file, line, column, and what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from gates.kinds.promql.promql_expression import selectors_of
from gates.policy.policy_diff import compare
from gates.policy.policy_file import read
from gates.schema.validation import PolicyError

HEAD = """version: 1
model: churn
data: {holdout: holdout.csv, label: left, contract: contract.yaml}
train: {run: python train.py}
gates:
"""
COUNTS = {"bad": "sum(increase(r{code=~'5..'}[1h]))", "total": "sum(increase(r[1h]))"}


def wrong(policy_of: Any, gate: dict[str, Any], **policy: Any) -> list[str]:
    with pytest.raises(PolicyError) as error:
        policy_of({"gates": [gate]} | policy)
    return [problem.text for problem in error.value.problems]


def test_a_mistake_of_syntax_has_its_place():
    text = f"""{HEAD}
  - promql: sum(rate(x[5m])
    max: 1
  - promql:
      bad: sum(increase(r[1h]))
      total: rate(r)
    max: 0.1
"""
    with pytest.raises(PolicyError) as error:
        read(text.encode(), "gates.yaml", lambda _: b"record: {}\n")
    assert [str(one) for one in error.value.problems] == [
        "gates.yaml:7:5: promql: is no PromQL that can be asked: unclosed left parenthesis",
        "gates.yaml:11:7: total: is no PromQL that can be asked: expected type matrix in call to function 'rate', "
        "got vector",
    ]


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"promql": "up"}, "has no limit; give it a min or a max"),
        ({"promql": "up", "min": 2, "max": 1}, "is above max, so nothing could pass"),
        ({"promql": "up", "min": 1, "over": "1h"}, "over and step go together"),
        ({"promql": "up", "min": 1, "step": "1h"}, "over and step go together"),
        ({"promql": "up", "min": 1, "over": "1h", "step": "7m"}, "must divide over into 2 to 1,000 steps"),
        ({"promql": "up", "min": 1, "over": "1h", "step": "1h"}, "must divide over into 2 to 1,000 steps"),
        ({"promql": "up", "min": 1, "over": "1d", "step": "1s"}, "must divide over into 2 to 1,000 steps"),
        ({"promql": "up", "min": 1, "over": "1x", "step": "1s"}, "wrong format"),
        ({"promql": "vector(0)", "max": 1}, "names no series, so its answer would always be the same"),
        ({"promql": "up @ 1700000000", "min": 1}, "has an @"),
        ({"promql": "max_over_time(up[1h] @ end())", "min": 1}, "has an @"),
        ({"promql": "up[5m]", "min": 1}, "gives no number but a range of samples"),
        ({"promql": "(up[1h:5m])", "min": 1}, "gives no number but a range of samples"),
        ({"promql": '{job="a"}', "min": 1}, "without the name of a metric"),
        ({"promql": '{__name__=~"a.*"}', "min": 1}, "without the name of a metric"),
        ({"promql": 'up{a="1" or b="2"}', "min": 1}, "an `or` between matchers"),
        ({"promql": "up" + "+up" * 300, "min": 1}, "more than 200 brackets and operators"),
        ({"promql": "(" * 2000 + "up" + ")" * 2000, "min": 1}, "more than 200 brackets and operators"),
        ({"promql": "", "min": 1}, "shorter than 1"),
        ({"promql": COUNTS, "max": 0}, "must lie between 0 and 1"),
        ({"promql": COUNTS, "max": 1}, "must lie between 0 and 1"),
        ({"promql": COUNTS}, "has no limit; give it a max"),
        ({"promql": COUNTS, "max": 0.1, "min": 0.01}, "of bad events there is a max"),
        ({"promql": COUNTS, "max": 0.1, "over": "1h", "step": "5m"}, "can't go with bad and total"),
        ({"promql": {"bad": "up"}, "max": 0.1}, "total is missing"),
        ({"promql": {"good": "up", **COUNTS}, "max": 0.1}, "unknown key"),
        ({"promql": 5, "max": 0.1}, "expected"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_means_nothing_is_refused(policy_of, gate, told):
    assert any(told in text for text in wrong(policy_of, gate)), wrong(policy_of, gate)


MONITOR = {"live": "served/*.parquet", "key": "id", "time": "at", "window": "1d"}


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"promql": "up", "min": 1, "over": "2d", "step": "1h"}, "is longer than a window"),
        ({"promql": {"bad": "increase(a[2d])", "total": "increase(b[2d])"}, "max": 0.1}, "before its window began"),
        ({"promql": {"bad": "increase(a[1d])", "total": "increase(b[1d] offset 1d)"}, "max": 0.1}, "before its window"),
        ({"promql": {"bad": "sum_over_time(increase(a[9h])[1d:1h])", "total": "sum(b)"}, "max": 0.1}, "before its"),
        ({"promql": "sum(", "min": 1}, "is no PromQL"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_windows_share_no_events(policy_of, gate, told):
    asked = {"metric": "roc_auc", "min": 0.5}
    assert any(told in text for text in wrong(policy_of, asked, monitor=MONITOR | {"gates": [gate]}))
    fits = {"promql": {"bad": "increase(a[1d])", "total": "increase(b[1d])"}, "max": 0.1}
    assert policy_of({"gates": [asked], "monitor": MONITOR | {"gates": [fits]}}).policy.monitor.questions


def test_the_same_question_twice_is_refused(policy_of):
    gates = [{"promql": "up", "min": 1}, {"promql": "  up ", "max": 2}]
    with pytest.raises(PolicyError, match="occurs twice"):
        policy_of({"gates": gates})
    apart = policy_of({"gates": [{"promql": "up", "min": 1}, {"promql": "up", "min": 1, "over": "1h", "step": "5m"}]})
    assert len(apart.needs.questions) == 2


def test_selectors_with_their_offsets_and_reach():
    found = selectors_of('sum_over_time(rate(a{x=~"\\\\d\\"", y!="z"}[5m] offset 1h)[30m:1m] offset 2h) / b / b')
    assert [(one.text, one.offset, one.reach) for one in found] == [
        ('a{x=~"\\\\d\\"", y!="z"}', 10800, 10800 + 2100),
        ("b", 0, 0),
    ]


def test_what_asks_for_less_is_weaker(policy_of):
    def effects(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        metric = {"metric": "roc_auc", "min": 0.5}
        diff = compare(policy_of({"gates": [metric, before]}), policy_of({"gates": [metric, after]}))
        return [str(change.kind) for change in diff.changes]

    assert effects({"promql": "up", "max": 1}, {"promql": "up", "max": 2}) == ["weaker"]
    assert effects({"promql": "up", "min": 1}, {"promql": "up", "min": 2}) == ["stricter"]
    assert sorted(effects({"promql": "up", "max": 1}, {"promql": "down", "max": 1})) == ["gone", "new"]


PROBE = """
import sys
from gates.policy.policy_file import read
read(open(sys.argv[1], "rb").read(), "gates.yaml", lambda _: b"record: {}")
print("promql_parser" in sys.modules)
"""


def test_only_a_policy_that_asks_for_it_loads_the_parser(tmp_path):
    for gate, loaded in (("{metric: roc_auc, min: 0.5}", "False"), ("{promql: up, min: 1}", "True")):
        (tmp_path / "gates.yaml").write_text(f"{HEAD}  - {gate}\n")
        command = [sys.executable, "-c", PROBE, str(tmp_path / "gates.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == loaded


def test_a_policy_without_it_is_measured_as_ever(policy_of):
    """Evidence of before stays good: no digest has changed."""
    asked = policy_of({"gates": [{"metric": "roc_auc", "min": 0.5}]})
    other = policy_of({"gates": [{"metric": "roc_auc", "min": 0.5}, {"promql": "up", "min": 1}]})
    assert asked.measured != other.measured
    assert "promql" not in json.dumps(asked.explained)
