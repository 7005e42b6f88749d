"""`gates observe`: what Prometheus is told of a model. Nothing that is missing or doubtful looks healthy."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from exposed import Series, linted, pushgateway, series, value, verdicts
from ledgers import ledger_of
from live_world import MONITOR, LiveWorld, answered, flipped
from prometheus_server import asked
from worlds import git

from gates.documents.record import RecordKind
from gates.errors import GatesError
from gates.observability import exposition
from gates.observability.gauges import GAUGES
from gates.observability.observed_model import ObservedBar, ObservedModel
from gates.observability.samples import samples

BARS = ["served:champion", "live:models", "live:rows", "live:labels", "recall:min", "roc_auc:max_worsening"]


def told(world: LiveWorld, *arguments: str) -> Series:
    done = world.gates("observe", *arguments)
    assert done.code == 0, done.out + done.err
    linted(done.out)
    return series(done.out)


def test_the_newest_windows_are_told_with_values_bounds_and_limits(world: LiveWorld) -> None:
    world.days(range(3))
    decision = world.judged(3)
    found = told(world)
    assert verdicts(found) == dict.fromkeys(BARS, "pass") | {"roc_auc:max_worsening": "inconclusive"}
    last = decision["windows"][-1]
    gates = {f"{one['gate']['id']}:{one['gate']['rule']}": one for one in last["rules"]}
    recall, auc = gates["recall:min"], gates["roc_auc:max_worsening"]
    for gauge, field in (("value", "value"), ("low", "low"), ("high", "high")):
        assert value(found, f"gates_bar_{gauge}", bar="recall:min") == recall["gate"]["candidate"][field]
        assert value(found, f"gates_bar_{gauge}", bar="roc_auc:max_worsening") == auc["gate"]["difference"][field]
    assert value(found, "gates_bar_limit", bar="recall:min") == 0.5
    assert value(found, "gates_bar_limit", bar="roc_auc:max_worsening") == -0.05, "on the scale of the difference"
    assert value(found, "gates_bar_evidence_ratio", bar="recall:min") == recall["alarm"]
    assert value(found, "gates_window_rows") == value(found, "gates_window_labelled_rows") == 500
    assert value(found, "gates_window_end_timestamp_seconds") == world.day(3).timestamp()
    champion = world.champion
    names = {"alias": "champion", "version": champion["version"], "digest": champion["digest"]}
    assert value(found, "gates_serving_info", **names) == 1
    kinds = {dict(labels)["kind"] for name, labels in found if name == "gates_record_timestamp_seconds"}
    assert kinds == {"promotion", "monitor"}
    digests = [name for name, labels in found if "digest" in dict(labels)]
    assert set(digests) == {"gates_serving_info"}, "a digest is a label of no other gauge"
    assert {name for name, _ in found} <= {gauge.name for gauge in GAUGES}


def test_an_alarm_and_the_budget_are_told(empty: LiveWorld) -> None:
    retrain = {"fresh_rows": 100, "cooldown": "1h", "budget": "2 in 90d", "snapshot": "true"}
    empty.promoted({"alert": {"retrain": ["recall"]}}, retrain=retrain)
    for day in range(3):
        empty.serve(day, flipped(answered(500, seed=100 + day), 0.6))
    assert empty.monitor(3).code == 1
    found = told(empty)
    assert verdicts(found)["recall:min"] == "fail"
    assert value(found, "gates_bar_evidence_ratio", bar="recall:min") is not None
    assert value(found, "gates_retrain_budget") == 2
    assert empty.gates("retrain", "--plan").code == 0
    after = told(empty)
    assert value(after, "gates_retrain_budget") == 1
    assert value(after, "gates_record_timestamp_seconds", kind="retrain") is not None


def test_without_a_monitor_section_the_bars_are_those_of_the_promotion(empty: LiveWorld) -> None:
    empty.begin(answered(1500, seed=1))
    empty.promote(answered(1500, seed=1))
    found = told(empty)
    bars = verdicts(found)
    assert bars["roc_auc:min"] == bars["served:champion"] == "pass"
    assert value(found, "gates_bar_low", bar="roc_auc:min") is not None
    assert value(found, "gates_window_rows") is None


def test_slices_are_told_where_they_are_asked_for(empty: LiveWorld) -> None:
    gates = [{"metric": "recall", "min": 0.3, "slices": {"min": 0.2}}]
    empty.promoted({"gates": gates}, slices=["region"])
    empty.days(range(1))
    empty.monitor(1)
    together = verdicts(told(empty))
    assert [bar for bar in together if "@" in bar] == ["recall:min@slices"]
    assert len([bar for bar in verdicts(told(empty, "--slices")) if "@region=" in bar]) > 1


def test_what_is_missing_never_looks_healthy(world: LiveWorld) -> None:
    nothing_judged = told(world)
    assert verdicts(nothing_judged) == {"served:champion": "pass"}
    assert value(nothing_judged, "gates_window_end_timestamp_seconds") is None, "the rule on absence fires"
    world.days([0, 2])  # the second is lost
    world.judged(2, code=2)
    lost = told(world)
    assert verdicts(lost)["live:rows"] == "error"
    assert "pass" not in {verdicts(lost).get(bar) for bar in ("recall:min", "roc_auc:max_worsening")}
    assert value(lost, "gates_window_rows") == 0


def test_an_empty_ledger_is_an_error_and_not_silence(empty: LiveWorld) -> None:
    empty.begin(answered(200, seed=1), monitor=MONITOR)
    done = empty.gates("observe")
    assert done.code == 0, done.err
    found = series(done.out)
    assert verdicts(found) == {"served:champion": "error"}
    assert "nothing was promoted yet" in done.err
    assert not [name for name, _ in found if name == "gates_serving_info"]


def test_a_champion_that_the_registry_does_not_confirm_leaves_no_bar_healthy(world: LiveWorld) -> None:
    world.days(range(2))
    world.judged(2)
    assert set(verdicts(told(world)).values()) == {"pass"}
    git(world.root, "push", "-q", str(world.origin), ":gates-registry")
    done = world.gates("observe")
    assert done.code == 0, done.err
    found = series(done.out)
    assert set(verdicts(found).values()) == {"error"}
    assert set(verdicts(found)) == set(BARS)
    assert not [name for name, _ in found if name in ("gates_serving_info", "gates_bar_value")]
    assert "every rule is written as an error" in done.err


def test_an_open_intent_leaves_no_bar_healthy(world: LiveWorld) -> None:
    world.days(range(2))
    world.judged(2)
    ledger = ledger_of(world.origin)
    entry = next(one for one in ledger.entries(ledger.head()) if one.record.kind is RecordKind.INTENT)
    ledger.append(entry.record, entry.documents, after=ledger.head())
    done = world.gates("observe")
    assert (done.code, set(verdicts(series(done.out)).values())) == (0, {"error"}), done.err
    assert "nothing says how that ended" in done.err


def test_another_champions_windows_say_nothing_of_this_one(world: LiveWorld) -> None:
    world.days(range(2))
    world.judged(2)
    before = told(world)
    assert verdicts(before)["recall:min"] == "pass"
    world.better(answered(1500, seed=1))
    assert world.gates("promote").code == 0
    found = told(world)
    assert verdicts(found)["served:champion"] == "pass"
    assert {verdicts(found)[bar] for bar in BARS[1:]} == {"not_judged"}
    assert value(found, "gates_bar_value", bar="recall:min") is None


def test_a_ledger_that_cannot_be_asked_is_told_and_the_file_stays(world: LiveWorld, tmp_path: Path) -> None:
    file = tmp_path / "churn.prom"
    assert world.gates("observe", "--textfile", str(file)).code == 0
    linted(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o644, "node_exporter has a user of its own"
    before = file.read_bytes()
    done = world.run("observe", "--textfile", str(file), GATES_LEDGER=str(tmp_path / "nowhere.git"))
    assert (done.code, file.read_bytes()) == (3, before), done.err
    assert [path.name for path in tmp_path.glob("*.prom*")] == ["churn.prom"], "nothing half-written stays"


def test_a_file_that_cannot_be_written_leaves_nothing(world: LiveWorld, tmp_path: Path) -> None:
    done = world.gates("observe", "--textfile", str(tmp_path / "nowhere" / "churn.prom"))
    assert done.code == 2
    assert "there is no folder" in done.err
    assert not (tmp_path / "nowhere").exists()
    folder = tmp_path / "taken.prom"
    folder.mkdir()
    assert world.gates("observe", "--textfile", str(folder)).code == 2
    assert list(tmp_path.glob("*")) == [folder] or not list(folder.iterdir())


def test_a_pushgateway_forgets_what_is_no_more(world: LiveWorld, tmp_path: Path) -> None:
    world.days(range(2))
    world.judged(2)
    with pushgateway(tmp_path) as address:
        gone = ObservedModel(name="churn", bars=(ObservedBar(name="gone:min", verdict="fail"),))
        other = ObservedModel(name="a/b c", bars=(ObservedBar(name="gone:min", verdict="fail"),))
        for model in (gone, other):
            exposition.push(address, model.name, samples(model))
        before = series(asked(f"{address}/metrics"))
        assert [dict(labels)["bar"] for name, labels in before if name == "gates_verdict"] == ["gone:min"] * 10
        done = world.gates("observe", "--pushgateway", address)
        assert done.code == 0, done.err
        found = {
            (name, frozenset(label for label in labels if label[0] not in ("job", "instance"))): number
            for (name, labels), number in series(asked(f"{address}/metrics")).items()
            if name.startswith("gates_") and ("job", "gates") in labels
        }
    assert verdicts(found) == dict.fromkeys(BARS, "pass"), "the stale bar is gone"
    assert verdicts(found, "a/b c") == {"gone:min": "fail"}, "another model's group stays"
    assert {one for one in found if ("model", "churn") in one[1]} == set(told(world))


@pytest.mark.parametrize("address", ["nowhere", "ftp://host", "http://", "http://host:port", "http://host/?a=b", ""])
def test_what_is_no_address_is_a_mistake(address: str) -> None:
    with pytest.raises(GatesError, match="is no address of a Pushgateway") as error:
        exposition.push(address, "churn", [])
    assert error.value.exit_code == 2


@contextmanager
def answering(code: int) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server that takes what is pushed in its own way; gives its address and what it was asked."""
    heard: list[tuple[str, str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.command, self.path, self.headers.get("Authorization", "")))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(b"metrics are \x1b[31minconsistent\nsecond line")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


