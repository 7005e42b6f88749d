"""Call MLflow: whatever it raises becomes one sentence, and whatever it prints is not part of our output."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from gates.errors import Exit, GatesError
from gates.system.activity import ran
from gates.system.git import shorn

CLIENTS = {  # module of a store's client -> the extra that brings it
    "boto3": "s3", "botocore": "s3", "google": "gcs", "azure": "azure",
}  # fmt: skip
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@contextmanager
def calling(doing: str) -> Iterator[None]:
    """Turn whatever MLflow raises into one sentence, and keep quiet what it prints.

    MLflow prints the address of each run to standard output, where ``--json`` has one document, and logs, warns and
    draws its progress on standard error. All of it goes through ``sys.stdout`` and ``sys.stderr``; our own progress
    display has a stream of its own.
    """
    with ran("registry", doing), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        import requests
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except ImportError as error:
            raise _lacking(doing, error) from error
        except Exception as error:
            known = (MlflowException, SQLAlchemyError, requests.RequestException, OSError)
            if not isinstance(error, known) and type(error).__module__.partition(".")[0] not in CLIENTS:
                raise
            line = shorn((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
            hint = "Is MLFLOW_TRACKING_URI right, and is the registry up?"
            raise GatesError(f"{doing}: {line}", where="registry", hint=hint, exit_code=Exit.OUTSIDE) from error


def _lacking(doing: str, error: ImportError) -> GatesError:
    """Return the error of a store of artifacts whose client is not installed."""
    module = error.name or str(error)
    extra = CLIENTS.get(module.partition(".")[0])
    hint = f"Install it: pip install 'gates-ml[{extra}]'." if extra else f"Install {module}."
    return GatesError(f"{doing}: {module} is not installed", where="registry", hint=hint, exit_code=Exit.OUTSIDE)


def look_up(what: str, ask: Callable[[], Any], absent: tuple[str, ...] = ABSENT) -> Any:
    """Return what MLflow has there; None where it has nothing."""
    from mlflow.exceptions import MlflowException

    with calling(f"look up {what}"):
        try:
            return ask()
        except MlflowException as error:
            if error.error_code in absent:
                return None
            raise


def unless_there(create: Callable[[], Any]) -> None:
    """Make what another machine may just have made, too."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
