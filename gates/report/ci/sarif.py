"""Render the decision as SARIF 2.1.0 for collectors of code findings: one result per rule that did not pass."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from gates.documents.decision import Code, Decision, GateVerdict, Verdict
from gates.report.run_facts import Facts
from gates.schema.canonical import digest
from gates.schema.yaml_text import Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
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
    rules = {result["ruleId"]: {"id": result["ruleId"]} for result in results}
    driver = {"name": "gates", "rules": list(rules.values())} | ({"version": facts.version} if facts.version else {})
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": decision.verdict is not Verdict.ERROR}],
        "results": results,
        "properties": {"verdict": str(facts.verdict(decision)), "model": decision.model},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _result(gate: GateVerdict, position: Place, facts: Facts) -> dict[str, Any]:
    level = LEVELS[gate.verdict] if gate.verdict else "none"
    entry = {
        "ruleId": f"{gate.id}:{gate.rule}",
        "level": "note" if facts.observing and gate.verdict is not Verdict.ERROR else level,
        "message": {"text": gate.reason},
        "locations": [_location(facts.path, position)],
        "partialFingerprints": {"bar/v1": digest(gate.label)},
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
