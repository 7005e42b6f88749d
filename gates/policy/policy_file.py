"""Read ``gates.yaml`` into a ``ResolvedPolicy``: every mistake of the file, and of its contract, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gates.contract import contract_file
from gates.contract.rules.contract_rule import Contract
from gates.documents.slices import AUTO, Dimension, is_found, twice_cut
from gates.errors import GatesError
from gates.kinds import KINDS
from gates.kinds.live_gates import LIVE_KINDS
from gates.kinds.metric.rule import MetricRule
from gates.kinds.protocol import GateContext, GateKind
from gates.metrics import ANY_TASK
from gates.policy import Gate, Policy, Promotion, ResolvedPolicy
from gates.policy.experiment_section import Experiment, experiment_mistakes, stage_mistakes
from gates.policy.monitor_section import Monitor
from gates.policy.promotion_section import Stage
from gates.policy.retrain_section import Retrain, retrain_mistakes
from gates.policy.watched_gates import mistakes_in
from gates.schema.fields import Plain, build, schema_of
from gates.schema.validation import Problem, nearest, problems, raise_all
from gates.schema.yaml_text import Path, Source, parse

RULES: Mapping[str, type] = {key: kind.RULE for key, kind in KINDS.items()}
LIVE_RULES: Mapping[str, type] = {key: kind.rule for key, kind in LIVE_KINDS.items()}
NO_RULES = Contract(written=None, rules=())
Open = Callable[[str], bytes]  # a path as the policy writes it -> the file's bytes, or GatesError


def schema() -> dict[str, Plain]:
    """Return the JSON Schema of ``gates.yaml``: what validates it and what editors complete from."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gates.yaml",
        **schema_of(Policy),
    }


def read(data: bytes, name: str, open_file: Open, *, of_old: bool = False) -> ResolvedPolicy:
    """Read a policy with its contract. Raises ``PolicyError`` with all mistakes of both, sorted by place.

    ``of_old``: a policy that was in force already; rules that decide nothing are then no mistake.
    """
    source = parse(data, name)
    mistakes = list(_form(source))
    contract, beside = _contract(source, open_file)
    mistakes += beside
    mistakes += _meaning(source, contract, of_old=of_old)
    raise_all(mistakes)
    return ResolvedPolicy(policy=build(Policy, source.value), contract=contract)


def _form(source: Source) -> Iterator[Problem]:
    """Yield what the schema refuses. A gate is held to the schema of its own kind, so no message speaks of others; and
    a list of slices to that of a list, though one may stand alone."""
    whole = schema()
    if isinstance(_at(source.value, "slices"), list):
        *_, whole["properties"]["slices"] = whole["properties"]["slices"]["anyOf"]
    whole["properties"]["gates"] = _without_items(whole["properties"]["gates"])
    watched = whole["properties"]["monitor"]["properties"]
    watched["gates"] = _without_items(watched["gates"])
    yield from problems(source, (), source.value, whole)
    for index, gate in enumerate(_list(source.value, "gates")):
        yield from _gate_form(source, ("gates", index), gate, RULES)
    for index, gate in enumerate(_list(_at(source.value, "monitor"), "gates")):
        yield from _gate_form(source, ("monitor", "gates", index), gate, LIVE_RULES)


def _without_items(schema_: Plain) -> Plain:
    return {key: value for key, value in schema_.items() if key != "items"}


def _gate_form(source: Source, path: Path, gate: Plain, rules: Mapping[str, type]) -> Iterator[Problem]:
    words = list(gate) if isinstance(gate, dict) else []
    kinds = [kind for kind in rules if kind in words]
    known = ", ".join(rules)
    if len(kinds) == 1:
        yield from problems(source, path, gate, schema_of(rules[kinds[0]]))
    elif kinds:
        yield Problem.at(source, path, f"has two kinds ({', '.join(kinds)}); write two gates")
    else:
        hints = [(word, nearest(word, rules)) for word in words]
        place, hint = next(((((*path, word)), hint) for word, hint in hints if hint), (path, ""))
        yield Problem.at(source, place, f"has no kind of gate ({known}){hint}")


def _at(value: Plain, *path: str) -> Plain:
    """Return what stands at a path of keys, or None."""
    for word in path:
        value = value.get(word) if isinstance(value, dict) else None
    return value


