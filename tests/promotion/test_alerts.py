"""Live rows counted on one machine, judged and recorded on another, and the issue that a third one keeps."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from worlds import Done, World, git, table

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))

from edge_project import write_table
from fake_issues import FakeIssues

from gates.system.files import folder_digest

MONITOR = {
    "live": "live.csv", "key": "request", "time": "at", "model": "by", "window": "1d",
    "gates": [{"metric": "roc_auc", "min": 0.6}],
}  # fmt: skip
BOT, READER, NONE = ({"GITHUB_TOKEN": token} for token in ("ghs_bot", "ghs_reader", ""))
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Serving(World):
    """A model that serves, promoted from a repository that is its own registry."""

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**({"MLFLOW_TRACKING_URI": ""} | more))

    def served(self, *days: str) -> None:
        """Live rows from tomorrow on, a word a day: good, bad, none, or a model that nobody promoted."""
        digest = next(one for one in self.records() if one["kind"] == "promotion")["after"]["digest"]
        rows = []
        for number, word in enumerate(days, 1):
            noon = (TODAY + timedelta(days=number, hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
            for one in table(600, seed=number) if word != "none" else []:
                score = round(1 - one["score"], 2) if word == "bad" else one["score"]
                by = "sha256:" + "ab" * 32 if word == "strange" else digest
                rows.append(
                    {"request": f"{number}-{one['id']}", "at": noon, "by": by, "churn": one["churn"], "score": score}
                )
        write_table(self.root / "live.csv", rows)

    def after(self, days: int) -> str:
        """The time by which so many windows are due."""
        return (TODAY + timedelta(days=days + 1, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def measure(self, days: int, into: Path) -> Done:
        """What the first machine does, and hands on."""
        done = self.gates("monitor", "--measure-only", "--until", self.after(days))
        shutil.rmtree(into, ignore_errors=True)
        if done.out.startswith("live "):
            shutil.copytree(self.work / "live", into / "live")
        return done

    def gates(self, command: str, *arguments: str, **env: str) -> Done:
        return self.run(command, *arguments, **env)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with a champion. Nobody changes it: copies are made."""
    world = Serving(tmp_path_factory.mktemp("first") / "world", None)
    world.begin(monitor=MONITOR)
    assert world.gates("run").code == 0
    promoted = world.gates("promote")
    assert promoted.code == 0, promoted.err
    return world.base


@pytest.fixture
def serving(tmp_path: Path, first: Path) -> Serving:
    shutil.copytree(first, tmp_path / "world", symlinks=True)
    world = Serving(tmp_path / "world", None)
    git(world.root, "remote", "set-url", "origin", str(world.origin))
    return world


@pytest.fixture
def other(serving: Serving) -> Serving:
    """Another machine with the same repository, and without live rows."""
    git(serving.base, "clone", "-q", str(serving.origin), str(serving.base / "there" / "repository"))
    world = Serving(serving.base / "there", None)
    world.origin = serving.origin
    return world


@pytest.fixture
def github() -> Iterator[FakeIssues]:
    fake = FakeIssues("acme/churn")
    yield fake
    fake.stop()


Keep = Callable[..., Done]


@pytest.fixture
def keep(other: Serving, github: FakeIssues) -> Keep:
    """`gates alert` in a run of a schedule."""
    event = other.base / "event.json"
    event.write_text(json.dumps({"schedule": "17 6 * * *"}))

    def keep(*arguments: str, **more: str) -> Done:
        environment = {
            "GITHUB_EVENT_NAME": "schedule", "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "acme/churn",
            "GITHUB_SHA": "a" * 40, "GITHUB_REF": "refs/heads/main", "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": "7",
            "GITHUB_API_URL": github.url, "GITHUB_TOKEN": "ghs_bot",
            "GITHUB_OUTPUT": str(other.base / "outputs"),
        } | more  # fmt: skip
        return other.gates("alert", *arguments, **environment)

    return keep


def hand_on(serving: Serving, other: Serving, days: int, folder: Path) -> Done:
    measured = serving.measure(days, folder)
    assert measured.code == 0, measured.err
    digests = ["--handed", str(folder), "--digests", measured.out.strip()]
    return other.gates("monitor", *digests, "--until", serving.after(days))


