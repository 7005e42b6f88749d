"""Log in to an object store as its cloud's own clients do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

CONNECTS, RETRIES, LONGEST_CALL = timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=2)


def options(scheme: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what obstore needs to know beside the variables that it reads itself."""
    if scheme == "file":
        return {"mkdir": True}
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    client = {"allow_http": endpoint.startswith("http://"), "connect_timeout": CONNECTS, "timeout": LONGEST_CALL}
    chosen: dict[str, Any] = {"client_options": client, "retry_config": {"max_retries": 4, "retry_timeout": RETRIES}}
    if scheme == "s3" and endpoint:
        chosen["endpoint"] = endpoint
    return chosen


def first_words(error: BaseException) -> str:
    """Return what a store said, short, and without the address that it was asked at: that may be a signed one."""
    line = re.sub(r"\S+://\S+", "…", " ".join(str(error).split("Debug source:")[0].split()))
    return line[:300]
