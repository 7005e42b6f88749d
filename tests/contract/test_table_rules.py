"""Table rules: what they count, how it is judged, and that no order of rows, files or threads changes a byte."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from collections import Counter

import pyarrow as pa
import pytest
import scipy.spatial.distance
import scipy.stats
from contract_bench import NOW, Held, parquet

from gates.contract.rules.table_rules import TABLE_RULES
from gates.errors import GatesError
from gates.report import markdown as md
from gates.report.run_facts import Facts
from gates.report.terminal import verdicts
from gates.schema.canonical import canonical
from gates.stats.drift import jensen_shannon, psi


def one(root, entry, columns, train=None, **options):
    """The verdict of the only rule of a contract."""
    parquet(root / "holdout.parquet", {"y": ["a"] * len(next(iter(columns.values())))} | columns)
    if train is not None:
        parquet(root / "train.parquet", {"y": ["a"] * len(next(iter(train.values())))} | train)
    held = Held(root, {"table": [entry]}, train="train.parquet" if train is not None else None, **options)
    (gate,) = [gate for gate in held.decision.gates if gate.id == "data.holdout"]
    return gate


@pytest.mark.parametrize(
    ("entry", "columns", "verdict", "told"),
    [
        ({"rows": {"min": 3}}, {"a": [1, 2, 3]}, "pass", "rows: 3; expected at least 3"),
        ({"rows": {"min": 4}}, {"a": [1, 2, 3]}, "fail", "rows: 3; expected at least 4"),
        ({"rows": {"max": 2}}, {"a": [1, 2, 3]}, "fail", "at most 2"),
        ({"rows": {"min": 1, "max": 3}}, {"a": [1, 2, 3]}, "pass", "at least 1 and at most 3"),
        ({"unique": "a"}, {"a": [1, 2, 3]}, "pass", "holds in all 3 rows"),
        ({"unique": "a"}, {"a": [1, 1, 1, 2]}, "fail", "broken in 2 of 4 rows"),
        ({"unique": "a"}, {"a": [1, None, 2]}, "fail", "broken in 1 of 3 rows"),
        ({"unique": ["a", "b"]}, {"a": [1, 1, 2], "b": ["x", "y", "x"]}, "pass", "unique(a, b)"),
        ({"unique": ["a", "b"]}, {"a": [1, 1, 2], "b": ["x", "x", None]}, "fail", "broken in 2 of 3 rows"),
        ({"unique": "a", "max": 0.5}, {"a": [1, 1, 2, 3]}, "pass", "25 %"),
        ({"unique": "a", "max": 0.1}, {"a": [1, 1, 2, 3]}, "fail", "25 %"),
        ({"nulls": "a"}, {"a": [1, None]}, "fail", "a missing: 50 % of 2 rows"),
        ({"nulls": "a", "max": 0.5}, {"a": [1, None]}, "pass", "at most 50 %"),
        ({"nulls": "a"}, {"a": [1.0, math.nan]}, "pass", "a missing: 0"),
        ({"values": "a", "equal": "x", "min": 0.5}, {"a": ["x", "y", None, "x"]}, "pass", "a is x: 50"),
        ({"values": "a", "equal": "x", "max": 0.4}, {"a": ["x", "y", "x"]}, "fail", "at most 40 %"),
        ({"values": "a", "equal": 1, "min": 1}, {"a": [1.0, 1.0]}, "pass", "a is 1"),
        ({"values": "a", "equal": 1, "min": 0.1}, {"a": [True, True]}, "fail", "a is 1"),
        ({"values": "a", "equal": True, "min": 1}, {"a": [True, True]}, "pass", "a is true"),
        ({"values": "a", "equal": "1", "min": 0.1}, {"a": [1, 1]}, "fail", "a is 1"),
        ({"columns": "exact"}, {"a": [1]}, "fail", "no others"),
    ],
)
def test_rules_of_one_table(tmp_path, entry, columns, verdict, told):
    gate = one(tmp_path, entry, columns)
    assert (gate.verdict, told in gate.reason) == (verdict, True), gate.reason


@pytest.mark.parametrize(("columns", "exact", "ordered"), [("aby", 1, 1), ("bay", 1, 0), ("abyc", 0, 0), ("ay", 0, 0)])
def test_the_set_of_columns_and_their_order(tmp_path, columns, exact, ordered):
    parquet(tmp_path / "holdout.parquet", {name: ["1"] for name in columns})
    record = {"properties": {"a": {}, "b": {}, "y": {}}}
    for word, kept in (("exact", exact), ("ordered", ordered)):
        gate = Held(tmp_path, {"record": record, "table": [{"columns": word}]}).gate("columns")
        assert gate.verdict == ("pass" if kept else "fail"), gate.reason


DAY = dt.timedelta(days=1)
UTC = NOW.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("values", "within", "verdict"),
    [
        ([UTC - 2 * DAY, UTC - DAY], "1d", "pass"),
        ([UTC - 2 * DAY], "47h", "fail"),
        ([UTC - 2 * DAY], "2880m", "pass"),
        ([NOW - 6 * DAY], "1w", "pass"),
        ([(NOW - DAY).astimezone(dt.timezone(dt.timedelta(hours=9)))], "24h", "pass"),
        ([NOW.date() - DAY], "36h", "pass"),
        ([NOW.date() - DAY], "35h", "fail"),
        (["2026-03-01T13:30:00+02:00"], "30m", "pass"),
        (["2026-03-01T13:29:59+02:00"], "30m", "fail"),
        (["2026-03-01T20:30:00.123456789+0900"], "31m", "pass"),
        (["2026-03-01t11:30:00z"], "30m", "pass"),
        (["2026-03-01t11:29:59,9Z"], "30m", "fail"),
        (["2026-03-01 20:30+09"], "30m", "pass"),
        (["2026-03-01T11:59:60Z"], "30m", "pass"),
        (["long ago", "2026-03-01T11:59:00Z", None], "1h", "pass"),
        ([NOW + 14 * DAY / 24], "1d", "pass"),
        (["long ago", None], "52w", "fail"),
        ([None], "52w", "fail"),
    ],
)
def test_freshness_is_held_against_the_time_of_measuring(tmp_path, values, within, verdict):
    gate = one(tmp_path, {"fresh": "a", "within": within}, {"a": values})
    assert gate.verdict == verdict, gate.reason
    assert f"the newest of a within {within}" in gate.reason


STALE = {  # values -> code, what is said
    "old": (["2020-01-01", None], "too_old", "every readable time is older (1 row)"),
    "unreadable": (
        ["long ago", "20260301", None],
        "unreadable",
        "none of 3 rows has a readable time; 2 rows can't be read as a time",
    ),
    "missing": ([None, None], "unreadable", "none of 2 rows has a readable time"),
    "ahead": (
        ["9999-01-01", "x"],
        "in_future",
        "no row is in the past; 1 row can't be read as a time, such as x; 1 row more",
    ),
    "ahead and old": (["9999-01-01", "2020-01-01"], "too_old", "1 row more than 14 hours in the future, not counted"),
    "unreadable and old": (
        ["9999-99-99", "2020-01-01"],
        "too_old",
        "1 row can't be read as a time, such as 9999-99-99",
    ),
    "timestamps ahead": ([NOW + DAY, NOW - 5 * DAY], "too_old", "1 row more than 14 hours in the future"),
}


@pytest.mark.parametrize("case", STALE)
def test_too_old_in_the_future_and_unreadable_are_three_findings(tmp_path, case):
    values, code, told = STALE[case]
    gate = one(tmp_path, {"fresh": "a", "within": "1d"}, {"a": pa.array(values)})
    assert (gate.verdict, gate.code, told in gate.reason) == ("fail", code, True), gate.reason


def test_what_can_not_be_read_and_lies_ahead_is_told_of_a_fresh_table_too(tmp_path):
    gate = one(tmp_path, {"fresh": "a", "within": "1d"}, {"a": ["2026-03-01", "2026-13-01", "2999-01-01", None]})
    wanted = (
        "holdout: the newest of a within 1d: 1 of 4 rows are; 1 row can't be read as a time, such as 2026-13-01; "
        "1 row more than 14 hours in the future, not counted"
    )
    assert (gate.verdict, gate.code, gate.reason) == ("pass", "within_bar", wanted)


def test_what_can_not_be_read_of_a_sensitive_column_is_not_shown(tmp_path):
    parquet(tmp_path / "holdout.parquet", {"y": ["a"], "a": ["secret"]})
    contract = {"record": {"properties": {"a": {"x-sensitive": True}}}, "table": [{"fresh": "a", "within": "1d"}]}
    held = Held(tmp_path, contract)
    assert "1 row can't be read" in held.gate("fresh(a)").reason
    assert b"secret" not in held.bytes + canonical(held.decision)


def test_leakage(tmp_path):
    train = {"a": [1, 2, 2, None], "b": ["x", "y", "y", "z"]}
    holdout = {"a": [2, 2, 3, None, 1], "b": ["y", "q", "x", "z", "x"]}
    assert "60 % of 5 rows" in one(tmp_path, {"leakage": "a"}, holdout, train).reason
    gate = one(tmp_path, {"leakage": ["a", "b"], "max": 0.4}, holdout, train)
    assert (gate.verdict, "40 % of 5 rows" in gate.reason) == ("pass", True), gate.reason
    assert one(tmp_path, {"leakage": ["a", "b"], "max": 0.3}, holdout, train).verdict == "fail"
    parquet(tmp_path / "holdout.parquet", holdout | {"y": ["a"] * 5})
    without = Held(tmp_path, {"table": [{"leakage": "a"}]})
    assert not [gate for gate in without.decision.gates if "leakage" in gate.rule]  # nothing to leak from


def test_references_into_another_table(tmp_path):
    (tmp_path / "other.csv").write_text("id,shop\n1,x\n2,y\n")
    columns = {"a": [1, 2, 2, 9, None], "b": ["x", "y", "x", "x", "x"]}
    entry = {"refers": "a", "to": "other.csv", "column": "id"}
    assert "20 % of 5 rows" in one(tmp_path, entry, columns).reason
    assert one(tmp_path, {**entry, "max": 0.2}, columns).verdict == "pass"
    gate = one(tmp_path, {"refers": ["a", "b"], "to": "other.csv", "column": ["id", "shop"]}, columns)
    assert "40 % of 5 rows" in gate.reason
    with pytest.raises(GatesError, match="no column a"):
        one(tmp_path, {"refers": "a", "to": "other.csv"}, columns)
    with pytest.raises(GatesError, match="there is no such file"):
        one(tmp_path, {"refers": "a", "to": "gone.csv"}, columns)
    with pytest.raises(GatesError, match=r"a holds whole numbers in holdout\.parquet, but shop text in other.csv"):
        one(tmp_path, {**entry, "column": "shop"}, columns)


def parts_of(held, rule):
    (found,) = [finding for finding in held.evidence.findings if finding.rule == rule]
    return [(part.here, part.there) for part in found.parts]


def shares(counts):
    total = sum(counts)
    return [count / total for count in counts]


def binned(values, reference):
    """Bins by their definition: between the reference's deciles, a value that a tenth of it holds alone; where it has
    up to 20 values, each of them and what lies between two of them."""
    finite = sorted(value for value in reference if value is not None and math.isfinite(value))
    alone = {one for one, count in Counter(finite).items() if len(set(finite)) <= 20 or count * 10 >= len(finite)}
    deciles = {finite[max(0, math.ceil(step / 10 * len(finite)) - 1)] for step in range(1, 11)} if finite else set()
    cuts = alone if len(set(finite)) <= 20 else deciles

    def bin_of(value):
        if value is None or math.isnan(value) or math.isinf(value):
            return "missing" if value is None else str(value)
        if value < finite[0] or value > finite[-1]:
            return "below" if value < finite[0] else "above"
        return (sum(cut < value for cut in cuts), value in alone)

    return [bin_of(value) for value in values]


def numbers(seed, rows, shift=0.0, odd=True):
    chance = random.Random(seed)  # noqa: S311 -- the same rows at every run
    values = [chance.gauss(shift, 1) for _ in range(rows)]
    return values + [None, None, math.nan, math.inf, -math.inf, 0.0, -0.0] * odd


def distances(here, there):
    """PSI and Jensen-Shannon of two lists of bins, by their formulas."""
    bins = sorted({*here, *there}, key=str)
    n, m = [here.count(bin_) for bin_ in bins], [there.count(bin_) for bin_ in bins]
    p, q = shares([count + 0.5 for count in n]), shares([count + 0.5 for count in m])
    psi = math.fsum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    return psi, float(scipy.spatial.distance.jensenshannon(shares(n), shares(m), base=2))


def drift(root, measure, here, there, **more):
    parquet(root / "holdout.parquet", {"a": here, "y": ["a"] * len(here)})
    parquet(root / "train.parquet", {"a": there, "y": ["a"] * len(there)})
    held = Held(root, {"table": [{"drift": "a", "max": 0.1, "measure": measure}]}, train="train.parquet", **more)
    (finding,) = held.evidence.findings
    parts = [(part.here, part.there) for part in finding.parts]
    plain = {"psi": psi, "js": jensen_shannon, "ks": lambda parts: parts[-1][0] / parts[-1][1]}
    return held, plain[measure](parts) if parts else math.nan


def drifts(root, here, there, measure="psi"):
    """The verdict of a limit of 0.1."""
    held, _ = drift(root, measure, here, there)
    (gate,) = [gate for gate in held.decision.gates if gate.id == "data.holdout"]
    return gate


CASES = [
    (numbers(1, 500), numbers(2, 800)),
    (numbers(3, 300, shift=2), numbers(4, 500)),
    ([float(one % 3) for one in range(50)], [float(one % 5) for one in range(70)]),
    ([1, 2, 3, 2**62, -(2**62)], [5, 6, 7, 8, 2**62]),
    ([1.5], [None, None, 2.5]),
    ([0.0] * 30 + numbers(5, 90, odd=False), numbers(6, 80) + [0.0, -0.0] * 20),
    (numbers(7, 60), [-math.inf, 3.0, math.inf]),
    ([-999.0] * 60 + numbers(8, 50, odd=False), [0.0] * 60 + [one / 7 for one in range(1, 41)]),
    (["x", "y", None, "", "x"], ["x", "z", "y", "y"]),
    ([True, False, None], [True, True, False]),
]


@pytest.mark.parametrize("case", CASES, ids=str([len(one) for one, _ in CASES]).strip("[]").split(", "))
def test_psi_and_js_are_their_formulas(tmp_path, case):
    here, there = case
    text = isinstance(here[0], str | bool)
    bins = (
        [str(one) for one in here] if text else binned(here, there),
        [str(one) for one in there] if text else binned(there, there),
    )
    psi, js = distances(*bins)
    assert drift(tmp_path, "psi", here, there)[1] == pytest.approx(psi, abs=1e-12)
    assert drift(tmp_path, "js", here, there)[1] == pytest.approx(js, abs=1e-9)


@pytest.mark.parametrize("case", [(one, two) for one, two in CASES if not isinstance(one[0], str | bool)])
def test_ks_is_the_statistic_of_scipy(tmp_path, case):
    here, there = ([value for value in side if value is None or not math.isnan(value)] for side in case)
    wanted = scipy.stats.ks_2samp(
        [v for v in here if v is not None], [v for v in there if v is not None], method="asymp"
    )
    assert drift(tmp_path, "ks", here, there)[1] == pytest.approx(wanted.statistic, abs=1e-15)


def test_times_drift_along_their_line_and_text_by_value(tmp_path):
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=one) for one in range(200)]
    later = [day + 50 * DAY for day in days]
    assert drift(tmp_path, "ks", later, days)[1] == 0.25
    held, _ = drift(tmp_path, "psi", later, days)
    assert len(parts_of(held, "drift(a)")) == 11
    with pytest.raises(GatesError, match=r"ks of a: holdout.parquet has text there, not numbers"):
        drift(tmp_path, "ks", ["x"], ["y"])
    with pytest.raises(GatesError, match=r"a holds text in holdout\.parquet, but a whole numbers in train.parquet"):
        drift(tmp_path, "psi", ["x"], [1])


def test_evidence_of_many_values_stays_small(tmp_path):
    here, there = [f"v{one}" for one in range(3000)], [f"v{one}" for one in range(2000)] * 2
    held, _ = drift(tmp_path, "psi", here, there)
    parts = parts_of(held, "drift(a)")
    assert len(parts) == 201  # the reference's most frequent, and the rest
    assert [sum(side) for side in zip(*parts, strict=True)] == [3000, 4000]


@pytest.mark.parametrize("measure", ["psi", "js", "ks"])
def test_no_values_at_all_are_an_error_and_not_a_pass(tmp_path, measure):
    empty = pa.array([None, None], pa.float64())
    if measure == "ks":
        held, _ = drift(tmp_path, measure, empty, empty)
        assert held.gate("drift(a, ks, train)").verdict == "error"
    else:  # all are missing on both sides: the same
        assert drift(tmp_path, measure, empty, empty)[1] == 0


DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=one % 100) for one in range(500)]
RATINGS = [one % 5 + 1 for one in range(600)]
SKEWED = [0.0] * 360 + [one / 3 for one in range(1, 241)]
HIDDEN = {  # (rows, reference): what lies in a bin of the reference's, or beyond its ends
    "the lowest value falls": ([-999] * 300 + list(range(1, 11)) * 20, [0] * 300 + list(range(1, 11)) * 20),
    "a constant falls": ([0] * 400, [1] * 400),
    "a constant rises": ([2] * 400, [1] * 400),
    "between ratings": ([one - 0.5 for one in RATINGS], [float(one) for one in RATINGS]),
    "zeros among many values": ([-0.001 if one == 0 else one for one in SKEWED], SKEWED),
    "a spike within a bin": (SKEWED[:360] + [one + 0.1 for one in SKEWED[360:]], SKEWED[:360] + [3.0] * 240),
    "below the lowest": ([one - 5 for one in range(40)] + list(range(400)), list(range(1, 441))),
    "above the highest": (list(range(400)) + [10**6] * 40, list(range(440))),
    "another infinity": ([-math.inf] * 60 + RATINGS, [-9.0] * 60 + [math.inf] + RATINGS),
    "dates before the first": ([DAYS[0] - DAY] * 60 + DAYS, [DAYS[0]] * 60 + DAYS),
    "a constant date": ([DAYS[0] - DAY] * 400, [DAYS[0]] * 400),
    "binary": ([0] * 500 + [1] * 100, [0] * 250 + [1] * 350),
    "missing": ([None] * 100 + RATINGS, [1] * 100 + RATINGS),
    "text that is new": (["new"] * 60 + ["a", "b"] * 300, ["a", "b"] * 330),
}


@pytest.mark.parametrize("case", HIDDEN)
@pytest.mark.parametrize("measure", ["psi", "js"])
def test_no_fall_and_no_rise_is_hidden_in_a_bin(tmp_path, case, measure):
    here, there = HIDDEN[case]
    assert (drifts(tmp_path, here, there, measure).verdict, drifts(tmp_path, there, there, measure).verdict) == (
        "fail",
        "pass",
    )


CATEGORIES = [(2, 50), (2, 5000), (10, 200), (50, 50), (50, 1000), (200, 50), (200, 200), (200, 5000)]


@pytest.mark.parametrize(("categories", "rows"), CATEGORIES)
@pytest.mark.parametrize("measure", ["psi", "js"])
def test_without_drift_there_is_none_and_with_drift_there_is(tmp_path, categories, rows, measure):
    """Even where the distance itself is far beyond the limit, as that of many categories on few rows always is."""
    chance = random.Random(categories * rows)  # noqa: S311 -- the same rows at every run
    words = [f"c{one}" for one in range(categories)]
    here, there = chance.choices(words, k=rows), chance.choices(words, k=rows)
    gate = drifts(tmp_path, here, there, measure)
    assert gate.verdict != "fail", gate.reason
    if rows >= 1000 and (measure, rows >= 100 * categories) != ("js", False):
        assert gate.verdict == "pass", gate.reason
    else:
        assert gate.verdict == "inconclusive", gate.reason
    moved = chance.choices([*words, "new"], [1] * categories + [categories], k=rows)
    assert drifts(tmp_path, moved, there, measure).verdict == "fail"


def test_label_shift_and_drift_against_a_file(tmp_path):
    parquet(tmp_path / "holdout.parquet", {"y": ["a"] * 900 + ["b"] * 100})
    parquet(tmp_path / "train.parquet", {"y": ["a"] * 500 + ["b"] * 500})
    parquet(tmp_path / "last.parquet", {"y": ["a"] * 900 + ["b"] * 100})
    rules = [
        {"drift": "y", "max": 0.1, "measure": "js"},
        {"drift": "y", "max": 0.1, "measure": "js", "against": "last.parquet"},
        {"drift": "y", "max": 0.1, "severity": "warn"},
    ]
    held = Held(tmp_path, {"table": rules}, train="train.parquet")
    assert held.gate("drift(y, js, train)").verdict == "fail"
    assert held.gate("drift(y, js, last.parquet)").verdict == "pass"
    assert held.gate("drift(y, js, last.parquet)", "train").verdict == "fail"
    assert (held.gate("drift(y)").verdict, held.gate("drift(y)").code) == ("pass", "warned")


def test_a_warning_passes_and_is_told(tmp_path):
    parquet(tmp_path / "holdout.parquet", {"y": ["a", "b"], "age": [-1, 30]})
    record = {
        "properties": {"age": {"minimum": 0, "x-severity": "warn"}, "gone": {"x-severity": "warn"}},
        "required": ["gone"],
    }
    held = Held(tmp_path, {"record": record, "table": [{"unique": "y", "severity": "warn"}]})
    gate = held.gate("age.minimum")
    assert (gate.verdict, gate.code) == ("pass", "warned")
    assert gate.reason == "holdout: age.minimum (minimum 0) is broken in 1 of 2 rows (50 %), such as -1 (warning only)"
    assert held.gate("gone.required").code == "warned"
    assert held.gate("unique(y)").code == "within_bar"
    assert "fail" not in {gate.verdict for gate in held.decision.gates}
    print(md.render(held.decision, Facts()), verdicts.render(held.decision))


@pytest.mark.parametrize(
    ("tolerance", "verdict"), [(0, "fail"), (0.2, "fail"), (0.4, "pass"), (1, "fail"), (2, "pass")]
)
def test_tolerance_is_a_share_below_one_and_rows_from_one_on(tmp_path, tolerance, verdict):
    parquet(tmp_path / "holdout.parquet", {"y": ["a"] * 5, "age": [-1, -2, 30, 31, 32]})
    held = Held(tmp_path, {"record": {"properties": {"age": {"minimum": 0, "x-tolerance": tolerance}}}})
    gate = held.gate("age.minimum")
    assert gate.verdict == verdict
    assert "2 of 5 rows (40 %), such as -1, -2" in gate.reason


EVERYTHING = {
    "record": {
        "required": ["id", "amount"],
        "properties": {
            "id": {"type": "integer", "maximum": 900},
            "amount": {"type": ["number", "null"], "minimum": 0, "multipleOf": 0.5},
            "name": {"pattern": "^[a-c]+$", "maxLength": 2},
            "day": {"format": "date"},
        },
        "if": {"properties": {"name": {"const": "a"}}},
        "then": {"properties": {"amount": {"maximum": 0.5}}},
    },
    "table": [
        {"rows": {"min": 1}},
        {"unique": ["name", "day"]},
        {"nulls": "amount", "max": 0.1},
        {"fresh": "day", "within": "9w"},
        {"values": "name", "equal": "a", "max": 0.2},
        {"leakage": "id"},
        {"refers": "name", "to": "names.csv"},
        *(
            {"drift": column, "max": 0.1, "measure": measure}
            for column in ("id", "amount", "day")
            for measure in ("psi", "js", "ks")
        ),
        {"drift": "name", "max": 0.1},
    ],
}


def without_days(contract):
    """In JSON lines days are text."""
    return {**contract, "table": [one for one in contract["table"] if one.get("drift") != "day"]}


def rows_of(seed, rows):
    chance = random.Random(seed)  # noqa: S311 -- the same rows at every run
    return [
        {
            "id": chance.randrange(1000),
            "amount": chance.choice([None, -0.5, 0.0, 1.0, 2.5, math.pi, 1e300]),
            "name": chance.choice(["a", "b", "ab", "abc", "d\n", "é", None]),
            "day": dt.date(2026, 1, 1) + dt.timedelta(days=chance.randrange(60)),
            "y": chance.choice(["a", "b"]),
        }
        for _ in range(rows)
    ]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_order_files_and_threads_change_no_byte(tmp_path, form):
    train, holdout = rows_of(1, 4000), rows_of(2, 3000)
    (tmp_path / "names.csv").write_text("name\na\nb\nab\n")
    contract = without_days(EVERYTHING) if form == "jsonl" else EVERYTHING
    found = set()
    for seed, files, threads in ((0, 1, 1), (1, 1, 4), (2, 3, 2), (3, 7, 4)):
        for name, rows in (("train", train), ("holdout", holdout)):
            folder = tmp_path / f"{name}{seed}"
            folder.mkdir()
            shuffled = random.Random(seed).sample(rows, len(rows)) if seed else rows  # noqa: S311 -- as above
            for part in range(files):
                write(folder / f"{part}.{form}", shuffled[part::files])
        held = Held(
            tmp_path, contract, train=f"train{seed}/*.{form}", holdout=f"holdout{seed}/*.{form}", threads=threads
        )
        findings = json.loads(held.bytes)["findings"]
        tables = [table["digest"] for table in json.loads(held.bytes)["tables"]]
        found.add(json.dumps([findings, tables]))
    assert len(found) == 1
    assert len({finding["rule"] for finding in findings}) > 20


def test_files_of_several_types_are_read_as_the_wider_one(tmp_path):
    """By the first file's types 1.5 would have become 2."""
    parquet(tmp_path / "p1.parquet", {"y": ["a"], "b": [1]})
    parquet(tmp_path / "p2.parquet", {"b": [1.5], "y": ["b"]})
    held = Held(tmp_path, {"record": {"properties": {"b": {"type": "integer"}}}}, holdout="p*.parquet")
    assert "broken in 1 of 2 rows (50 %), such as 1.5" in held.gate("b.type").reason


def write(path, rows):
    if path.suffix == ".parquet":
        parquet(path, pa.Table.from_pylist(rows), row_group_size=500)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    else:
        import pandas as pd

        pd.DataFrame(rows).to_csv(path, index=False)


def test_every_rule_has_an_example_that_is_one():
    import yaml

    from gates.contract.contract_file import mistakes
    from gates.schema.yaml_text import parse

    for rule in TABLE_RULES.values():
        entry = yaml.safe_load(rule.EXAMPLE)
        assert list(mistakes(parse(yaml.safe_dump({"table": [entry]}).encode(), "contract.yaml"))) == []