def _contract(source: Source, open_file: Open) -> tuple[Contract | None, list[Problem]]:
    path = _at(source.value, "data", "contract")
    if not isinstance(path, str):
        return None, []
    try:
        data = open_file(path)
    except GatesError as error:
        return None, [Problem.at(source, ("data", "contract"), f"{path} {error.what}")]
    try:
        contract = parse(data, path)
    except GatesError as error:
        return None, [Problem.at(source, ("data", "contract"), " ".join(str(error).split()))]
    found = list(contract_file.mistakes(contract))
    return (None if found else contract_file.read(contract)), found


def _meaning(source: Source, contract: Contract | None, *, of_old: bool) -> Iterator[Problem]:
    """Yield what no schema can see, of all parts whose form is right: rules that don't fit their metric, gates and
    slices that occur twice, edges out of order, slices that no gate looks at."""
    dimensions, mistakes = _slices_meaning(source)
    yield from mistakes
    named = _at(source.value, "data", "contract") is not None  # a contract that can't be read is told on its own
    task = _at(source.value, "task")
    terms = GateContext(
        confidence=0.95,
        task=task if task in ANY_TASK else "binary",
        dimensions=tuple(dimensions),
        contract=(contract or NO_RULES) if named else None,
        tables=tuple(table for table in ("train", "holdout") if _at(source.value, "data", table) is not None),
    )
    yield from (Problem.at(source, path, what) for path, what in _columns_meaning(source.value, terms.task))
    label = _at(source.value, "data", "label")
    if contract and terms.task in ("binary", "multiclass") and label in contract.hidden:
        what = f"{label} is x-sensitive in the contract, but evidence and reports name its classes"
        yield Problem.at(source, ("data", "label"), what)
    yield from (Problem.at(source, path, what) for path, what in _shown_meaning(source.value, terms.task, contract))
    seen: set[str] = set()
    gates: list[Gate] = []
    asked = _list(source.value, "gates")
    for index, value in enumerate(asked):
        if not list(_gate_form(source, ("gates", index), value, RULES)):
            gate = Gate.read(value)
            wrong = list(_gate_meaning(source, ("gates", index), gate, seen, terms, of_old=of_old))
            yield from wrong
            gates += [] if wrong else [gate]
    watched, wrong_ones = _monitor_meaning(source, terms, contract)
    yield from wrong_ones
    complete = len(gates) == len(asked) and watched is not None
    if gates and complete and not mistakes and not of_old:  # else nobody knows what they look at
        yield from _unused_slices(source, [(gate.module, gate.rule) for gate in gates] + (watched or []), terms)
    yield from _promotion_meaning(source, seen)
    yield from _retrain_meaning(source)
    yield from _experiment_meaning(source)


def _retrain_meaning(source: Source) -> Iterator[Problem]:
    """Yield what is wrong with retraining, once the sections that it rests on have the right form."""
    sections = [(key, _at(source.value, key), cls) for key, cls in (("retrain", Retrain), ("monitor", Monitor))]
    live = _list(_at(source.value, "monitor"), "gates")
    if any(value is not None and list(problems(source, (key,), value, schema_of(cls))) for key, value, cls in sections):
        return
    if any(list(_gate_form(source, ("monitor", "gates", index), one, LIVE_RULES)) for index, one in enumerate(live)):
        return
    retrain, monitor = (None if value is None else build(cls, value) for _, value, cls in sections)
    promotion, champion = _at(source.value, "promotion"), str(_at(source.value, "champion") or "@champion")
    declared = [one.get("alias") for one in _list(promotion, "stages") if isinstance(one, dict)]
    stages = declared or [_at(promotion, "alias") or champion.rpartition("@")[2]]
    for path, what in retrain_mistakes(retrain, monitor, [str(one) for one in stages]):
        yield Problem.at(source, path, what)


