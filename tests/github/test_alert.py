"""The one issue of a model, on a GitHub that answers only what its description of the API allows."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from fake_github import BOT, FakeGitHub, Patience, Trouble
from fake_issues import NOW, FakeIssues
from windows import ERROR, FAIL, INCONCLUSIVE, PASS, Verdicts, record, recorded, window

from gates.errors import Exit, GatesError
from gates.github.reporting.alert_issue import LABEL, AlertOutcome, WantedIssue, sync
from gates.github.rest_api import Client, NotPermittedError
from gates.monitoring.alert_state import AlertAction, WatchRecord, alert_state
from gates.report import alert_text

OPEN, REOPEN, REWRITE, CLOSE, NOTHING = AlertAction
GOOD, ALARM, UNSURE, BROKEN = ({"recall:min": verdict} for verdict in (PASS, FAIL, INCONCLUSIVE, ERROR))
Tell = Callable[..., AlertOutcome]


@pytest.fixture
def github() -> Iterator[FakeIssues]:
    fake = FakeIssues("acme/churn")
    yield fake
    fake.stop()


def wanted(records: Sequence[WatchRecord], model: str = "telco-churn", parts: Sequence[str] = ("rows",)) -> WantedIssue:
    state = alert_state(records, parts)
    assert state is not None
    return WantedIssue(
        model=model, state=state, title=alert_text.title(model, state),
        body=alert_text.body(model, state, "gates.yaml"),
        remark=lambda told: alert_text.comment(*state.changes(told), state.record.sequence),
    )  # fmt: skip


@pytest.fixture
def tell(github: FakeIssues, client: Client) -> Tell:
    def tell(*days: Verdicts | None, model: str = "telco-churn", at: str = NOW, **more: Any) -> AlertOutcome:
        github.now = at
        return sync(client, "acme/churn", wanted(recorded(*days), model), datetime.fromisoformat(at), **more)

    return tell


def comments(github: FakeGitHub, number: int = 1) -> list[str]:
    return [one["body"] for one in github.comments if one["issue_url"].endswith(f"/{number}")]


# -- its life --


def test_it_is_opened_rewritten_closed_and_opened_again(github: FakeIssues, tell: Tell) -> None:
    days: list[Verdicts] = [GOOD | {"f1:min": PASS}]
    told = []
    for verdicts in (ALARM, UNSURE | {"f1:min": FAIL}, GOOD | {"f1:min": FAIL}, GOOD, GOOD, UNSURE, ALARM):
        days.append({"recall:min": PASS, "f1:min": PASS} | verdicts)
        told.append((str(tell(*days).action), len(comments(github))))
    assert told == [
        ("open", 0), ("rewrite", 1), ("rewrite", 2), ("rewrite", 3), ("close", 3), ("nothing", 3), ("reopen", 4),
    ]  # fmt: skip
    (issue,) = github.issues
    assert (issue["number"], issue["state"], issue["title"]) == (1, "open", "telco-churn: 1 alarm")
    assert [label["name"] for label in issue["labels"]] == [LABEL]
    assert issue["body"].endswith("<!-- gates-monitor:v1 id=1 model=telco-churn record=8 -->")
    assert "f1:min" in comments(github)[0]
    assert "**1 rule fails now:**" in comments(github)[0]
    assert "recall:min" in comments(github)[1]
    assert "**1 rule fails no longer:**" in comments(github)[1]
    assert "since 2026-11-08" in comments(github)[3]


def test_the_same_record_is_told_once(github: FakeIssues, tell: Tell) -> None:
    tell(GOOD, ALARM)
    tell(GOOD, ALARM, BROKEN | {"f1:min": FAIL})
    before = [dict(issue) for issue in github.issues], comments(github)
    github.asked.clear()
    assert tell(GOOD, ALARM, BROKEN | {"f1:min": FAIL}).action is REWRITE
    assert github.verbs() == ["issues/list-for-repo"]
    assert (github.issues, comments(github)) == before
    assert len(before[1]) == 1


def test_one_pass_does_not_close_it_and_two_do(github: FakeIssues, tell: Tell) -> None:
    tell(ALARM)
    tell(ALARM, GOOD)
    assert github.opened() == [1]
    assert github.issues[0]["title"] == "telco-churn: no alarm now, but not settled yet"
    assert tell(ALARM, GOOD, GOOD).action is CLOSE
    assert (github.opened(), github.issues[0]["state_reason"]) == ([], "completed")


@pytest.mark.parametrize("days", [(UNSURE,), (GOOD, GOOD), (ALARM, GOOD, GOOD), (GOOD,)])
def test_nothing_is_opened_where_nothing_fails(github: FakeIssues, tell: Tell, days: tuple[Verdicts, ...]) -> None:
    assert tell(*days) == AlertOutcome(action=NOTHING, number=None)
    assert github.verbs() == ["issues/list-for-repo"]


@pytest.mark.parametrize(
    ("closed", "issues"), [("2026-11-01T00:00:00Z", 1), ("2026-10-31T13:00:00Z", 1), ("2026-10-31T11:00:00Z", 2)]
)
def test_a_younger_one_is_opened_again_an_older_one_is_not(
    github: FakeIssues, tell: Tell, closed: str, issues: int
) -> None:
    tell(ALARM)
    tell(ALARM, GOOD, GOOD, at=closed)
    tell(ALARM, GOOD, GOOD, BROKEN)
    assert (len(github.issues), github.opened()) == (issues, [issues])


def test_of_several_closed_ones_the_last_is_opened_again(tell: Tell) -> None:
    tell(ALARM, at="2026-09-01T00:00:00Z")
    tell(ALARM, GOOD, GOOD, at="2026-09-03T00:00:00Z")
    tell(ALARM, GOOD, GOOD, ALARM, at="2026-11-05T00:00:00Z")
    tell(ALARM, GOOD, GOOD, ALARM, GOOD, GOOD, at="2026-11-07T00:00:00Z")
    assert tell(ALARM, GOOD, GOOD, ALARM, GOOD, GOOD, BROKEN) == AlertOutcome(action=REOPEN, number=2)


def test_a_run_that_is_late_does_not_write_over_a_newer_one(github: FakeIssues, tell: Tell) -> None:
    tell(ALARM, BROKEN)
    body = github.issues[0]["body"]
    assert tell(ALARM).action is NOTHING
    assert github.issues[0]["body"] == body


def test_a_rehearsal_changes_nothing(github: FakeIssues, tell: Tell) -> None:
    assert tell(ALARM, rehearse=True) == AlertOutcome(action=OPEN, number=None)
    tell(ALARM)
    github.asked.clear()
    assert tell(ALARM, BROKEN, rehearse=True) == AlertOutcome(action=REWRITE, number=1)
    assert tell(ALARM, GOOD, GOOD, rehearse=True) == AlertOutcome(action=CLOSE, number=1)
    assert set(github.verbs()) == {"issues/list-for-repo"}


# -- which issue is ours --


def test_it_is_found_behind_hundreds_of_others(github: FakeIssues, tell: Tell) -> None:
    tell(ALARM)
    for number in range(250):
        github.write(f"chatter {number}", "words", "dana", (LABEL,))
    github.asked.clear()
    assert tell(ALARM, BROKEN) == AlertOutcome(action=REWRITE, number=1)
    assert github.verbs().count("issues/list-for-repo") == 3
    assert len(github.issues) == 251


def test_a_copy_of_the_marker_counts_nowhere(github: FakeIssues, tell: Tell) -> None:
    """Not by another author, nor without the label, nor in another issue, nor further up, nor in a pull request."""
    tell(ALARM)
    body = github.issues.pop()["body"]
    marker = body.splitlines()[-1].replace("id=1", "id={}")
    github.write("a person's", body, "dana", (LABEL,))
    copies = [("without the label", marker, ()), ("of another issue", marker.replace("{}", "1"), (LABEL,)),
              ("further up", f"{marker}\nwords", (LABEL,)), ("a pull request", marker, (LABEL,))]  # fmt: skip
    for title, text, labels in copies:
        github.write(title, text.format(len(github.issues) + 1), BOT, labels)
    github.issues[-1]["pull_request"] = dict.fromkeys(
        ("url", "html_url", "diff_url", "patch_url"), "https://github.com/acme/churn/pull/5"
    )
    before = [dict(issue) for issue in github.issues]
    assert tell(ALARM) == AlertOutcome(action=OPEN, number=6)
    assert github.issues[:5] == before
    assert tell(ALARM, BROKEN) == AlertOutcome(action=REWRITE, number=6)


def test_each_model_has_its_own(github: FakeIssues, tell: Tell) -> None:
    hostile = "fraud --> <b> @acme"
    assert tell(ALARM).number == 1
    assert tell(ALARM, model=hostile).number == 2
    assert tell(ALARM, BROKEN).number == 1
    assert tell(ALARM, BROKEN, model=hostile).number == 2
    assert [issue["body"].count("<!--") for issue in github.issues] == [1, 1]


def test_a_label_of_that_name_is_taken_as_it_is(github: FakeIssues, tell: Tell) -> None:
    github.labels[LABEL] = github._label(LABEL)
    tell(ALARM)
    assert "issues/create-label" not in github.verbs()


# -- two runs at once --


class Hesitant(Client):
    """One of two clients that both have looked before either opens an issue."""

    def __init__(self, github: FakeIssues, barrier: threading.Barrier) -> None:
        super().__init__(github.url, "ghs_bot", timeout=Patience(github), retries=2, backoff=0)
        self._barrier = barrier

    def post(self, path: str, body: dict[str, Any], *, doing: str, needs: str) -> dict[str, Any]:
        if path.endswith("/issues"):
            self._barrier.wait(60)
        return super().post(path, body, doing=doing, needs=needs)


def test_two_runs_at_once_leave_one_issue(github: FakeIssues, tell: Tell) -> None:
    github.labels[LABEL] = github._label(LABEL)
    barrier, found = threading.Barrier(2), []

    def run() -> None:
        here = datetime.fromisoformat(NOW)
        found.append(sync(Hesitant(github, barrier), "acme/churn", wanted(recorded(ALARM)), here))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [AlertOutcome(action=OPEN, number=1)] * 2
    assert (len(github.issues), github.opened()) == (2, [1])
    assert github.issues[1]["body"] == "Duplicate of #1"
    assert github.issues[1]["state_reason"] == "duplicate"
    assert tell(ALARM, BROKEN) == AlertOutcome(action=REWRITE, number=1)
    tell(ALARM, BROKEN, GOOD, GOOD)
    assert tell(ALARM, BROKEN, GOOD, GOOD, ALARM) == AlertOutcome(action=REOPEN, number=1)


def test_two_that_stand_open_become_one(github: FakeIssues, tell: Tell) -> None:
    tell(ALARM)
    second = github.write("telco-churn: 1 alarm", github.issues[0]["body"].replace("id=1 ", "id=2 "), BOT, (LABEL,))
    assert tell(ALARM, BROKEN).number == 1
    assert (github.opened(), second["state_reason"]) == ([1], "duplicate")


# -- trouble --


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_never_came_makes_no_second_issue(github: FakeIssues, tell: Tell, done: bool) -> None:
    github.fail("POST", "issues/create", Trouble(502, done=done), Trouble(502, done=done))
    tell(ALARM)
    assert (len(github.issues), github.opened()) == (1, [1])
    assert " id=1 " in github.issues[0]["body"].splitlines()[-1]


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_never_came_makes_no_second_comment(github: FakeIssues, tell: Tell, done: bool) -> None:
    tell(ALARM)
    github.fail("POST", "issues/create-comment", Trouble(504, done=done), Trouble(hang_up=True, done=done))
    tell(ALARM, ALARM | {"f1:min": FAIL})
    assert len(comments(github)) == 1
    assert github.issues[0]["title"] == "telco-churn: 2 alarms"


def test_a_label_that_another_run_has_made_is_no_trouble(github: FakeIssues, tell: Tell) -> None:
    github.fail("POST", "issues/create-label", Trouble(502, done=True))
    assert tell(ALARM).number == 1


STEPS = [("GET", "issues/list-for-repo"), ("GET", "issues/get-label"), ("POST", "issues/create-label"),
         ("POST", "issues/create"), ("PATCH", "issues/update")]  # fmt: skip


@pytest.mark.parametrize(("verb", "operation"), STEPS)
@pytest.mark.parametrize("status", [401, 403, 422, 500])
def test_what_github_fails_at_is_told_and_ends_with_3(
    github: FakeIssues, tell: Tell, verb: str, operation: str, status: int
) -> None:
    github.fail(verb, operation, *[Trouble(status)] * 12)
    with pytest.raises(GatesError, match=rf"could not .*: {status} trouble on purpose") as caught:
        tell(ALARM)
    assert (caught.value.exit_code, caught.value.where) == (Exit.OUTSIDE, "GitHub")
    assert caught.value.hint
    if status == 403:
        assert "issues: write" in caught.value.hint


def test_the_next_run_mends_what_the_last_one_left(github: FakeIssues, tell: Tell) -> None:
    """The issue stands there, but not its number in its marker."""
    github.fail("PATCH", "issues/update", *[Trouble(500)] * 4)
    with pytest.raises(GatesError):
        tell(ALARM)
    assert tell(ALARM) == AlertOutcome(action=REWRITE, number=1)
    assert " id=1 " in github.issues[0]["body"]


def test_a_token_that_only_reads_is_told_what_it_lacks(github: FakeIssues) -> None:
    client = Client(github.url, "ghs_reader", timeout=Patience(github), retries=0)
    with pytest.raises(NotPermittedError, match="could not make the label gates-monitor") as caught:
        sync(client, "acme/churn", wanted(recorded(ALARM)), datetime.fromisoformat(NOW))
    assert "issues: write" in str(caught.value.hint)


def test_a_repository_without_issues_is_told(github: FakeIssues, tell: Tell) -> None:
    github.labels[LABEL] = github._label(LABEL)
    github.disabled = True
    with pytest.raises(GatesError, match="404") as caught:
        tell(ALARM)
    assert caught.value.exit_code is Exit.OUTSIDE


def test_an_issue_that_would_not_be_found_again_is_closed(github: FakeIssues, tell: Tell) -> None:
    with pytest.raises(GatesError, match=r"writes as github-actions\[bot\], not as robot: issue 1 was closed"):
        tell(ALARM, author="robot")
    github.drops_labels = True
    with pytest.raises(GatesError, match="can't set the label gates-monitor: issue 2 was closed"):
        tell(ALARM)
    assert github.opened() == []


# -- what it says --

NASTY = "@acme/team #1 --> <img src=x> [x](http://mallory.example) `x` | </details>\n\n# all is well"


def body(*records: WatchRecord, model: str = "telco-churn", parts: Sequence[str] = ("rows",)) -> str:
    return wanted(records[::-1], model, parts).body


def test_it_says_verdict_rules_version_since_record_and_what_to_do() -> None:
    first = record(6, window(5, {"recall:min": FAIL, "auc:min": PASS, "f1:min": ERROR}))
    second = record(
        7, window(6, {"auc:min": PASS, "f1:min": PASS, "brier:max": INCONCLUSIVE, "recall:min@region=north": FAIL}),
        window(2, {"kappa:min": ERROR}, "labels", version="11"),
    )  # fmt: skip
    text = body(first, second, parts=("rows", "labels"))
    lines = text.splitlines()
    assert lines[0].startswith("💥 **telco-churn v12: 2 alarms, 1 error**, since 2026-11-02 00:00. kappa:min is error")
    order = [
        "Failed earlier", "recall:min</code>", "2026-11-06 00:00 to 2026-11-07 00:00, all rows: v12, 1,000 rows",
        "❌ fail <code>recall:min@", "❔ inconclusive <code>brier:max", "2 rules hold", "labelled rows: v11",
        "95 % labelled", "kappa:min", "Record 7", "gates monitor --since", "gates rollback --reason WHY",
        "two windows running",
    ]  # fmt: skip
    places = [text.index(one, text.index("\n") if one == "kappa:min" else 0) for one in order]
    assert places == sorted(places)
    assert "(since 2026-11-05 00:00)" in text


def test_a_part_that_was_never_judged_and_one_that_is_overdue_are_told() -> None:
    state = alert_state(recorded(ALARM), ("rows", "labels"), {"rows"})
    assert state is not None
    text = alert_text.body("telco-churn", state, "models/a b/gates.yaml")
    assert "### No window was judged yet of labelled rows" in text
    assert "A later window should have been judged by now." in text
    assert "gates monitor --policy 'models/a b/gates.yaml' --since 2026-11-01T00:00:00Z" in text


def test_foreign_text_stays_text() -> None:
    named = "recall:min@region=" + NASTY
    verdicts: Mapping[str, Any] = {named: FAIL, "f1:min": ERROR}
    one = record(1, window(1, verdicts, version=NASTY, reasons={named: NASTY, "f1:min": NASTY}))
    state = alert_state([one], ("rows",))
    assert state is not None
    for text in (body(one, model=NASTY), alert_text.comment(*state.changes(0), 1)):
        assert re.findall(r"@acme|(?<!&)#1|-->|<img|\]\(http|`x`|</details>|^# all", text, re.MULTILINE) == []
    assert alert_text.title(NASTY, state).count("\n") == 0


def test_thousands_of_rules_fit(github: FakeIssues, tell: Tell) -> None:
    """GitHub takes 65,536 characters."""
    labels = {f"recall:min@region={NASTY * 4}{i}": FAIL for i in range(3000)}
    tell(labels)
    tell(labels, {f"f1:min@region={NASTY * 4}{i}": FAIL for i in range(3000)})
    assert len(comments(github)) == 1
    assert "others; the record has them" in github.issues[0]["body"]
    assert github.issues[0]["title"] == "telco-churn: 6,000 alarms"
