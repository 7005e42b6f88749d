"""Serves the recommender over HTTP: starts only with models that were promoted, and tells Prometheus how it fares.

With one model, or with two that share the users:

    python serve.py --champion models/champion
    python serve.py --champion models/champion --challenger models/challenger --salt 4f0c1d2e3a4b --share 0.5

POST /show with {"user": 7, "films": [1, 5, 9]} gives the film to show, and POST /click with {"request_id": "..."} says
that it was clicked. GET /metrics and /healthz are for machines.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

sys.dont_write_bytecode = True  # a model of code is loaded from its folder, which is to stay as it was promoted

import mlflow.pyfunc  # noqa: E402
import pandas as pd  # noqa: E402
import prometheus_client as prometheus  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import FastAPI, HTTPException, Request, Response  # noqa: E402
from fastapi.concurrency import run_in_threadpool  # noqa: E402
from pydantic import BaseModel, Field  # noqa: E402

NAME = "recommender"
BUCKETS = tuple(round(-2 + 0.2 * step, 1) for step in range(21))
"""Twenty bins of scores, which are differences between ratings."""
CODES = (200, 422, 500, 503)  # whose counters begin at 0: Prometheus sees no increase up to a counter's first value
DIGITS = 13  # hexadecimal ones of a hash: as many as a double holds exactly

LABELS = ("model", "version")
REQUESTS = prometheus.Counter("model_requests", "Requests by their answer.", (*LABELS, "code"))
DURATION = prometheus.Histogram("model_request_duration_seconds", "From request to answer.", LABELS)
QUEUE = prometheus.Gauge("model_queue_depth", "Requests not answered yet.", ("model",), multiprocess_mode="livesum")
SCORES = prometheus.Histogram("model_prediction_score", "Scores of what was shown.", LABELS, buckets=BUCKETS)
INFO = prometheus.Gauge("model_info", "What serves here.", (*LABELS, "digest"), multiprocess_mode="livemax")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Served:
    """A model that was promoted, loaded. ``digest`` is that of the ledger."""

    version: str
    digest: str
    model: mlflow.pyfunc.PyFuncModel

    def scores(self, user: int, films: list[int]) -> list[float]:
        """Score films for a user."""
        found = self.model.predict(pd.DataFrame({"user": user, "film": films}))
        return [float(score) for score in found["score"]]


def verified(folder: Path, stage: str, policy: Path) -> Served:
    """Load a model that the ledger says was promoted to a stage. What is verified and loaded is one copy."""
    copy = Path(tempfile.mkdtemp(prefix="serve-")) / "model"
    if not folder.is_dir():
        raise SystemExit(f"serve.py: {folder} is not served: there is no such folder")
    shutil.copytree(folder, copy, symlinks=True)
    command = [sys.executable, "-m", "gates", "verify", "--policy", policy, "--stage", stage, "--model", copy, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- gates
    if done.returncode:
        sys.stderr.write(f"serve.py: {folder} is not served\n{done.stderr}")
        raise SystemExit(done.returncode)
    told = json.loads(done.stdout)
    model = mlflow.pyfunc.load_model(str(copy / "model" if (copy / "model").is_dir() else copy))
    return Served(version=str(told["version"]), digest=told["digest"], model=model)


def first_arm(salt: str, unit: str, share: float) -> bool:
    """Tell whether a unit is in the first arm: its hash, as a number from 0 to 1, is below the arm's share."""
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).hexdigest()
    return int(digest[:DIGITS], 16) / 16**DIGITS < share