def _experiment_meaning(source: Source) -> Iterator[Problem]:
    """Yield what is wrong with an experiment, and with stages that ask for one, where their form is right."""
    section, declared = _at(source.value, "experiment"), _list(_at(source.value, "promotion"), "stages")
    if section is not None and list(problems(source, ("experiment",), section, schema_of(Experiment))):
        return
    if any(list(problems(source, (), stage, schema_of(Stage))) for stage in declared):
        return
    experiment = None if section is None else build(Experiment, section)
    for path, what in experiment_mistakes(experiment) if experiment else ():
        yield Problem.at(source, ("experiment", *path), what)
    for path, what in stage_mistakes(tuple(build(Stage, stage) for stage in declared), experiment):
        yield Problem.at(source, path, what)


def _monitor_meaning(
    source: Source, terms: GateContext, contract: Contract | None
) -> tuple[list[tuple[GateKind, MetricRule]] | None, list[Problem]]:
    """Return the metrics that are watched, and what is wrong with the section; None where nobody knows what they
    look at."""
    section = _at(source.value, "monitor")
    asked = _list(section, "gates")
    if any(list(_gate_form(source, ("monitor", "gates", index), one, LIVE_RULES)) for index, one in enumerate(asked)):
        return None, []
    if not isinstance(section, dict) or list(problems(source, ("monitor",), section, schema_of(Monitor))):
        return [], []
    monitor = build(Monitor, section)
    hidden = contract.hidden if contract else frozenset()
    found = mistakes_in(monitor, terms, hidden, _at(source.value, "data"))
    wrong = [Problem.at(source, ("monitor", *path), what) for path, what in found]
    return None if wrong else [(KINDS["metric"], rule) for rule in monitor.metrics], wrong


def _slices_meaning(source: Source) -> tuple[list[Dimension], list[Problem]]:
    """Return the dimensions, and what is wrong with them."""
    dimensions: list[Dimension] = []
    mistakes: list[Problem] = []
    written = _at(source.value, "slices")
    alone = written is not None and not isinstance(written, list)
    for index, value in enumerate([written] if alone else _list(source.value, "slices")):
        at: Path = ("slices", *(() if alone else (index,)))
        form = list(problems(source, at, value, Dimension.SCHEMA))
        mistakes += form  # the whole schema tells them, too
        if not form:
            dimension = Dimension.read(value)
            path: Path = (*at, *(dimension.columns if dimension.edges else ()))
            mistakes += [Problem.at(source, path, what) for what in _dimension_meaning(dimension, dimensions)]
            dimensions.append(dimension)
    for index, dimension in enumerate(dimensions):
        for column in dimension.columns:
            if len(dimension.columns) > 1 and twice_cut(column, dimensions):
                what = f"{column} is cut into bins in two ways; which one should be crossed?"
                mistakes.append(Problem.at(source, ("slices", index), what))
    return dimensions, mistakes


def _promotion_meaning(source: Source, gates: set[str]) -> Iterator[Problem]:
    promotion = _at(source.value, "promotion")
    if list(problems(source, (), promotion, schema_of(Promotion))):
        return
    stages = promotion.get("stages", ())
    for key in ("alias", "approvals"):
        if stages and key in promotion:
            yield Problem.at(source, ("promotion", key), "can't be used with stages; write it into one of them")
    aliases: list[str] = []
    for index, stage in enumerate(stages):
        after, path = stage.get("after"), ("promotion", "stages", index)
        if stage["alias"] in aliases:
            yield Problem.at(source, (*path, "alias"), f"the stage {stage['alias']} occurs twice")
        if after is not None and after not in aliases:
            yield Problem.at(source, (*path, "after"), f"no stage {after} is declared before{nearest(after, aliases)}")
        aliases.append(stage["alias"])
    for index, name in enumerate(promotion.get("waivable", ())):
        if name not in gates:
            yield Problem.at(
                source, ("promotion", "waivable", index), f"no gate has the name {name}{nearest(name, gates)}"
            )
    signer = promotion.get("signed_by")
    named = {key for key, value in (signer or {}).items() if value is not None}
    if signer is not None and named not in ({"key"}, {"identity", "issuer"}):
        what = "needs either key, or identity and issuer"
        yield Problem.at(source, ("promotion", "signed_by"), what)
    last, champion = (aliases or [promotion.get("alias")])[-1], _at(source.value, "champion")
    if last and isinstance(champion, str) and champion.rpartition("@")[2] != last:
        what = f"is not the alias of the last stage, {last}: what is promoted would never be compared with"
        yield Problem.at(source, ("champion",), what)


