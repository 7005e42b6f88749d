"""What the policy may say about training again: each mistake is told where it stands, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from edge_project import Project, refused
from live_world import MONITOR

RETRAIN: dict[str, Any] = {"fresh_rows": 500, "cooldown": "7d", "budget": "4 in 90d", "snapshot": "python snapshot.py"}
DRIFT = {"drift": "psi", "columns": ["age"], "max": 0.1}
ASKED = {"alert": {"retrain": ["roc_auc", "recall"]}}
STAGES = {"stages": [{"alias": "challenger"}, {"alias": "champion"}]}

MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, tuple[str, ...]]] = {
    "no rows": ({"fresh_rows": 0}, ASKED, ("fresh_rows: 0",)),
    "a cooldown of nothing": ({"cooldown": "0d"}, ASKED, ("cooldown:", "wrong format")),
    "a cooldown in words": ({"cooldown": "a week"}, ASKED, ("cooldown:", "wrong format")),
    "a budget without a span": ({"budget": "4"}, ASKED, ("budget:", "wrong format")),
    "a budget of nothing": ({"budget": "0 in 90d"}, ASKED, ("budget:", "wrong format")),
    "an unknown key": ({"cool": "7d"}, ASKED, ("cool: unknown key",)),
    "no snapshot": ({"snapshot": None}, ASKED, ("retrain: the key snapshot is missing",)),
    "an unknown stage": (
        {"stage": "chalenger"}, ASKED, ("stage: the policy has no stage chalenger", "did you mean challenger?")
    ),
    "nothing asks for it": ({}, {}, ("retrain: nothing asks for a retraining", "monitor.alert.retrain")),
    "an unknown gate": (
        {}, {"alert": {"retrain": ["recal"]}}, ("retrain[0]: no gate under monitor", "did you mean recall?")
    ),
    "drift": (
        {}, {"gates": [DRIFT], "alert": {"retrain": ["drift psi of age"]}}, ("drift alone does not say that the model",)
    ),
    "no monitor": ({}, None, ("retrain: nothing asks for a retraining",)),
}  # fmt: skip


def project(folder: Any, section: dict[str, Any] | None, monitor: dict[str, Any] | None) -> Project:
    made = Project(folder)
    sections: dict[str, Any] = {} if section is None else {"retrain": section}
    if monitor is not None:
        sections["monitor"] = MONITOR | monitor
    made.ready(promotion=STAGES, **sections)
    return made


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(tmp_path: Any, name: str) -> None:
    section, monitor, words = MISTAKES[name]
    told = {key: value for key, value in (RETRAIN | section).items() if value is not None}
    refused(project(tmp_path, told, monitor).gates("check"), *words)


def test_gates_that_ask_for_what_nobody_describes(tmp_path: Any) -> None:
    refused(project(tmp_path, None, ASKED).gates("check"), "nothing says how to train again; add the section retrain")


@pytest.mark.parametrize("stage", [None, "challenger", "champion"])
def test_a_policy_that_is_right(tmp_path: Any, stage: str | None) -> None:
    section = RETRAIN | ({"stage": stage} if stage else {})
    done = project(tmp_path, section, ASKED).gates("check")
    assert done.code == 0, done.err
