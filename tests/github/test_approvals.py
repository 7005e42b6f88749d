"""Approvals interpreted: every small world against an oracle, every reason, one field at a time."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.documents.record import Environment, User
from gates.errors import Exit
from gates.github.people.approvals import Answer, ApprovalRequest, GivenApproval, UnapprovedError, Why, approved

DIGEST = "sha256:" + "0123456789abcdef" * 4
ROLES = ("data-steward", "ml-lead", "compliance")
AUTHOR, STARTER, XENIA, YURI, BOT = 1, 2, 3, 4, 5
PEOPLE = (AUTHOR, STARTER, XENIA, YURI, BOT)
FREE = {XENIA, YURI}


def answer(role=ROLES[0], user=XENIA, state="approved", comment="fine", **other):
    kind = "Bot" if user == BOT else "User"
    return Answer(
        role=role, user=User(id=user, login=f"user{user}", type=kind), state=state, comment=comment,
        environment=Environment(id=7, name=role), **other,
    )  # fmt: skip


def told(*answers, **other):
    usual = {"attempt": 1, "starters": frozenset({STARTER}), "authors": frozenset({AUTHOR})}
    return GivenApproval(**usual | {"guarded": dict.fromkeys(ROLES, True), "answers": answers} | other)


def ask(*roles, **other):
    return ApprovalRequest(roles=roles or ROLES[:1], digest=DIGEST, **other)


def refused(asked, said):
    with pytest.raises(UnapprovedError) as caught:
        approved(asked, said)
    return caught.value


@pytest.mark.parametrize("distinct", [True, False])
def test_every_small_world_against_an_oracle(distinct):
    """Five people, three roles, everybody approving in any of them."""
    worlds = list(itertools.product([who for n in range(4) for who in itertools.combinations(PEOPLE, n)], repeat=3))
    passed = 0
    for world in worlds:
        said = told(*(answer(role, who) for role, people in zip(ROLES, world, strict=True) for who in people))
        choices = itertools.product(*(FREE & set(people) for people in world))
        expected = any(len(set(choice)) == len(ROLES) or not distinct for choice in choices)
        try:
            found = approved(ask(*ROLES, distinct=distinct), said)
        except UnapprovedError:
            assert not expected, world
            continue
        assert expected, world
        passed += 1
        assert [one.role for one in found] == list(ROLES)
        ids = [one.user.id for one in found]
        assert set(ids) <= FREE
        assert len(set(ids)) == len(ids) or not distinct
        assert all(one.user.id in people for one, people in zip(found, world, strict=True))
    assert (passed == 0) is distinct  # two people who may approve fill no three roles, but with one in two of them


def test_every_world_of_two_roles_and_every_state_against_an_oracle():
    states = ("approved", "rejected", "pending", None)
    for world in itertools.product(states, repeat=6):
        said = [
            answer(role, who, state)
            for (role, who), state in zip(itertools.product(ROLES[:2], (AUTHOR, XENIA, YURI)), world, strict=True)
            if state
        ]
        first, second = world[1:3], world[4:6]
        pairs = [(i, j) for i, a in enumerate(first) for j, b in enumerate(second) if a == b == "approved" and i != j]
        expected = bool(pairs) and "rejected" not in world
        try:
            approved(ask(*ROLES[:2]), told(*said))
            assert expected, world
        except UnapprovedError:
            assert not expected, world


def test_somebody_else_takes_the_role_that_only_they_can():
    """Xenia approved both, Yuri the first alone: the second is Xenia's."""
    said = told(answer(ROLES[0], XENIA), answer(ROLES[0], YURI), answer(ROLES[1], XENIA))
    found = approved(ask(*ROLES[:2]), said)
    assert [one.user.id for one in found] == [YURI, XENIA]


