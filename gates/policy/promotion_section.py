"""What ``gates.yaml`` says about the way to production: stages, approvals, waivers, signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import Plain, declare

# MLflow takes neither ``latest`` nor ``v1`` for an alias
_ALIAS = "^(?!latest$|[vV][0-9]+$)[A-Za-z_][A-Za-z0-9_-]{0,99}$"
_ROLE = "^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}$"
WAIVER_ROLE = "gates-waive"  # the environment that asks who approves a waiver
_APPROVALS: dict[str, Plain] = {"items": {"type": "string", "pattern": _ROLE}, "uniqueItems": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step on the way to production: an alias, and who must agree."""

    alias: str = declare("The registry's alias to move.", stricter="free", pattern=_ALIAS)
    after: str | None = declare(
        "The stage that the model must be in before. The default is the one declared before it.", default=None
    )
    approvals: tuple[str, ...] = declare(
        "Roles that must approve, each the name of a GitHub environment.", default=(), stricter="each", **_APPROVALS
    )
    experiment: Literal["required"] | None = declare(
        "`required`: a model moves here only with an experiment that it has passed against the champion.",
        default=None,
        stricter="set",
    )

    @property
    def id(self) -> str:
        """What distinguishes it from other stages."""
        return self.alias


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Who must have signed a model: a key, or an identity that Sigstore has seen."""

    key: str | None = declare(
        "The public key, as PEM text: an elliptic curve's (P-256, P-384 or P-521).",
        default=None,
        pattern="^-----BEGIN PUBLIC KEY-----\n",
    )
    identity: str | None = declare(
        "The identity in the certificate, such as an e-mail address or a workflow's address.", default=None, minLength=1
    )
    issuer: str | None = declare(
        "The OpenID Connect issuer that vouches for the identity.", default=None, pattern="^https://"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """How a judged model gets to production: one alias, or several stages in their order."""

    alias: str | None = declare(
        "The registry's alias to move, if there is one stage. The default is champion.",
        default=None,
        pattern=_ALIAS,
    )
    approvals: tuple[str, ...] = declare(
        "Roles that must approve, each the name of a GitHub environment, if there is one stage.",
        default=(),
        stricter="each",
        **_APPROVALS,
    )
    stages: tuple[Stage, ...] = declare("The stages, from the first to the champion's.", default=(), stricter="each")
    distinct_people: bool = declare("Whether each role needs a different person.", default=True, stricter="larger")
    quote_digest: bool = declare(
        "Whether an approval's comment must quote the first 12 digits of the model's digest.",
        default=False,
        stricter="larger",
    )
    team: str | None = declare(
        "The GitHub team, ORGANISATION/TEAM, whose members may approve.",
        default=None,
        stricter="set",
        pattern="^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$",
    )
    waivable: tuple[str, ...] = declare(
        "Gates whose fail may be waived. An inconclusive verdict always may be, an error never.",
        default=(),
        stricter="fewer",
        items={"type": "string", "minLength": 1},
        uniqueItems=True,
    )
    waiver_approvals: tuple[str, ...] = declare(
        f"Roles that must approve a waiver, each the name of a GitHub environment; the default is {WAIVER_ROLE}.",
        default=(),
        stricter="each",
        **_APPROVALS,
    )
    signed_by: SignedBy | None = declare(
        "Whose signature a model must have (OpenSSF model signing). Without it, a model with a signature is refused.",
        default=None,
        late=True,
        stricter="set",
    )
    open_waivers: bool = declare(
        "Whether anybody who can write the ledger may waive, without approval. Reports say so.",
        default=False,
        stricter="smaller",
    )

    @property
    def waiver_roles(self) -> tuple[str, ...]:
        """Who must approve a waiver; nobody where the policy says so openly."""
        return () if self.open_waivers else self.waiver_approvals or (WAIVER_ROLE,)