def test_a_pushgateway_that_refuses_or_is_not_there_is_a_failure_outside(world: LiveWorld) -> None:
    with answering(400) as (host, heard):
        done = world.gates("observe", "--pushgateway", f"http://user:s3cret@{host}/base/")
    assert done.code == 3
    assert "did not take it: 400 metrics are  [31minconsistent" in done.err
    assert "s3cret" not in done.err + done.out
    assert heard == [("PUT", "/base/metrics/job/gates/model/churn", "Basic dXNlcjpzM2NyZXQ=")]
    done = world.gates("observe", "--pushgateway", f"http://user:s3cret@{host}")
    assert done.code == 3
    assert "can't be reached" in done.err
    assert "s3cret" not in done.err
    assert "Traceback" not in done.err


def test_a_pushgateway_that_never_answers_is_given_up() -> None:
    never = pytest.raises(GatesError, match="can't be reached")
    with socket.create_server(("127.0.0.1", 0)) as silent, never as error:
        exposition.push(f"http://127.0.0.1:{silent.getsockname()[1]}", "churn", [], patience=0.2)
    assert error.value.exit_code == 3


def test_too_many_bars_are_a_mistake_with_a_way_out() -> None:
    bars = tuple(
        ObservedBar(name=f"recall:min@city={city}", verdict="pass", family="recall:min" if city else "")
        for city in range(51)
    )
    model = ObservedModel(name="churn", bars=bars)
    assert len(samples(model)) == 10, "all slices together are one"
    assert len(samples(ObservedModel(name="churn", bars=bars[:50]), slices=True)) == 250
    with pytest.raises(GatesError, match="has 51 rules, of at most 50") as error:
        samples(model, slices=True)
    assert (error.value.exit_code, error.value.hint) == (2, "Leave out --slices.")