@pytest.mark.parametrize(
    ("why", "asked", "said"),
    [
        (Why.NO_APPROVAL, ask(), told()),
        (Why.NO_APPROVAL, ask(), told(answer(state="pending"))),
        (Why.NO_APPROVAL, ask(), told(answer(role="other"))),
        (Why.NO_ENVIRONMENT, ask(), told(answer(), guarded={})),
        (Why.NO_REVIEWERS, ask(), told(answer(), guarded={ROLES[0]: False})),
        (Why.REJECTED, ask(), told(answer(), answer(user=YURI, state="rejected"))),
        (Why.NOT_FIRST_ATTEMPT, ask(), told(answer(), attempt=2)),
        (Why.NOT_A_PERSON, ask(), told(answer(user=BOT))),
        (Why.NOT_A_PERSON, ask(), told(dataclasses.replace(answer(), user=User(id=None, login="x", type="User")))),
        (Why.NOT_A_PERSON, ask(), told(dataclasses.replace(answer(), user=User(id=9, login="x", type=None)))),
        (Why.NOT_A_PERSON, ask(), told(dataclasses.replace(answer(), user=User(id=9, login="x", type="Organization")))),
        (Why.MADE_THE_CHANGE, ask(), told(answer(user=AUTHOR))),
        (Why.STARTED_THE_RUN, ask(), told(answer(user=STARTER))),
        (Why.UNKNOWN_AUTHOR, ask(), told(answer(), authors=frozenset({AUTHOR, None}))),
        (Why.UNKNOWN_AUTHOR, ask(), told(answer(), starters=frozenset({None}))),
        (Why.NOT_IN_TEAM, ask(), told(answer(), members=frozenset())),
        (Why.NOT_IN_TEAM, ask(), told(answer(), members=frozenset({YURI}))),
        (Why.OTHER_COMMIT, ask(), told(answer(bound=False))),
        (Why.DIGEST_NOT_QUOTED, ask(quote=True), told(answer())),
        (Why.DIGEST_NOT_QUOTED, ask(quote=True), told(answer(comment="0123456789a"))),
        (Why.DIGEST_NOT_QUOTED, ask(quote=True), told(answer(comment="123456789abc"))),
        (Why.DIGEST_NOT_QUOTED, ApprovalRequest(roles=ROLES[:1], digest="sha256:", quote=True), told(answer())),
        (Why.NOT_DISTINCT, ask(*ROLES), told(*(answer(role) for role in ROLES))),
        (Why.NOT_DISTINCT, ask(*ROLES), told(*(answer(role, who) for role in ROLES for who in (XENIA, YURI)))),
    ],
)  # fmt: skip
def test_a_refusal_has_its_reason(why, asked, said):
    error = refused(asked, said)
    assert error.why is why
    assert str(why) in error.what  # and so in the ledger
    assert error.exit_code is Exit.STOP


def test_the_control_of_the_refusals_above():
    """What they are all one step away from is approved."""
    found = approved(ask(quote=True), told(answer(comment="I read 0123456789AB and agree"), members=frozenset({XENIA})))
    assert [(one.role, one.user.id, one.state, one.quoted_digest) for one in found] == [
        (ROLES[0], XENIA, "approved", True)
    ]  # fmt: skip


def test_no_roles_need_nobody():
    assert approved(ApprovalRequest(roles=(), digest=DIGEST), told(attempt=9, authors=frozenset({None}))) == ()


def test_a_comment_that_was_not_asked_to_quote_is_told_all_the_same():
    assert [one.quoted_digest for one in approved(ask(), told(answer(comment="0123456789ab")))] == [True]
    assert [one.quoted_digest for one in approved(ask(), told(answer()))] == [False]


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(PEOPLE)), max_size=8), st.booleans())
def test_more_answers_never_take_an_approval_away(answers, distinct):
    """Whoever approves besides changes nothing for those who have."""
    asked = ask(*ROLES[:2], distinct=distinct)
    given_ = [answer(role, who) for role, who in answers]
    try:
        approved(asked, told(*given_))
    except UnapprovedError:
        return
    approved(asked, told(*given_, answer(ROLES[0], AUTHOR), answer(ROLES[1], BOT), answer(ROLES[0], YURI)))
