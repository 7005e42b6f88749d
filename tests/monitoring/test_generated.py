"""`gates init --monitoring`: rules whose tests pass, and a dashboard whose every query returns something."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from edge_project import Done, call
from exposed import series
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_server import prometheus, query, stored

from gates.errors import GatesError
from gates.observability import exposition
from gates.observability.alert_rules import alert_rules
from gates.observability.dashboard import panels
from gates.observability.monitoring_files import differences, write_monitoring
from gates.observability.observed_model import ObservedBar, ObservedModel, ServingVersion
from gates.observability.promql_text import quoted, selector
from gates.observability.rule_cases import rule_cases
from gates.observability.samples import samples
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read

ROOT = Path(__file__).parents[2]
NASTY = 'a"b\\c\nd{{ $labels.x }}$x[[y]]{bar=~".*"} # \x00\x1b\r\té😀'
MONITOR: dict[str, Any] = {
    "live": "served/*.parquet", "key": "id", "time": "at", "window": "1d", "delay": "2h",
    "gates": [{"metric": "recall", "min": 0.5}], "alert": {"retrain": ["recall"]},
}  # fmt: skip
RETRAIN = {"fresh_rows": 10, "cooldown": "1d", "budget": "4 in 90d", "snapshot": "true"}


def policy(name: str = "churn", *, retrain: bool = True, **monitor: Any) -> dict[str, Any]:
    section = MONITOR | monitor
    written: dict[str, Any] = {
        "version": 1,
        "model": "churn",
        "champion": f"models:/{name}@champion",
        "data": {"holdout": "holdout.csv", "label": "left"},
        "train": {"run": "true"},
        "gates": [{"metric": "recall", "min": 0.5}],
        "monitor": section if retrain else {key: one for key, one in section.items() if key != "alert"},
    }
    return written | ({"retrain": RETRAIN} if retrain else {})


def resolved(name: str = "churn", **how: Any) -> ResolvedPolicy:
    return read(json.dumps(policy(name, **how)).encode(), "gates.yaml", lambda _: b"")


def project(root: Path, name: str = "churn", **how: Any) -> Path:
    root.mkdir(exist_ok=True)
    (root / "gates.yaml").write_text(json.dumps(policy(name, **how)))
    return root


def init(root: Path, *arguments: str) -> Done:
    with chdir(root):
        return call("init", *(arguments if arguments[-1:] == ("--check",) else ("--monitoring", *arguments)))


def check(root: Path) -> Done:
    return init(root, "--monitoring", "--check")


def promtool(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("churn", {}),
        ("churn", {"retrain": False}),
        (NASTY, {"window": "7d"}),
        ("churn", {"window": "1m", "delay": "1h"}),
        ("churn", {"window": "90m", "delay": "0m"}),
        ("churn", {"window": "30d", "delay": "14d"}),
    ],
)
def test_the_rules_pass_their_own_tests(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    write_monitoring(project(tmp_path, name, **how), force=False)
    folder = tmp_path / "monitoring"
    promtool(folder, "check", "rules", "rules.yml")
    promtool(folder, "test", "rules", "rules.test.yml")
    rules = [rule["alert"] for rule in yaml.safe_load((folder / "rules.yml").read_text())["groups"][0]["rules"]]
    assert ("GatesRetrainBudgetSpent" in rules) is how.get("retrain", True)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = rule_cases(resolved())
    for rule in alert_rules(resolved()):
        fires = {case.labels is not None for case in cases if case.alert == rule.name}
        assert fires == {True, False}, rule.name
        values = " ".join(text for case in cases if case.alert == rule.name for text in case.series.values())
        assert "stale" in values or "_" in values, f"{rule.name}: what is missing"
        assert rule.severity in ("critical", "warning")
        assert {"summary", "description"} <= rule.document["annotations"].keys()


BROKEN = {  # an alert -> a change of its expression that its tests must notice
    "GatesBarFailing": ('verdict=~"fail|error"', 'verdict="fail"'),
    "GatesEvidenceGrowing": (" and on (model) ", " or on (model) "),
    "GatesWindowOverdue": ("> 183600", "> 190000"),
    "GatesWindowAbsent": ("[1h]", "[30d]"),
    "GatesUnknownModelServed": ("unless on (model, digest)", "unless on (model)"),
    "GatesRetrainBudgetSpent": ("<= 0", "< 0"),
}


@pytest.mark.parametrize("alert", BROKEN)
def test_a_rule_that_is_wrong_fails_its_tests(tmp_path: Path, alert: str) -> None:
    """The negative control of each."""
    write_monitoring(project(tmp_path), force=False)
    file = tmp_path / "monitoring/rules.yml"
    rules = yaml.safe_load(file.read_text())
    (rule,) = (one for one in rules["groups"][0]["rules"] if one["alert"] == alert)
    right, wrong = BROKEN[alert]
    assert right in rule["expr"], rule["expr"]
    rule["expr"] = rule["expr"].replace(right, wrong)
    file.write_text(yaml.safe_dump(rules))
    promtool(file.parent, "check", "rules", "rules.yml")
    with pytest.raises(AssertionError, match=alert):
        promtool(file.parent, "test", "rules", "rules.test.yml")


def observed(name: str) -> ObservedModel:
    """What `gates observe` would tell of it."""
    numbers = {"value": 0.8, "low": 0.7, "high": 0.9, "limit": 0.5, "evidence": 0.25}
    return ObservedModel(
        name=name,
        serving=(ServingVersion(alias="champion", version="3", digest="sha256:3"),),
        bars=(ObservedBar(name="recall:min", verdict="pass", **numbers), ObservedBar(name=NASTY, verdict="fail")),
        rows=500,
        labelled=480,
        until=1_700_000_000.0,
        records={"promotion": 1_690_000_000.0, "monitor": 1_700_000_000.0},
        budget=3,
    )


AT = 1_700_100_000  # when everything is asked
APART = 60  # seconds between samples
SERVER = """model_requests_total{{{model},version="3",code="200"}} {count}
model_request_duration_seconds_bucket{{{model},le="0.1"}} {count}
model_request_duration_seconds_bucket{{{model},le="+Inf"}} {count}
model_queue_depth{{{model}}} 2
model_prediction_score_bucket{{{model},le="0.5"}} {count}
model_prediction_score_bucket{{{model},le="+Inf"}} {count}
model_info{{{model},version="3",digest="sha256:3"}} 1
"""


def history(name: str) -> str:
    """All metrics of a model, two hours long, as OpenMetrics: those of gates as it writes them, those of a server."""
    own = [line for line in exposition.text(samples(observed(name))).decode().split("\n") if line and line[0] != "#"]
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    label = f'model="{escaped}"'
    lines = []
    for place in range(120):
        at = AT - (119 - place) * APART
        served = SERVER.format(model=label, count=10 * place).split("\n")[:-1]
        lines += [f"{line} {at}" for line in [*own, *served]]
    families: dict[str, list[str]] = {}
    for line in lines:
        families.setdefault(line.partition("{")[0], []).append(line)
    return "".join(f"{line}\n" for family in families.values() for line in family) + "# EOF\n"


@pytest.mark.parametrize("name", ["churn", NASTY], ids=["usual", "nasty"])
def test_every_query_of_the_dashboard_returns_rows_from_a_prometheus(tmp_path: Path, name: str) -> None:
    write_monitoring(project(tmp_path, name), force=False)
    board = json.loads((tmp_path / "monitoring/dashboard.json").read_text())
    stored(tmp_path, history(name))
    with prometheus(tmp_path) as address:
        for panel in board["panels"]:
            for target in panel["targets"]:
                found = query(address, target["expr"].replace("$__rate_interval", "5m"), AT)
                assert found, (panel["title"], target["expr"])
        verdicts = query(address, board["panels"][0]["targets"][0]["expr"], AT)
        assert {one["metric"]["bar"]: one["value"][1] for one in verdicts} == {"recall:min": "1", NASTY: "3"}
        (info,) = query(address, selector("model_info", {"model": name}), AT)
        assert info["metric"]["model"] == name
        assert query(address, selector("model_info", {"model": f"{name}x"}), AT) == [], "the control"
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    of_buckets = [target["format"] for target in targets if target["legendFormat"] == "{{le}}"]
    assert of_buckets == ["heatmap"], "or each bar would hold all bars below it"
    asked = {target["expr"] for target in targets}
    told = {metric for metric, _ in series(exposition.text(samples(observed(name))).decode())}
    kept = {metric for metric in told if not any(metric in expression for expression in asked)}
    assert kept == {"gates_record_timestamp_seconds"}, "what the dashboard does not show"


@pytest.mark.slow
def test_the_pictures_are_what_the_queries_return() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    import dashboard_picture

    drawn = {dashboard_picture.PICTURES[name]: svg for name, svg in dashboard_picture.pictures().items()}
    assert {path: path.read_text() for path in drawn} == drawn, "scripts/dashboard_picture.py draws them again"


TYPED = """import type {{ Dashboard }} from '@grafana/schema';
// an enumeration's members are written as their values
type Written<T> = T extends string ? `${{T}}` : T extends object ? {{ [K in keyof T]: Written<T[K]> }} : T;
export const dashboard: Written<Dashboard> = {text};
"""


def typed(text: str, folder: Path) -> str:
    """What TypeScript says of a dashboard by Grafana's own type."""
    file = folder / "dashboard.ts"
    file.write_text(TYPED.format(text=text))
    modules = ROOT / "tests/node_modules"
    (folder / "node_modules").symlink_to(modules)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext"]
    done = subprocess.run([modules / ".bin/tsc", *options, file], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["churn", NASTY], ids=["usual", "nasty"])