def test_a_slice_that_fails_is_never_out_of_sight() -> None:
    verdict = {"north": "pass", "south": "fail", "east": "not_judged"}
    bars = tuple(
        ObservedBar(name=f"recall:min@region={name}", verdict=one, family="recall:min", evidence=0.1 * len(one))
        for name, one in verdict.items()
    )
    model = ObservedModel(name="churn", bars=(ObservedBar(name="recall:min", verdict="pass", value=0.9), *bars))
    found = series(exposition.text(samples(model)).decode())
    assert verdicts(found) == {"recall:min": "pass", "recall:min@slices": "fail"}
    assert value(found, "gates_bar_evidence_ratio", bar="recall:min@slices") == 1.0
    assert value(found, "gates_bar_value", bar="recall:min") == 0.9


HOSTILE = ['a"b', "a\\b", "a\nb", "{bar}", '",evil="1', "\x1b[31m", "$x", "a\rb", "ü", '\\"', "a\x00b", "#"]


def test_names_come_out_as_they_went_in() -> None:
    for name in HOSTILE:
        model = ObservedModel(name=name, bars=(ObservedBar(name=name, verdict="pass", value=1.0),))
        text = exposition.text(samples(model)).decode()
        linted(text)
        assert verdicts(series(text), name) == {name: "pass"}


def test_the_extra_is_named_where_it_is_missing(world: LiveWorld, tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('none')\n")
    command = [sys.executable, "-m", "gates", "observe", "--policy", str(world.root / "gates.yaml")]
    environment = world.environment(PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    done = subprocess.run(command, cwd=world.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "gates-ml[observe]"' in done.stderr


def test_one_way_at_a_time(world: LiveWorld, tmp_path: Path) -> None:
    done = world.gates("observe", "--textfile", str(tmp_path / "a.prom"), "--pushgateway", "http://127.0.0.1:1")
    assert done.code == 2
    assert not (tmp_path / "a.prom").exists()
