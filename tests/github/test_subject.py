"""Every two subjects that differ have other names: of policies, branches, kinds of run, ours or a fork's."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gates.checkout.workspace import Workspace
from gates.documents.decision import Verdict
from gates.errors import GatesError
from gates.github.event import Event
from gates.github.reporting.comment import Marker, compose, parse
from gates.github.reporting.report_subject import ReportSubject, subject

LONGEST = 255  # what GitHub takes of a status context
FRAGMENTS = (
    "a",
    "A",
    " ",
    "into",
    "on main",
    ", push",
    ", not verified",
    "(",
    ")",
    "/",
    "モデル",
    "\n",
    "\u2028",
    "\udcff",
)
PATHS = st.one_of(
    st.text(min_size=1, max_size=20),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6).map("".join),
    st.integers(150, 400).map(lambda size: "m" * size + "/gates.yaml"),
)
BRANCHES = st.sampled_from(
    ["refs/heads/main", "refs/heads/Main", "refs/tags/main", "refs/heads/refs/tags/main", "refs/heads/main,"]
)
EVENTS = st.sampled_from(["pull_request", "pull_request_target", "push", "schedule", "workflow_dispatch"])
SUBJECTS = st.builds(ReportSubject, policy=PATHS, branch=BRANCHES, event=EVENTS, fork=st.booleans())


@given(SUBJECTS, SUBJECTS)
@example(
    ReportSubject(policy="a", event="push", branch="refs/heads/main", fork=False),
    ReportSubject(policy="A", event="push", branch="refs/heads/main", fork=False),
)
def test_what_differs_has_another_name(one: ReportSubject, other: ReportSubject) -> None:
    assume(one != other)
    assert one.context.casefold() != other.context.casefold()  # GitHub tells no capitals apart
    if (one.policy, one.fork, one.branch) != (other.policy, other.fork, other.branch):
        assert (one.key, one.base) != (other.key, other.base)


@given(SUBJECTS)
def test_a_name_fits_and_goes_into_a_marker_and_back(one: ReportSubject) -> None:
    for name in (one.context, one.key, one.base):
        assert name.isprintable()
        assert len(name.encode()) <= LONGEST
    marker = Marker(id="1", key=one.key, base=one.base, head="a" * 40, verdict=Verdict.FAIL)
    assert parse(compose("body", marker)) == marker


def test_names_are_read_by_people() -> None:
    one = ReportSubject(policy="models/churn/gates.yaml", event="pull_request", branch="refs/heads/main", fork=False)
    assert one.context == "gates/verdict (models/churn/gates.yaml into main)"
    assert replace(one, fork=True).context == "gates/verdict (models/churn/gates.yaml into main, not verified)"
    assert replace(one, event="push").context == "gates/verdict (models/churn/gates.yaml on main, push)"
    assert replace(one, policy="モデル/gates.yaml").context.startswith("gates/verdict (モデル/gates.yaml into main #")


def test_the_merge_queue_reports_the_status_that_pull_requests_report() -> None:
    """GitHub asks both for the same required status."""
    one = ReportSubject(policy="gates.yaml", event="pull_request", branch="refs/heads/main", fork=False)
    assert replace(one, event="merge_group").context == one.context


def test_names_that_agree_in_their_first_thousand_characters_differ() -> None:
    paths = [f"{'深' * 1000}/{name}/gates.yaml" for name in "abc"]
    made = [ReportSubject(policy=path, event="push", branch="refs/heads/main", fork=False) for path in paths]
    assert len({one.context for one in made}) == len({one.key for one in made}) == len(paths)


def test_a_run_that_speaks_for_a_fork_is_told_from_ours(event: Event) -> None:
    spoken = replace(event, name="workflow_run", is_fork=True)
    assert subject("gates.yaml", event).context == "gates/verdict (gates.yaml into main)"
    assert subject("gates.yaml", spoken).context == "gates/verdict (gates.yaml into main, not verified)"
    with pytest.raises(GatesError, match="branch"):
        subject("gates.yaml", replace(event, branch=None))


def test_policies_are_told_apart_where_the_checkout_is_given_by_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    for name in ("one", "two"):
        (real / name).mkdir(parents=True)
        (real / name / "gates.yaml").touch()
    link.symlink_to(real)
    for checkout, root in itertools.product((real, link), (real, link)):
        found = [Workspace(policy=root / name / "gates.yaml").within(str(checkout)) for name in ("one", "two")]
        assert found == ["one/gates.yaml", "two/gates.yaml"]


def test_a_policy_outside_the_checkout_is_told_by_its_whole_path(tmp_path: Path) -> None:
    names = {Workspace(policy=tmp_path / name / "gates.yaml").within(str(tmp_path / "checkout")) for name in ("a", "b")}
    assert len(names) == 2
