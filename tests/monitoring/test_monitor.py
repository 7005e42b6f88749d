"""`gates monitor`: closed windows of live rows are judged by what the model was promoted with, and recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from edge_project import refused
from live_world import MONITOR, LiveWorld, answered, flipped, rules


def test_closed_windows_are_judged_once_and_recorded(world: LiveWorld) -> None:
    world.days(range(3))
    found = world.judged(2.5)
    assert [(one["part"], one["start"]) for one in found["windows"]] == [
        (part, world.text(day)) for part in ("rows", "labels") for day in (0, 1)
    ]
    assert found["verdict"] in ("pass", "inconclusive")
    assert (found["rows_until"], found["labels_until"]) == (world.text(2), world.text(2))
    record = world.records()[-1]
    assert (record["kind"], record["alias"], record["verdict"]) == ("monitor", "champion", found["verdict"])
    done = world.monitor(2.9)
    assert (done.code, done.out) == (0, "no window is due\n")
    assert [one["start"] for one in world.judged(3)["windows"]] == [world.text(2)] * 2
    assert world.gates("verify", "--all").code == 0


def test_a_window_that_is_as_the_promotion_was_passes(world: LiveWorld) -> None:
    world.days([0], n=3000)
    found = world.judged(1)
    assert {label: one["verdict"] for label, one in rules(found, "labels").items()} == {
        "live:models": "pass",
        "live:rows": "pass",
        "live:labels": "pass",
        "roc_auc:max_worsening": "pass",
        "recall:min": "pass",
    }
    told = rules(found, "labels")["roc_auc:max_worsening"]
    assert told["reason"].endswith("; you allow 5 points")
    assert "the promoted v1" in told["reason"]
    assert told["method"] == "mover"


def test_a_drop_becomes_an_alarm_and_the_watch_begins_anew(world: LiveWorld) -> None:
    world.days(range(3))
    for day in range(3, 9):
        world.serve(day, flipped(answered(500, seed=100 + day), 0.2))
    found = world.judged(9, code=1)
    (gate, *more) = [
        (one["start"], one["rules"][3]["gate"]) for one in found["windows"] if one["part"] == "labels"
        and one["rules"][3]["gate"]["code"] == "alarm"
    ]  # fmt: skip
    assert gate[0] >= world.text(3), "not before it began"
    assert gate[0] <= world.text(5)
    assert gate[1]["verdict"] == "fail"
    assert gate[1]["reason"].startswith("roc_auc is worse than the promoted v1's by more than 5 points: 0.")
    assert gate[1]["reason"].endswith("by chance such an alarm comes at most once in 365 windows")
    assert more, "it goes on, so the watch that began anew finds it again"
    assert found["code"] == "alarm"


def test_a_single_bad_window_is_no_alarm(world: LiveWorld) -> None:
    world.days([0, 2])
    world.serve(1, flipped(answered(500, seed=3), 0.06))
    found = world.judged(3, code=None)
    gate = rules(found, "labels", 1)["roc_auc:max_worsening"]
    assert (gate["verdict"], gate["code"]) == ("inconclusive", "across_bar")
    assert gate["reason"].endswith("of an alarm so far")


def test_both_bounds_of_a_window_have_the_confidence_that_its_sentence_names(world: LiveWorld) -> None:
    for day in range(3):
        world.serve(day, flipped(answered(500, seed=100 + day), 0.15))
    found = world.judged(3, code=None)
    judged = [rule["gate"] for one in found["windows"] if one["part"] == "labels" for rule in one["rules"]]
    ends = [gate["difference"] for gate in judged if gate["rule"] == "max_worsening" and gate["difference"]]
    assert len(ends) == 3
    for one in ends:
        assert one["high"] - one["value"] == pytest.approx(one["value"] - one["low"], rel=0.3)


def test_labels_are_judged_when_they_are_due(world: LiveWorld) -> None:
    world.policy(monitor=MONITOR | {"delay": "6h", "label_delay": "3d"}, gates=[{"metric": "roc_auc", "min": 0.6}])
    world.commit("delays")
    world.days(range(4))
    assert world.monitor(1.2).out == "no window is due\n"
    assert [(one["part"], one["start"]) for one in world.judged(1.25)["windows"]] == [("rows", world.text(0))]
    found = world.judged(4.25)["windows"]
    assert [(one["part"], one["start"]) for one in found] == [
        *(("rows", world.text(day)) for day in (1, 2, 3)),
        ("labels", world.text(0)),
    ]


def test_a_look_back_records_nothing(world: LiveWorld) -> None:
    world.days(range(3))
    found = world.judged(3, "--since", world.text(1))
    assert [one["start"] for one in found["windows"]] == [world.text(1), world.text(2)] * 2
    assert len(world.judged(3, "--dry-run")["windows"]) == 6
    assert "monitor" not in world.kinds()


def test_a_terminal_shows_the_newest_window_worst_first(world: LiveWorld) -> None:
    world.days([0])
    world.serve(1, flipped(answered(500, seed=9), 0.45))
    lines = world.monitor(2).out.splitlines()
    assert lines[0].endswith("all rows: v1, 500 rows")
    first = next(index for index, line in enumerate(lines) if "labelled rows" in line)
    assert lines[first].endswith("v1, 500 rows, 100 % labelled")
    assert lines[first + 1].startswith("❌ fail ")
    last = " ".join(lines[-3:])
    assert "❌ churn: " in last
    assert last.endswith("(record 3)")


def test_a_promotion_between_two_windows_is_what_later_ones_are_compared_with(world: LiveWorld) -> None:
    world.days(range(2))
    world.judged(2, code=None)
    before = world.champion["digest"]
    world.better(answered(1500, seed=1))
    assert world.gates("promote").code == 0
    assert world.champion["digest"] != before
    world.serve(2, answered(500, seed=7), by=before)
    found = world.judged(3, code=2)
    # the promotion is of now, before the days of the log: the alias named version 2 in all of them
    assert rules(found, "rows")["live:rows"]["reason"] == "version 2 answered no row; other models answered 500 rows"


ODD_LOGS: dict[str, tuple[Any, str, str, str]] = {
    # what is done to the logs -> part, rule, verdict, code
    "a lost day": (lambda world: world.days([0, 2]), "rows", "live:rows", "error no_rows"),
    "an unknown model": (
        lambda world: (world.days([0, 2]), world.serve(1, answered(300, 4), by="sha256:" + "0" * 64)),
        "rows", "live:models", "error unknown_model",
    ),
    "no model named": (
        lambda world: (world.days([0, 2]), world.serve(1, answered(300, 4), by="")),
        "rows", "live:models", "error unknown_model",
    ),
    "no labels": (
        lambda world: (world.days([0, 2]), world.serve(1, answered(300, 4), labelled=0)),
        "labels", "live:labels", "inconclusive labels_missing",
    ),
    "60 % of the labels": (
        lambda world: (world.days([0, 2]), world.serve(1, answered(300, 4), labelled=0.6)),
        "labels", "live:labels", "inconclusive labels_missing",
    ),
    "one row": (lambda world: (world.days([0, 2]), world.serve(1, answered(1, 4))), "labels", "recall:min", "any"),
    "one class": (
        lambda world: (
            world.days([0, 2]),
            world.serve(1, [row for row in answered(300, 4) if row["churn"] == "stayed"]),
        ),
        "labels", "recall:min", "any",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_LOGS)
def test_what_is_missing_is_never_healthy(world: LiveWorld, name: str) -> None:
    made, part, label, told = ODD_LOGS[name]
    made(world)
    found = world.judged(3, code=None)
    window = next(one for one in found["windows"] if (one["part"], one["start"]) == (part, world.text(1)))
    gate = rules({"windows": [window]}, part).get(label)
    assert window["verdict"] != "pass"
    if told != "any":
        assert gate is not None
        assert f"{gate['verdict']} {gate['code']}" == told
    assert gate is None or gate["verdict"] != "pass"
    assert world.gates("verify", "--all").code == 0


def test_labels_that_are_missing_count_towards_no_alarm(world: LiveWorld) -> None:
    """All that left unlabelled would make recall look as bad as could be."""
    world.days([0])
    for day in range(1, 8):
        rows = [row | {"score": 0.1} if row["churn"] == "left" else row for row in answered(300, day)]
        world.serve(day, rows, labelled=0.5)
    found = world.judged(8)
    assert found["verdict"] == "inconclusive"
    assert found["code"] == "labels_missing"


REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "no file": (lambda _: None, ("served/*.parquet", "no such file")),
    "an empty file": (
        lambda world: world.serve(0, answered(3, 1)) or _cut(world),
        ("served/*.parquet has no rows",),
    ),
    "no time": (lambda world: world.days([0]) or _without(world, "at"), ("monitor.time", "no column at")),
    "no key": (lambda world: world.days([0]) or _without(world, "id"), ("monitor.key", "no column id")),
    "no model": (lambda world: world.days([0]) or _without(world, "by"), ("monitor.model", "no column by")),
    "a time that is missing": (lambda world: world.days([0]) or _untimed(world), ("1 row has no readable",)),
    "labels that contradict each other": (
        lambda world: world.days([0]) or _contradicting(world), ("1 key has labels that contradict each other",)
    ),
}  # fmt: skip


def _changed(world: LiveWorld, change: Any) -> None:
    import pyarrow.parquet

    for file in sorted(world.root.glob("served/*.parquet")):
        pyarrow.parquet.write_table(change(pyarrow.parquet.read_table(file)), file)


def _cut(world: LiveWorld) -> None:
    _changed(world, lambda one: one.slice(0, 0))


def _without(world: LiveWorld, column: str) -> None:
    _changed(world, lambda one: one.drop_columns([column]))


def _untimed(world: LiveWorld) -> None:
    def change(one: Any) -> Any:
        import pyarrow

        place = one.column_names.index("at")
        times = one.column("at").to_pylist()
        return one.set_column(place, "at", pyarrow.array([None, *times[1:]], one.column("at").type))

    _changed(world, change)


def _contradicting(world: LiveWorld) -> None:
    from edge_project import write_table

    write_table(world.root / "labels/again.parquet", [{"id": "0-0", "churn": "left"}, {"id": "0-0", "churn": "stayed"}])


@pytest.mark.parametrize("name", REFUSED)
def test_logs_that_can_not_be_read_are_a_mistake_that_is_told(world: LiveWorld, name: str) -> None:
    made, words = REFUSED[name]
    made(world)
    refused(world.monitor(1), *words)
    assert "monitor" not in world.kinds(), "the windows stay due"


def test_a_label_that_came_twice_counts_once(world: LiveWorld) -> None:
    world.days([0])
    first = world.judged(1, "--dry-run")
    copy = world.root / "labels/copy.parquet"
    copy.write_bytes((world.root / "labels/000.parquet").read_bytes())
    assert world.judged(1, "--dry-run")["evidence"] == first["evidence"]


def test_nothing_was_promoted(empty: LiveWorld) -> None:
    empty.begin(monitor=MONITOR)
    refused(empty.gates("monitor"), "nothing was promoted yet")


def test_a_policy_without_the_section(world: LiveWorld) -> None:
    world.policy()
    world.commit("none")
    refused(world.gates("monitor"), "has no monitor section")


def test_the_default_branch_says_what_is_watched(world: LiveWorld) -> None:
    world.days([0])
    world.policy(monitor=MONITOR | {"gates": [{"metric": "recall", "min": 0.01}]})
    assert "roc_auc:max_worsening" in rules(world.judged(1), "labels"), "not the one that lies here"


def test_two_runs_at_once_judge_each_window_once(world: LiveWorld, forked: Any) -> None:
    world.days(range(3))
    world.programs = forked
    both = [world.start_monitor(3) for _ in range(2)]
    done = [world.end(one)[0] for one in both]
    assert sorted(one.code for one in done) == [0, 0], [one.err for one in done]
    assert world.kinds().count("monitor") == 1
    assert world.gates("verify", "--all").code == 0


def test_json_has_one_document(world: LiveWorld) -> None:
    world.days([0])
    done = world.monitor(1, "--json")
    assert json.loads(done.out)["schema"] == "gates/monitoring/v1"
    assert json.loads(world.monitor(1, "--json").out) is None


def test_status_and_badge_say_until_when_live_rows_were_judged(world: LiveWorld) -> None:
    """The days of these logs lie ahead, so nothing is overdue yet."""
    assert world.standing()["watch"] == {
        "record": None, "verdict": None, "told": "no window of live rows is due yet", "until": None, "overdue": False,
    }  # fmt: skip
    world.days(range(2))
    world.judged(2)
    watch = world.standing()["watch"]
    assert (watch["record"], watch["until"], watch["overdue"]) == (3, world.text(2), False)
    assert watch["told"].startswith(f"live rows were judged until {world.text(2)}: ")
    assert world.gates("status").code == 0
    badge = json.loads(world.gates("badge", "--format", "shields").out)
    assert f"v1 · pass · watched to {world.text(2)[:10]}" in badge["message"]
    assert badge["color"] == "brightgreen"
    for day in range(2, 5):
        world.serve(day, flipped(answered(500, seed=day), 0.4))
    world.judged(5, code=1)
    done = world.gates("status")
    assert done.code == 1
    assert "roc_auc is worse than the promoted v1's" in " ".join(done.out.split())
    badge = json.loads(world.gates("badge", "--format", "shields").out)
    assert f"alarm, watched to {world.text(5)[:10]}" in badge["message"]
    assert badge["color"] == "red"


@pytest.mark.parametrize(
    ("judged", "days", "overdue"), [(2, 2.9, False), (2, 3.9, False), (2, 4, True), (0, 2, True), (0, 1, False)]
)
def test_windows_that_nobody_judges_are_overdue(world: LiveWorld, judged: int, days: float, overdue: bool) -> None:
    from gates.checkout.workspace import Workspace
    from gates.ledger.ledger import opened
    from gates.promotion.status import last_look

    if judged:
        world.days(range(judged))
        world.judged(judged)
    ledger = opened(world.root, world.environment())
    head = ledger.head()
    serving = next(one for one in ledger.entries(head) if one.record.kind == "promotion")
    resolved = Workspace(policy=world.root / "gates.yaml").load()
    found = last_look(ledger, head, resolved, serving, world.day(days))
    assert found is not None
    assert (found.overdue, found.sound) == (overdue, not overdue)
    assert found.told.endswith("overdue") is (overdue and judged > 0)
