"""Ranking: every metric against a plain reading of its definition, query by query, or scikit-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reference import measured

from gates.documents.evidence import CANDIDATE, CHAMPION
from gates.documents.slices import OVERALL, Dimension
from gates.errors import GatesError
from gates.judge.judge import judge
from gates.kinds.metric.rule import metric_of


def ranks(s):
    """The last of the tied ranks."""
    return np.array([(s >= one).sum() for one in s])


def ap(y, s, k=None, relevant=None):
    hit, rank = (y > 0) if relevant is None else (y >= relevant), ranks(s)
    within = hit & (rank <= (k or len(y)))
    return sum((hit & (s >= s[at])).sum() / rank[at] for at in np.flatnonzero(within)) / min(hit.sum(), k or len(y))


def mrr(y, s, k=None):
    found = ranks(s)[y > 0].min()
    return 1 / found if found <= (k or len(y)) else 0.0


def recall(y, s, k):
    return ((ranks(s) <= k) & (y > 0)).sum() / (y > 0).sum()


def hit(y, s, k):
    return float(((ranks(s) <= k) & (y > 0)).any())


def ndcg(y, s, k=None):
    return sm.ndcg_score([y], [s], k=k) if len(y) > 1 else 1.0


CASES = (
    ({"metric": "ndcg"}, ndcg),
    ({"metric": "ndcg", "k": 3}, lambda y, s: ndcg(y, s, 3)),
    ({"metric": "map"}, lambda y, s: sm.label_ranking_average_precision_score([y > 0], [s])),
    ({"metric": "map", "k": 4}, lambda y, s: ap(y, s, 4)),
    ({"metric": "mrr"}, mrr),
    ({"metric": "mrr", "k": 2}, lambda y, s: mrr(y, s, 2)),
    ({"metric": "recall_at", "k": 5}, lambda y, s: recall(y, s, 5)),
    ({"metric": "hit_rate_at", "k": 2}, lambda y, s: hit(y, s, 2)),
)
GATES = [{**gate, "max": 0.999} for gate, _ in CASES]


def values(resolved, evidence, who=CANDIDATE, part=None):
    part = part or evidence.along(OVERALL)
    return [metric_of(gate.rule, "ranking").level(part, who).value for gate in resolved.policy.gates]


def expected(frame, score, weight=None):
    held = [one for _, one in frame.groupby("q") if (one.y > 0).any()]
    weights = [one[weight].iloc[0] for one in held] if weight else None
    found = [[of(one.y.to_numpy(), one[score].to_numpy()) for one in held] for _, of in CASES]
    return [np.average(column, weights=weights) for column in found]


def rows(random, queries=60):
    sizes = random.integers(1, 12, queries)
    q = np.repeat(np.arange(queries), sizes)
    y = np.where(random.random(len(q)) < 0.6, 0, random.integers(1, 4, len(q))).astype(float)
    s, t = (np.round(y * 0.3 + random.normal(size=len(q)), digits) for digits in (1, 0))
    frame = pd.DataFrame({"q": q, "y": y, "s": s, "t": t})
    frame["region"] = np.where(frame.q % 3 == 0, "north", "south")
    frame["user"] = frame.q // 4
    frame["w"] = (frame.q % 5 + 1) / 4
    return frame.sample(frac=1, random_state=int(random.integers(1e6)))


def run(folder, frame, gates=GATES, **keys):
    columns = ["q", "y", "region", "user", "w"]
    sides = [frame[[name]].rename(columns={name: "score"}) for name in "st"]
    return measured(folder, "ranking", gates, frame[columns], *sides, query="q", **keys)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("keys", [{}, {"unit": "user"}, {"weight": "w"}, {"unit": "user", "weight": "w"}], ids=str)
def test_equals_the_definition_query_by_query(tmp_path, keys, seed):
    frame = rows(np.random.default_rng(seed))
    resolved, evidence = run(tmp_path, frame, **keys)
    weight = keys.get("weight")
    ours, theirs = (expected(frame, name, weight) for name in "st")
    assert values(resolved, evidence) == pytest.approx(ours, abs=1e-9)
    assert values(resolved, evidence, CHAMPION) == pytest.approx(theirs, abs=1e-9)
    for gate, a, b in zip(resolved.policy.gates, ours, theirs, strict=True):
        change = metric_of(gate.rule, "ranking").change(evidence.along(OVERALL))
        low, high = change.bounds(0.95)
        assert change.value == pytest.approx(a - b, abs=1e-9)
        assert low < change.value < high


def test_the_error_is_that_of_queries_not_of_rows(tmp_path):
    frame = rows(np.random.default_rng(3))
    resolved, evidence = run(tmp_path, frame)
    one = [CASES[0][1](part.y.to_numpy(), part.s.to_numpy()) for _, part in frame.groupby("q") if (part.y > 0).any()]
    found = metric_of(resolved.policy.gates[0].rule, "ranking").level(evidence.along(OVERALL), CANDIDATE)
    from scipy.stats import t

    half = t.ppf(0.95, len(one) - 1) * np.std(one, ddof=1) / np.sqrt(len(one))
    # exact ones of as many rows as the error is worth are a little wider, as a mean rests on those that carry it
    low, high = found.bounds(0.95)
    assert half < (high - low) / 2 < 1.08 * half
    assert evidence.slices[0].moments[0].rows == len(one)


QUERY = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 2, 3.5, 1e9]), st.sampled_from([-1e9, -0.0, 0.0, 0.5, 2.0])),
    min_size=1,
    max_size=8,
)


@given(queries=st.lists(QUERY, min_size=1, max_size=6))
@settings(max_examples=examples(25))
def test_any_ranking_equals_the_definition(tmp_path_factory, queries):
    flat = [(at, *row) for at, held in enumerate(queries) for row in held]
    frame = pd.DataFrame(flat, columns=["q", "y", "s"]).assign(t=0.0, region="a", user=1, w=1.0)
    resolved, evidence = run(tmp_path_factory.mktemp("ranking"), frame)
    if (frame.y > 0).any():
        assert values(resolved, evidence) == pytest.approx(expected(frame, "s"), abs=1e-9)
    else:
        assert set(values(resolved, evidence)) == {None}


def test_a_perfect_ranking_is_exactly_one_and_no_order_of_rows_matters(tmp_path):
    frame = rows(np.random.default_rng(5)).assign(s=lambda one: one.y)
    found = []
    for place in range(2):
        folder = tmp_path / str(place)
        folder.mkdir()
        resolved, evidence = run(folder, frame.sample(frac=1, random_state=place))
        found.append(evidence.slices)
    assert found[0] == found[1]
    assert values(resolved, evidence)[0] == 1.0


def test_a_label_from_which_rows_are_relevant(tmp_path):
    frame = rows(np.random.default_rng(6))
    resolved, evidence = run(tmp_path, frame, [{"metric": "map", "k": 3, "relevant": 2, "max": 0.999}])
    held = [part for _, part in frame.groupby("q") if (part.y >= 2).any()]
    assert values(resolved, evidence) == pytest.approx(
        [np.mean([ap(one.y.to_numpy(), one.s.to_numpy(), 3, 2) for one in held])], abs=1e-9
    )


def test_no_relevant_row_anywhere_is_an_error_and_in_a_slice_undecided(tmp_path):
    gates = [{"metric": "ndcg", "min": 0.1, "slices": {"min": 0.1}}]
    for name, where in (("none", slice(None)), ("slice", "north")):
        (tmp_path / name).mkdir()
        frame = rows(np.random.default_rng(7))
        frame.loc[frame.region.eq(where) if isinstance(where, str) else slice(None), "y"] = 0.0
        resolved, evidence = run(tmp_path / name, frame, gates, policy={"slices": ["region"]})
        told = {str(one.slice): one for one in judge(resolved, evidence).gates}
        north, overall = told["{'region': 'north'}"], told["None"]
        assert (north.verdict, north.code) == ("inconclusive", "too_few_rows")
        assert "no query has a relevant row" in north.reason
        assert overall.verdict == ("error" if name == "none" else "pass")


@pytest.mark.parametrize(
    ("change", "keys", "told"),
    [
        ({"region": "mixed"}, {"policy": {"slices": ["region"]}}, "region differs within"),
        ({"user": "mixed"}, {"unit": "user"}, "user differs within"),
        ({"w": "mixed"}, {"weight": "w"}, "w differs within"),
        ({"q": None}, {}, "rows of holdout.parquet have no q"),
        ({"y": -1.0}, {}, "have a relevance below 0"),
    ],
    ids=["slice", "unit", "weight", "query", "label"],
)
def test_what_is_no_ranking_is_told(tmp_path, change, keys, told):
    frame = rows(np.random.default_rng(8)).reset_index(drop=True)
    for name, value in change.items():
        frame[name] = np.arange(len(frame)) if value == "mixed" else frame[name].where(frame.index % 7 > 0, value)
    gates = [{"metric": "ndcg", "min": 0.1, **({"slices": {"min": 0.001}} if "policy" in keys else {})}]
    with pytest.raises(GatesError, match=told):
        run(tmp_path, frame, gates, **keys)


def test_groups_of_queries(tmp_path):
    frame = rows(np.random.default_rng(9))
    resolved, evidence = run(tmp_path, frame, [{"metric": "ndcg_difference", "by": "region", "max": 0.999}])
    parts = evidence.along(Dimension(columns=("region",)))
    by = [expected(part, "s")[0] for _, part in frame.groupby("region")]
    assert values(resolved, evidence, part=parts) == pytest.approx([max(by) - min(by)], abs=1e-9)
