"""Commands about a model: from the policy to the promotion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gates.cli import options
from gates.contract.contract_file import SCHEMA as CONTRACT_SCHEMA
from gates.documents.decision import Decision
from gates.documents.evidence import Evidence
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.experiment_decision import ExperimentDecision
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.live_evidence import LABELS, LiveEvidence
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.printed.audit import Audit, Reproduced
from gates.documents.printed.diagnosis import Diagnosis
from gates.documents.printed.diff import ContractDiff, PolicyDiff
from gates.documents.printed.job_list import JobList
from gates.documents.printed.power_table import PowerTable
from gates.documents.printed.standing import Standing
from gates.documents.printed.table_check import Checked
from gates.documents.record import Record
from gates.errors import GatesError
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.publish import facts_of, write_bars, write_report
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import schema as policy_schema
from gates.report.formats import FORMATS
from gates.schema.fields import schema_of
from gates.schema.yaml_text import dump
from gates.system import files
from gates.wording import plural

if TYPE_CHECKING:
    from gates.pipeline.session import Session

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS: dict[str, Callable[[], Any]] = {
    "policy": policy_schema,
    "contract": lambda: CONTRACT_SCHEMA,
    "evidence": lambda: schema_of(Evidence),
    "decision": lambda: schema_of(Decision),
    "data": lambda: schema_of(Checked),
    "record": lambda: schema_of(Record),
    "live": lambda: schema_of(LiveEvidence),
    "monitoring": lambda: schema_of(MonitoringDecision),
    "profile": lambda: schema_of(DriftProfile),
    "experiment": lambda: schema_of(ExperimentEvidence),
    "experiment-decision": lambda: schema_of(ExperimentDecision),
    "audit": lambda: schema_of(Audit),
    "reproduced": lambda: schema_of(Reproduced),
    "power": lambda: schema_of(PowerTable),
    "jobs": lambda: schema_of(JobList),
    "standing": lambda: schema_of(Standing),
    "contract-diff": lambda: schema_of(ContractDiff),
    "policy-diff": lambda: schema_of(PolicyDiff),
    "doctor": lambda: schema_of(Diagnosis),
}


def published(document: str) -> dict[str, Any]:
    """Return the JSON Schema of a document under its own name, by which others may refer to it."""
    return {"$schema": _DIALECT, "$id": f"urn:gates-ml:schema:{document}:v1", **SCHEMAS[document]()}


@click.command()
@options.policy
@options.as_json
@click.option("--explain", is_flag=True, help="Print the whole policy with every default.")
def check(policy: Path, explain: bool, as_json: bool) -> None:
    """Read the policy and its contract, and report every mistake.

    \b
    Example:
      gates check --explain
    """
    session = options.session(policy)
    resolved = session.resolved
    _check_job(session)
    if as_json:
        click.echo(json.dumps(resolved.explained, ensure_ascii=False))
    elif explain:
        click.echo(dump(resolved.explained), nl=False)
    else:
        _warn_of_groups(resolved)
        click.echo(f"{policy}: {plural(len(resolved.policy.gates), 'gate', 'gates')}, no mistakes")


def _check_job(session: Session) -> None:
    """Hold the job document to what is asked of one, where the policy names one."""
    train = session.resolved.policy.train
    if train.job is not None:
        from gates.launch import document

        document.read(files.read(session.workspace.root / train.job, "Check train.job."), train.job, train.image)


def _warn_of_groups(resolved: ResolvedPolicy) -> None:
    """Say what becomes of slices by columns of which no value is shown, where the contract does not."""
    contract = resolved.contract
    if contract is None or contract.shown.min_cell > 1:
        return
    for column in sorted(contract.hidden & {name for one in resolved.needs.dimensions for name in one.columns}):
        click.echo(
            f"gates: warning: {column} is x-sensitive: its groups are numbered, and those of fewer than 5 rows are put "
            "together. Say in the contract how small a group may be shown: shown: {min_cell: 10}",
            err=True,
        )


@click.command()
@options.policy
@options.base
@click.option("--shard", metavar="I/N", help="Measure only part I of N, into .gates/shards/, for gates merge.")
def measure(policy: Path, base: str | None, shard: str | None) -> None:
    """Check the data, and measure candidate and champion on the holdout, into .gates/evidence.json.

    \b
    Example:
      gates measure
      gates measure --shard 1/4
    """
    session = options.session(policy, base)
    if shard:
        from gates.pipeline.machines import sharding

        click.echo(str(sharding.measure(session, shard)))
        return
    Pipeline(session).measure_trained()


@click.command()
@options.policy
def merge(policy: Path) -> None:
    """Merge the parts of gates measure --shard in .gates/shards/ into .gates/evidence.json.

    \b
    Example:
      gates measure --shard 1/2; gates measure --shard 2/2; gates merge && gates judge
    """
    from gates.pipeline.machines import sharding

    sharding.merge(options.session(policy))


@click.command()
@options.policy
@options.base
@options.as_json
def judge(policy: Path, base: str | None, as_json: bool) -> NoReturn:
    """Judge .gates/evidence.json by the policy, into .gates/decision.json.

    Writes the reports in .gates/ again, so that none shows an older verdict.

    \b
    Example:
      gates judge --json | jq .verdict
    """
    session = options.session(policy, base)
    old = [path.name for path in session.workspace.rendered if path.exists()]
    decision = Pipeline(session).judge()
    facts = facts_of(session, decision)
    write_bars(session, decision, facts)
    for form in (name for name, one in FORMATS.items() if one.file in old):
        write_report(session, decision, facts, form)
    options.show(decision, facts, as_json=as_json)
    sys.exit(options.code(decision, facts))


@click.command()
@options.policy
@options.base
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="markdown", show_default=True)
def report(policy: Path, base: str | None, form: str) -> None:
    """Render .gates/decision.json: into a file of .gates/ (markdown, html, svg, junit, sarif), or print it.

    \b
    Example:
      gates report --format terminal
    """
    session = options.session(policy, base)
    decision = session.workspace.load_decision()
    facts = facts_of(session, decision)
    if form == "terminal":
        options.show(decision, facts, as_json=False)
    elif FORMATS[form].file is None:
        click.echo(FORMATS[form].render(decision, facts), nl=False)
    else:
        click.echo(str(write_report(session, decision, facts, form)))


def _finite(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse what is a number to Python alone: nan, and inf."""
    if value is not None and not isfinite(value):
        raise click.BadParameter("is not a finite number", param=parameter)
    return value


