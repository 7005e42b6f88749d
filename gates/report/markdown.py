"""Render the comment, the job summary and ``report.md``: verdict first, whole sections folded if it is too long."""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gates.documents.decision import Code, Decision, GateVerdict, Verdict
from gates.report.escape import code, text
from gates.report.headline import (
    LONGEST_COMMAND,
    WARNING,
    acceptable_bars,
    acceptance,
    acceptances,
    accepted,
    first_line,
    others,
    reason_lines,
    reuse,
    rows_changed,
    sign,
    waiting,
    why,
)
from gates.report.markdown_tables import MOST_ROWS, bullets, data, moved, row_changes, rules
from gates.report.rule_list import RuleList
from gates.report.run_facts import Facts, Picture
from gates.wording import percent, plural

LIMIT = 62_000  # characters; GitHub takes 65,536, and a marker follows
SUMMARY_LIMIT = 250_000  # the job's summary takes 1 MiB, and a character is at most 4 bytes
OPEN_ROWS = 10  # of a table that nobody has folded
MOST_LINES = 10  # of the list of mistakes, and of each list about the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report, and what stands there when the whole grows too long."""

    name: str
    whole: str
    folded: str = ""


# What is folded where the report is too long, in this order.
FOLDS: Final = (
    "measured", "picture", "rows", "held", "moved", "more", "accepted", "changes", "broken", "open", "next",
)  # fmt: skip


def render(decision: Decision, facts: Facts, limit: int = LIMIT) -> str:
    """Return the whole report within ``limit`` characters (at least 30,000): sections are folded whole, never cut."""
    sections = list(_sections(decision, facts))
    for count in range(len(FOLDS) + 1):
        report = _joined(sections, FOLDS[:count], facts)
        if len(report) <= limit:
            return report
    return _joined([section for section in sections if section.name == "opening"][:2], FOLDS, facts)


def _joined(sections: list[Section], folds: tuple[str, ...], facts: Facts) -> str:
    parts = [section.folded if section.name in folds else section.whole for section in sections]
    if any(section.name in folds and section.whole for section in sections):
        where = f'<a href="{html.escape(facts.run_url)}">the run\'s summary</a>' if facts.run_url else "decision.json"
        parts.append(f"<sub>Some of this did not fit here; more of it is in {where}.</sub>")
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(decision: Decision, facts: Facts) -> Iterator[Section]:
    rule_list = RuleList.of(decision, accepted(facts))
    for part in _opening(decision, facts):
        yield Section(name="opening", whole=part)
    if facts.picture:
        yield Section(name="picture", whole=_picture(facts.picture))
    yield from _loud(decision, rule_list.loud)
    yield from _accepted(facts)
    if rule_list.passed:
        more = "more " if rule_list.loud or rule_list.accepted else ""
        summary = f"✅ {plural(len(rule_list.passed), f'{more}rule holds', f'{more}rules hold')}"
        yield Section(name="held", whole=_folded(summary, rules(decision, rule_list.passed)), folded=f"{summary}.")
    for line in waiting(decision):
        yield Section(name="waiting", whole=f"{sign(None)} {text(line)}.")
    if used := reuse(decision):
        yield Section(name="opening", whole=f"**Holdout:** {text(used)}.")
    summary, table = moved(decision.gates, shown=rule_list.loud)
    yield from (Section(name="opening", whole=summary), Section(name="moved", whole=table))
    if facts.rows and (told := rows_changed(facts)):
        yield Section(name="rows", whole=_folded(told, row_changes(facts.rows)), folded=f"{told}.")
    summary, listed = data(decision.gates)
    yield from (Section(name="opening", whole=summary), Section(name="broken", whole=listed))
    if facts.changes:
        changed = f"**Policy:** this pull request changes {code(facts.policy)} in {_places(len(facts.changes))}"
        listed = f"{changed}:\n\n{bullets(facts.changes, MOST_LINES)}"
        yield Section(name="changes", whole=listed, folded=f"{changed}.")
    yield Section(name="next", whole=_next(decision, facts))
    yield Section(name="reproduce", whole=f"**Reproduce:** {code(facts.reproduce)}")
    yield Section(name="measured", whole=_folded("How this was measured", "\n".join(_measured(decision, facts))))
    yield Section(name="footer", whole=_footer(decision, facts))