class Log:
    """Appends rows to a file a day, each whole before the answer goes out."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, at: datetime, **row: object) -> None:
        """Append one row."""
        line = json.dumps({**row, "served_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}) + "\n"
        with self.lock, (self.folder / f"{at:%Y-%m-%d}.jsonl").open("a") as file:
            file.write(line)


class Measured:
    """Counts and times each request, and refuses what the queue has no room for."""

    def __init__(self, app: Callable[..., Awaitable[None]], default: Served, most: int) -> None:
        self.app, self.default, self.most = app, default, most
        self.queue = QUEUE.labels(NAME)
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Awaitable[None]]) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] in ("/metrics", "/healthz"):
            await self.app(scope, receive, send)
            return
        code, began = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal code
            code = message.get("status", code)
            await send(message)

        self.waiting += 1
        self.queue.inc()
        try:
            app = self.app if self.waiting <= self.most else Response("busy", 503, {"Retry-After": "1"})
            await app(scope, receive, watched)
        finally:
            self.waiting -= 1
            self.queue.dec()
            served = scope.get("served", self.default)
            REQUESTS.labels(NAME, served.version, str(code)).inc()
            DURATION.labels(NAME, served.version).observe(time.perf_counter() - began)


Text = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]


class Show(BaseModel):
    """A visit: who may be shown what."""

    user: int
    films: Annotated[list[int], Field(min_length=1, max_length=1000)]
    request_id: Text = Field(default_factory=lambda: uuid.uuid4().hex)


class Click(BaseModel):
    """What was shown was clicked."""

    request_id: Text


def create(champion: Served, challenger: Served | None, salt: str, share: float, logs: Path, most: int) -> FastAPI:
    """Make the application. ``share``: of the users whom the champion serves. ``most``: requests at a time."""
    app = FastAPI(title=NAME)
    shown, clicks, exposures = (Log(logs / name) for name in ("shown", "clicks", "exposures"))
    for served in filter(None, (champion, challenger)):
        INFO.labels(NAME, served.version, served.digest).set(1)
        for code in CODES:
            REQUESTS.labels(NAME, served.version, str(code))
    app.add_middleware(Measured, default=champion, most=most)

    def chosen(user: int) -> Served:
        return champion if challenger is None or first_arm(salt, str(user), share) else challenger

    def answered(served: Served, asked: Show) -> Mapping[str, object]:
        scores = served.scores(asked.user, asked.films)
        score, film = max(zip(scores, asked.films, strict=True))
        now = datetime.now(UTC)
        if challenger is not None:  # before the answer: nobody is shown what no log knows of
            exposures.write(now, unit=asked.user, arm=served.digest)
        row = {"request_id": asked.request_id, "user": asked.user, "film": film, "score": score}
        shown.write(now, **row, model_digest=served.digest, impressions=1)
        SCORES.labels(NAME, served.version).observe(score)
        return {**row, "version": served.version}

    @app.post("/show")
    async def show(asked: Show, request: Request) -> Mapping[str, object]:
        request.scope["served"] = served = chosen(asked.user)
        try:
            return await run_in_threadpool(answered, served, asked)
        except OSError as error:  # a full disk: what is not logged must not count as shown
            raise HTTPException(503, "the log can't be written") from error

    @app.post("/click")
    def click(told: Click) -> Mapping[str, object]:
        clicks.write(datetime.now(UTC), request_id=told.request_id, clicks=1)
        return {"request_id": told.request_id}

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(prometheus.generate_latest(), media_type=prometheus.CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    def healthy() -> Mapping[str, object]:
        return {"version": champion.version, "digest": champion.digest}

    return app


def main() -> None:
    """Verify, load and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--champion", type=Path, required=True, help="the folder of the champion")
    parser.add_argument("--challenger", type=Path, help="the folder of a challenger, which serves the other users")
    parser.add_argument("--salt", help="what the hash of each user begins with; another one in each experiment")
    parser.add_argument("--share", type=float, default=0.5, help="the share of users whom the champion serves")
    parser.add_argument("--policy", type=Path, default=Path(__file__).with_name("gates.yaml"))
    parser.add_argument("--logs", type=Path, default=Path("logs"), help="the folder for what was shown and clicked")
    parser.add_argument("--most", type=int, default=64, help="requests at a time; more are refused with 503")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    asked = parser.parse_args()
    if asked.challenger and not asked.salt:
        parser.error("--challenger needs --salt: the users' arms follow from it")
    if not 0 < asked.share < 1:
        parser.error("--share is between 0 and 1")
    champion = verified(asked.champion, "champion", asked.policy)
    challenger = verified(asked.challenger, "challenger", asked.policy) if asked.challenger else None
    app = create(champion, challenger, asked.salt or "", asked.share, asked.logs, asked.most)
    uvicorn.run(app, host=asked.host, port=asked.port, log_level="warning")


if __name__ == "__main__":
    main()
