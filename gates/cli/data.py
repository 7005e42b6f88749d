"""Commands about data alone: a first contract from it, holding a table to one, and comparing two."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from gates.cli import common
from gates.errors import GatesError
from gates.workspace import load_contract

CONTRACT = "contract.yaml"


@click.command()
@click.argument("file")
@click.option(
    "--contract",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The contract. The default is contract.yaml beside the data, else in the current folder.",
)
@common.as_json
def data(file: str, contract: Path | None, as_json: bool) -> NoReturn:
    """Hold one table to its contract: CSV, Parquet, JSON lines, or a glob of them.

    Needs no policy. Rules that look at the training data are left out, and told.

    \b
    Exit codes: 0 the contract holds, 1 it is broken, 2 a mistake in data, contract or usage,
    3 something outside failed.

    \b
    Example:
      gates data data/holdout.parquet --contract contract.yaml
    """
    from gates.measure.alone import hold
    from gates.measure.tables import connect, open_table
    from gates.report.checked import render

    path = contract or _found(file)
    rules = load_contract(path)
    connection = connect()
    opened = open_table(connection, Path.cwd(), file, Path(file).name)
    checked = hold(connection, opened, rules, path.resolve().parent)
    if as_json:
        common.write_json(checked)
    else:
        coloured = common.colour(sys.stdout)
        click.echo(render(checked, width=common.width(), colour=coloured), nl=False, color=coloured)
    sys.exit(checked.exit_code)


def _found(file: str) -> Path:
    """The contract beside the data, else that of the current folder."""
    places = (Path(file).parent / CONTRACT, Path(CONTRACT))
    for place in places:
        if place.is_file():
            return place
    looked = " or ".join(dict.fromkeys(str(place) for place in places))
    raise GatesError(
        f"no contract: there is no {looked}", where=file, mend="Name one with --contract; gates init writes a first."
    )
