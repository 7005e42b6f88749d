"""A Grafana dashboard of one model, from its policy: how it stands, its windows, and how it is served. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gates.errors import GatesError
from gates.observability import gauges
from gates.observability.alert_rules import HALF, SERVED, monitor_of, overdue_after
from gates.observability.promql_text import selector
from gates.policy import ResolvedPolicy
from gates.schema.canonical import digest_bytes

_RULE = "bar"  # the label
SOURCE = "datasource"  # the dashboard's variable
RATE = "$__rate_interval"  # Grafana puts in what its own scraping allows
STATES = {"not_judged": "not judged", "pass": "pass", "inconclusive": "inconclusive", "fail": "FAIL", "error": "ERROR"}
_COLOURS = ("text", "green", "yellow", "red", "dark-red")  # of the states, beside their words
_REFS = "ABCDEFGH"
_FOREIGN = ("auto", "auto_count", "auto_min", "style")
_NO_ID = "00000000-0000-0000-0000-000000000000"
_COLUMNS = 24  # of Grafana's grid
_HIGH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSpec:
    """One panel. ``queries``: each with its legend. ``steps``: values from which another colour holds. ``buckets``:
    those of a histogram come back, each with all below it."""

    title: str
    shape: str
    queries: Sequence[tuple[str, str]]
    description: str
    unit: str = "short"
    wide: int = 12
    instant: bool = False
    buckets: bool = False
    steps: Sequence[tuple[float, str]] = ()


def panels(resolved: ResolvedPolicy) -> Sequence[PanelSpec]:
    """Return the panels of the policy's model. Raises ``GatesError`` where the policy has no monitor section."""
    return [*_standing(resolved), *_windows(resolved), *_serving({"model": resolved.champion[0]})]


