"""Copy the tables of a policy, by what the base commit says of where they are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime

from gates.checkout.base_policy import policy_at
from gates.errors import GatesError
from gates.origins.copied_tables import Copying
from gates.origins.receipt import Receipt
from gates.pipeline.session import Session
from gates.system import credential_names, identity
from gates.system.fetching import GIVEN
from gates.system.git import repository

MERGED = "What a pull request changes of it counts once it is merged."


def fetch(session: Session, *, fresh: bool) -> Iterator[tuple[str, Receipt, bool]]:
    """Copy each table that has an origin, and yield it with its receipt, and whether it was copied now.

    Raises ``GatesError`` where the policy names no origin, or a pull request another one than its base commit.
    """
    data = session.resolved.policy.data
    if data.from_ is None:
        raise GatesError("names no table", where="data.from", hint="Say there where they are kept, or give --command.")
    base = session.base.commit if session.base else None  # raises where nobody knows what it says
    if base and policy_at(session.workspace, base, session.environ).policy.data.from_ != data.from_:
        raise GatesError(f"is not what the base commit {base[:7]} says", where="data.from", hint=MERGED)
    session.workspace.prepare()
    _log_in(os.environ)
    copying = Copying(
        data=data,
        root=session.workspace.root,
        work=session.workspace.work,
        environ=os.environ,
        read=lambda name: _text(session, name, base),
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    yield from copying.run(fresh=fresh)


def _text(session: Session, name: str, base: str | None) -> bytes:
    """Return a query's file: that of the base commit, where there is one."""
    path = session.workspace.root / name
    checkout = repository(session.workspace.root, session.environ) if base else None
    if base is None or checkout is None:
        try:
            return path.read_bytes()
        except OSError as error:
            raise GatesError(f"can't be read: {error.strerror}", where=name, hint="data.from names it.") from error
    git, top = checkout
    inside = path.resolve().relative_to(top.resolve()).as_posix()
    shown = git.ask("show", f"{base}:{inside}")
    if shown.returncode:
        raise GatesError(f"is not in the base commit {base[:7]}", where=name, hint=MERGED)
    return shown.stdout


def _log_in(environ: MutableMapping[str, str]) -> None:
    """Take the credentials out of ``GATES_FETCH_CREDENTIALS``, as lines NAME=VALUE."""
    from gates.registry.credentials import in_memory

    variables = credential_names.read(environ.pop(GIVEN, ""), GIVEN)
    environ.update(identity.completed(variables, environ, in_memory))
