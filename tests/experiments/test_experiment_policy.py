"""What the policy may say about an experiment: each mistake is told where it stands, with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from edge_project import Project, refused
from experiment_world import CLICKS, LATENCY, STAGES
from experiment_world import EXPERIMENT as BEGUN

EXPERIMENT: dict[str, Any] = BEGUN | {"window": "7d", "units": 40000, "min_days": 14, "max_days": 42}

MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "shares that are too few": ({"split": {"champion": 0.5, "challenger": 0.4}}, ("split: the shares add up to 0.9",)),
    "one arm": ({"split": {"champion": 0.5}}, ("split", "the key challenger is missing")),
    "an arm of nothing": ({"split": {"champion": 1, "challenger": 0}}, ("champion: 1", "challenger: 0")),
    "a third arm": ({"split": {"champion": 0.5, "challenger": 0.3, "other": 0.2}}, ("other: unknown key",)),
    "days that are no weeks": ({"min_days": 10}, ("min_days: must be whole weeks, such as 14",)),
    "an end before the beginning": ({"max_days": 14}, ("max_days: must be more than min_days, 14",)),
    "a window that is too long": ({"window": "42d"}, ("window: must be shorter than max_days",)),
    "a window in words": ({"window": "a week"}, ("window:", "wrong format")),
    "too few units": ({"units": 100}, ("units: 100",)),
    "no gates": ({"gates": []}, ("gates:",)),
    "another metric": ({"gates": [CLICKS | {"metric": "recall"}]}, ("an experiment judges ratio, mean, share_above",)),
    "a quantile of no share": (
        {"gates": [LATENCY | {"metric": "quantile"}]}, ("quantile needs q",)
    ),
    "a quantile of all": ({"gates": [LATENCY | {"metric": "quantile", "q": 1}]}, ("q: 1",)),
    "a share of a mean": ({"gates": [LATENCY | {"q": 0.5}]}, ("q: mean has none",)),
    "a ratio of nothing": (
        {"gates": [{key: value for key, value in CLICKS.items() if key != "per"}]}, ("ratio needs per",)
    ),
    "a mean of two": ({"gates": [LATENCY | {"per": "impressions"}]}, ("per: mean has none",)),
    "a share above nothing": ({"gates": [LATENCY | {"metric": "share_above"}]}, ("share_above needs above",)),
    "no limit": (
        {"gates": [{key: value for key, value in CLICKS.items() if key != "min_improvement"}]},
        ("needs either min_improvement or max_worsening, and has none",),
    ),
    "two limits": ({"gates": [CLICKS | {"max_worsening": 1}]}, ("needs either min_improvement or max_worsening",)),
    "no direction": (
        {"gates": [{key: value for key, value in CLICKS.items() if key != "better"}]}, ("the key better is missing",)
    ),
    "a floor": ({"gates": [CLICKS | {"min": 0.1}]}, ("min: unknown key",)),
    "a loss of all": (
        {"gates": [LATENCY | {"better": "larger", "relative": True, "max_worsening": 1}]}, ("a loss of the champion's",)
    ),
    "twice": ({"gates": [CLICKS, CLICKS]}, ("the gate ratio[of=clicks, per=impressions] occurs twice",)),
    "one column for all": ({"time": "user_id"}, ("unit, time and arm are three columns",)),
    "an unknown key": ({"days": 9}, ("days: unknown key",)),
}  # fmt: skip


def project(folder: Any, section: dict[str, Any] | None, promotion: Any = STAGES, **more: Any) -> Project:
    made = Project(folder)
    made.ready(promotion=promotion, **({} if section is None else {"experiment": section}), **more)
    return made


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_where_it_stands(tmp_path: Any, name: str) -> None:
    section, words = MISTAKES[name]
    told = refused(project(tmp_path, EXPERIMENT | section).gates("check"), *words)
    assert "gates.yaml:" in told
    assert not told.startswith("gates: gates.yaml:1:1:")


def test_the_policy_of_the_design_is_right(tmp_path: Any) -> None:
    made = project(tmp_path, EXPERIMENT)
    done = made.gates("check", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["experiment"]["time"] == "time"
    assert told["promotion"]["stages"][1]["experiment"] == "required"


@pytest.mark.parametrize(
    ("section", "promotion", "words"),
    [
        (None, STAGES, "promotion.stages[1].experiment: the policy has no experiment; add the section"),
        (EXPERIMENT, {"alias": "champion"}, "experiment: needs a stage before the champion's"),
        (EXPERIMENT, {"stages": [{"alias": "a", "experiment": "required"}, {"alias": "b"}]}, "only the last stage, b"),
        (EXPERIMENT, {"stages": [{"alias": "a"}, {"alias": "b", "experiment": "wanted"}]}, 'experiment: "wanted"'),
    ],
)  # fmt: skip
def test_stages_and_experiments_fit_each_other(tmp_path: Any, section: Any, promotion: Any, words: str) -> None:
    told = refused(project(tmp_path, section, promotion).gates("check"))
    assert words.replace("promotion.stages[1].", "") in told or words in told


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"units": 50000}, "stricter"), ({"units": 30000}, "weaker"), ({"min_days": 21}, "stricter"),
    ({"min_days": 7}, "weaker"), ({"max_days": 35}, "stricter"), ({"max_days": 49}, "weaker"),
    ({"gates": [CLICKS | {"min_improvement": 0.01}, LATENCY]}, "stricter"),
    ({"gates": [CLICKS, LATENCY | {"max_worsening": 30}]}, "weaker"), ({"gates": [CLICKS]}, "gone"),
    ({"gates": [CLICKS, LATENCY | {"relative": True}]}, "can't be determined"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "word"), CHANGES)
def test_a_diff_says_which_of_two_asks_for_more(tmp_path: Any, change: dict[str, Any], word: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    project(old, EXPERIMENT)
    made = project(new, EXPERIMENT | change)
    from edge_project import call

    done = call("policy", "diff", str(old / "gates.yaml"), str(made.root / "gates.yaml"))
    assert word in done.out, done.out + done.err
    assert done.code == (0 if word == "stricter" else 1)


def test_a_promotion_without_the_experiment_is_weaker(tmp_path: Any) -> None:
    from edge_project import call

    project(tmp_path / "old", EXPERIMENT)
    made = project(tmp_path / "new", EXPERIMENT, {"stages": [{"alias": "challenger"}, {"alias": "champion"}]})
    done = call("policy", "diff", str(tmp_path / "old/gates.yaml"), str(made.root / "gates.yaml"))
    assert done.code == 1
    assert "champion.experiment" in done.out
