"""The sentences that every report opens with: the verdict, why, and what may be accepted."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import Final

from gates.documents.decision import Code, Decision, GateVerdict, Verdict, worst
from gates.judge.waivers import Waived, acceptable
from gates.report.rule_list import by_badness
from gates.report.run_facts import Facts
from gates.wording import number, plural, signed

SIGNS: Final = {
    Verdict.PASS: "✅",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.FAIL: "❌",
    Verdict.ERROR: "💥",
    None: "➖",
}
LONGEST_COMMAND = 300
MOST_SMALL = 5  # slices with too few rows that are named
DUE = 0.8  # of a holdout's uses, from which a fresh one should be got ready
OPEN = " (whoever may write the ledger may accept: promotion.open_waivers)"
ACCEPTED, WARNING, WATCHING, HEARSAY = "🟡", "⚠️", "👁", "🔎"


def sign(verdict: Verdict | None) -> str:
    """Return a verdict's sign; always printed beside its word, never alone."""
    return SIGNS[verdict]


def word(verdict: Verdict | None) -> str:
    """Return a verdict's word."""
    return str(verdict) if verdict else "not judged"


def first_line(decision: Decision, facts: Facts | None = None) -> tuple[str, str]:
    """Return the sign and the words of the first line: the headline, and what must be known before it."""
    facts = facts or Facts()
    words, shown = headline(decision, facts), _sign(decision, facts)
    if facts.weaker:
        words += ", and the policy gets weaker"
        shown = WARNING if facts.verdict(decision) is Verdict.PASS else shown
    if facts.observing and facts.verdict(decision) is not Verdict.ERROR:
        shown, words = WATCHING, f"observing until {facts.observing}, nothing is blocked — {shown} {words}"
    if facts.fork:
        shown, words = HEARSAY, f"reported by a fork, not verified — {shown} {words}"
    return shown, words


def _sign(decision: Decision, facts: Facts) -> str:
    if decision.code is Code.UNCHANGED:
        return sign(None)
    verdict = facts.verdict(decision)
    return ACCEPTED if verdict is Verdict.PASS and accepted(facts) else sign(verdict)


def headline(decision: Decision, facts: Facts | None = None) -> str:
    """Answer whether this model may ship. Every absence has its own first line."""
    facts = facts or Facts()
    absent = {
        Code.COULD_NOT_JUDGE: "could not judge",
        Code.OTHER_REGISTRY: "could not judge — the champion is in another registry",
        Code.ALIAS_MOVED: "could not judge — registry and ledger disagree about the champion",
        Code.NOT_ADOPTED: "could not judge — the ledger does not know the champion",
        Code.STORED_BYTES: "could not judge — the champion's files were changed",
        Code.NOTHING_JUDGED: "cannot tell yet — nothing was judged",
        Code.UNCHANGED: "nothing to judge — the model's inputs are unchanged",
    }
    if decision.code in absent:
        return absent[decision.code]
    covered = accepted(facts)
    models = [gate for gate in decision.gates if gate.kind != "data" and gate.verdict is not None]
    if covered and facts.verdict(decision) is Verdict.PASS:
        return (
            f"mergeable with {plural(len(covered), 'accepted rule', 'accepted rules')} of {len(models)} — {_who(facts)}"
            f"{_too_small(decision)}"
        )
    line = _line(decision, facts.verdict(decision), models, covered) + _too_small(decision)
    if facts.verdict(decision) is Verdict.FAIL and (whose := _whose(decision, covered)):
        line += f"; {whose}"
    return f"{line}, {len(covered)} more accepted" if covered else line


