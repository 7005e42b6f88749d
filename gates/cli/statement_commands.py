"""Commands that write a decision for others: an in-toto statement, and the model's card."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from gates.checkout.workspace import Workspace
from gates.cli import options
from gates.errors import Exit, GatesError
from gates.schema.canonical import digest
from gates.system import files

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def statement() -> None:
    """Write and check the decision as an in-toto statement about the model.

    \b
    Example:
      gates statement write
    """


@statement.command()
@options.policy
@click.option("--key", type=_FILE, help="A private key (PEM) to sign it with. Without one it is unsigned.")
@click.option(
    "--predicate",
    type=click.Choice(["decision", "svr"]),
    default="decision",
    help="What it says: the whole decision, or in-toto's Simple Verification Result for policy engines.",
    show_default=True,
)
def write(policy: Path, key: Path | None, predicate: str) -> None:
    """Write .gates/decision.json as an in-toto statement: .gates/statement.json, or statement.dsse.json if signed.

    With --predicate svr the decision is derived again from policy and evidence, and .gates/svr.json, or svr.dsse.json,
    says at which time, and what holds: the verdict if it is a pass, and each rule that passes everywhere.

    actions/attest signs the same: subject-digest is the model's digest, predicate-type urn:mlgates:decision:v1,
    predicate-path .gates/decision.json.

    \b
    Example:
      gates statement write
      gates statement write --key key.pem
      gates statement write --predicate svr --key key.pem
    """
    from gates.attestation.dsse import sign
    from gates.attestation.statement import statement as stated

    workspace = Workspace(policy=policy)
    text = stated(workspace.load_decision()) if predicate == "decision" else _verified(workspace)
    name = "statement" if predicate == "decision" else predicate
    path = workspace.work / (f"{name}.dsse.json" if key else f"{name}.json")
    files.write(path, (sign(text, key) if key else text) + b"\n")
    click.echo(str(path))


def _verified(workspace: Workspace) -> bytes:
    """Return the result of a verification that is made now: the decision must follow from policy and evidence."""
    from gates.attestation.verification_result import verification_result
    from gates.documents.record import TIME
    from gates.judge.judge import judge

    decision = workspace.load_decision()
    if judge(workspace.load(), workspace.load_evidence()) != decision:
        raise GatesError(
            "does not follow from policy and evidence", where=str(workspace.decision), hint="Run gates judge again."
        )
    return verification_result(decision, datetime.now(UTC).strftime(TIME))


@statement.command()
@click.argument("file", type=_FILE)
@click.option("--key", type=_FILE, help="The public key (PEM) that must have signed it.")
@options.as_json
def check(file: Path, key: Path | None, as_json: bool) -> NoReturn:
    """Show what a statement says, and who vouches for it: none, key, or attested (a bundle of actions/attest).

    \b
    Exit codes: 0 it is a complete statement, signed by --key if one is named; 1 it is not signed by it;
    2 it is not a statement.

    \b
    Example:
      gates statement check .gates/statement.dsse.json --key pub.pem
    """
    from gates.attestation.dsse import signed_by
    from gates.attestation.statement import Tier, unwrapped

    data = files.read(file, "Name a statement; gates statement write makes one.")
    statement_, tier, envelope = unwrapped(data, str(file))
    signer = signed_by(envelope, key) if key and envelope else None
    if key and tier is Tier.ATTESTED:
        raise GatesError(
            "is attested by a workflow, not signed by a key",
            where=str(file),
            hint=f"gh attestation verify --bundle {file} --predicate-type urn:mlgates:decision:v1 ...",
        )
    said = _result(statement_, str(file)) or _decision(data, str(file))
    summary: dict[str, Any] = {"tier": str(tier), "signed_by": signer} | said
    click.echo(json.dumps(summary) if as_json else _told(summary, named=key is not None))
    sys.exit(Exit.STOP if key and signer is None else Exit.SHIP)


def _result(statement_: bytes, name: str) -> dict[str, Any] | None:
    """Return what a verification result says; None for a statement of another kind."""
    from gates.attestation.verification_result import read_result

    said = read_result(statement_, name)
    if said is None:
        return None
    about = {"model": said.model, "digest": said.digest}
    return about | {"properties": list(said.result.properties), "verified": said.result.timeCreated}


def _decision(data: bytes, name: str) -> dict[str, Any]:
    """Return what the statement of a decision says."""
    from gates.attestation.statement import read

    decision = read(data, name).decision
    assert decision.candidate is not None  # noqa: S101 -- every statement has a subject
    about = {"model": decision.model, "digest": decision.candidate.digest}
    return about | {"verdict": str(decision.verdict), "decision": digest(decision)}


def _told(summary: dict[str, Any], *, named: bool) -> str:
    words = {
        "none": "it is not signed",
        "key": f"signed by {summary['signed_by']}"
        if summary["signed_by"]
        else "it is signed; name the key to check it with --key",
        "attested": "attested by a workflow; gh attestation verify checks that",
    }
    word = words[str(summary["tier"])] if summary["signed_by"] or not named else "not signed by that key"
    first = summary.get("verdict") or ", ".join(summary["properties"]) or "nothing holds"
    lines = [f"{summary['model']}: {first}"]
    names = {"digest": "model", "decision": "decision", "verified": "verified"}
    lines += [f"{name:<8} {summary[key]}" for key, name in names.items() if key in summary]
    return "\n".join([*lines, f"tier     {summary['tier']}: {word}"])


@click.command()
@options.policy
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write README.md into this folder, for the hub, and the result of card.benchmark into .eval_results/.",
)
def card(policy: Path, to: Path | None) -> None:
    """Print the model's card, in Hugging Face's format: its use, data, metrics by slice, fairness, limits.

    It is made from the policy, .gates/evidence.json and .gates/decision.json. The ledger stores the card of a promoted
    model, with who approved it, with the record.

    \b
    Example:
      gates card > README.md
      gates card --to hub
    """
    from gates.policy import Card
    from gates.report.card.hub_metadata import benchmark_result
    from gates.report.card.model_card import render

    workspace = Workspace(policy=policy)
    resolved, evidence, decision = workspace.load(), workspace.load_evidence(), workspace.load_decision()
    written = render(resolved, evidence, decision)
    if to is None:
        click.echo(written, nl=False)
        return
    texts = {to / "README.md": written.encode()}
    if result := benchmark_result(resolved.policy.card or Card(), decision):
        texts[to / ".eval_results" / "gates.yaml"] = result.encode()
    files.write_all(texts)
    click.echo("\n".join(map(str, texts)))
