"""Commands about policies and contracts, without data."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from gates.checkout.workspace import Workspace, load_contract
from gates.cli import options
from gates.errors import Exit
from gates.policy import ResolvedPolicy
from gates.schema.fields import plain


@click.group()
def policy() -> None:
    """Commands about policies, without data.

    \b
    Example:
      gates policy diff origin/main
    """


@policy.command()
@options.policy
@click.argument("base")
@click.argument("head", required=False)
@options.as_json
def diff(policy: Path, base: str, head: str | None, as_json: bool) -> NoReturn:
    """Compare the policies BASE and HEAD rule by rule: what became weaker, stricter, new or gone.

    BASE and HEAD are files, or commits, branches and tags: then the policy of --policy at that commit, with its
    contract. Without HEAD it is the local file.

    \b
    Exit codes: 0 HEAD is not weaker, 1 some rule is weaker, gone or can't be determined,
    2 a mistake in a policy or its contract.

    \b
    Example:
      gates policy diff origin/main
      gates policy diff v1.0 v2.0 --policy models/churn/gates.yaml
      gates policy diff old.yaml new.yaml --json
    """
    from gates.policy.policy_diff import compare
    from gates.report.terminal.differences import render

    here = str(policy) if head is None else head
    compared = compare(*(_bound(one, policy) for one in (base, here)))
    options.tell(compared, partial(render, compared.changes, "weaker"), as_json=as_json)
    sys.exit(Exit.STOP if compared.weaker else Exit.SHIP)


def _bound(named: str, policy: Path) -> ResolvedPolicy:
    """Read the policy of a file, or of a commit."""
    from gates.checkout.base_policy import policy_at

    if Path(named).is_file() or Path(named) == policy:
        return Workspace(policy=Path(named)).load()
    return policy_at(Workspace(policy=policy), named, os.environ)


@click.group()
def contract() -> None:
    """Commands about contracts, without data.

    \b
    Example:
      gates contract diff main/contract.yaml contract.yaml
    """


@contract.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@options.as_json
def contract_diff(before: Path, after: Path, as_json: bool) -> NoReturn:
    """Compare the contracts BEFORE and AFTER rule by rule: what became stricter, looser, new or gone.

    \b
    Exit codes: 0 AFTER is not looser, 1 some rule is looser, gone, incompatible or can't be determined,
    2 a mistake in a contract.

    \b
    Example:
      gates contract diff main/contract.yaml contract.yaml
    """
    from gates.contract.contract_diff import compare
    from gates.report.terminal.differences import render

    compared = compare(load_contract(before), load_contract(after))
    if as_json:
        click.echo(json.dumps(plain(compared), ensure_ascii=False, allow_nan=False))
    else:
        coloured = options.colour(sys.stdout)
        click.echo(render(compared.changes, "looser", width=options.width(), colour=coloured), nl=False, color=coloured)
    sys.exit(Exit.STOP if compared.looser else Exit.SHIP)