def dashboard_document(resolved: ResolvedPolicy) -> str:
    """Return the dashboard as JSON. Raises ``GatesError`` where the SDK that writes it is not installed."""
    try:
        from grafana_foundation_sdk.builders import dashboard
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
    except ImportError as error:
        hint = 'Install the extra: pip install "gates-ml[dashboard]".'
        raise GatesError("grafana-foundation-sdk is not installed", where="--monitoring", hint=hint) from error
    name = resolved.champion[0]
    board = dashboard.Dashboard(f"gates: {name}").uid(digest_bytes(name.encode())[7:19]).tags(["gates"]).refresh("1m")
    board = board.time("now-30d", "now").timezone("utc").editable()
    board = board.with_variable(dashboard.DatasourceVariable(SOURCE).type("prometheus").label("Data source"))
    for number, spec in enumerate(panels(resolved), 1):
        board = board.with_panel(_panel(spec, number))
    plain = json.loads(JSONEncoder(sort_keys=True).encode(board.build()))
    return json.dumps(_without_nulls(plain), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _standing(resolved: ResolvedPolicy) -> Iterator[PanelSpec]:
    model = {"model": resolved.champion[0]}
    states = "or ".join(
        f"{number} * {selector(gauges.VERDICT.name, {**model, 'verdict': verdict})} "
        for number, verdict in enumerate(STATES)
    )
    yield PanelSpec(
        title="Verdict of each rule",
        shape="statetimeline",
        queries=[(f"max by ({_RULE}) ({states.strip()})", "{{bar}}")],
        description="What gates monitor said of the newest window. A gap is no pass.",
        wide=_COLUMNS,
    )
    names = {gauges.VALUE: "value", gauges.LOW: "lower bound", gauges.HIGH: "upper bound", gauges.LIMIT: "limit"}
    yield PanelSpec(
        title="Values with bounds and limits",
        shape="timeseries",
        queries=[(selector(gauge.name, model), f"{{{{bar}}}}, {name}") for gauge, name in names.items()],
        description="What each limit was compared with, window by window.",
    )
    yield PanelSpec(
        title="Evidence against each rule",
        shape="timeseries",
        queries=[(selector(gauges.EVIDENCE.name, model), "{{bar}}")],
        description="1 is an alarm. More than a half in two windows is a warning.",
        steps=[(HALF, "orange"), (1, "red")],
    )


def _windows(resolved: ResolvedPolicy) -> Iterator[PanelSpec]:
    model, late = {"model": resolved.champion[0]}, overdue_after(monitor_of(resolved))
    rows = [(gauges.WINDOW_ROWS, "rows"), (gauges.WINDOW_LABELLED, "rows with a label")]
    yield PanelSpec(
        title="Rows of the newest window",
        shape="timeseries",
        queries=[(selector(gauge.name, model), name) for gauge, name in rows],
        description="Labels come later, so theirs is an earlier window.",
    )
    yield PanelSpec(
        title="Age of window",
        shape="stat",
        queries=[(f"time() - {selector(gauges.WINDOW_END.name, model)}", "")],
        description="Since the end of the newest one. Red where one is overdue.",
        unit="s",
        wide=4,
        instant=True,
        steps=[(late, "red")],
    )
    yield PanelSpec(
        title="What serves",
        shape="stat",
        queries=[
            (selector(gauges.SERVING.name, model), "{{alias}}: v{{version}}"),
            (selector(SERVED, model), "v{{version}}, as served"),
        ],
        description="Versions by the ledger, and those that servers say they have.",
        wide=4 if resolved.policy.retrain else 8,
        instant=True,
    )
    if resolved.policy.retrain is not None:
        yield PanelSpec(
            title="Retrainings left",
            shape="stat",
            queries=[(selector(gauges.BUDGET.name, model), "")],
            description=f"Of {resolved.policy.retrain.budget}.",
            wide=4,
            instant=True,
            steps=[(1, "green")],
        )


def _serving(model: dict[str, str]) -> Iterator[PanelSpec]:
    """Yield what the metrics of a server show; docs/observability.md names them."""
    requests, depth = selector("model_requests_total", model), selector("model_queue_depth", model)
    duration, score = (
        selector(f"{name}_bucket", model) for name in ("model_request_duration_seconds", "model_prediction_score")
    )
    yield PanelSpec(
        title="Requests a second",
        shape="timeseries",
        queries=[(f"sum by (version, code) (rate({requests}[{RATE}]))", "version {{version}}, {{code}}")],
        description="By version and status code.",
        unit="reqps",
    )
    yield PanelSpec(
        title="Duration of requests",
        shape="timeseries",
        queries=[
            (f"histogram_quantile({share}, sum by (le) (rate({duration}[{RATE}])))", name)
            for share, name in ((0.5, "median"), (0.95, "95 of 100"), (0.99, "99 of 100"))
        ],
        description="Half of the requests, 95 or 99 of 100 took no longer than this.",
        unit="s",
    )
    yield PanelSpec(
        title="Waiting requests",
        shape="timeseries",
        queries=[(f"sum({depth})", "waiting")],
        description="In the queues of all servers.",
    )
    yield PanelSpec(
        title="Predicted scores of the last hour",
        shape="bargauge",
        queries=[(f"sum by (le) (increase({score}[1h]))", "{{le}}")],
        description="How many answers had a score up to each edge, and above the one before.",
        instant=True,
        buckets=True,
    )


def _panel(spec: PanelSpec, number: int) -> Any:
    from grafana_foundation_sdk.builders import bargauge, prometheus, stat, statetimeline, timeseries
    from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    shapes = {one.__name__.rpartition(".")[2]: one for one in (bargauge, stat, statetimeline, timeseries)}
    source = models.DataSourceRef(type_val="prometheus", uid=f"${{{SOURCE}}}")
    panel: Any = shapes[spec.shape].Panel()
    panel = panel.id(number).title(spec.title).description(spec.description).datasource(source)
    panel = panel.unit(spec.unit).span(spec.wide).height(_HIGH)
    for ref, (expression, legend) in zip(_REFS, spec.queries, strict=False):
        target = prometheus.Dataquery().expr(expression).ref_id(ref).legend_format(legend or "__auto")
        target = target.format(PromQueryFormat.HEATMAP) if spec.buckets else target  # each bucket less those below it
        panel = panel.with_target(target.instant() if spec.instant else target.range())
    if spec.shape == "statetimeline":
        panel = panel.mappings([_mapping()])
    steps = [models.Threshold(value=None, color="green" if spec.steps else "text")]
    steps += [models.Threshold(value=value, color=colour) for value, colour in spec.steps]
    mode = models.ThresholdsMode.ABSOLUTE
    return panel.thresholds(ThresholdsConfig().mode(mode).steps(steps))


def _mapping() -> Any:
    from grafana_foundation_sdk.models import dashboard as models

    named = enumerate(zip(STATES.values(), _COLOURS, strict=True))
    options = {
        str(number): models.ValueMappingResult(text=text, color=colour, index=number)
        for number, (text, colour) in named
    }
    return models.ValueMap(options=options)


def _without_nulls(value: Any) -> Any:
    """Return a document without what Grafana's own type does not allow: nulls for what is not there, and what another
    type or an older Grafana has.

    The first step of thresholds has no value by that type's word: it stays null.
    """
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if not isinstance(value, dict):
        return value
    step = value.keys() == {"color", "value"}
    kept = {key: one for key, one in value.items() if key not in _FOREIGN and one != _NO_ID}
    return {key: _without_nulls(one) for key, one in kept.items() if one is not None or step}
