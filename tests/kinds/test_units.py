"""Rows that belong together say no more than their units; weights change what is counted, and how sure it is."""

from __future__ import annotations

import pytest

from gates.documents.decision import Verdict
from gates.judge.judge import judge

GATES = [{"metric": "accuracy", "min": 0.5, "max_worsening": 0.02}, {"metric": "f1", "min": 0.1}]


def estimates(policy_of, evidence_of, blocks, data):
    resolved = policy_of({"gates": GATES, "data": {"holdout": "holdout.csv", "label": "left", **data}})
    return [
        (one.value, one.high - one.low)
        for gate in judge(resolved, evidence_of(resolved, blocks)).gates
        for one in [gate.difference if gate.rule == "max_worsening" else gate.candidate]
    ]


def patients(times, weight=1):
    """60 patients, each of one kind, with so many rows."""
    kinds = [[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    chosen = [kinds[(place * place + place // 3) % 5] for place in range(60)]
    return [
        {"bucket": place, "weight": weight, "cells": [[*kind, times * (1 + place % 3)]]}
        for place, kind in enumerate(chosen)
    ]


def test_the_same_rows_ten_times_over_make_nobody_surer(policy_of, evidence_of):
    once, often = (estimates(policy_of, evidence_of, patients(n), {"unit": "patient"}) for n in (1, 10))
    for (value, width), (again, wide) in zip(once, often, strict=True):
        assert again == pytest.approx(value, abs=1e-12)
        assert wide == pytest.approx(width, rel=1e-6)


def test_rows_of_their_own_would(policy_of, evidence_of):
    def alone(times):
        return [{"cells": one["cells"]} for one in patients(times)]

    once, often = (estimates(policy_of, evidence_of, alone(n), {}) for n in (1, 10))
    assert all(wide < width / 2 for (_, width), (_, wide) in zip(once, often, strict=True))


def test_weights_count_by_what_they_are_to_each_other(policy_of, evidence_of):
    plain, heavy = (estimates(policy_of, evidence_of, patients(1, w), {"weight": "w"}) for w in (1, 4))
    assert heavy == [(pytest.approx(value, abs=1e-12), pytest.approx(width, rel=1e-9)) for value, width in plain]
    told = [{"bucket": 0, "weight": 3, "cells": [[1, 1, 1, 10]]}, {"bucket": 1, "weight": 1, "cells": [[1, 0, 1, 10]]}]
    (value, _), *_ = estimates(policy_of, evidence_of, told, {"weight": "w"})
    assert value == pytest.approx(0.75)


def test_one_unit_alone_says_nothing(policy_of, evidence_of):
    resolved = policy_of({"gates": GATES[:1], "data": {"holdout": "holdout.csv", "label": "left", "unit": "patient"}})
    decision = judge(resolved, evidence_of(resolved, [{"bucket": 3, "cells": [[1, 1, 1, 500], [1, 0, 1, 10]]}]))
    assert decision.verdict is not Verdict.PASS


def test_a_training_s_luck_is_told(policy_of, evidence_of):
    blocks = [[{"cells": [[1, 1, 1, 800 - lost], [1, 0, 1, lost], [0, 0, 0, 1000]]}] for lost in (2, 60, 140)]
    resolved = policy_of({"gates": GATES[:1], "train": {"run": "t", "seeds": 3}})
    decision = judge(resolved, evidence_of(resolved, blocks[0], runs=blocks[1:]))
    compared = decision.gates[1]
    assert compared.training > 0.5
    assert "of the uncertainty is training" in compared.reason
    same = judge(resolved, evidence_of(resolved, blocks[0], runs=[blocks[0], blocks[0]]))
    assert same.gates[1].training == 0


def test_reports_say_how_often_a_holdout_has_decided(policy_of, evidence_of):
    from gates.report.markdown import render as markdown
    from gates.report.run_facts import Facts
    from gates.report.terminal.verdicts import render as terminal

    resolved = policy_of({"gates": GATES[:1], "data": {"holdout": "holdout.csv", "label": "left", "reuse": 50}})
    blocks = [{"cells": [[1, 1, 1, 900], [0, 0, 0, 900]]}]
    told = {14: "after 36 more", 45: "due soon, after 5 more", 50: "it is used up"}
    for used, words in told.items():
        decision = judge(resolved, evidence_of(resolved, blocks, used=used))
        for text in (markdown(decision, Facts()), terminal(decision, width=200)):
            assert f"this holdout has decided {used} of 50 times" in text
            assert words in text
    free = policy_of({"gates": GATES[:1]})
    assert "has decided" not in markdown(judge(free, evidence_of(free, blocks)), Facts())