@click.command()
@options.policy
@options.as_json
@click.option(
    "--effect",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="The distance from each limit that is to be revealed. Default: of a comparison its limit, so that a model as "
    "good as the other one passes; else where the value lies now.",
)
@click.option(
    "--per-day",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="How many rows a day has. Default: as the ledger's newest live windows had.",
)
@click.option("--slices", is_flag=True, help="Slices, too.")
@click.option("--experiment", "trying", is_flag=True, help="Of the newest look at an experiment: units, not rows.")
def power(policy: Path, effect: float | None, per_day: float | None, slices: bool, trying: bool, as_json: bool) -> None:
    """Say how many rows each rule needs to reveal an effect, before anything is asked of them.

    It follows from the bounds in .gates/decision.json: errors shrink with the root of the rows. An effect counts as
    revealed if 8 of 10 holdouts of that size show it.

    \b
    Example:
      gates power
      gates power --effect 0.01 --per-day 1500
      gates power --slices --json
      gates power --experiment
    """
    from gates.judge.power_plan import power_plan
    from gates.report.terminal.needed_rows import render

    session = options.session(policy)
    if trying:
        look = _newest_look(session)
        a_day = per_day or (look.closed / look.days if look.days else None)
        planned = power_plan(look, effect, a_day, narrower=_at_the_end(session, look))
    else:
        planned = power_plan(session.workspace.load_decision(), effect, per_day or _rows_a_day(session), slices=slices)
    options.tell(planned, partial(render, planned), as_json=as_json)


def _newest_look(session: Session) -> ExperimentDecision:
    """Return the decision of the newest look at an experiment. Raises ``GatesError`` where there is none."""
    from gates.ledger.experiments.experiment_records import before_of, known_experiments, reader

    ledger, name = session.ledger, session.resolved.champion[0]
    known = known_experiments(reader(ledger), before_of(ledger.entries(session.ledger_seen), name))
    looks = [one.last for one in known if one.last is not None]
    if not looks:
        hint = "Look at one first: gates experiment."
        raise GatesError("the ledger has no look at an experiment", where=name, hint=hint)
    return looks[-1]


def _at_the_end(session: Session, look: ExperimentDecision) -> float:
    """Return how wide bounds are at an experiment's planned end, as a share of those of a look before it."""
    from gates.monitoring.experiments.judge_experiment import section_of
    from gates.stats.experiments.confidence_sequence import early
    from gates.stats.experiments.confidence_sequence import planned as at_end

    if look.planned:
        return 1.0
    return at_end(look.confidence) / early(max(1, look.closed), section_of(session.resolved).units, look.confidence)


def _rows_a_day(session: Session) -> float | None:
    """Return how many rows a day had in the newest record of live windows, labelled ones where there are such; None
    where nothing is watched yet."""
    from gates.ledger.watched import last_watch
    from gates.policy.live_policies import parts_of
    from gates.policy.monitor_section import seconds

    resolved = session.resolved
    watch = last_watch(session.ledger, session.ledger_seen, resolved.champion[0]) if resolved.policy.monitor else None
    if watch is None or resolved.policy.monitor is None:
        return None
    part = parts_of(resolved.policy)[-1]
    counts = [one.labelled if part == LABELS else one.rows for one in watch.decision.windows if one.part == part]
    rows = [count for count in counts if count]
    return sum(rows) / len(rows) * seconds("1d") / seconds(resolved.policy.monitor.window) if rows else None


@click.command()
@click.argument("document", type=click.Choice(list(SCHEMAS)), default="policy")
def schema(document: str) -> None:
    """Print the JSON Schema of a document.

    \b
    Example:
      gates schema > gates.schema.json
    """
    click.echo(json.dumps(published(document), indent=2, ensure_ascii=False))