def _opening(decision: Decision, facts: Facts) -> Iterator[str]:
    shown, told = first_line(decision, facts)
    yield f"## {shown} gates: {text(told)} ({code(decision.model)})"
    if facts.weaker:
        yield f"{WARNING} **This pull request weakens {code(facts.policy)}** in {_places(len(facts.weaker))}:"
        yield bullets(facts.weaker, MOST_LINES)
        yield _own_approval(facts)
    reason = why(decision, facts)
    first, *more = reason_lines(decision, reason)
    if len(facts.problems) > 1:
        first, more = plural(len(facts.problems), "mistake", "mistakes"), list(map(str, facts.problems))
    yield f"**Why:** {text(first)}."
    if more:
        yield bullets(more, MOST_LINES)
    yield from (f"> {line}" for line in _notes(decision, facts))


def _picture(found: Picture) -> str:
    """Show a picture beside the tables, never in their place: it may be taken away."""
    light, dark = html.escape(found.light), html.escape(found.dark)
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img alt="{text(found.spoken)}" src="{light}"></picture>'


def _own_approval(facts: Facts) -> str:
    if facts.approver:
        return f"{code(facts.approver)} approved that, so this policy alone judged."
    told = "Both policies judged, and the worse verdict counts."
    if facts.pull_request is None:
        return told
    return f"{told} It needs its own approval: of this very commit, by somebody with write access who did not make it."


def _places(n: int) -> str:
    return plural(n, "place", "places")


def _notes(decision: Decision, facts: Facts) -> Iterator[str]:
    """Yield what a reader must know to read the first line rightly."""
    verdict = facts.verdict(decision)
    if facts.observing and verdict is Verdict.ERROR:
        yield f"The policy only observes until {facts.observing}, but what can't be judged is still an error."
    elif facts.observing:
        yield f"**The policy only observes until {facts.observing}**: it reports, and blocks nothing. Then it blocks."
    if facts.observed:
        yield f"The policy stopped observing after {facts.observed}: it blocks now. Remove its `mode`."
    if facts.fork:
        yield "A fork ran this, and could have made the numbers up. Somebody from this repository must run it again."
    if facts.strict and verdict is Verdict.INCONCLUSIVE and decision.code is not Code.UNCHANGED:
        yield "This blocks, because the policy says `on_inconclusive: fail`."


def _loud(decision: Decision, loud: Sequence[GateVerdict]) -> Iterator[Section]:
    if loud:
        shown = plural(len(loud), "rule", "rules")
        yield Section(name="open", whole=rules(decision, loud[:OPEN_ROWS]), folded=f"{shown} did not pass.")
    if len(loud) > OPEN_ROWS:
        more = f"{len(loud) - OPEN_ROWS} more did not pass"
        table = rules(decision, loud[OPEN_ROWS:], MOST_ROWS - OPEN_ROWS)
        yield Section(name="more", whole=_folded(more, table), folded=f"{more}.")


def _accepted(facts: Facts) -> Iterator[Section]:
    covered, lines = accepted(facts), acceptances(facts)
    if lines:
        folded = f"{plural(len(covered), 'rule was', 'rules were')} accepted."
        yield Section(name="accepted", whole=f"**Accepted:**\n\n{bullets(lines, MOST_LINES)}", folded=folded)


