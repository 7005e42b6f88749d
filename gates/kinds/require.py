"""An expression about the run's facts must be true: row counts, data sources, sensitive columns, the training's claims.

The language is [CEL](https://cel.dev). Facts are `train` and `holdout` (`source`, `rows`, `digest`), `data`
(`contract.passed`, `sensitive`: the columns marked so), `model` (`name`, `digest`), and what the training wrote into
`$GATES_OUT/facts.json`: `parameters` and `tags`. Of a training that ran as a [job](kubernetes.md) `train` has `image`,
`ran`, `kind`, `seconds` and the record's other facts, too. A fact that is missing is an error, not false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gates.documents.decision import Code, GateVerdict, Verdict
from gates.documents.evidence import Evidence
from gates.documents.printed.diff import Named, one
from gates.kinds import data
from gates.kinds.protocol import GateContext, GateMistake, Needs
from gates.schema.fields import Plain, declare, plain
from gates.schema.validation import nearest, shown

KEY = "require"

EXAMPLES = (
    "require: train.rows >= 500 && data.contract.passed\n",
    "require: parameters.max_depth <= 12\n",
    "require: \"!('zip' in data.sensitive) && holdout.source.startsWith('data/')\"\n",
)

FACTS: Final = ("train", "holdout", "data", "model", "parameters", "tags")
_MISSING = re.compile(r'Key not found in map : "(.*)"')
_PATH = re.compile(rf"\b(?:{'|'.join(FACTS)})(?:\.[A-Za-z_]\w*)+\b(?!\()")
_PLACE = re.compile(r"ERROR: <input>:\d+:\d+: (.*)")
_UNKNOWN = re.compile(r"undeclared reference to '(\w+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class RequireRule:
    """An expression that must be true."""

    require: str = declare("A CEL expression over the run's facts.", minLength=1, maxLength=2000)


RULE = RequireRule


def name(rule: RequireRule) -> str:
    """Name the gate: ``require(train.rows >= 500)``, each run of white space as one space."""
    return f"require({' '.join(rule.require.split())})"


def asks(rule: RequireRule) -> Iterator[Named]:
    """Yield the expression: of two of them it can't be determined which is stricter, so that one goes and another
    comes."""
    yield from one(name(rule))


def mistakes(rule: RequireRule, terms: GateContext) -> Iterator[GateMistake]:
    """Yield an expression that is none, is not about facts, or is neither true nor false."""
    try:
        type_name = _compiled(rule.require).return_type().name()
    except (RuntimeError, TypeError) as error:
        yield GateMistake(path=("require",), what=_complaint(error))
        return
    if type_name not in ("BOOL", "DYN"):
        yield GateMistake(path=("require",), what=f"gives {type_name.lower()}, but must be true or false")
    if "contract" in rule.require and terms.contract is None and re.search(r"\bdata\s*\.\s*contract\b", rule.require):
        yield GateMistake(path=("require",), what="the policy has no contract; name one under data.contract")


def needs(rule: RequireRule, terms: GateContext) -> Needs:  # noqa: ARG001 -- the shape all kinds share
    """Return nothing of the models: facts are always there."""
    return Needs()


def judge(rule: RequireRule, evidence: Evidence, terms: GateContext) -> Iterator[GateVerdict]:
    """Yield one verdict; without a candidate none, as half of the facts are still to come."""
    if evidence.candidate is None:
        yield _verdict(rule, None, Code.NOT_MEASURED, "the data stopped the run")
        return
    known = facts(evidence, terms)
    try:
        value = _compiled(rule.require).eval(data=known)
        type_name, outcome = value.type().name(), value.plain_value()
    except (RuntimeError, TypeError) as error:
        type_name, outcome = "ERROR", _complaint(error)
    if type_name == "BOOL" and outcome is True:
        yield _verdict(rule, Verdict.PASS, Code.MET, f"{name(rule)} holds{_seen(rule, known)}")
    elif type_name == "BOOL":
        yield _verdict(rule, Verdict.FAIL, Code.UNMET, f"{name(rule)} does not hold{_seen(rule, known)}")
    elif type_name == "ERROR":
        yield _verdict(rule, Verdict.ERROR, *_failed(rule, str(outcome)))
    else:
        yield _verdict(rule, Verdict.ERROR, Code.UNDEFINED, f"{name(rule)} is neither true nor false: {shown(outcome)}")


def facts(evidence: Evidence, terms: GateContext) -> dict[str, Plain]:
    """Return all that an expression may ask. Raises nothing: what isn't known isn't there."""
    tables = {
        table.name: {"source": terms.sources.get(table.name, ""), "rows": table.rows, "digest": table.digest}
        for table in evidence.tables
    }
    candidate = evidence.candidate
    return {
        "train": tables.get("train", {}) | _jobs(evidence),
        "holdout": tables.get("holdout", {}),
        "data": _data(evidence, terms),
        "model": {"name": evidence.model, "digest": candidate.digest if candidate else ""},
        **(plain(candidate.facts) if candidate and candidate.facts else {"parameters": {}, "tags": {}}),
    }


def _jobs(evidence: Evidence) -> dict[str, Plain]:
    """Return what is known of the jobs that trained: `jobs`, one a seed, and each fact in which all agree."""
    models = (evidence.candidate, *evidence.runs)
    jobs = [plain(one.training) for one in models if one and one.training]
    if not jobs or len(jobs) < len(models):
        return {}
    return {"jobs": jobs} | {key: value for key, value in jobs[0].items() if all(job[key] == value for job in jobs)}


def _data(evidence: Evidence, terms: GateContext) -> dict[str, Plain]:
    if terms.contract is None:
        return {"sensitive": []}
    held = data.judge(data.DataRule(data=terms.tables), evidence, terms)  # type: ignore[arg-type] # their names
    passed = all(verdict.verdict is Verdict.PASS for verdict in held)
    return {"contract": {"passed": passed}, "sensitive": sorted(terms.contract.hidden)}


def _compiled(expression: str) -> Any:
    from cel_expr_python import cel

    variables = dict.fromkeys(FACTS, cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    return cel.NewEnv(variables=variables).compile(expression)


def _complaint(error: Exception) -> str:
    """Return what the language says of an expression, in one line, with the nearest fact."""
    location = _PLACE.search(str(error))
    message = location[1] if location else (str(error).splitlines() or [""])[0]
    unknown = _UNKNOWN.search(message)
    if unknown:
        return f"unknown fact {unknown[1]} (but {', '.join(FACTS)}){nearest(unknown[1], FACTS)}"
    return message[:300]


def _failed(rule: RequireRule, complaint: str) -> tuple[Code, str]:
    missing = _MISSING.search(complaint)
    if missing:
        named = (path for path in _PATH.findall(rule.require) if path.endswith(f".{missing[1]}"))
        return Code.MISSING_FACT, f"{name(rule)}: missing fact {next(named, missing[1])}"
    return Code.UNDEFINED, f"{name(rule)} can't be determined: {complaint.partition(': ')[2] or complaint}"


def _seen(rule: RequireRule, known: Mapping[str, Plain]) -> str:
    """Return the facts that the expression names, with their values."""
    seen = []
    for path in dict.fromkeys(_PATH.findall(rule.require)):
        value: Plain = known
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str | int | float):
            seen.append(f"{path} is {shown(value)}")
    return f" ({', '.join(seen)})" if seen else ""


def _verdict(rule: RequireRule, verdict: Verdict | None, code: Code, reason: str) -> GateVerdict:
    return GateVerdict.without_metric(
        id=name(rule), kind=KEY, rule="require", verdict=verdict, code=code, reason=reason
    )
