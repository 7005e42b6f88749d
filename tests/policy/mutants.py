"""Twenty policies, and every way in which a pull request could make each of them ask for less."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Keys = dict[str, Any]
CONTRACT: Keys = {
    "record": {
        "type": "object",
        "required": ["age"],
        "properties": {
            "age": {"type": "integer", "minimum": 18, "maximum": 100},
            "plan": {"type": "string", "enum": ["a", "b"], "maxLength": 5},
        },
    },
    "table": [
        {"rows": {"min": 100}},
        {"unique": "id"},
        {"nulls": "age", "max": 0.02},
        {"values": "left", "equal": 1, "min": 0.1, "max": 0.9},
    ],
}
_ROC = {"metric": "roc_auc", "min": 0.9, "max_worsening": 0.01}
_RECALL = {"metric": "recall", "min": 0.8}
_FAIR = {"metric": "demographic_parity_difference", "by": "sex", "max": 0.05}
_SLICED = {"metric": "recall", "max_worsening": 0.02, "slices": {"min": 0.7, "max_worsening": 0.05}}
_APPROVED = {"approvals": ["ml-lead", "risk"], "quote_digest": True, "team": "acme/risk"}
_DATA = {"train": "train.csv", "holdout": "holdout.csv", "label": "left", "key": "id", "positive": 1}


def _policies() -> Iterator[tuple[Keys, Keys | None]]:
    gates = [
        [_ROC],
        [_RECALL],
        [_RECALL, _FAIR],
        [_ROC, {"metric": "precision", "min": 0.9, "max": 0.99}],
        [{"metric": "f1", "min_improvement": 0.02}, _RECALL],
        [{"metric": "accuracy", "min": 0.95}, {"metric": "false_positive_rate", "max": 0.05}],
        [{"metric": "demographic_parity_ratio", "by": ["sex", "region"], "min": 0.9}, _RECALL],
    ]
    yield from (({"gates": one}, None) for one in gates)
    sliced: list[Keys] = [
        {"slices": ["region"], "gates": [_SLICED]},
        {"slices": ["region", {"age": [30, 50]}], "gates": [_SLICED, _FAIR]},
        {"slices": ["region * sex"], "gates": [_SLICED], "confidence": 0.99},
    ]
    yield from ((one, None) for one in sliced)
    strict: list[Keys] = [
        {"gates": [_RECALL], "on_inconclusive": "fail", "promotion": _APPROVED},
        {"gates": [_ROC], "confidence": 0.999, "predict": {"threshold": 0.3}},
        {"gates": [_RECALL], "champion": "models:/churn@golden"},
        {"gates": [_ROC, _RECALL], "data": _DATA, "on_inconclusive": "fail", "confidence": 0.9},
    ]
    yield from ((one, None) for one in strict)
    held: list[Keys] = [
        {"gates": [_RECALL]},
        {"gates": [_RECALL], "data": _DATA},
        {"gates": [_ROC, {"data": "holdout"}], "data": _DATA},
        {"gates": [_ROC, {"data": ["train", "holdout"]}], "data": _DATA},
        {"slices": ["region"], "gates": [_SLICED, _FAIR], "data": _DATA, "on_inconclusive": "fail"},
        {"gates": [_RECALL, _FAIR], "confidence": 0.98, "promotion": _APPROVED},
    ]
    yield from ((one, CONTRACT) for one in held)


POLICIES = list(_policies())


def weaker(policy: Keys, contract: Keys | None) -> Iterator[tuple[str, Keys, Keys | None]]:
    """(what was done, the policy, its contract), one weakening each."""
    for told, keys in _policy_mutants(policy):
        yield told, keys, contract
    if contract is not None:
        for told, keys in _contract_mutants(contract):
            yield told, policy, keys


def _policy_mutants(policy: Keys) -> Iterator[tuple[str, Keys]]:
    for index, gate in enumerate(policy["gates"]):
        if "data" not in gate and sum("data" not in one for one in policy["gates"]) > 1:
            yield f"gate {index} gone", _used(_without(policy, "gates", index))
        if gate.get("data") == ["train", "holdout"]:
            yield "train is no longer held to the contract", _with(policy, "holdout", "gates", index, "data")
        yield from _limit_mutants(policy, gate, "gates", index)
        yield from _limit_mutants(policy, gate.get("slices", {}), "gates", index, "slices")
        if "by" in gate:
            yield "other groups", _with(policy, "plan", "gates", index, "by")
        if "metric" in gate and "by" not in gate and gate["metric"] != "accuracy":
            yield "another metric", _with(policy, "specificity", "gates", index, "metric")
    for index in range(len(policy.get("slices", ()))):
        if len(policy["slices"]) > 1:
            yield f"slices {index} gone", _without(policy, "slices", index)
        yield "other slices", _with(policy, "plan", "slices", index)
    yield from _top_mutants(policy)


def _used(policy: Keys) -> Keys:
    """Without slices that no gate is left to look at."""
    return (
        policy
        if any("slices" in gate for gate in policy["gates"]) or "slices" not in policy
        else _without(policy, "slices")
    )


def _limit_mutants(policy: Keys, gate: Keys, *path: Any) -> Iterator[tuple[str, Keys]]:
    moves = {"min": -0.2, "max": 0.2, "max_worsening": 0.1, "min_improvement": -0.02}
    limits = [limit for limit in moves if limit in gate]
    for limit in limits:
        yield f"{limit} of {path}", _with(policy, min(gate[limit] + moves[limit], 0.9999), *path, limit)
        yield f"{limit} of {path} by a hair", _with(policy, gate[limit] + moves[limit] * 1e-9, *path, limit)
        if len(limits) > 1:
            yield f"{limit} of {path} gone", _without(policy, *path, limit)


def _top_mutants(policy: Keys) -> Iterator[tuple[str, Keys]]:
    data = {"holdout": "holdout.csv", "label": "left"} | policy.get("data", {})
    for key, value in {"holdout": "easy.csv", "label": "stayed", "positive": 0, "key": "row"}.items():
        yield f"data.{key}", policy | {"data": data | {key: value}}
    if "train" in data:
        yield "data.train", policy | {"data": data | {"train": "other.csv"}}
    yield "confidence", policy | {"confidence": policy.get("confidence", 0.95) - 0.05}
    yield "min_rows", policy | {"min_rows": policy.get("min_rows", 0) + 1000}
    yield "threshold", policy | {"predict": {"threshold": 0.55}}
    yield "champion", policy | {"champion": "models:/churn@worst"}
    yield "model", policy | {"model": "churn-2"}
    yield "mode", policy | {"mode": "observe until 2099-01-01"}
    promotion = policy.get("promotion", {})
    looser = {"approvals": promotion.get("approvals", [])[1:], "quote_digest": False, "team": "acme/all"}
    changed = {key: value for key, value in looser.items() if key in promotion}
    changed |= {"distinct_people": False} | ({} if "champion" in policy else {"alias": "live"})
    if "by" not in policy["gates"][0]:
        changed |= {"waivable": [policy["gates"][0]["metric"]]}
    for key, value in changed.items():
        yield f"promotion.{key}", policy | {"promotion": promotion | {key: value}}
    if policy.get("on_inconclusive") == "fail":
        yield "on_inconclusive", _without(policy, "on_inconclusive")


def _contract_mutants(contract: Keys) -> Iterator[tuple[str, Keys]]:
    age, plan = ("record", "properties", "age"), ("record", "properties", "plan")
    changes: list[tuple[Any, tuple[Any, ...]]] = [
        (17, (*age, "minimum")), (101, (*age, "maximum")), ("number", (*age, "type")),
        (["integer", "null"], (*age, "type")), (["a", "b", "c"], (*plan, "enum")), (6, (*plan, "maxLength")),
        ("warn", (*age, "x-severity")), (0.01, (*age, "x-tolerance")), ({"min": 99}, ("table", 0, "rows")),
        (0.001, ("table", 1, "max")), ("warn", ("table", 1, "severity")), (0.03, ("table", 2, "max")),
        (0.05, ("table", 3, "min")), (0.95, ("table", 3, "max")),
    ]  # fmt: skip
    for value, path in changes:
        yield f"contract: {path} is {value}", _with(contract, value, *path)
    gone: list[tuple[Any, ...]] = [(*age, "minimum"), (*plan, "enum"), age, ("record", "required")]
    for path in [*gone, *(("table", index) for index in range(len(contract["table"])))]:
        yield f"contract: {path} gone", _without(contract, *path)


def _with(value: Keys, new: Any, *path: Any) -> Keys:
    made = copy.deepcopy(value)
    _at(made, path[:-1])[path[-1]] = new
    return made


def _without(value: Keys, *path: Any) -> Keys:
    made = copy.deepcopy(value)
    del _at(made, path[:-1])[path[-1]]
    return made


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