def _whose(decision: Decision, covered: Collection[GateVerdict]) -> str | None:
    """Say whose doing a loss is, where the candidate was compared with the base commit's model, too."""

    def named(against: str | None, verdict: Verdict) -> set[tuple[str, str]]:
        rules = (gate for gate in decision.gates if gate.rule == "max_worsening" and gate not in covered)
        return {(gate.id, gate.where) for gate in rules if gate.against == against and gate.verdict is verdict}

    champion, base = named(None, Verdict.FAIL), named("base", Verdict.FAIL)
    if base and champion:
        return "this pull request does it"
    if base:
        rival = (
            f"as good as champion v{decision.champion.version}" if decision.champion else "within the policy's limits"
        )
        return f"it takes back what main has gained, and is still {rival}"
    if champion and champion <= named("base", Verdict.PASS):
        return "main fails it already: it is not this pull request's doing"
    return None


def _too_small(decision: Decision) -> str:
    """Tell how many rules nobody judged because their slices have too few rows."""
    count = sum(gate.verdict is None and gate.code is Code.TOO_FEW_ROWS for gate in decision.gates)
    return f", {count} not judged (too few rows)" if count else ""


def _line(decision: Decision, verdict: Verdict, models: list[GateVerdict], covered: Collection[GateVerdict]) -> str:
    worst = sum(gate.verdict is verdict and gate not in covered for gate in models)
    if not worst:
        uncounted = verdict is Verdict.ERROR
        return "could not judge — the data contract" if uncounted else "do not merge yet — the data breaks its contract"
    holding, of_all = plural(worst, "rule holds", "rules hold"), plural(len(models), "rule", "rules")
    if verdict is Verdict.PASS and any(gate.code is Code.UNCOMPARED for gate in decision.gates):
        return f"not compared — {holding}"
    if verdict is Verdict.PASS and decision.champion is None:
        return f"first run — {holding}, nothing to compare with yet"
    return {
        Verdict.PASS: f"ready to merge — {'all ' if worst > 1 else ''}{holding}",
        Verdict.INCONCLUSIVE: f"cannot tell yet — {worst} of {of_all} undecided",
        Verdict.FAIL: f"do not merge yet — {worst} of {of_all} failed",
        Verdict.ERROR: f"could not judge — {worst} of {of_all} could not be judged",
    }[verdict]


def reason_lines(decision: Decision, reason: str) -> list[str]:
    """Return the lines of a reason: several only where a step stopped, whose message may have more than one."""
    if decision.code is not Code.COULD_NOT_JUDGE:
        return [reason]
    return [line.strip() for line in reason.splitlines() if line.strip()] or [reason]


def why(decision: Decision, facts: Facts) -> str:
    """Return the reason in one plain sentence: that of the worst rule which nobody accepted."""
    covered = accepted(facts)
    if not covered:
        return decision.reason
    left = worst(gate for gate in decision.gates if gate not in covered)
    if left is None or left.verdict is Verdict.PASS:
        return f"what does not hold was accepted ({covered[0].reason})"
    return left.reason


def accepted(facts: Facts) -> tuple[GateVerdict, ...]:
    """Return the rules that somebody accepted."""
    return tuple(one.gate for one in facts.settled.waived) if facts.settled else ()


def _who(facts: Facts) -> str:
    waivers = [one.waiver for one in facts.settled.waived] if facts.settled else []
    names = sorted({waiver.who.login for waiver in waivers})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"by {shown}, until {min(waiver.until for waiver in waivers)}"


def waiting(decision: Decision) -> list[str]:
    """Return one line a reason for the rules that were not judged; of slices with too few rows, one line for all."""
    reasons: dict[str, int] = {}
    for gate in (one for one in decision.gates if one.verdict is None and one.code is not Code.TOO_FEW_ROWS):
        reasons[gate.reason] = reasons.get(gate.reason, 0) + 1
    lines = [f"{plural(count, 'rule', 'rules')} not judged: {reason}" for reason, count in reasons.items()]
    small = [gate for gate in decision.gates if gate.verdict is None and gate.code is Code.TOO_FEW_ROWS]
    if small:
        named = list(dict.fromkeys(gate.reason for gate in small))
        more = f"; and {len(named) - MOST_SMALL} more" if len(named) > MOST_SMALL else ""
        lines.append(
            f"{plural(len(small), 'rule', 'rules')} not judged, too few rows: {'; '.join(named[:MOST_SMALL])}{more}"
        )
    return lines


