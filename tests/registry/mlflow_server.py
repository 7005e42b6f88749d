"""A real MLflow server in this process: its application behind a socket, one database, one folder of files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Server:
    """``refused``: what paths of requests hold that the server does not know, and the status that it answers.
    ``files``: where it keeps artifacts."""

    def __init__(self, application: Any, files: Path) -> None:
        self.refused: dict[str, int] = {}
        self.files = files
        self._application = application

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        for part, status in self.refused.items():
            if part in environ["PATH_INFO"]:
                start(f"{status} refused", [("Content-Type", "text/html")])
                return [b"<h1>refused</h1>"]
        return self._application(environ, start)


@contextmanager
def serving(database: Path, files: Path) -> Iterator[tuple[str, Server]]:
    """The address of a server, which is one of a process: MLflow keeps its stores in global variables."""
    from mlflow.server import app, handlers
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{database}",
        "_MLFLOW_SERVER_REGISTRY_STORE": f"sqlite:///{database}",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(files),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        for store in ("_tracking_store", "_model_registry_store", "_artifact_repo"):
            patch.setattr(handlers, store, None)
        patch.setattr(tracking, "_tracking_uri", tracking._tracking_uri)  # what the server sets for everybody
        patch.setattr(registry, "_registry_uri", registry._registry_uri)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.delenv(name, raising=False)
        server = Server(app, files)
        made = make_server("127.0.0.1", 0, server, threaded=True, request_handler=Quiet)
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{made.server_port}", server
        finally:
            made.shutdown()
            made.server_close()
