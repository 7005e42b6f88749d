"""A ledger that somebody changed: told by `gates verify`, and by a verifier that shares no code with it."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from extent import part
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import History, audited, chained, load, record, store, verify_ledger, with_record
from worlds import World

from gates.documents.live.experiment_step import ComparedModel, ExperimentState, ExperimentStep
from gates.documents.live.retraining import NotRetrained, Retraining, RetrainState
from gates.documents.record import HOLDS, LACKS, CopiedVersion, Record, RecordKind, Refused
from gates.ledger import audit_documents
from gates.policy import ResolvedPolicy
from gates.schema.canonical import canonical, digest_bytes
from gates.schema.validation import read_json

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> History:
    """Of every kind a record or more: promotions, a refusal, a waiver, a rollback."""
    world = World(tmp_path_factory.mktemp("history") / "world", empty_registry)
    recall = {"metric": "recall", "min": 0.79}
    rows = world.begin(
        gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.2}, recall],
        promotion={
            "stages": [{"alias": "staging"}, {"alias": "champion"}],
            "waivable": ["recall"],
            "open_waivers": True,
        },
    )
    assert world.run("run").code == 0
    assert world.run("promote").code == 1
    world.sound(
        ["waive", "--gate", "recall:min", "--reason", "few rows", "--until", "2999-12-31"], ["promote"], ["promote"]
    )
    world.better(rows)
    world.sound(["promote"], ["promote"], ["rollback", "--reason", "calls dropped"])
    shutil.copytree(world.origin, world.base / "copy.git")
    return load(world.base / "copy.git")


@pytest.fixture(scope="module")
def whole(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 -- which makes it
    """The repository of that history, with the commits that its policies are of."""
    return next(tmp_path_factory.getbasetemp().glob("history*/world/copy.git"))


def find(history: History, kind: str, last: bool = False) -> int:
    found = [place for place, files in enumerate(history) if record(files)["kind"] == kind]
    return found[-1 if last else 0]


def test_a_whole_ledger_is_whole(history: History, whole: Path) -> None:
    found, theirs = audited(whole, digest_bytes(history[-1]["record.json"]))
    assert (found.found, theirs, found.anchored, found.unknown) == ((), [], True, ())
    assert found.records == len(history) == 12
    assert found.derived == 2
    kinds = {record(files)["kind"] for files in history}
    assert kinds == {"refusal", "waiver", "intent", "promotion", "rollback"}


def test_records_of_before_registries_had_names_are_whole(history: History, tmp_path: Path) -> None:
    """A key that came later is left out where there is nothing: older records keep their form and their bytes."""

    def older(one: dict[str, Any]) -> None:
        for version in filter(None, (one["before"], one["after"])):
            assert version.pop("registry") == "mlflow"

    found, theirs = audited(store(tmp_path / "l.git", chained([with_record(one, older) for one in history], history)))
    assert (found.found, theirs) == ((), [])


def test_without_an_anchor_it_says_what_it_cannot_know(history: History, tmp_path: Path) -> None:
    """The negative control: a ledger cut short is whole in itself."""
    found, theirs = audited(store(tmp_path / "l.git", history[:-2]))
    assert (found.found, theirs) == ((), [])
    assert "taken from the end" in found.unknown[0]


def edited(place: int | str, name: str, change: Callable[[Any], Any]) -> Callable[[History], History]:
    """A document changed, and the record left as it is."""

    def edit(history: History) -> History:
        at = find(history, place) if isinstance(place, str) else place
        value = json.loads(history[at][name])
        change(value)
        return [*history[:at], history[at] | {name: canonical(value)}, *history[at + 1 :]]

    return edit


def forged(name: str, key: str, change: Callable[[Any], Any], **more: Any) -> Callable[[History], History]:
    """A document changed wherever it lies, and records, digests and chain made to fit."""

    def edit(history: History) -> History:
        before = history[find(history, "intent")][name]
        value = json.loads(before)
        change(value)
        after = canonical(value)

        def fit(one: dict[str, Any]) -> None:
            if isinstance(one[key], dict):
                one[key]["digest"] = digest_bytes(after)
            else:
                one[key] = digest_bytes(after)
            one.update(more)

        made = [with_record(f | {name: after}, fit) if f.get(name) == before else f for f in history]
        return chained(made, history)

    return edit


def said(place: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[History], History]:
    """A record that says something else, with the chain made whole again."""

    def edit(history: History) -> History:
        at = find(history, place)
        return chained([*history[:at], with_record(history[at], change), *history[at + 1 :]], history)

    return edit


def put(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda one: one.update(values)


def limit(value: Any) -> None:
    value["policy"]["gates"][0]["min"] = 0.1


def recalled(evidence: Any) -> None:
    """A row that was missed becomes one that was found."""
    missed, hit = [cell for cell in evidence["slices"][0]["cells"] if cell[0] == 1]
    missed[-1] -= 1
    hit[-1] += 1


def verdict(decision: Any) -> None:
    decision["verdict"] = "pass"


def file_swapped(manifest: Any) -> None:
    manifest[0]["sha256"] = "0" * 64


def retarget(digest: str) -> Callable[[dict[str, Any]], None]:
    return lambda one: one.update(target=digest) if one["target"] else None


def other_bytes(one: dict[str, Any]) -> None:
    if one["target"] and one["after"]:
        one["after"]["digest"] = one["model"]["digest"] = "sha256:" + "0" * 64


def not_before(one: dict[str, Any]) -> None:
    if one["kind"] in ("intent", "promotion") and not one["target"] and one["before"] is None:
        one["before"] = {"version": "9", "digest": "sha256:" + "0" * 64}


def self_approved(one: dict[str, Any]) -> None:
    one["run"]["actor"]["id"] = 7
    one["approvals"] = [
        {"role": "gates-waive", "environment": None, "user": one["run"]["actor"], "state": "approved", "comment": "",
         "meaning": "approval", "not_before": None, "not_after": None, "time_source": "", "quoted_digest": False}
    ]  # fmt: skip


TAMPERED: dict[str, tuple[str, Callable[[History], History]]] = {
    "evidence edited": ("documents", edited("promotion", "evidence.json", recalled)),
    "decision edited": ("documents", edited("promotion", "decision.json", verdict)),
    "policy edited": ("documents", edited("promotion", "policy.json", limit)),
    "manifest edited": ("documents", edited("promotion", "manifest.json", file_swapped)),
    "evidence edited, and made to fit": ("decision_differs", forged("evidence.json", "evidence", recalled)),
    "decision edited, and made to fit": ("decision_differs", forged("decision.json", "decision", verdict)),
    "policy edited, and made to fit": ("decision_differs", forged("policy.json", "policy", limit)),
    "manifest edited, and made to fit": ("contradiction", forged("manifest.json", "model", file_swapped)),
    "a document taken away": ("documents", lambda h: [{k: v for k, v in f.items() if k != "evidence.json"} for f in h]),
    "a document added": ("documents", lambda h: [f | {"more.json": b"{}"} for f in h]),
    "a record removed": ("previous", lambda h: h[:3] + h[4:]),
    "a record removed, places made to fit": ("intent", lambda h: chained(h[:2] + h[3:])),
    "records reordered": ("sequence", lambda h: [*h[:1], h[2], h[1], *h[3:]]),
    "a record twice": ("sequence", lambda h: [*h, h[-1]]),
    "an outcome twice, the chain made whole": ("intent", lambda h: chained([*h, h[-1]])),
    "the verdict said better": ("contradiction", said("intent", put(verdict="pass"))),
    "the model said to be another": ("intent", said("promotion", put(name="other"))),
    "what it promoted said to be another": (
        "contradiction",
        said("promotion", lambda one: one["after"].update(digest="sha256:" + "0" * 64)),
    ),
    "the waiver taken away": ("not_accepted", lambda h: chained([with_record(f, put(waivers=[])) for f in h])),
    "the tables said to be others": (
        "contradiction",
        said("waiver", lambda one: one["data"][0].update(digest="sha256:" + "0" * 64)),
    ),
    "a rollback to a record that never was": (
        "target",
        lambda h: chained([with_record(f, retarget("sha256:" + "1" * 64)) for f in h], h),
    ),
    "a rollback to a record that moved nothing": (
        "target",
        lambda h: chained([with_record(f, retarget(digest_bytes(h[0]["record.json"]))) for f in h], h),
    ),
    "a rollback to other bytes": ("target", lambda h: chained([with_record(f, other_bytes) for f in h], h)),
    "it took the place of another version": (
        "before",
        lambda h: chained([with_record(f, not_before) for f in h], h),
    ),
    "a waiver that nobody gave": ("waiver", lambda h: chained([f for f in h if record(f)["kind"] != "waiver"], None)),
    "written before the record that it follows": ("time", said("rollback", put(at="2020-01-01T00:00:00Z"))),
    "on a day that is none": ("time", said("rollback", put(at="2020-02-31T00:00:00Z"))),
    "approved by who started the run": ("not_approved", said("waiver", self_approved)),
    "an unknown key": ("unreadable", said("waiver", put(more=1))),
    "a key missing": ("unreadable", said("waiver", lambda one: one.pop("at"))),
    "no record": ("unreadable", lambda h: [*h[:-1], h[-1] | {"record.json": b"null"}]),
    "not valid JSON": ("unreadable", lambda h: [*h[:-1], h[-1] | {"record.json": b"{"}]),
    "blanks in between": ("not_canonical", lambda h: [*h[:-1], h[-1] | {"record.json": h[-1]["record.json"] + b"\n"}]),
}


MISFITS = [(kind, field, None) for kind, fields in HOLDS.items() for field in fields]
MISFITS += [(kind, field, "held") for kind, fields in LACKS.items() for field in fields]
VALUES: dict[str, Any] = {
    "alias": "champion", "intent": "sha256:" + "1" * 64, "target": "sha256:" + "1" * 64, "code": "verdict",
    "holder": "x", "lease": "2026-01-01T00:00:00Z", "before": {"version": "1", "digest": "sha256:" + "1" * 64},
    "after": {"version": "1", "digest": "sha256:" + "1" * 64}, "verdict": "pass",
    "model": "any", "decision": "sha256:" + "1" * 64, "evidence": "sha256:" + "1" * 64,
}  # fmt: skip


PLANNED = Retraining(
    state=RetrainState.STARTED, code=None, record="sha256:" + "1" * 64, fresh_rows=9, until="2026-01-01T00:00:00Z"
)
NOTHING: dict[str, Any] = {"record": None, "fresh_rows": None, "until": None}
UNFIT: dict[str, Retraining] = {
    "a start with a code": replace(PLANNED, code=NotRetrained.PAUSED),
    "a start for no alarm": replace(PLANNED, record=None),
    "a start without rows": replace(PLANNED, fresh_rows=None),
    "a start on nothing": replace(PLANNED, until=None),
    "a refusal without a code": replace(PLANNED, state=RetrainState.REFUSED),
    "the end of a pause that rests on an alarm": replace(PLANNED, state=RetrainState.RESUMED),
    "the end of a pause with a code": replace(PLANNED, state=RetrainState.RESUMED, code=NotRetrained.PAUSED, **NOTHING),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_plan_holds_what_its_state_asks_for(kinds: dict[str, Record], name: str) -> None:
    one = kinds[RecordKind.RETRAIN]
    refusal = replace(PLANNED, state=RetrainState.REFUSED, code=NotRetrained.PAUSED)
    ended = replace(PLANNED, state=RetrainState.RESUMED, **NOTHING)
    for fit in (PLANNED, refusal, replace(refusal, **NOTHING), ended):
        plain = json.loads(canonical(replace(one, retrain=fit)))
        assert (replace(one, retrain=fit).misfits, verify_ledger.form(plain)) == ((), [])
    unfit = replace(one, retrain=UNFIT[name])
    assert (unfit.misfits, verify_ledger.form(json.loads(canonical(unfit)))) == (("retrain",), ["incomplete"])
    assert replace(kinds[RecordKind.REFUSAL], retrain=PLANNED).misfits == ("retrain",)


COMPARED = ComparedModel(digest="sha256:" + "1" * 64, version="1")
BEGUN = ExperimentStep(
    state=ExperimentState.STARTED, plan="sha256:" + "2" * 64, champion=COMPARED,
    challenger=replace(COMPARED, digest="sha256:" + "3" * 64), start=None,
)  # fmt: skip
JUDGED: dict[str, Any] = dict.fromkeys(("decision", "evidence"), "sha256:" + "1" * 64) | {"verdict": "pass"}
LATER = replace(BEGUN, start="sha256:" + "4" * 64)
UNFIT_STEPS: dict[str, tuple[ExperimentStep, dict[str, Any]]] = {
    "a start that names another": (replace(LATER, state=ExperimentState.STARTED), {}),
    "a start that was judged": (BEGUN, JUDGED),
    "a look that was not judged": (replace(LATER, state=ExperimentState.LOOK), {}),
    "a look of nothing": (replace(BEGUN, state=ExperimentState.LOOK), JUDGED),
    "a stop that was judged": (replace(LATER, state=ExperimentState.STOPPED), JUDGED),
    "a stop of nothing": (replace(BEGUN, state=ExperimentState.STOPPED), {}),
}


@pytest.mark.parametrize("name", UNFIT_STEPS)
def test_a_step_of_an_experiment_holds_what_its_state_asks_for(kinds: dict[str, Record], name: str) -> None:
    one = kinds[RecordKind.EXPERIMENT]
    look, stop = (replace(LATER, state=state) for state in (ExperimentState.LOOK, ExperimentState.STOPPED))
    for step, more in ((BEGUN, {}), (look, JUDGED), (stop, {})):
        fit = replace(one, experiment=step, **more)
        assert (fit.misfits, verify_ledger.form(json.loads(canonical(fit)))) == ((), [])
    step, more = UNFIT_STEPS[name]
    unfit = replace(one, experiment=step, **more)
    assert (unfit.misfits, verify_ledger.form(json.loads(canonical(unfit)))) == (("experiment",), ["incomplete"])
    assert replace(kinds[RecordKind.REFUSAL], experiment=BEGUN).misfits == ("experiment",)


@pytest.mark.parametrize(("kind", "field", "value"), MISFITS)
def test_a_record_lacks_nothing_that_its_kind_must_hold_and_holds_nothing_else(
    kinds: dict[str, Record], kind: RecordKind, field: str, value: str | None
) -> None:
    """Every kind with every field that it must hold taken away, and every one that it must not hold put there."""
    one = kinds[kind]
    assert one.misfits == (), "the control"
    empty: Any = () if isinstance(getattr(one, field), tuple) else None
    held = (
        kinds[RecordKind.PROMOTION].waivers or kinds[RecordKind.WAIVER].waivers
        if field == "waivers"
        else VALUES.get(field)
    )
    assert field in replace(one, **{field: empty if value is None else held}).misfits


@pytest.fixture(scope="module")
def kinds(history: History) -> dict[str, Record]:
    """A record of every kind, from the history or made of one."""
    found = {one.kind: one for one in (read_json(Record, f["record.json"], "record") for f in history)}
    promotion, rollback = found[RecordKind.PROMOTION], found[RecordKind.ROLLBACK]
    nothing: dict[str, Any] = {"intent": None, "after": None, "before": None, "code": None}
    intents = [one for one in (read_json(Record, f["record.json"], "record") for f in history) if one.kind == "intent"]
    found[RecordKind.INTENT] = next(one for one in intents if one.target is None)
    assert next(one for one in intents if one.target).misfits == ()
    found[RecordKind.DECISION] = replace(promotion, kind=RecordKind.DECISION, **nothing)
    found[RecordKind.FAILURE] = replace(promotion, kind=RecordKind.FAILURE, after=None, code=Refused.ALIAS_MOVED)
    alone: dict[str, Any] = {"verdict": None, "decision": None, "evidence": None, "intent": None, "target": None}
    found[RecordKind.ADOPTION] = replace(rollback, kind=RecordKind.ADOPTION, waivers=(), **alone)
    found[RecordKind.MONITOR] = replace(
        promotion, kind=RecordKind.MONITOR, **nothing, model=None, source=None, waivers=()
    )
    copied = (
        CopiedVersion(before=rollback.after, after=rollback.after, aliases=("champion",)) if rollback.after else None
    )
    found[RecordKind.MIGRATION] = replace(
        found[RecordKind.ADOPTION], kind=RecordKind.MIGRATION, alias=None, model=None, before=None, after=None,
        attached={}, versions=(copied,),
    )  # fmt: skip
    found[RecordKind.RETRAIN] = replace(
        found[RecordKind.MIGRATION], kind=RecordKind.RETRAIN, alias="challenger", versions=None, retrain=PLANNED
    )
    found[RecordKind.EXPERIMENT] = replace(
        found[RecordKind.RETRAIN], kind=RecordKind.EXPERIMENT, alias="champion", retrain=None, experiment=BEGUN
    )
    assert found.keys() == set(RecordKind)
    return dict(found)


NOBODYS = {
    "decision": None,
    "evidence": None,
    "policy": None,
    "verdict": None,
    "attached": {},
    "waivers": [],
    "data": [],
}


def without_documents(history: History, *kinds: str) -> History:
    """The last records of those kinds with nothing beside them but the model's files."""
    made = list(history)
    for kind in kinds:
        place = find(history, kind, last=True)
        files = with_record(made[place], put(**NOBODYS))
        made[place] = {name: data for name, data in files.items() if name in ("record.json", "manifest.json")}
    return chained(made, history)


