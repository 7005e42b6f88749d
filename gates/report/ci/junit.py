"""Render the decision as JUnit XML for collectors of test results: one case per rule."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gates.documents.decision import Code, Decision, GateVerdict, Verdict
from gates.report.escape import xml
from gates.report.headline import acceptances, accepted, word
from gates.report.run_facts import Facts

# Rules are judged together, and nobody measures how long that takes. There is no timestamp: a report is the same bytes
# whenever it is made.
UNTIMED = "0"


def render(decision: Decision, facts: Facts) -> str:
    """Return a whole document. What blocks is a failure or an error; undecided, accepted and unjudged rules are
    skipped."""
    suites = Element("testsuites", time=UNTIMED)
    suite = SubElement(suites, "testsuite", name=xml(f"gates {decision.model}"), time=UNTIMED)
    properties = SubElement(suite, "properties")
    for name, value in _properties(decision, facts).items():
        SubElement(properties, "property", name=name, value=xml(value))
    if decision.code in (Code.COULD_NOT_JUDGE, Code.UNCHANGED):
        case = SubElement(suite, "testcase", classname=xml(decision.model), name="judge")
        kind = "error" if decision.verdict is Verdict.ERROR else "skipped"
        SubElement(case, kind, message=xml(decision.reason))
    covered = accepted(facts)
    for index, gate in enumerate(decision.gates):
        case = SubElement(suite, "testcase", classname=xml(f"{decision.model}.{gate.kind}"), name=xml(gate.label))
        if index < len(facts.places):
            case.set("file", xml(facts.path))
            case.set("line", str(facts.places[index][0]))
        outcome = _outcome(gate, facts, covered=gate in covered)
        if outcome:
            SubElement(case, outcome, message=xml(gate.reason), type=xml(f"{word(gate.verdict)} {gate.code}"))
    notes = acceptances(facts)
    if notes:
        SubElement(suite, "system-out").text = xml("\n".join(notes))
    for case in suite.iter("testcase"):
        case.set("time", UNTIMED)
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _properties(decision: Decision, facts: Facts) -> dict[str, str]:
    known = {
        "verdict": str(facts.verdict(decision)),
        "reason": decision.reason,
        "evidence": decision.evidence,
        "policy": decision.policy,
        "commit": facts.commit,
        "observing until": facts.observing,
        "gates": facts.version,
    }
    return {name: value for name, value in known.items() if value}


def _outcome(gate: GateVerdict, facts: Facts, *, covered: bool) -> str | None:
    if gate.verdict is Verdict.PASS:
        return None
    if gate.verdict is Verdict.ERROR:
        return "error"
    blocks = gate.verdict is Verdict.FAIL or (gate.verdict is Verdict.INCONCLUSIVE and facts.strict)
    return "failure" if blocks and not covered and not facts.observing else "skipped"
