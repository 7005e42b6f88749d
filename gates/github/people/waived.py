"""Prove a waiver: ask GitHub who approved the run that wrote it, as for a promotion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gates.documents.record import Approval, Record
from gates.github import event
from gates.github.people.approvals import UnapprovedError, Why
from gates.github.people.reviewers import Approvers, of_run
from gates.policy import Promotion, Stage

ALIAS = "waiver"  # what is approved, in the words of an error
WORKFLOW = "Run the workflow that calls model-waive.yml, or let the policy say `promotion: {open_waivers: true}`."
ELSEWHERE = "only a run on GitHub can show who approved it"


def proof(promotion: Promotion, environ: Mapping[str, str]) -> Callable[[Record], str | None]:
    """Make the question whether a waiver's record holds: it gives why not, or None where it does.

    Asking raises ``GatesError`` where GitHub does not answer.
    """
    roles = promotion.waiver_roles

    def proven(record: Record) -> str | None:
        if not roles:
            return None
        if environ.get("GITHUB_ACTIONS") != "true":
            return ELSEWHERE
        happened = event.read(environ)
        run = record.run
        if run.provider != "github" or run.repository != happened.repository or run.run_id is None:
            return "it was not given in a run of this repository on GitHub"
        try:
            _asked(promotion, happened, environ, run.run_id)(_stage(roles), record.decision or "")
        except UnapprovedError as error:
            return error.what
        return None

    return proven


def approvals(promotion: Promotion, environ: Mapping[str, str]) -> Callable[[str], tuple[Approval, ...]]:
    """Make the question who approved a waiver in this very run, of a decision's digest.

    Asking raises ``UnapprovedError`` where somebody did not, ``GatesError`` where GitHub does not answer.
    """
    roles = promotion.waiver_roles

    def approve(decision: str) -> tuple[Approval, ...]:
        if not roles:
            return ()
        if environ.get("GITHUB_ACTIONS") != "true":
            what = f"a waiver takes the approval of {', '.join(roles)}, and {ELSEWHERE}"
            raise UnapprovedError(Why.NO_APPROVAL, what, hint=WORKFLOW)
        happened = event.read(environ)
        return _asked(promotion, happened, environ, happened.run_id)(_stage(roles), decision)

    return approve


def _asked(promotion: Promotion, happened: event.Event, environ: Mapping[str, str], run_id: int) -> Approvers:
    unquoted = replace(promotion, quote_digest=False)  # a waiver is of a decision, whose digest nobody has seen
    return of_run(happened, environ, run_id, unquoted)


def _stage(roles: tuple[str, ...]) -> Stage:
    return Stage(alias=ALIAS, approvals=roles)
