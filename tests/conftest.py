"""Shared by all tests: golden files, and evidence counted from rows in plain Python, without the engine."""

from __future__ import annotations

import environment  # isort: skip -- before anything else: what is imported below looks at it

import bisect
import collections
import functools
import gc
import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import extent
import prefork
import prometheus_server
import pytest
import stamina
import yaml
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from gates.documents.evidence import (
    SCHEMA,
    Evidence,
    Finding,
    MeasuredModel,
    Part,
    Ranks,
    RankSums,
    Slice,
    Table,
    TrainingFacts,
    TrainingRun,
)
from gates.documents.live.prometheus_answer import PrometheusAnswer, SelectorAges
from gates.documents.slices import Dimension
from gates.documents.statistic import RANKS
from gates.errors import GatesError
from gates.kinds.promql.promql_expression import selectors_of
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read

stamina.set_testing(True, attempts=10, cap=True)  # as many calls as ever, without the pauses

POLICY = {
    "version": 1,
    "model": "churn",
    "data": {"holdout": "holdout.csv", "label": "left"},
    "train": {"run": "python train.py"},
}


gc.disable()  # until all is imported, and most of it stays
gc.set_threshold(10_000, 20, 20)
PYTHON = sys.executable
FIRST = (  # what takes longest
    *("tests/actions/", "tests/spark/", "tests/promotion/", "tests/docs/", "tests/report/test_report_browser.py"),
    *("tests/test_configs.py", "tests/test_examples.py", "tests/test_suite.py", "tests/init/test_template.py"),
)
TOGETHER = ("tests/spark/", "tests/docs/")  # each makes something for all its files that takes ten seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="what is marked slow, too, and all of what is tried in part")
    parser.addoption(
        "--regenerate", action="store_true", help="write golden files anew; read the diff before committing"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    extent.ALL = config.getoption("--all")
    some = extent.examples(100)
    settings.register_profile("gates", deadline=None, derandomize=True, print_blob=False, max_examples=some)
    settings.load_profile("gates")
    if environment.CALLER.get("NO_COLOR") or environment.CALLER.get("TERM") == "dumb":
        config.option.color = "no"  # what pytest itself prints is for the caller


def pytest_report_header() -> str | None:
    return None if extent.ALL else "a part of all tests: --all adds what is slow"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is slow stays away unless all is wanted; what takes longest comes first, so that all end together."""
    slow = [] if extent.ALL else [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A process a file, or a folder whose files belong together."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            folder = next((one for one in TOGETHER if nodeid.startswith(one)), None)
            return folder or super()._split_scope(nodeid)

    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """Thousands of tests stay in memory to the end: the garbage collector need not look through them at each turn."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """At the end everything is let go, or the engine says that it leaks."""
    gc.unfreeze()
    environment.leave()


@event.listens_for(Engine, "connect")
def _without_waiting_for_the_disk(connection, _):
    """Nobody pulls the plug during a test, so MLflow's databases need not be safe from that."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="session")
def golden(request):
    """golden(path, text): the text is what the file holds; with --regenerate the file is made to hold it."""
    regenerate = request.config.getoption("--regenerate")

    def compare(path: Path, text: str) -> None:
        if regenerate:
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; pytest --regenerate writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def forked():
    """A folder with a `gates` that need not import what takes long."""
    with tempfile.TemporaryDirectory(prefix="gates-tests-") as folder, prefork.started(Path(folder)) as programs:
        yield programs


@pytest.fixture(scope="session")
def empty_registry(forked):
    """An MLflow registry on SQLite that nobody has used: making its tables takes seconds, copying it none."""
    return forked.with_name(prefork.EMPTY)


@pytest.fixture(scope="module")
def forked_children(forked):
    """The children that score models and call metrics for this process need not import what takes long, either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(forked / "python"))
        yield


@pytest.fixture
def own_children(monkeypatch):
    """But the children of this test are processes of their own."""
    monkeypatch.setattr(sys, "executable", PYTHON)


@pytest.fixture(scope="session")
def policy_of():
    """policy_of({"gates": [...]}): a policy with its contract; what isn't given is that of ``POLICY``."""
    return make_policy


@pytest.fixture(scope="session")
def evidence_of():
    """evidence_of(policy, blocks, champion=...): evidence counted row by row."""
    return make_evidence


@pytest.fixture(scope="session")
def slice_of():
    """slice_of([(label, call, champion's call, score, champion's score), ...], (("sex", "f"),)): one slice."""
    return make_slice


def make_slice(rows: list[tuple], key: tuple = ()) -> Slice:
    names = ("y", "c", "b", "s", "t")
    cells = collections.Counter(tuple(row[:3]) for row in rows)
    return Slice(
        dimension=" * ".join(column for column, _ in key),
        key=key,
        rows=len(rows),
        cells=tuple((*cell, n) for cell, n in sorted(cells.items())),
        weights=(),
        ranks=rank_sums([dict(zip(names, row, strict=True)) | {"n": 1} for row in rows]),
        moments=(),
        computed=(),
    )


def make_policy(keys: dict, contract: dict | str | None = None) -> ResolvedPolicy:
    written = POLICY | keys
    files = {}
    if contract is not None:
        written = written | {"data": written["data"] | {"contract": "contract.yaml"}}
        files["contract.yaml"] = contract if isinstance(contract, str) else dumped(contract)
    return _read(dumped(written), tuple(files.items()))


def dumped(keys: dict) -> str:
    return yaml.dump(keys, Dumper=yaml.CSafeDumper, sort_keys=False)


@functools.lru_cache(maxsize=256)  # a policy is compared with hundreds of others
def _read(text: str, files: tuple[tuple[str, str], ...]) -> ResolvedPolicy:
    def opened(path: str) -> bytes:
        if path not in dict(files):
            raise GatesError("can't be read: No such file or directory")
        return textwrap.dedent(dict(files)[path]).encode()

    return read(text.encode(), "gates.yaml", opened)


def make_evidence(
    resolved: ResolvedPolicy,
    blocks: list[dict],
    *,
    champion: str | None = "3",
    candidate_unscored: str | None = None,
    champion_unscored: str | None = None,
    findings: list[list] = (),
    facts: dict | None = None,
    measured: bool = True,
    used: int = 0,
    anchored: list[dict] = (),
    anchor_unscored: str | None = None,
    runs: list[list[dict]] = (),
    answers: list[dict] = (),
    unasked: str | None = None,
) -> Evidence:
    """A block is rows that share their columns: ``cells`` [label, candidate's call, champion's call, rows], or
    ``scores`` [label, candidate's score, champion's score, rows], called from 0.5 on. A block with a ``bucket`` holds
    rows whose units fall into it, each with the block's ``weight``. ``anchored``: blocks with the anchor in the
    champion's place; ``runs``: the blocks of each further training.
    ``answers``: of a Prometheus; a ``query`` with the values of its ``samples``, and the ``ages`` of each selector's
    newest sample in seconds, both moment by moment (null: none)."""
    needs = resolved.needs

    def slices(given: list[dict]) -> tuple[Slice, ...]:
        rows = [row for block in given for row in _rows(block, champion)] if measured else []
        return tuple(
            part
            for dimension in (needs.dimensions if rows else ())
            for part in _along(dimension, rows, ranks=RANKS in needs.along(dimension))
        )

    parts = slices(blocks)
    total = sum(part.rows for part in parts[:1])
    named = resolved.policy.anchor
    names = ["train"] * bool(resolved.policy.data.train) + ["holdout"]
    return Evidence(
        schema=SCHEMA,
        model=resolved.policy.model,
        measured=resolved.measured,
        classes=("no", "yes") if measured else (),
        tables=tuple(Table(name=name, digest=f"sha256:{name}", rows=total) for name in names),
        findings=tuple(
            Finding(
                table=table,
                rule=rule,
                rows=seen,
                count=count,
                examples=tuple(one for one in more if isinstance(one, str)),
                parts=tuple(
                    Part(label=label, here=here, there=there)
                    for parts in more
                    if isinstance(parts, list)
                    for label, here, there in parts
                ),
            )
            for table, rule, seen, count, *more in findings
        ),
        used=used,
        candidate=MeasuredModel(
            digest="sha256:" + "c" * 64,
            version=None,
            unscored=candidate_unscored,
            facts=facts and TrainingFacts(**facts),
        )
        if measured
        else None,
        champion=MeasuredModel(digest="sha256:" + "b" * 64, version=champion, unscored=champion_unscored)
        if measured and champion
        else None,
        anchor=MeasuredModel(digest="sha256:" + "a" * 64, version=str(named), unscored=anchor_unscored)
        if measured and named
        else None,
        slices=parts,
        anchored=slices(anchored),
        runs=tuple(TrainingRun(digest=f"sha256:{place:064}", slices=slices(run)) for place, run in enumerate(runs)),
        answers=tuple(make_answer(**one) for one in answers),
        unasked=unasked,
    )


def make_answer(
    query: str,
    samples: list,
    ages: list = (),
    over: int = 0,
    step: int = 0,
    series: int | None = None,
    warnings: int = 0,
) -> PrometheusAnswer:
    moments = over // step if step else 1
    selectors = selectors_of(query)
    return PrometheusAnswer(
        query=query,
        over=over,
        step=step,
        at="2026-03-02T12:00:00Z",
        series=series if series is not None else int(bool(samples)),
        samples=tuple((at, str(value)) for at, value in enumerate(samples) if value is not None),
        warnings=warnings,
        selectors=tuple(
            SelectorAges(
                selector=one.text, ages=tuple((at, age * 1000) for at, age in enumerate(given) if age is not None)
            )
            for one, given in zip(selectors, ages or [[0] * moments] * len(selectors), strict=True)
        ),
    )


def _rows(block: dict, champion: str | None):
    columns = {key: value for key, value in block.items() if key not in ("cells", "scores", "bucket", "weight")}
    columns |= {"": (block.get("bucket"), block.get("weight", 1))}
    for label, c, b, n in block.get("cells", ()):
        yield {"columns": columns, "y": label, "c": c, "b": b if champion else -1, "s": None, "t": None, "n": n}
    for label, s, t, n in block.get("scores", ()):
        calls = {"c": int(s >= 0.5), "b": int(t >= 0.5) if champion else -1}
        yield {"columns": columns, "y": label, **calls, "s": s, "t": t if champion else None, "n": n}


def _key(dimension: Dimension, row: dict) -> tuple[str | None, ...]:
    values = [row["columns"].get(column) for column in dimension.columns]
    held = zip(values, dimension.parts, dimension.bins, strict=True)
    values = [bins[bisect.bisect_right(edges, v)] if bins and v is not None else v for v, (_, edges), bins in held]
    return tuple(None if value is None else str(value) for value in values)


def _along(dimension: Dimension, rows: list[dict], *, ranks: bool):
    held = collections.defaultdict(list)
    for row in rows:
        held[_key(dimension, row)].append(row)

    def place(key):
        held = zip(key, dimension.bins, strict=True)
        return [(v is not None, bins.index(v) if v in bins else 0, v or "") for v, bins in held]

    for key in sorted(held, key=place):
        part = held[key]
        cells = collections.Counter()
        for row in part:
            cells[row["y"], row["c"], row["b"]] += row["n"]
        yield Slice(
            dimension=dimension.id,
            key=tuple(zip(dimension.columns, key, strict=True)),
            rows=sum(cells.values()),
            cells=tuple((*cell, n) for cell, n in sorted(cells.items()) if n),
            weights=_weights(part),
            ranks=rank_sums(part) if ranks and all(row["s"] is not None for row in part) else None,
            moments=(),
            computed=(),
        )


def _weights(rows: list[dict]) -> tuple[tuple[int, ...], ...]:
    found = collections.Counter()
    for row in rows:
        bucket, weight = row["columns"][""]
        if bucket is not None:
            found[bucket, row["y"], row["c"], row["b"]] += int(row["n"] * weight * 2**30)
    return tuple(sorted((*cell, weight) for cell, weight in found.items()))


def rank_sums(rows: list[dict]) -> Ranks:
    """Doubled placements by comparing every row with every row of the other class."""
    return Ranks(positives=_sums(rows, 1), negatives=_sums(rows, 0), buckets=())


def _sums(rows: list[dict], label: int) -> RankSums:
    mine = [row for row in rows if row["y"] == label]
    others = [row for row in rows if row["y"] != label]
    sums = dict.fromkeys(("rows", "a", "b", "aa", "bb", "ab"), 0)
    for row in mine:
        a, b = (_placement(row, others, score, 1 if label else -1) for score in ("s", "t"))
        for name, value in zip(sums, (1, a, b, a * a, b * b, a * b), strict=True):
            sums[name] += row["n"] * value
    return RankSums(**sums)


def _placement(row: dict, others: list[dict], score: str, sign: int) -> int:
    if row[score] is None:
        return 0
    gaps = [(sign * (row[score] - other[score]), other["n"]) for other in others]
    return sum((2 * (gap > 0) + (gap == 0)) * n for gap, n in gaps)


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory):
    """The address of a real Prometheus; what it knows ended on a day of the past, ``prometheus_server.NOON``."""
    with prometheus_server.served(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    """A real browser, without a window."""
    from playwright.sync_api import sync_playwright

    names = (os.environ.get("GATES_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if name and (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no browser found: install the package chromium, or let GATES_BROWSER name a Chromium or Chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