def _columns_meaning(value: Plain, task: str) -> Iterator[tuple[Path, str]]:
    """Yield columns that a task needs, and those that mean nothing for it."""
    if not isinstance(_at(value, "data"), dict):
        return
    if task != "score" and _at(value, "data", "label") is None:
        yield ("data",), "the key label is missing (the column with the truth)"
    if task == "ranking" and _at(value, "data", "query") is None:
        yield ("data",), "the key query is missing (the column of the query that rows are ranked for)"
    if task != "ranking" and _at(value, "data", "query") is not None:
        yield ("data", "query"), f"only task: ranking has queries, not {task}"
    for path in (("data", "positive"), ("predict", "threshold"), ("predict", "returns")):
        if task != "binary" and _at(value, *path) is not None:
            yield path, f"only task: binary has one, not {task}"
    classes = _at(value, "data", "classes")
    if isinstance(classes, list):
        if task not in ("binary", "multiclass"):
            yield ("data", "classes"), f"task: {task} has no classes"
        elif task == "binary" and len(classes) > 2:  # negative and positive
            yield ("data", "classes"), f"task: binary has two classes, not {len(classes)}; write task: multiclass"


def _shown_meaning(value: Plain, task: str, contract: Contract | None) -> Iterator[tuple[Path, str]]:
    """Yield why a report can't show the rows that it is asked for."""
    if not isinstance(_at(value, "report"), dict):
        return
    hidden = contract.hidden if contract else frozenset()
    if task == "ranking":
        yield ("report",), "a row of task: ranking is neither right nor wrong; remove it"
    if _at(value, "data", "key") is None:
        yield ("report",), "shows rows by their key: name a key column (data.key)"
    for role in ("key", "label"):
        if _at(value, "data", role) in hidden:
            yield ("report",), f"would show the {role} of rows, which is x-sensitive in the contract; remove it"
    columns = _at(value, "report", "columns")
    for index, column in enumerate(columns if isinstance(columns, list) else ()):
        if column in hidden:
            yield ("report", "columns", index), f"{column} is x-sensitive in the contract: no report shows it"


def _dimension_meaning(dimension: Dimension, before: list[Dimension]) -> Iterator[str]:
    if any(list(edges) != sorted(set(edges)) for edges in dimension.edges):
        yield "bins must rise from edge to edge"
    if not all(dimension.columns):
        yield "a crossing needs a column on each side of *"
    if len(set(dimension.columns)) != len(dimension.columns):
        yield "a column can't be crossed with itself"
    if dimension != AUTO and is_found(dimension.id):
        yield "a column whose name starts with auto: can't be sliced by"
    if dimension.id in {one.id for one in before}:
        yield f"the slices by {dimension.id} occur twice"


def _unused_slices(source: Source, gates: list[tuple[GateKind, Any]], terms: GateContext) -> Iterator[Problem]:
    """Yield slices that nothing is asked of. Bins are used by a gate that compares groups of their column, too."""
    looked_at = {dimension for kind, rule in gates for _, dimension in kind.needs(rule, terms).wanted}
    parts = {part for dimension in looked_at for part in dimension.parts}
    for index, dimension in enumerate(terms.dimensions):
        if dimension in looked_at or (dimension.edges and set(dimension.parts) <= parts):
            continue
        path: Path = ("slices", index) if isinstance(_at(source.value, "slices"), list) else ("slices",)
        hint = "give a gate rules for them (slices: {min: ...}), or remove them"
        yield Problem.at(source, path, f"no gate uses the slices by {dimension.id}; {hint}")


def _list(value: Plain, key: str) -> list[Plain]:
    found = _at(value, key)
    return found if isinstance(found, list) else []


def _gate_meaning(
    source: Source, path: Path, gate: Gate, seen: set[str], terms: GateContext, *, of_old: bool
) -> Iterator[Problem]:
    for mistake in gate.module.mistakes(gate.rule, terms):
        if mistake.idle and of_old:
            continue
        where = (*path, *mistake.path) if mistake.path else (*path, gate.kind)
        yield Problem.at(source, where, mistake.what)
    name = gate.module.name(gate.rule)
    if name in seen:
        yield Problem.at(source, (*path, gate.kind), f"the gate {name} occurs twice; put all its rules into one")
    seen.add(name)