@pytest.mark.parametrize("kinds_", [("intent", "promotion"), ("promotion",), ("rollback",), ("intent", "rollback")])
def test_a_move_with_no_documents_is_no_move(history: History, tmp_path: Path, kinds_: tuple[str, ...]) -> None:
    found, theirs = audited(store(tmp_path / "l.git", without_documents(history, *kinds_)))
    assert "incomplete" in {one.code for one in found.found} & {flaw for _, flaw in theirs}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_changed_is_told(history: History, tmp_path: Path, name: str) -> None:
    code, edit = TAMPERED[name]
    found, theirs = audited(store(tmp_path / "l.git", edit(copy.deepcopy(history))))
    assert code in {one.code for one in found.found}, found.found
    assert theirs


def test_a_forged_verdict_is_seen_by_deriving_it(history: History, tmp_path: Path) -> None:
    """And by nothing else, which is the negative control: the chain is whole, and every document says the same."""
    edit = forged("decision.json", "decision", verdict, verdict="pass")
    found, theirs = audited(store(tmp_path / "l.git", edit(copy.deepcopy(history))))
    assert {one.code for one in found.found} == {"decision_differs"}
    assert theirs == []


@pytest.mark.parametrize("name", ["no tampering", "not valid JSON", *TAMPERED][:6])
def test_several_processes_find_what_one_finds(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = TAMPERED[name][1](copy.deepcopy(history)) if name in TAMPERED else history
    alone, _ = audited(store(tmp_path / "l.git", made))
    monkeypatch.setattr(audit_documents, "TOGETHER", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert audited(store(tmp_path / "m.git", made))[0] == alone


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_ledger_cut_short_or_written_anew_misses_its_anchor(history: History, tmp_path: Path, cut: int) -> None:
    anchor = digest_bytes(history[-1]["record.json"])
    for number, made in enumerate((history[:-cut], chained([with_record(history[0], put(reason="x")), *history[1:]]))):
        found, theirs = audited(store(tmp_path / f"{number}.git", made), anchor)
        assert [one.code for one in found.found] == ["anchor"]
        assert theirs == [(0, "anchor")]


def test_an_anchor_of_earlier_is_still_one(history: History, tmp_path: Path) -> None:
    anchor = digest_bytes(history[3]["record.json"])
    found, theirs = audited(store(tmp_path / "l.git", history), anchor)
    assert (found.found, theirs, found.anchored) == ((), [], True)


def test_a_merge_is_no_history(history: History, tmp_path: Path) -> None:
    found, theirs = audited(store(tmp_path / "l.git", history, merge=True))
    assert {one.code for one in found.found} == {"parents"}
    assert theirs == [(len(history), "parents")]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a record that can be changed."""
    if isinstance(value, dict) and value:
        return [leaf for key in value for leaf in leaves(value[key], (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for at in range(len(value)) for leaf in leaves(value[at], (*path, at))]
    return [path]


OTHER = {str: lambda v: v + "x", int: lambda v: v + 1, bool: lambda v: not v, float: lambda v: v + 0.5,
         type(None): lambda _: "sha256:" + "0" * 64, dict: lambda _: {"x": "y"}, list: lambda _: ["x"]}  # fmt: skip


@settings(max_examples=part(60, 20))
@given(data=st.data())
def test_any_single_field_changed_is_told(
    history: History, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(history) - 1), label="record")
    path = data.draw(st.sampled_from(leaves(record(history[at]))), label="field")

    def change(one: Any) -> None:
        for step in path[:-1]:
            one = one[step]
        one[path[-1]] = OTHER[type(one[path[-1]])](one[path[-1]])

    made = [*history[:at], with_record(history[at], change), *history[at + 1 :]]
    path_ = store(tmp_path_factory.mktemp("field") / "l.git", made)
    found, theirs = audited(path_, digest_bytes(history[-1]["record.json"]))
    assert found.found
    assert theirs


def test_the_policy_document_is_the_policy(policy_of: Any) -> None:
    from gates.ledger.audit_documents import resolved_of

    keys = {
        "gates": [{"metric": "roc_auc", "min": 0.8, "max_worsening": 0.1, "slices": {"min": 0.1}}],
        "slices": ["a", {"b": [1, 2]}],
    }
    contract = {"record": {"properties": {"age": {"type": "integer", "minimum": 1}}}, "table": [{"rows": {"min": 10}}]}
    unsorted = {"record": {"required": ["z"], "properties": {"z": {}, "a": {}}}, "table": [{"columns": "ordered"}]}
    of_a_query = {"data": {"holdout": "h.csv", "label": "y", "query": "q"}}
    tasks = (
        ("multiclass", "accuracy", {}),
        ("regression", "r2", {}),
        ("score", "mean", {}),
        ("ranking", "mrr", of_a_query),
    )
    others = [policy_of({"task": task, "gates": [{"metric": name, "min": 0.001}]} | more) for task, name, more in tasks]
    for resolved in (policy_of(keys), policy_of(keys, contract), policy_of(keys, unsorted), *others):
        again: ResolvedPolicy = resolved_of(resolved.document)
        assert (again.digest, again.measured, again.document) == (resolved.digest, resolved.measured, resolved.document)
        for one, other in zip(
            again.contract.rules if again.contract else (),
            resolved.contract.rules if resolved.contract else (),
            strict=True,
        ):
            assert (one.id, one.asks) == (other.id, other.asks)
    backwards = {**unsorted, "record": {"required": ["z"], "properties": {"a": {}, "z": {}}}}
    assert policy_of(keys, unsorted).measured != policy_of(keys, backwards).measured  # the order is asked for


def test_the_verifier_runs_alone(history: History, tmp_path: Path) -> None:
    path = store(tmp_path / "l.git", history)
    script = REPOSITORY / "docs" / "verify" / "verify_ledger.py"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", str(script), str(path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run()
    assert (whole.returncode, "nothing is wrong" in whole.stdout) == (0, True), whole.stderr
    assert run("--expect-head", "sha256:" + "0" * 64).returncode == 1
    assert len(script.read_text().splitlines()) < 300
    assert "gates" not in {
        line.split()[1].split(".")[0] for line in script.read_text().splitlines() if line.startswith(("import", "from"))
    }