def test_from_live_rows_to_an_issue_and_back(
    serving: Serving, other: Serving, keep: Keep, github: FakeIssues, tmp_path: Path
) -> None:
    assert keep().out == "no window was judged yet\n"
    days = []
    seen = []
    for word in ("good", "bad", "none", "good", "good"):
        days.append(word)
        serving.served(*days)
        recorded = hand_on(serving, other, len(days), tmp_path / "handed")
        assert recorded.code == 0, recorded.err  # whatever the verdict: the job has done its part
        done = keep("--json")
        assert done.code == 0, done.err
        told = json.loads(done.out)
        seen.append((other.records()[-1]["verdict"], told["action"], github.opened()))
    assert seen == [
        ("pass", "nothing", []), ("fail", "open", [1]), ("error", "rewrite", [1]), ("pass", "rewrite", [1]),
        ("pass", "close", []),
    ]  # fmt: skip
    assert not (other.root / "live.csv").exists()
    (issue,) = github.issues
    assert issue["body"].count("gates rollback --reason WHY") == 1
    assert len(github.comments) == 2  # the window without rows, and that all holds again
    assert "action<<" in (other.base / "outputs").read_text()
    audit = other.gates("verify", "--all")
    assert audit.code == 0, audit.out + audit.err
    alone = serving.gates("monitor", "--until", serving.after(5))
    assert (alone.code, alone.out) == (0, "no window is due\n")


def test_both_ways_give_the_same_decision(serving: Serving, other: Serving, tmp_path: Path) -> None:
    serving.served("good", "bad", "strange")
    alone = serving.gates("monitor", "--dry-run", "--json", "--until", serving.after(3))
    assert alone.code == 2, alone.err
    digests = serving.measure(3, tmp_path / "handed").out.strip()
    asked = ("monitor", "--handed", str(tmp_path / "handed"), "--digests", digests, "--until", serving.after(3))
    there = other.gates(*asked, "--json")
    assert (there.code, there.out) == (0, alone.out)
    again = other.gates(*asked)
    assert (again.code, again.out) == (0, "no window is due\n")
    assert other.kinds().count("monitor") == 1
    nothing = serving.measure(3, tmp_path / "handed")
    assert (nothing.code, nothing.out) == (0, "no window is due\n")


def _left_out(live: dict[str, Any]) -> None:
    live["windows"].pop(0)


