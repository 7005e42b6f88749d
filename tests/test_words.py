"""What is counted is told in the singular and the plural, everywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gates
from gates.wording import all_of, counted, have, plural, written

HERE = Path(gates.__file__).parent
VERBS = {  # what follows a name, not a number
    "as", "asks", "comes", "compares", "counts", "differs", "divides", "does", "exists", "has", "holds", "is", "lacks",
    "leads", "less", "lies", "names", "needs", "occurs", "puts", "repeats", "requires", "rises", "says", "stands",
    "takes", "tells", "times", "was",
}  # fmt: skip
ALWAYS_MANY = {  # (module, what is counted): it is never one
    ("schema/yaml_text.py", "bytes"), ("schema/yaml_text.py", "characters"),  # of what is too large
    ("github/reporting/comment.py", "characters"),
    ("checkout/pointers.py", "pointers"),
    ("report/headline.py", "models"),
    ("contract/rules/freshness.py", "hours"),
    ("measure/holdout/hidden.py", "rows"),
    ("report/html/compared_arms.py", "units"), ("ledger/experiments/experiment_standing.py", "units"),  # planned: 1,000
    ("cli/after_release/experiment_text.py", "units"), ("cli/after_release/experiment_text.py", "days"),
    ("report/html/compared_arms.py", "days"),
    ("report/markdown.py", "gates"),  # the tool's name
}  # fmt: skip


def texts(tree):
    """(what is put in, the text after it) of every f-string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for one, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(one, ast.FormattedValue) and isinstance(after, ast.Constant):
                    yield one, after.value


def is_constant(one):
    """One of ours, written large, such as a limit."""
    found = one.value
    while isinstance(found, ast.BinOp):
        found = found.left
    name = found.attr if isinstance(found, ast.Attribute) else getattr(found, "id", "")
    return name.isupper()


def is_name(one, module):
    """What a number is not: a word, told by its variable."""
    return (module.name, getattr(one.value, "id", "")) in {("predictions.py", "name"), ("approvals.py", "role")}


@pytest.mark.parametrize("module", sorted(HERE.rglob("*.py")), ids=lambda path: str(path.relative_to(HERE)))
def test_no_number_stands_before_a_plural_alone(module):
    """``f"{n} rows"`` says «1 rows»: ``counted(n, "row")`` does not."""
    told = str(module.relative_to(HERE))
    if told.startswith("template"):
        return  # written for the user's repository
    found = []
    for one, after in texts(ast.parse(module.read_text(encoding="utf-8"))):
        noun = re.match(r" (?:[a-z]+ )?([a-z]+s)\b(?!')", after)
        if not noun or noun[1] in VERBS or is_constant(one) or is_name(one, module):
            continue
        if isinstance(one.value, ast.Call) and ast.unparse(one.value.func) in ("counted", "plural", "rows", "all_of"):
            continue
        first = re.match(r" ([a-z]+)", after)[1]
        is_number = one.format_spec is not None or (
            isinstance(one.value, ast.Call) and ast.unparse(one.value.func) == "len"
        )
        if (is_number or first == noun[1]) and (told, noun[1]) not in ALWAYS_MANY:
            found.append(f"line {one.lineno}: {ast.unparse(one.value)}{after[:40]}")
    assert found == []


def test_a_number_before_a_plural_would_be_found():
    tree = ast.parse('f"{n:,} rows differ"; f"{len(x)} lost keys"; f"{rows(n)} differ"; f"{name} holds"')
    assert [after for _, after in texts(tree)] == [" rows differ", " lost keys", " differ", " holds"]


@pytest.mark.parametrize(
    ("noun", "one", "several"),
    [("row", "1 row", "1,200 rows"), ("query", "1 query", "1,200 queries"), ("class", "1 class", "1,200 classes")],
)
def test_counted(noun, one, several):
    assert (counted(1, noun), counted(1200, noun), counted(0, noun)) == (one, several, several.replace("1,200", "0"))


def test_verbs_follow_the_number():
    assert (have(1), have(0), have(2)) == ("has", "have", "have")
    assert all_of(1, "rule holds", "rules hold") == "the one rule holds"
    assert all_of(3, "rule holds", "rules hold") == "all 3 rules hold"
    assert plural(1, "rule holds", "rules hold") == "1 rule holds"


@pytest.mark.parametrize(("value", "text"), [(-0.05, "-0.05"), (1234.5, "1234.5"), (1.0, "1"), (1e-7, "1e-07")])
def test_what_is_pasted_is_yaml(value, text):
    assert written(value) == text
    assert float(text) == value
