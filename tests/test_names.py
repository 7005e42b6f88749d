"""Names that outlive a few lines are nouns of the field: a filler such as ``found`` tells no reader what it holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pages import ROOT

FILLERS = {"one", "found", "told", "made", "held", "part", "place", "kind"}
FAR = 3  # lines that a filler may live
LONG = 8  # lines of a function whose arguments may be called so

PARTS = ("measure/live/window_counts.py", "measure/live/window_times.py", "policy/live_policies.py")
MEANT = {  # the domain's own words: a gate's kind, the part of a window that is judged
    ("gates/documents/decision.py", "kind"),
    *((f"gates/{path}", "part") for path in PARTS),
}


def lasting(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every function with a filler among its arguments, or its locals that live long."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if (function.end_lineno or 0) - function.lineno > LONG:
            arguments = function.args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            yield from ((function.name, argument.arg) for argument in every if argument.arg in FILLERS)
        yield from ((function.name, name) for name in locals_of(function))


def locals_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The fillers that are assigned here, outside a comprehension, and read more than a few lines later."""
    inner = {
        id(name) for node in ast.walk(function) if isinstance(node, ast.comprehension) for name in ast.walk(node.target)
    }
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in FILLERS]
    for filler in sorted(FILLERS):
        lines = [name.lineno for name in names if name.id == filler]
        assigned = [
            name.lineno
            for name in names
            if name.id == filler and isinstance(name.ctx, ast.Store) and id(name) not in inner
        ]
        if assigned and max(lines) - min(assigned) > FAR:
            yield filler


def test_what_outlives_three_lines_is_called_what_it_is():
    fillers = [
        (path, name, function)
        for path in sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "gates").rglob("*.py"))
        for function, name in lasting(ast.parse((ROOT / path).read_text()))
    ]
    assert [filler for filler in fillers if filler[:2] not in MEANT] == []


def test_a_filler_that_lives_long_would_be_seen():
    read = "\n    print(1)" * FAR + "\n    return found"
    assert list(lasting(ast.parse(f"def f():\n    found = 1{read}"))) == [("f", "found")]
    assert list(lasting(ast.parse(f"def f(found):\n    pass{read * 2}"))) == [("f", "found")]
    assert list(lasting(ast.parse("def f():\n    found = 1\n    return found"))) == []
    assert list(lasting(ast.parse("def f(found):\n    return found"))) == []
