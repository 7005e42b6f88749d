"""Log in to a cloud by the identity that GitHub gives a job with ``id-token: write``, without any stored secret.

Each cloud's own client exchanges the token by itself, as long as a variable names the file that holds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gates.errors import Exit, GatesError

URL, TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_AWS_FILE, _AZURE_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"
_AWS_AUDIENCE, _AZURE_AUDIENCE = "sts.amazonaws.com", "api://AzureADTokenExchange"
_GOOGLE_PROVIDER, _GOOGLE_ACCOUNT = "GOOGLE_WORKLOAD_IDENTITY_PROVIDER", "GOOGLE_SERVICE_ACCOUNT"
_GOOGLE_API = "iam.googleapis.com"
_SECONDS = 30
_HINT = (
    "Call the workflow whose name ends in -oidc.yml, and grant its job id-token: write. A fork's pull request has no "
    "identity."
)

Keep = Callable[[str], str]  # takes a text and gives the path under which a client can read it


def given(environ: Mapping[str, str]) -> bool:
    """Tell whether this job may ask for an identity."""
    return bool(environ.get(URL) and environ.get(TOKEN))


def refuse(environ: Mapping[str, str], what: str) -> None:
    """Raise ``GatesError`` where code of the repository would run in a job that may ask for an identity: with a sudo
    that asks nothing, as on GitHub's machines, it could ask in the job's place."""
    if given(environ):
        raise GatesError(
            f"{what} is code of the repository, and this job has id-token: write",
            where="permissions",
            hint="Take id-token from this job. For metrics of your own, call the workflow without -oidc, with secrets.",
        )


def completed(variables: Mapping[str, str], environ: Mapping[str, str], keep: Keep) -> dict[str, str]:
    """Return the variables with the files that clients read: Google's key, and the job's token for each role.

    Raises ``GatesError`` where a role is named and there is no identity, or GitHub gives none.
    """
    files = dict(_needed(variables, {**environ, **variables}, keep))
    key = variables.get(GOOGLE_FILE, "")
    if key.startswith("{"):
        files[GOOGLE_FILE] = keep(key)
    return {**variables, **files}


def _needed(variables: Mapping[str, str], known: Mapping[str, str], keep: Keep) -> Iterator[tuple[str, str]]:
    if "AWS_ROLE_ARN" in variables and not known.get(_AWS_FILE):
        yield _AWS_FILE, keep(_token(known, _AWS_AUDIENCE, "AWS_ROLE_ARN"))
        yield "AWS_ROLE_SESSION_NAME", known.get("AWS_ROLE_SESSION_NAME") or "gates"
    secretless = not (known.get("AZURE_CLIENT_SECRET") or known.get(_AZURE_FILE))
    if {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"} <= variables.keys() and secretless:
        yield _AZURE_FILE, keep(_token(known, _AZURE_AUDIENCE, "AZURE_CLIENT_ID"))
    if provider := variables.get(_GOOGLE_PROVIDER):
        token = keep(_token(known, f"https://{_GOOGLE_API}/{provider}", _GOOGLE_PROVIDER))
        yield GOOGLE_FILE, keep(json.dumps(_external_account(provider, variables.get(_GOOGLE_ACCOUNT), token)))


def _external_account(provider: str, account: str | None, token: str) -> dict[str, Any]:
    """Return the file by which Google's clients exchange a token."""
    exchange: dict[str, Any] = {
        "type": "external_account",
        "audience": f"//{_GOOGLE_API}/{provider}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": token},
    }
    if account:
        api = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
        exchange["service_account_impersonation_url"] = f"{api}/{account}:generateAccessToken"
    return exchange


def _token(environ: Mapping[str, str], audience: str, role: str) -> str:
    """Ask GitHub for the job's token. Raises ``GatesError`` where it gives none."""
    if not given(environ):
        raise GatesError("is given, but this job has no identity to exchange for it", where=role, hint=_HINT)
    import requests

    try:
        answer = requests.get(
            environ[URL],
            params={"audience": audience},
            headers={"Authorization": f"bearer {environ[TOKEN]}"},
            timeout=_SECONDS,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        what = f"GitHub gives no identity: {type(error).__name__}"
        raise GatesError(what, where=role, hint="Run the job again.", exit_code=Exit.OUTSIDE) from error
