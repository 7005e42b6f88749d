"""Compare the approvals that GitHub reports with what the policy requires. Pure; ``reviewers`` asks the API.

That a job ran proves nothing: an environment without rules lets everybody pass, and one that does not exist is made on
the spot. So every role needs an answer that can be read back, from a person of its own who neither made the change nor
started the run. Whatever is missing or can't be determined is a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gates.documents.record import Approval, Environment, User
from gates.errors import Exit, GatesError

NAMED = 3  # people named in a message
QUOTED = 12  # digits of the model's digest that a comment must quote


class Why(StrEnum):
    """Why a promotion is not approved. Codes are stable and never reused."""

    NOT_FIRST_ATTEMPT = "not_first_attempt"
    NO_ENVIRONMENT = "no_environment"
    NO_REVIEWERS = "no_reviewers"
    NO_APPROVAL = "no_approval"
    REJECTED = "rejected"
    NOT_A_PERSON = "not_a_person"
    STARTED_THE_RUN = "started_the_run"
    MADE_THE_CHANGE = "made_the_change"
    UNKNOWN_AUTHOR = "unknown_author"
    NOT_IN_TEAM = "not_in_team"
    DIGEST_NOT_QUOTED = "digest_not_quoted"
    OTHER_COMMIT = "other_commit"
    NOT_DISTINCT = "not_distinct"
    INCOMPLETE = "incomplete"


class UnapprovedError(GatesError):
    """A promotion is missing approvals; ``why`` is the stable reason."""

    def __init__(self, why: Why, what: str, *, hint: str | None = None, exit_code: Exit = Exit.STOP) -> None:
        super().__init__(f"{what} ({why})", where="approvals", hint=hint, exit_code=exit_code)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What the policy asks for: roles, each by a person of its own (``distinct``), out of a team, quoting the model's
    digest (``sha256:...``) where ``quote``."""

    roles: tuple[str, ...]
    digest: str
    distinct: bool = True
    quote: bool = False

    @property
    def quoted(self) -> str:
        """The digits that a comment quotes."""
        return self.digest.removeprefix("sha256:")[:QUOTED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of one reviewer for one role. ``bound``: whether it is about the commit that was trained on."""

    role: str
    user: User
    state: str  # approved, rejected, or whatever else GitHub says
    comment: str
    environment: Environment | None = None
    bound: bool = True
    not_before: str | None = None
    not_after: str | None = None
    time_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenApproval:
    """What the API says about a run. ``guarded``: of each role's environment, whether its rules required a reviewer; a
    role that is not in it has no environment. ``members``: who is in the team that is asked for, None for no team."""

    attempt: int
    starters: frozenset[int | None]  # None: somebody whom GitHub does not know
    authors: frozenset[int | None]
    guarded: Mapping[str, bool]
    answers: Sequence[Answer]
    members: frozenset[int] | None = field(default=None)
    unknown: Sequence[str] = ()  # authors whom GitHub does not know, as their commits name them


def approved(asked: ApprovalRequest, given: GivenApproval) -> tuple[Approval, ...]:
    """Return one approval a role, in the policy's order. Raises ``UnapprovedError`` for whatever is not proven."""
    if not asked.roles:
        return ()
    if given.attempt != 1:
        raise UnapprovedError(
            Why.NOT_FIRST_ATTEMPT,
            f"this is attempt {given.attempt} of the run, and approvals do not say which attempt they are for",
            hint="Start a new run; approvals of an earlier attempt don't count.",
        )
    if given.unknown or None in given.authors or None in given.starters:
        who = f" ({', '.join(given.unknown[:NAMED])})" if given.unknown else ""
        raise UnapprovedError(
            Why.UNKNOWN_AUTHOR,
            f"GitHub does not know who made the change or started the run{who}, so it can't tell who may approve",
            hint="Add the address to its owner's GitHub account and commit with it once, or map it to one that GitHub "
            "knows in .mailmap (docs/approvals.md).",
        )
    fit = [list(_fit(role, asked, given)) for role in asked.roles]
    chosen = _distinct(fit) if asked.distinct else [answers[0] for answers in fit]
    if chosen is None:
        raise UnapprovedError(
            Why.NOT_DISTINCT,
            f"{', '.join(asked.roles)} must be different people, and not enough people approved",
            hint="Have somebody else approve in one of the roles, in a new run.",
        )
    return tuple(_approval(answer, asked) for answer in chosen)


def _fit(role: str, asked: ApprovalRequest, given: GivenApproval) -> Iterator[Answer]:
    """Yield the answers that count for a role. Raises where there are none."""
    if role not in given.guarded:
        raise UnapprovedError(Why.NO_ENVIRONMENT, f"there is no environment {role}", hint=_settings(role))
    if not given.guarded[role]:
        what = f"the environment {role} requires no reviewer, so nobody was asked"
        raise UnapprovedError(Why.NO_REVIEWERS, what, hint=_settings(role))
    answers = [answer for answer in given.answers if answer.role == role]
    rejected = next((answer for answer in answers if answer.state == "rejected"), None)
    if rejected:
        raise UnapprovedError(Why.REJECTED, f"{rejected.user.login} rejected it as {role}")
    approvals = [answer for answer in answers if answer.state == "approved"]
    if not approvals:
        raise UnapprovedError(
            Why.NO_APPROVAL,
            f"nobody approved as {role}",
            hint="A job must wait for the environment, and a reviewer approve it; a bypass is not an approval.",
        )
    faults = [(answer, _fault(answer, asked, given)) for answer in approvals]
    fit = [answer for answer, fault in faults if fault is None]
    if not fit:
        answer, fault = faults[0]
        assert fault is not None  # noqa: S101 -- else it would fit
        raise UnapprovedError(fault, f"{answer.user.login}, who approved as {role}, {_FAULTS[fault]}")
    yield from fit


_FAULTS: Mapping[Why, str] = {
    Why.NOT_A_PERSON: "is not a person",
    Why.STARTED_THE_RUN: "started the run",
    Why.MADE_THE_CHANGE: "made the change",
    Why.NOT_IN_TEAM: "is not in the team that the policy names",
    Why.OTHER_COMMIT: "reviewed another commit",
    Why.DIGEST_NOT_QUOTED: f"did not quote the first {QUOTED} digits of the model's digest in the comment",
}


def _fault(answer: Answer, asked: ApprovalRequest, given: GivenApproval) -> Why | None:
    """Tell why an approval does not count; None where it does."""
    user = answer.user
    faults = {
        Why.NOT_A_PERSON: user.type != "User" or user.id is None,
        Why.STARTED_THE_RUN: user.id in given.starters,
        Why.MADE_THE_CHANGE: user.id in given.authors,
        Why.NOT_IN_TEAM: given.members is not None and user.id not in given.members,
        Why.OTHER_COMMIT: not answer.bound,
        Why.DIGEST_NOT_QUOTED: asked.quote and not _quotes(answer, asked),
    }
    return next((why for why, wrong in faults.items() if wrong), None)


def _quotes(answer: Answer, asked: ApprovalRequest) -> bool:
    return len(asked.quoted) == QUOTED and asked.quoted in answer.comment.lower()


def _distinct(fit: Sequence[Sequence[Answer]], taken: frozenset[int | None] = frozenset()) -> list[Answer] | None:
    """Return an answer for every role, each by somebody else; None where there is no such choice."""
    if not fit:
        return []
    for answer in fit[0]:
        if answer.user.id not in taken:
            rest = _distinct(fit[1:], taken | {answer.user.id})
            if rest is not None:
                return [answer, *rest]
    return None


def _approval(answer: Answer, asked: ApprovalRequest) -> Approval:
    return Approval(
        role=answer.role,
        environment=answer.environment,
        user=answer.user,
        state=answer.state,
        comment=answer.comment,
        meaning="approval",
        not_before=answer.not_before,
        not_after=answer.not_after,
        time_source=answer.time_source,
        quoted_digest=_quotes(answer, asked),
    )


def _settings(role: str) -> str:
    return (
        f"In the repository's settings give the environment {role} required reviewers. Private repositories below "
        "Enterprise have none: there a team of the role's name reviews the pull request instead (docs/approvals.md)."
    )
