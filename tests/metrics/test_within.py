"""Whether two numbers lie within a declared distance of each other is told as they are written, in decimals."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.metrics.expressions import within

CASES = {  # (label, prediction, within): whether it is
    ("0.3", "0.4", "0.1"): True,
    ("0.4", "0.3", "0.1"): True,
    ("1.0", "1.1", "0.1"): True,
    ("0.1", "0.3", "0.2"): True,
    ("0.3", "0.1", "0.2"): True,
    ("-0.3", "-0.4", "0.1"): True,
    ("-0.1", "0.2", "0.3"): True,
    ("0.7", "0.6", "0.1"): True,
    ("3", "2.9", "0.1"): True,
    ("100.1", "100", "0.1"): True,
    ("1e-9", "1.1e-9", "1e-10"): True,
    ("123456789.3", "123456789.4", "0.1"): True,
    ("-123456789.3", "123456789.4", "246913578.7"): True,
    ("0.3", "0.3", "0"): True,
    ("1e300", "1.1e300", "1e299"): True,
    # what is further off by as little as doubles tell apart is not taken for within
    ("0.3", "0.400000000000001", "0.1"): False,
    ("0.3", "0.41", "0.1"): False,
    ("0.3", "0.30000000000000004", "0"): False,
    ("1.0", "1.10000000000001", "0.1"): False,
    ("-0.3", "-0.400000000000001", "0.1"): False,
    ("123456789.3", "123456789.4000001", "0.1"): False,
    ("123456789012.3", "123456789012.41", "0.1"): False,
    ("1000000000000000", "1000000000000001", "0.5"): False,
    ("9007199254740992", "9007199254740994", "1"): False,
    ("10000000000000002", "0", "10000000000000000"): False,
    ("1e300", "1.2e300", "1e299"): False,
    ("0", "1e-300", "0"): False,
}


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        yield connection


def told(engine, label, prediction, most):
    row = f"FROM (VALUES (CAST({float(label)!r} AS DOUBLE), CAST({float(prediction)!r} AS DOUBLE))) AS row(y, c)"
    return engine.execute(f"{row} SELECT {within('c', 'y', float(most))}").fetchone()[0]


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_as_it_is_written(engine, case):
    assert told(engine, *case) is CASES[case]


PLACES = st.integers(0, 6)


@settings(max_examples=examples(400))
@given(st.integers(-(10**8), 10**8), st.integers(-(10**8), 10**8), PLACES, PLACES, st.integers(-2, 2), PLACES)
def test_any_decimals(engine, one, other, places, others, beside, step):
    """The distance itself, and the next ones at so many places more, of numbers of up to 15 digits."""
    label, prediction = Decimal(one).scaleb(-places), Decimal(other).scaleb(-others)
    gap = abs(label - prediction)
    most = gap + beside * Decimal(1).scaleb(min(gap.as_tuple().exponent, 0) - step // 3)
    if most < 0 or len(most.as_tuple().digits) > 15:
        return
    assert told(engine, label, prediction, most) is (gap <= most)
