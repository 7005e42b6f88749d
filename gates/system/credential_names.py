"""Know the variables by which clients of registries and stores log in, and read lines ``NAME=VALUE`` of them. Pure.

The list is closed: a line can set nothing else, so no secret of a workflow becomes a variable that steers a shell, a
loader or an interpreter.
"""

from __future__ import annotations

import re
from typing import Final

from gates.errors import GatesError
from gates.schema.validation import nearest

_NAMES = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ROLE_ARN
AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL_STS
AWS_STS_REGIONAL_ENDPOINTS AWS_CA_BUNDLE
AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_SUBSCRIPTION_ID AZURE_AUTHORITY_HOST
AZURE_FEDERATED_TOKEN_FILE AZURE_STORAGE_ACCOUNT AZURE_STORAGE_KEY AZURE_STORAGE_ACCESS_KEY AZURE_STORAGE_SAS_TOKEN
AZURE_STORAGE_CONNECTION_STRING
GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CLOUD_PROJECT GOOGLE_WORKLOAD_IDENTITY_PROVIDER GOOGLE_SERVICE_ACCOUNT
DATABRICKS_HOST DATABRICKS_TOKEN DATABRICKS_CLIENT_ID DATABRICKS_CLIENT_SECRET DATABRICKS_ACCOUNT_ID
DATABRICKS_AUTH_TYPE DATABRICKS_TOKEN_AUDIENCE DATABRICKS_AZURE_RESOURCE_ID
MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_AWS_SIGV4
MLFLOW_TRACKING_SERVER_CERT_PATH MLFLOW_TRACKING_CLIENT_CERT_PATH MLFLOW_S3_ENDPOINT_URL MLFLOW_S3_UPLOAD_EXTRA_ARGS
MLFLOW_S3_EXPECTED_BUCKET_OWNER MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE
"""
NAMES: Final = frozenset(_NAMES.split())
_LIKE_ONE = re.compile(r"(AWS|AZURE|GOOGLE|GCLOUD|DATABRICKS|MLFLOW)_[A-Z0-9_]{2,40}")


def read(text: str, where: str) -> dict[str, str]:
    """Return the variables of lines ``NAME=VALUE``; ``#`` begins a comment, and the last line of a name counts.

    Raises ``GatesError`` where a line is none, or names another variable. No message holds a value: a name is told only
    if it looks like one of these, since a key that somebody pasted alone may hold a ``=``, too.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        name, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if not equals or not value:
            raise GatesError(f"line {number} is not NAME=VALUE", where=where, hint=_hint(where))
        if name not in NAMES:
            what = f"line {number} names a variable that can't be set here{unknown(name)}"
            raise GatesError(what, where=where, hint=_hint(where))
        variables[name] = value
    return variables


def unknown(name: str) -> str:
    """Return the end of a sentence about a name that is not known: the name and its nearest neighbour, if it is like
    one of these."""
    return f": {name}{nearest(name, NAMES)}" if _LIKE_ONE.fullmatch(name) else ""


def _hint(where: str) -> str:
    return f"{where} takes lines such as AWS_ACCESS_KEY_ID=…; docs/credentials.md lists the names."