def acceptable_bars(decision: Decision, facts: Facts) -> list[GateVerdict]:
    """Return what somebody may accept and nobody has, worst first."""
    covered = accepted(facts)
    return [one for one in by_badness(decision.gates) if one not in covered and acceptable(one, facts.waivable)]


def acceptance(decision: Decision, facts: Facts) -> tuple[str, str] | None:
    """Return the command that accepts the worst rule which may be accepted, and how the others are; None where none
    may. A rule of which no command can be shown is left out."""
    told = [one for one in (command(gate, facts) for gate in acceptable_bars(decision, facts)) if one]
    return (told[0], others(len(told) - 1)) if told else None


def others(count: int) -> str:
    """Say how further rules are accepted; nothing where there are none."""
    return f"{count} more in the same way, by the names above" if count else ""


def command(gate: GateVerdict, facts: Facts) -> str | None:
    """Return the command that accepts a rule; None for one that would have to be cut, or holds what a terminal
    obeys."""
    policy = [] if facts.policy == "gates.yaml" else ["--policy", facts.policy]
    words = shlex.join(["gates", "waive", *policy, "--gate", gate.label])
    fits = words.isprintable() and len(words) <= LONGEST_COMMAND
    return f"{words} --reason WHY --until YYYY-MM-DD" if fits else None


def labelled(decision: Decision, facts: Facts) -> list[dict[str, str | None]]:
    """Return every rule by the name that commands take, and the command that accepts it where it may be accepted."""
    open_ = acceptable_bars(decision, facts)
    return [
        {
            "label": gate.label,
            "verdict": gate.verdict and str(gate.verdict),
            "code": str(gate.code),
            "accept": command(gate, facts) if gate in open_ else None,
        }
        for gate in decision.gates
    ]


def rows_changed(facts: Facts) -> str | None:
    """Tell how many rows got worse and better, where reports show them."""
    if facts.rows is None:
        return None
    return f"{plural(facts.rows.worse, 'row', 'rows')} got worse, {facts.rows.better:,} better"


def reuse(decision: Decision) -> str | None:
    """Tell how much of the holdout is used up, where the policy says how often it may decide."""
    if decision.reuse is None or decision.used is None:
        return None
    usage = f"this holdout has decided {decision.used:,} of {plural(decision.reuse, 'time', 'times')}"
    left = decision.reuse - decision.used
    if left <= 0:
        return f"{usage}: it is used up, and nothing passes on it any more; use fresh rows"
    soon = decision.used >= DUE * decision.reuse
    return f"{usage}; a fresh one is due {'soon, ' if soon else ''}after {left:,} more"


def acceptances(facts: Facts) -> list[str]:
    """Return one line a waiver: who accepted what, until when and why, with the values then and now; and those that
    don't hold any more."""
    if facts.settled is None:
        return []
    waived = [
        f"{ACCEPTED} {one.gate.label}: {one.gate.verdict}, accepted by {one.waiver.who.login} "
        f"until {one.waiver.until}{OPEN if facts.open_waivers else ''}: {one.waiver.reason}{_then_and_now(one)}"
        for one in facts.settled.waived
    ]
    return waived + [
        f"{WARNING} {one.gate.label}: the acceptance by {one.waiver.who.login} does not hold: {one.why}"
        for one in facts.settled.void
    ]


def _then_and_now(one: Waived) -> str:
    told = number if one.gate.rule in ("min", "max") else signed
    then, now = (
        None if value is None or bound is None else f"{told(value)}, at worst {told(bound)}"
        for value, bound in ((one.waiver.value, one.waiver.bound), (one.value, one.bound))
    )
    return f" (accepted: {then}; now: {now})" if then and now else ""
