"""Render the decision as SARIF 2.1.0 for collectors of code findings: one result per rule that did not pass."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from gates.documents.decision import Code, Decision, GateVerdict, Verdict
from gates.report.ci.rule_help import STOPPED, RuleHelp, about_rule
from gates.report.run_facts import Facts
from gates.schema.canonical import digest
from gates.schema.yaml_text import Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "primaryLocationLineHash"  # the one that GitHub reads: a line's rules and slices must not share it
LONGEST = 1024  # characters of a description that GitHub shows
LEVELS = {Verdict.FAIL: "error", Verdict.ERROR: "error", Verdict.INCONCLUSIVE: "warning"}


def render(decision: Decision, facts: Facts) -> str:
    """Return a whole log of one run. What somebody accepted is there, and suppressed with the reason."""
    judged = [
        (gate, facts.places[index] if index < len(facts.places) else (1, 1))
        for index, gate in enumerate(decision.gates)
        if gate.verdict in LEVELS
    ]
    results = [_result(gate, position, facts) for gate, position in judged]
    if decision.code is Code.COULD_NOT_JUDGE:
        results += _stopped(decision, facts)
    rules = {_rule_id(gate): _rule(gate) for gate, _ in judged}
    if decision.code is Code.COULD_NOT_JUDGE:
        rules |= {str(decision.code): _described(str(decision.code), str(decision.code), STOPPED)}
    driver = {"name": "gates", "rules": list(rules.values())} | ({"version": facts.version} if facts.version else {})
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"gates/{facts.path}/"},  # GitHub's category: a policy's own
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": decision.verdict is not Verdict.ERROR}],
        "results": results,
        "properties": {"verdict": str(facts.verdict(decision)), "model": decision.model},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _rule_id(gate: GateVerdict) -> str:
    return f"{gate.id}:{gate.rule}"


def _rule(gate: GateVerdict) -> dict[str, Any]:
    """Describe what a rule asks. It says no limit, which slices may have of their own."""
    about = about_rule(gate.kind, gate.rule)
    return _described(_rule_id(gate), f"{gate.id}: {about.asks}", about)


def _described(rule_id: str, short: str, about: RuleHelp) -> dict[str, Any]:
    """Return a rule with the texts that GitHub shows. It has no ``helpUri``, as the pages have no lasting address."""
    return {
        "id": rule_id,
        "shortDescription": {"text": short[:LONGEST]},
        "fullDescription": {"text": about.full},
        "help": {"text": about.help.replace("`", ""), "markdown": about.help},
    }


def _result(gate: GateVerdict, position: Place, facts: Facts) -> dict[str, Any]:
    level = LEVELS[gate.verdict] if gate.verdict else "none"
    entry = {
        "ruleId": _rule_id(gate),
        "level": "note" if facts.observing and gate.verdict is not Verdict.ERROR else level,
        "message": {"text": gate.reason},
        "locations": [_location(facts.path, position)],
        "partialFingerprints": {"rule/v1": digest(gate.label), FINGERPRINT: f"{digest(gate.label)[7:23]}:1"},
    }
    waivers = [one.waiver for one in facts.settled.waived if one.gate is gate] if facts.settled else []
    if waivers:
        justification = f"accepted by {waivers[0].who.login} until {waivers[0].until}: {waivers[0].reason}"
        entry["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return entry


def _stopped(decision: Decision, facts: Facts) -> list[dict[str, Any]]:
    """Return a result for each mistake in the policy or its contract; one for anything else that stopped the run."""
    problems = [(problem.text, file, (problem.line, problem.column)) for file, problem in facts.located()]
    return [
        {
            "ruleId": str(decision.code),
            "level": "error",
            "message": {"text": message},
            "locations": [_location(file, position)],
        }
        for message, file, position in problems or [(decision.reason, facts.path, (1, 1))]
    ]


def _location(file: str, position: Place) -> dict[str, Any]:
    region = {"startLine": position[0], "startColumn": position[1]}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(file)}, "region": region}}
