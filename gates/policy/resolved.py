"""A policy with its contract: the judge's input, and the digests of what decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import cast

from gates.contract.rules.contract_rule import Contract
from gates.errors import GatesError
from gates.kinds import metric
from gates.kinds.data import DataRule
from gates.kinds.protocol import GateContext, Needs
from gates.policy.promotion_section import Stage
from gates.policy.sections import Gate, Policy
from gates.schema.canonical import canonical, digest, digest_bytes
from gates.schema.fields import Plain, plain

_LATER = ("classes", "returns")  # keys that old evidence does not know


def _without_absent(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item not in (None, [])}
    return [_without_absent(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class ResolvedPolicy:
    """A policy with its contract: all that a judge needs to know. What is made of them is made once."""

    policy: Policy
    contract: Contract | None
    gates: tuple[Gate, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gates", (*self._implied(), *self.policy.gates))

    def _implied(self) -> Iterator[Gate]:
        """Yield the gate that a contract implies: all tables must meet it, unless a gate says which."""
        if self.contract and not any(gate.kind == "data" for gate in self.policy.gates):
            yield Gate(kind="data", rule=DataRule(data=self.policy.data.tables))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in their order, each with the one that it comes after; the last one is the champion's."""
        promotion = self.policy.promotion
        declared = promotion.stages or (Stage(alias=promotion.alias or self._alias, approvals=promotion.approvals),)
        before = (None, *(stage.alias for stage in declared))
        return tuple(replace(stage, after=stage.after or one) for stage, one in zip(declared, before[:-1], strict=True))

    def stage(self, alias: str) -> Stage:
        """Return a stage by its alias. Raises ``GatesError`` for one that the policy does not have."""
        stages = {stage.alias: stage for stage in self.stages}
        if alias not in stages:
            raise GatesError(f"no stage {alias}; the policy has {', '.join(stages)}", where="--stage")
        return stages[alias]

    @property
    def retrain_stage(self) -> str:
        """The alias that a retrained candidate becomes."""
        retrain = self.policy.retrain
        return (retrain.stage if retrain else None) or self.stages[0].alias

    @property
    def challenger_stage(self) -> str | None:
        """The alias of the model that an experiment compares with the champion; None where there is no such stage."""
        return self.stages[-1].after

    @property
    def _alias(self) -> str:
        return (self.policy.champion or "@champion").split("@")[1]

    @property
    def champion(self) -> tuple[str, str]:
        """Registered model name and alias of the champion."""
        name, alias = (self.policy.champion or f"models:/{self.policy.model}@{self.stages[-1].alias}")[8:].split("@")
        return name, alias

    def observing(self, today: str) -> bool:
        """Tell whether the policy only reports on that day, YYYY-MM-DD."""
        mode = self.policy.mode
        return mode is not None and today <= mode.until

    def terms(self) -> GateContext:
        """Return what all gates share."""
        policy = self.policy
        return GateContext(
            confidence=1 - (1 - policy.confidence) / (policy.data.reuse or 1),
            stated=policy.confidence,
            task=policy.task,
            reuse=policy.data.reuse,
            min_rows=policy.min_rows,
            anchored=policy.anchor is not None,
            dimensions=policy.dimensions,
            contract=self.contract,
            tables=policy.data.tables,
            sources={name: getattr(policy.data, name) for name in policy.data.tables},
        )

    @cached_property
    def needs(self) -> Needs:
        """All that must be counted."""
        terms = self.terms()
        asked = [gate.module.needs(gate.rule, terms) for gate in self.gates]
        if self.policy.monitor:  # what a model is promoted with is what its live rows are compared with
            asked += [metric.needs(rule, terms) for rule in self.policy.monitor.metrics if rule.looks_back]
        return reduce(Needs.__or__, asked, Needs())

    @property
    def explained(self) -> dict[str, Plain]:
        """The policy as if every default had been written; what has no value is left out."""
        written = plain(self.policy) | {"champion": "models:/{}@{}".format(*self.champion)}
        written["gates"] = [plain(gate) for gate in self.gates]
        staged = replace(self.policy.promotion, alias=None, approvals=(), stages=self.stages)
        written["promotion"] = plain(staged)
        if self.policy.task != "binary":  # others have no threshold, and may not name one
            del written["predict"]
        return cast(dict[str, Plain], _without_absent(written))

    @cached_property
    def document(self) -> bytes:
        """Policy and contract in one: all that a verdict is derived from, besides the evidence."""
        return canonical({"policy": self.explained, "contract": plain(self.contract)})

    @cached_property
    def digest(self) -> str:
        """Digest of the document; a default counts the same whether it is written or not."""
        return digest_bytes(self.document)

    @cached_property
    def measured(self) -> str:
        """Digest of what decides the measuring: evidence made under another one can't be judged by this policy."""
        policy, needs = self.policy, self.needs
        data = plain(policy.data)
        del data["reuse"], data["engine"]  # the one is charged when judging, the other finds the same
        data, predict = (
            {key: value for key, value in one.items() if key not in _LATER or value}
            for one in (data, plain(policy.predict))
        )
        return digest(
            {
                "model": policy.model,
                "task": policy.task,
                "data": data,
                "predict": predict,
                "champion": list(self.champion),
                "contract": plain(self.contract),
                "anchor": policy.anchor,
                "seeds": policy.train.seeds,
                "wanted": needs.written,
            }
            | ({"asked": needs.asked} if needs.questions else {})
        )
