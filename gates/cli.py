"""The command line: the only place that makes real effects and hands them down; errors become exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gates import __version__
from gates.canonical import canonical
from gates.decision import Decision, Verdict, could_not_judge, exit_code
from gates.errors import Exit, GatesError
from gates.evidence import Evidence
from gates.fields import plain
from gates.judge import judge as judge_evidence
from gates.policy import Bound
from gates.policy.read import schema as policy_schema
from gates.progress import Steps
from gates.workspace import Workspace

if TYPE_CHECKING:
    from gates.measure import Bench, Served
    from gates.registry.mlflow import Registry

UNNAMED = "gates.yaml"  # what a policy is called whose own name can't be read


def _policy_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--policy", "-p", type=click.Path(path_type=Path), default=Path("gates.yaml"), show_default=True,
        help="The policy. Its folder is where paths start and where .gates/ is.",
    )(command)  # fmt: skip


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output, and nothing else.")(
        command
    )


def _colour(stream: Any) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _steps() -> Steps:
    return Steps(sys.stderr, colour=_colour(sys.stderr))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gates")
def cli() -> None:
    """Decide whether a machine-learning model may ship, by the rules in gates.yaml.

    \b
    Exit codes: 0 may ship, 1 may not, 2 a mistake in policy, data, model or usage,
    3 something outside failed.

    \b
    Example:
      gates run
    """


@cli.command()
@_policy_option
@_json_option
def run(policy: Path, as_json: bool) -> NoReturn:  # noqa: FBT001
    """Check the data, train, measure, judge and report, in one go.

    \b
    Example:
      gates run --policy models/churn/gates.yaml
    """
    workspace, steps = Workspace(policy=policy), _steps()
    bound: Bound | None = None
    try:
        workspace.begin()
        with steps.step("policy", str(policy)):
            bound = workspace.load()
        evidence = _measured(workspace, bound, steps)
        with steps.step("judge", f"{len(bound.gates)} gates"):
            decision = judge_evidence(bound, evidence)
    except GatesError as error:
        _finish(workspace, bound, could_not_judge(_model_name(bound), str(error)), as_json=as_json, told=True)
        raise
    _finish(workspace, bound, decision, as_json=as_json)
    sys.exit(exit_code(decision, inconclusive_fails=bound.policy.on_inconclusive == "fail"))


@cli.command()
@_policy_option
@_json_option
@click.option("--explain", is_flag=True, help="Write out the whole policy with every default.")
def check(policy: Path, explain: bool, as_json: bool) -> None:  # noqa: FBT001
    """Read the policy and its contract, and tell every mistake.

    \b
    Example:
      gates check --explain
    """
    bound = Workspace(policy=policy).load()
    if as_json:
        click.echo(json.dumps(_explained(bound), ensure_ascii=False))
    elif explain:
        import yaml

        click.echo(yaml.safe_dump(_explained(bound), sort_keys=False, allow_unicode=True), nl=False)
    else:
        click.echo(f"{policy}: {len(bound.policy.gates)} gates, no mistakes")


@cli.command()
@_policy_option
def train(policy: Path) -> None:
    """Run the training command; what it writes lies in .gates/candidate.

    \b
    Example:
      gates train
    """
    workspace = Workspace(policy=policy)
    workspace.begin()
    bound = workspace.load()
    _train(workspace, bound, _bench(workspace, bound), _steps())


@cli.command()
@_policy_option
def measure(policy: Path) -> None:
    """Check the data, and measure candidate and champion on the holdout, into .gates/evidence.json.

    \b
    Example:
      gates measure
    """
    workspace, steps = Workspace(policy=policy), _steps()
    bound = workspace.load()
    bench = _bench(workspace, bound)
    with steps.step("data"):
        checked = bench.check()
    workspace.trained()
    workspace.save(workspace.evidence, _measure(workspace, bound, bench, checked, steps))


@cli.command()
@_policy_option
@_json_option
def judge(policy: Path, as_json: bool) -> NoReturn:  # noqa: FBT001
    """Judge .gates/evidence.json by the policy, into .gates/decision.json.

    \b
    Example:
      gates judge --json | jq .verdict
    """
    workspace = Workspace(policy=policy)
    bound = workspace.load()
    decision = judge_evidence(bound, workspace.load_evidence())
    workspace.save(workspace.decision, decision)
    _show(decision, as_json=as_json)
    sys.exit(exit_code(decision, inconclusive_fails=bound.policy.on_inconclusive == "fail"))


@cli.command()
@_policy_option
@click.option("--format", "form", type=click.Choice(["markdown", "terminal"]), default="markdown", show_default=True)
def report(policy: Path, form: str) -> None:
    """Render .gates/decision.json: Markdown into .gates/report.md, or a table on the terminal.

    \b
    Example:
      gates report --format terminal
    """
    workspace = Workspace(policy=policy)
    decision = workspace.load_decision()
    if form == "terminal":
        _show(decision, as_json=False)
        return
    _write_report(workspace, decision)
    click.echo(str(workspace.report))


@cli.command()
@_policy_option
@_json_option
def promote(policy: Path, as_json: bool) -> None:  # noqa: FBT001
    """Make the judged candidate the champion: register it and move the alias.

    \b
    Example:
      gates run && gates promote
    """
    from gates import promote as promotion

    workspace, steps = Workspace(policy=policy), _steps()
    bound = workspace.load()
    bench = _bench(workspace, bound)
    registry = _registry(workspace)
    with steps.step("verify"):
        decision = promotion.verified(workspace, bench, _served(workspace, bound, registry))
    with steps.step("promote", "models:/{}@{}".format(*bound.champion)):
        version = promotion.promote(workspace, bench, registry, decision)
    name, alias = bound.champion
    if as_json:
        click.echo(json.dumps({"model": name, "alias": alias, "version": version}))
    else:
        click.echo(f"{name} version {version} is now {alias}")


@cli.command()
@_policy_option
@click.option("--author", default="github-actions[bot]", show_default=True, help="The login that the token writes as.")
def comment(policy: Path, author: str) -> NoReturn:
    """Judge .gates/evidence.json anew, and keep one comment on the pull request that says so.

    The token comes from GITHUB_TOKEN. Needs a GitHub Actions run.

    \b
    Example:
      GITHUB_TOKEN=... gates comment
    """
    from gates.github import api, event
    from gates.github import comment as comments

    workspace = Workspace(policy=policy)
    happened = event.read(os.environ)
    bound, decision = _judged_anew(workspace)
    body = _publish(workspace, decision)
    fails = bound is None or bound.policy.on_inconclusive == "fail"
    code = exit_code(decision, inconclusive_fails=fails)
    try:
        client = api.Client(happened.api_url, os.environ.get("GITHUB_TOKEN", ""))
        done = comments.sync(client, happened, body, key=decision.model, verdict=decision.verdict, author=author)
        click.echo(done.told, err=True)
    except GatesError as error:  # never turns a verdict around
        click.echo(f"{error}\nThe verdict stands: {decision.verdict}.", err=True)
        sys.exit(code or error.exit_code)
    sys.exit(code)


@cli.command()
@click.argument("document", type=click.Choice(["policy", "contract", "evidence", "decision"]), default="policy")
def schema(document: str) -> None:
    """Print the JSON Schema of a document.

    \b
    Example:
      gates schema > gates.schema.json
    """
    click.echo(json.dumps(_schemas()[document](), indent=2, ensure_ascii=False))


def _schemas() -> dict[str, Callable[[], Any]]:
    from gates.contract.read import SCHEMA
    from gates.fields import schema_of

    return {
        "policy": policy_schema,
        "contract": lambda: SCHEMA,
        "evidence": lambda: schema_of(Evidence),
        "decision": lambda: schema_of(Decision),
    }


def _explained(bound: Bound) -> Any:
    """The policy as if every default had been written."""
    written = plain(bound.policy)
    written["champion"] = "models:/{}@{}".format(*bound.champion)
    written["gates"] = [
        {key: value for key, value in plain(gate).items() if value not in (None, [])} for gate in bound.gates
    ]
    return written


def _model_name(bound: Bound | None) -> str:
    return bound.policy.model if bound else UNNAMED


def _bench(workspace: Workspace, bound: Bound) -> Bench:
    from gates.measure import Bench

    workspace.work.mkdir(parents=True, exist_ok=True)
    return Bench(bound, workspace.root, workspace.work)


def _registry(workspace: Workspace) -> Registry:
    from gates.registry.mlflow import Registry, default_uri

    return Registry(os.environ.get("MLFLOW_TRACKING_URI") or default_uri(workspace.root), workspace.root)


def _served(workspace: Workspace, bound: Bound, registry: Registry) -> Served | None:
    return registry.champion(*bound.champion, workspace.work / "champion")


def _measured(workspace: Workspace, bound: Bound, steps: Steps) -> Evidence:
    """Data, training, measuring. Where the data breaks its contract nothing is trained on it."""
    bench = _bench(workspace, bound)
    with steps.step("data", ", ".join(one.path for one in bench.opened.values())):
        checked = bench.check()
        data_only = bench.evidence(checked)
    if judge_evidence(bound, data_only).verdict in (Verdict.FAIL, Verdict.ERROR):
        workspace.save(workspace.evidence, data_only)
        return data_only
    _train(workspace, bound, bench, steps)
    evidence = _measure(workspace, bound, bench, checked, steps)
    workspace.save(workspace.evidence, evidence)
    return evidence


def _train(workspace: Workspace, bound: Bound, bench: Bench, steps: Steps) -> None:
    from gates.train.command import train as run_command

    with steps.step("train", bound.policy.train.run):
        run_command(bound.policy, workspace.root, workspace.work, bench.unlabelled(), os.environ)


def _measure(workspace: Workspace, bound: Bound, bench: Bench, checked: Any, steps: Steps) -> Evidence:
    from gates.files import folder_digest
    from gates.measure import Files

    with steps.step("champion", "models:/{}@{}".format(*bound.champion)):
        served = _served(workspace, bound, _registry(workspace))
    with steps.step("measure", "no champion yet" if served is None else f"against version {served.version}"):
        folder = workspace.trained()
        return bench.evidence(checked, Files(digest=folder_digest(folder), folder=folder), served)


def _judged_anew(workspace: Workspace) -> tuple[Bound | None, Decision]:
    """The decision from the evidence, never from a decision that was handed over, save for why there is none."""
    bound: Bound | None = None
    try:
        bound = workspace.load()
        return bound, judge_evidence(bound, workspace.load_evidence())
    except GatesError as error:
        why = str(error)
    if not workspace.evidence.exists() and workspace.decision.exists():
        handed = workspace.load_decision()
        why = handed.reason if handed.verdict is Verdict.ERROR else why
    return bound, could_not_judge(_model_name(bound), why)


def _finish(
    workspace: Workspace, bound: Bound | None, decision: Decision, *, as_json: bool, told: bool = False
) -> None:
    """Write decision and report, show them, and hand them to GitHub. ``told``: the error speaks for itself."""
    del bound
    workspace.save(workspace.decision, decision)
    _publish(workspace, decision)
    if as_json or not told:
        _show(decision, as_json=as_json)


def _publish(workspace: Workspace, decision: Decision) -> str:
    """The report as a file, as the job's summary, and its facts as the step's outputs."""
    from gates.github import outputs

    body = _write_report(workspace, decision)
    outputs.write_summary(os.environ, body)
    values = {"verdict": str(decision.verdict), "reason": decision.reason}
    for name in ("decision", "evidence", "report"):
        path: Path = getattr(workspace, name)
        if path.exists():
            values[name] = str(path)
    outputs.write_outputs(os.environ, values)
    return body


def _write_report(workspace: Workspace, decision: Decision) -> str:
    from gates import files
    from gates.report import Facts
    from gates.report.markdown import render

    facts = Facts(policy=str(workspace.policy), version=__version__, **_run_facts())
    body = render(decision, facts)
    files.write(workspace.report, body.encode())
    return body


def _run_facts() -> dict[str, str]:
    """Commit and run, where this is a GitHub Actions run whose event can be read."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return {}
    from gates.github import event

    try:
        happened = event.read(os.environ)
    except GatesError:
        return {}
    return {"commit": happened.head_sha, "run_url": happened.run_url}


def _show(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(canonical(decision).decode() + "\n")
        return
    import shutil

    from gates.report import Facts
    from gates.report.terminal import render

    colour = _colour(sys.stdout)
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120
    click.echo(render(decision, Facts(version=__version__), width=width, colour=colour), nl=False, color=colour)


def main() -> NoReturn:
    """Run the command line; every error ends in its exit code, none in a traceback."""
    try:
        cli(standalone_mode=False)
        sys.exit(Exit.SHIP)
    except GatesError as error:
        click.echo(f"gates: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.INPUT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("gates: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stdout = None  # nobody reads on; nothing more to say
        sys.exit(Exit.OUTSIDE)
    except Exception as error:  # noqa: BLE001 -- the unforeseen is neither a verdict nor the user's mistake
        if os.environ.get("GATES_DEBUG"):
            raise
        line = (str(error).splitlines() or [""])[0]
        click.echo(f"gates: unforeseen: {type(error).__name__}: {line} (GATES_DEBUG=1 shows where)", err=True)
        sys.exit(Exit.OUTSIDE)