def _early(live: dict[str, Any]) -> None:
    for window in live["windows"]:
        window["number"] -= 30
        for end in ("start", "end"):
            window[end] = (datetime.fromisoformat(window[end]) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _longer(live: dict[str, Any]) -> None:
    live["windows"][0]["end"] = live["windows"][1]["end"]


def _other_model(live: dict[str, Any]) -> None:
    live["windows"][0]["model"]["version"] = "7"


def _nobody(live: dict[str, Any]) -> None:
    live["windows"][0]["model"] = None


def _known(live: dict[str, Any]) -> None:
    live["windows"][2]["answered"][0]["known"] = True


def _other_policy(live: dict[str, Any]) -> None:
    live["measured"] = "sha256:" + "0" * 64


def _no_time(live: dict[str, Any]) -> None:
    live["windows"][0]["start"] = "9999-99-99T00:00:00Z"


def _all_rows(live: dict[str, Any]) -> None:
    live["windows"][0]["rows"] = "all"


FORGED = [
    (_left_out, None),  # a ledger without windows may begin with any later one
    (_early, "lies before the first promotion"),
    (_longer, "are not those that are due"),
    (_other_model, "is not about the model that served"),
    (_nobody, "is not about the model that served"),
    (_known, "that the ledger does not know"),
    (_other_policy, "counted under another policy"),
    (_no_time, ""),
    (_all_rows, "rows"),
]


@pytest.mark.parametrize(("forge", "told"), FORGED, ids=[forge.__name__ for forge, _ in FORGED])
def test_what_was_forged_is_not_recorded(
    serving: Serving, other: Serving, tmp_path: Path, forge: Callable[[dict[str, Any]], None], told: str | None
) -> None:
    serving.served("good", "good", "strange")
    serving.measure(3, tmp_path / "handed")
    path = tmp_path / "handed/live/live.json"
    live = json.loads(path.read_text())
    forge(live)
    path.write_text(json.dumps(live))
    digest = folder_digest(path.parent)
    done = other.gates("monitor", "--handed", str(tmp_path / "handed"), "--digests", f"live {digest}", "--until",
                       serving.after(3))  # fmt: skip
    if told is None:
        assert done.code == 0, done.err
        return
    assert done.code == 2, done.err
    assert told in done.complaint
    assert "Traceback" not in done.err
    assert "monitor" not in other.kinds()


def test_a_window_that_is_left_out_later_is_missed(serving: Serving, other: Serving, tmp_path: Path) -> None:
    serving.served("good", "good", "good")
    assert hand_on(serving, other, 1, tmp_path / "handed").code == 0
    serving.measure(3, tmp_path / "handed")
    path = tmp_path / "handed/live/live.json"
    live = json.loads(path.read_text())
    live["windows"].pop(0)
    path.write_text(json.dumps(live))
    done = other.gates("monitor", "--handed", str(tmp_path / "handed"), "--digests",
                       f"live {folder_digest(path.parent)}", "--until", serving.after(3))  # fmt: skip
    assert done.code == 2
    assert "are not those that are due" in done.complaint


def test_a_parcel_must_be_what_its_digest_says(serving: Serving, other: Serving, tmp_path: Path) -> None:
    serving.served("good")
    serving.measure(1, tmp_path / "handed")
    done = other.gates("monitor", "--handed", str(tmp_path / "handed"), "--digests", f"live sha256:{'0' * 64}")
    assert done.code == 2
    assert "its digest differs" in done.complaint


MISUSED = [
    ("--measure-only", "--dry-run"), ("--measure-only", "--since", "2026-11-01"),
    ("--handed", "x", "--digests", "live sha256:1", "--dry-run"), ("--handed", "x"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", MISUSED)
def test_options_that_exclude_each_other(serving: Serving, arguments: tuple[str, ...]) -> None:
    assert serving.gates("monitor", *arguments).code == 2


# -- gates alert --


def judged(serving: Serving, *days: str) -> None:
    serving.served(*days)
    done = serving.gates("monitor", "--until", serving.after(len(days)))
    assert done.code in (0, 1, 2), done.err


def test_a_rehearsal_needs_no_github_and_changes_none(serving: Serving, keep: Keep, github: FakeIssues) -> None:
    judged(serving, "good", "bad")
    offline = serving.gates("alert", "--dry-run")
    assert offline.code == 0, offline.err
    assert offline.out.startswith("would be: issue opened (churn: 1 alarm)\n\n❌ **churn v1: 1 alarm**, since ")
    assert "nobody was asked" in offline.err
    asked = keep("--dry-run", "--json")
    assert json.loads(asked.out) == {
        "model": "churn", "action": "open", "issue": None, "title": "churn: 1 alarm", "record": 3, "dry_run": True,
    }  # fmt: skip
    assert github.verbs() == ["issues/list-for-repo"]


def test_without_a_run_a_token_or_a_section_it_says_what_is_missing(serving: Serving, keep: Keep) -> None:
    judged(serving, "bad")
    assert "runs inside GitHub Actions only" in serving.gates("alert", **BOT).complaint
    assert "GITHUB_TOKEN: is not set" in keep(**NONE).complaint
    serving.policy(gates=[{"metric": "roc_auc", "min": 0.6}])
    serving.commit("no longer watched")
    done = keep()
    assert (done.code, "has no monitor section" in done.complaint) == (2, True)


def test_what_github_fails_at_ends_with_3(serving: Serving, keep: Keep) -> None:
    judged(serving, "bad")
    done = keep(**READER)
    assert done.code == 3
    what = "could not make the label gates-monitor in acme/churn: 403 Resource not accessible by integration"
    assert done.complaint.splitlines()[0] == f"gates: GitHub: {what}"
    assert "issues: write" in done.complaint