def test_the_dashboard_is_of_grafanas_own_type(tmp_path: Path, name: str) -> None:
    write_monitoring(project(tmp_path, name), force=False)
    assert typed((tmp_path / "monitoring/dashboard.json").read_text(), tmp_path) == ""


def test_a_dashboard_of_another_type_would_be_seen(tmp_path: Path) -> None:
    write_monitoring(project(tmp_path), force=False)
    board = json.loads((tmp_path / "monitoring/dashboard.json").read_text())
    board["panels"][0]["options"] = None
    assert "'null' is not assignable" in typed(json.dumps(board), tmp_path)


def test_panels_lie_beside_each_other_and_have_numbers_of_their_own(tmp_path: Path) -> None:
    write_monitoring(project(tmp_path), force=False)
    board = json.loads((tmp_path / "monitoring/dashboard.json").read_text())
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) == len(panels(resolved()))


def test_what_stands_there_stays_and_what_differs_is_named(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    done = init(root)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"wrote monitoring/{name}" for name in ("rules.yml", "rules.test.yml", "dashboard.json")
    ]
    assert (check(root).code, check(root).out) == (0, "")
    assert init(root).out == "", "all is as it should be"
    project(root, window="7d", retrain=False)
    before = (root / "monitoring/rules.yml").read_bytes()
    done = check(root)
    assert done.code == 1
    assert {
        "monitoring/rules.yml: the alert GatesEvidenceGrowing differs",
        "monitoring/rules.yml: the alert GatesRetrainBudgetSpent is not asked for",
        "monitoring/rules.test.yml: the test GatesRetrainBudgetSpent: spent is not asked for",
        "monitoring/dashboard.json: the panel Retrainings left is not asked for",
        "gates init --monitoring --force writes them again",
    } <= set(done.out.splitlines())
    assert "the alert GatesBarFailing" not in done.out
    assert "kept monitoring/rules.yml, which differs; --force overwrites it" in init(root).out
    assert (root / "monitoring/rules.yml").read_bytes() == before
    assert init(root, "--force").out.count("wrote") == 3
    assert check(root).code == 0
    (root / "monitoring/rules.yml").write_text("[")
    (root / "monitoring/dashboard.json").unlink()
    assert list(differences(root)) == [
        "monitoring/rules.yml: is not what gates writes",
        "monitoring/dashboard.json is missing",
    ]


def test_usage_and_a_policy_without_a_monitor_section(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    for arguments in (["data.csv"], ["--github"], ["--template"]):
        assert init(root, *arguments).code == 2
    assert init(root, "--check").code == 2
    written = policy(retrain=False)
    del written["monitor"]
    (root / "gates.yaml").write_text(json.dumps(written))
    done = init(root)
    assert done.code == 2
    assert "the policy has no monitor section" in done.err
    assert not (root / "monitoring").exists()


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    with pytest.raises(GatesError, match="grafana-foundation-sdk is not installed") as error:
        write_monitoring(project(tmp_path), force=False)
    assert error.value.hint == 'Install the extra: pip install "gates-ml[dashboard]".'
    assert not (tmp_path / "monitoring").exists()


@settings(max_examples=200)
@given(st.text())
def test_a_string_of_promql_is_what_it_was(text: str) -> None:
    import promql_parser

    text = text.encode("utf-8", "replace").decode()
    written = quoted(text)
    assert written.isascii()
    assert "$" not in written
    assert "[[" not in written
    parsed = promql_parser.parse(f"up{{model={written}}}")
    (matcher,) = parsed.matchers.matchers
    assert matcher.value == text
