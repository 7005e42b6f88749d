"""Write the model's card: Hugging Face's front matter, then Markdown, from decision, policy, evidence and record.

It is for people to read. What counts is the decision and the record, which it names by their digests.
"""

from __future__ import annotations

from collections.abc import Iterator

from gates.documents.decision import Decision, Verdict
from gates.documents.evidence import Evidence
from gates.documents.record import Record
from gates.documents.slices import OVERALL
from gates.policy import Card, ResolvedPolicy
from gates.report.card.hub_metadata import front_matter
from gates.report.escape import code, text
from gates.report.markdown_tables import fairness, rules
from gates.schema.canonical import digest
from gates.wording import percent, plural, rows

MOST = 400  # rules of the card's tables
_TASKS = {  # what the model's answer is
    "binary": "It gives each row a score for the positive class.",
    "multiclass": "It gives each row one of several classes.",
    "regression": "It predicts a number for each row.",
    "ranking": "It ranks the rows of each query.",
    "score": "Its answers have no label. They are judged by grades and other numbers, which are taken as they come.",
}


def render(resolved: ResolvedPolicy, evidence: Evidence, decision: Decision, record: Record | None = None) -> str:
    """Return the card. Without a record it says that the model was not promoted."""
    about = resolved.policy.card or Card()
    sections = [
        front_matter(about, resolved, evidence, decision, record),
        f"# {text(decision.model)}",
        _opening(decision),
        "## Intended use",
        text(about.intended_use) if about.intended_use else "The policy (`card.intended_use`) does not say.",
        "## Limits",
        *_limits(about, resolved, evidence, decision),
        "## Data",
        *_data(resolved, evidence),
        "## How good it is",
        *_measured(decision),
        "## Fairness",
        *(fairness(decision.gates) or ["No gate compares groups."]),
        "## Who approved it",
        *_approvals(record),
        "## Where this comes from",
        *_sources(decision, record),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(decision: Decision) -> str:
    digest_ = decision.candidate.digest if decision.candidate else "none"
    return f"Model {code(digest_)}. The verdict on it is **{decision.verdict}**: {text(decision.reason)}."


def _limits(about: Card, resolved: ResolvedPolicy, evidence: Evidence, decision: Decision) -> Iterator[str]:
    if about.limits:
        yield text(about.limits)
    held = sum(part.rows for part in evidence.along(OVERALL))
    lines = [f"- Measured on {rows(held)} of one holdout: nothing is known about other data."]
    lines += [f"- {_TASKS[resolved.policy.task]}"]
    if resolved.policy.task == "binary":
        lines += [f"- A score of at least {resolved.policy.predict.threshold:.10g} is called positive."]
    open_ = [gate for gate in decision.gates if gate.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR)]
    lines += [f"- {text(gate.reason)}." for gate in open_[:MOST]]
    yield "\n".join(lines)


def _data(resolved: ResolvedPolicy, evidence: Evidence) -> Iterator[str]:
    paths = {"train": resolved.policy.data.train, "holdout": resolved.policy.data.holdout}
    lines = ["| table | from | rows | digest |", "|:--|:--|--:|:--|"]
    for table in evidence.tables:
        source = code(paths.get(table.name) or "?")
        lines.append(f"| {text(table.name)} | {source} | {table.rows:,} | {code(table.digest)} |")
    yield "\n".join(lines)
    if resolved.contract and resolved.contract.hidden:
        yield f"Columns marked sensitive: {', '.join(code(name) for name in sorted(resolved.contract.hidden))}."


def _measured(decision: Decision) -> Iterator[str]:
    judged = [gate for gate in decision.gates if gate.kind == "metric" and gate.verdict is not None]
    if not judged:
        yield "No rule of the model was judged."
        return
    confidence = f" Each bound holds with {percent(decision.confidence)} confidence." if decision.confidence else ""
    yield f"{plural(len(judged), 'rule', 'rules')}, slice by slice.{confidence}"
    yield rules(decision, judged, MOST)


def _approvals(record: Record | None) -> Iterator[str]:
    if record is None:
        yield "It was not promoted."
        return
    if not record.approvals:
        yield "The policy asks for nobody's approval."
    for one in record.approvals:
        when = " to ".join(dict.fromkeys(time for time in (one.not_before, one.not_after) if time)) or "a time unknown"
        comment = f": {text(one.comment)}" if one.comment else ""
        yield f"- {text(one.role)}: {code(one.user.login)}, {text(one.state)} ({when}){comment}"
    for waived in record.waivers:
        yield f"- Accepted by {code(waived.who.login)} until {waived.until}: {code(waived.gate)}, {text(waived.reason)}"


def _sources(decision: Decision, record: Record | None) -> Iterator[str]:
    lines = [f"- decision {code(digest(decision))}"]
    lines += [f"- evidence {code(decision.evidence)}"] if decision.evidence else []
    lines += [f"- policy {code(decision.policy)}"] if decision.policy else []
    if decision.champion:
        lines.append(
            f"- compared with version {text(decision.champion.version or '?')}, {code(decision.champion.digest)}"
        )
    if record and record.source and record.source.commit:
        lines.append(f"- code {code(record.source.commit)}")
    if record and record.model:
        pickled = f", and holds pickles: {', '.join(map(code, record.model.pickled))}" if record.model.pickled else ""
        lines.append(f"- format {text(record.model.format)}{pickled}")
    yield "\n".join(lines)