def _folded(summary: str, inner: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{inner}\n\n</details>"


def _next(decision: Decision, facts: Facts) -> str:
    steps = [step for step in (_mend(decision, facts), _acceptance(decision, facts)) if step]
    if len(steps) > 1:
        return "\n".join(["**What to do next:**\n", *(f"{number}. {step}" for number, step in enumerate(steps, 1))])
    return f"**What to do next:** {steps[0]}" if steps else ""


def _mend(decision: Decision, facts: Facts) -> str:
    again = "push: this comment updates itself" if facts.run_url else "run it again"
    steps = {
        Verdict.FAIL: f"If the loss is real, fix the model and {again}.",
        Verdict.ERROR: f"Fix what is named above and {again}.",
        Verdict.INCONCLUSIVE: "More holdout rows, or a larger change, would settle it.",
        Verdict.PASS: "",
    }
    if decision.code is Code.NOTHING_JUDGED:
        steps[Verdict.INCONCLUSIVE] = "Give a gate a rule that needs no champion: min or max."
    if decision.code is Code.UNCHANGED:
        steps[Verdict.INCONCLUSIVE] = ""
    if not any(gate.kind != "data" and gate.verdict for gate in decision.gates):
        steps[Verdict.FAIL] = f"Fix the data, or the contract if it asks too much, and {again}."
    return steps[facts.verdict(decision)]


def _acceptance(decision: Decision, facts: Facts) -> str:
    """Return the command by which somebody accepts the worst rule that may be accepted."""
    open_ = acceptable_bars(decision, facts)
    if facts.waive is None or facts.pull_request is None or facts.commit is None:
        who, accepts = "somebody", acceptance(decision, facts)
    else:
        who, accepts = "somebody other than the author", None
        if open_:
            accepts = _workflow(open_[0], facts), others(len(open_) - 1)
    if accepts is None:
        return ""
    command, more = accepts
    return f"If it is intended, {who} can accept it, with a reason: {code(command)}{f' ({more})' if more else ''}"


def _workflow(gate: GateVerdict, facts: Facts) -> str:
    inputs = {"pull-request": str(facts.pull_request), "commit": str(facts.commit), "gate": gate.label}
    given = " ".join(f"-f {name}={shlex.quote(value)}" for name, value in inputs.items())
    command = f"gh workflow run {facts.waive} {given} -f reason='…' -f until=YYYY-MM-DD"
    if len(command) > LONGEST_COMMAND or not command.isprintable():  # a cut or doctored command is none
        return f"gh workflow run {facts.waive}"
    return command


def _measured(decision: Decision, facts: Facts) -> Iterator[str]:
    if decision.confidence is not None:
        yield (
            f"- Each bound alone holds with {percent(decision.confidence)} confidence. A rule passes when the whole "
            "interval clears its limit, fails when all of it misses, and is inconclusive in between."
        )
    if decision.champion:
        yield "- Candidate and champion were scored on the same rows; differences are paired."
        yield f"- Champion: version {text(decision.champion.version or '?')}, {code(decision.champion.digest)}."
    if any(gate.slice for gate in decision.gates):
        yield (
            "- A slice is blamed only if that survives Holm's correction over all slices of its rule: the bound "
            "that could blame a slice is the corrected one, so it lies further out."
        )
    methods = sorted({gate.method for gate in decision.gates if gate.method})
    if methods:
        yield f"- Methods: {text(', '.join(methods))}."
    changed = ""
    if facts.pull_request is not None:
        changed = " Changed by this pull request." if facts.weaker or facts.changes else ""
    yield f"- Policy: {code(facts.policy)}" + (f", {code(decision.policy)}.{changed}" if decision.policy else ".")


def _footer(decision: Decision, facts: Facts) -> str:
    parts = [f"Commit {code(facts.commit[:7])}{facts.about_commit}"] if facts.commit else []
    if len(facts.history) > 1:
        told = " → ".join(f"{sign(past.verdict)} {code(past.commit[:7])}" for past in facts.history)
        parts.append(f"verdicts on this pull request: {told}")
    if facts.run_url:
        parts.append(f'<a href="{html.escape(facts.run_url)}">run</a>')
    if decision.evidence:
        parts.append(f"evidence {code(decision.evidence[:19])}")
    if decision.candidate:
        parts.append(f"model {code(decision.candidate.digest[:19])}")
    return f"<sub>{' · '.join([*parts, f'gates {facts.version}'])}</sub>"
