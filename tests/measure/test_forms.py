"""The same values in any form, order and number of files: the same verdicts, examples and digest."""

from __future__ import annotations

import pytest
from forms import CONTRACT, FILES, FIXED, FRAMES, TABLE, TABLES, written
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gates.checkout.workspace import read_contract
from gates.measure.contract_check import findings
from gates.measure.engines import connect
from gates.measure.holdout.tables import content_digest, open_table, register
from gates.schema.yaml_text import Source


def rules(*table):
    return read_contract(Source(name="c", value={"record": CONTRACT, "table": [*TABLE, *table]}, places={}))


PLAIN = rules()
DRIFT = rules(*({"drift": name, "max": 0, "against": "reference"} for name in ("i", "n", "b", "d", "m")))


@pytest.fixture(scope="module")
def engine():
    return connect(threads=1)


@pytest.fixture(scope="module")
def memory():
    """An engine for frames: a name that one of them has no file can have after it."""
    return connect(threads=1)


def every_form(engine, memory, folder, rows, contract, mixed, cut):
    """(what the contract counts, digest) of the rows in each form; files hold them in another order, in two parts."""
    for each in (engine, memory):
        reference = register(each, FRAMES["arrow"](rows[:3]), "reference")
    found = {}
    for name in (*FRAMES, *FILES):
        if name in FRAMES:
            here, opened = memory, register(memory, FRAMES[name](rows), "holdout")
        else:
            here, opened = engine, open_table(engine, folder, written(folder, name, mixed, cut), "holdout")
        found[name] = findings(here, opened, contract, lambda _: reference), content_digest(here, opened)
    return found


@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLES, st.randoms(), st.integers(0, 7))
def test_every_form_gives_the_same(engine, memory, tmp_path, rows, random, cut):
    answers = every_form(engine, memory, tmp_path, rows, PLAIN, random.sample(rows, len(rows)), cut)
    assert len(answers["arrow"][0]) == len(PLAIN.rules)
    assert {form: given_ for form, given_ in answers.items() if given_ != answers["arrow"]} == {}


def test_drift_is_the_same_in_every_form(engine, memory, tmp_path):
    """Dates and moments of a file without types are text, and yet lie on a line."""
    answers = every_form(engine, memory, tmp_path, FIXED, DRIFT, FIXED[::-1], 5)
    assert {form: given_ for form, given_ in answers.items() if given_ != answers["arrow"]} == {}
    parts = {one.rule: len(one.parts) for one in answers["arrow"][0] if one.rule.startswith("drift")}
    assert len(parts) == 5
    assert parts["drift(d, psi, reference)"] == parts["drift(i, psi, reference)"]


def test_a_value_that_differs_gives_another_digest(engine, tmp_path):
    """The control."""
    rows = [{"i": 1, "n": 0.5, "b": True, "t": "x", "d": None, "m": None}]
    digests = set()
    for change in ({}, {"i": 2}, {"n": 1.0}, {"b": False}, {"t": "X"}, {"t": None}):
        name = written(tmp_path, ".csv", [rows[0] | change], 0)
        digests.add(content_digest(engine, open_table(engine, tmp_path, name, "t"))[0])
    assert len(digests) == 6


SPELT = {
    "booleans": ("true\nfalse\n", "True\nFALSE\n"),
    "numbers": ("0.5\n100.0\n", "5e-1\n1E2\n"),
    "minus nothing": ("0\n1\n", "-0\n1\n"),
    "quotes": ("1\n2\n", '"1"\n"2"\n'),
    "line ends": ("1\n2\n", "1\r\n2\r\n"),
    "the last line end": ("1\n2\n", "1\n2"),
}


@pytest.mark.parametrize("pair", SPELT.values(), ids=SPELT)
def test_a_digest_depends_on_values_and_not_on_their_spelling(engine, tmp_path, pair):
    digests = set()
    for text in pair:
        (tmp_path / "t.csv").write_bytes(b"a\n" + text.encode())
        digests.add(content_digest(engine, open_table(engine, tmp_path, "t.csv", "t"))[0])
    assert len(digests) == 1
