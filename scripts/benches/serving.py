"""What configs/recommender/serve.py adds to a request, against a bare server of the same model; and the load it holds.

Both servers run the same FastAPI, uvicorn and model. The bare one logs nothing, counts nothing and shares no users.
They are asked in turn, so a machine that slows down slows both.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FILMS = [1, 32, 110, 260, 318, 356, 480, 527]
ROUNDS, ASKED, CLIENTS, SECONDS = 5, 400, (1, 4, 16), 5
BARE = """\
import sys
sys.dont_write_bytecode = True
import mlflow.pyfunc, pandas as pd, uvicorn
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
model, app = mlflow.pyfunc.load_model(sys.argv[1]), FastAPI()
class Show(BaseModel):
    user: int
    films: list[int]
def answered(asked):
    scores = model.predict(pd.DataFrame({"user": asked.user, "film": asked.films}))["score"]
    return {"film": max(zip(scores, asked.films))[1]}
@app.post("/show")
async def show(asked: Show):
    return await run_in_threadpool(answered, asked)
@app.get("/healthz")
def healthy():
    return {}
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


def prepare(folder: Path) -> None:
    """The example with a champion and a challenger, which is the same model once more."""
    shutil.copytree(ROOT / "configs/recommender", folder, ignore=shutil.ignore_patterns("data", ".gates", "served"))
    steps = "python prepare.py && gates run && gates promote --stage challenger && gates promote --stage champion"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    subprocess.run(["/bin/sh", "-ec", steps], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603


def ask(link: http.client.HTTPConnection, user: int) -> float:
    """Ask once; gives how long it took, in milliseconds, and a negative number where it was refused."""
    body = json.dumps({"user": user, "films": FILMS})
    began = time.perf_counter()
    link.request("POST", "/show", body, {"Content-Type": "application/json"})
    answer = link.getresponse()
    answer.read()
    taken = (time.perf_counter() - began) * 1000
    return taken if answer.status == 200 else -taken


def ready(port: int) -> http.client.HTTPConnection:
    """Wait for a server; gives a connection to it."""
    while True:
        link = http.client.HTTPConnection("127.0.0.1", port)
        try:
            link.request("GET", "/healthz")
            link.getresponse().read()
            return link
        except ConnectionError:
            time.sleep(0.1)


def load(port: int, clients: int) -> tuple[float, list[float]]:
    """So many clients ask without a pause; gives answers a second, and how long each took."""
    until = time.perf_counter() + SECONDS

    def client(number: int) -> list[float]:
        link, taken = http.client.HTTPConnection("127.0.0.1", port), []
        while time.perf_counter() < until:
            taken.append(ask(link, number * 100_000 + len(taken)))
        return taken

    with ThreadPoolExecutor(clients) as many:
        every = [one for taken in many.map(client, range(clients)) for one in taken]
    return len([one for one in every if one > 0]) / SECONDS, sorted(one for one in every if one > 0)


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "recommender"
        prepare(folder)
        model = folder / ".gates/candidate"
        ours = [
            sys.executable,
            "serve.py",
            "--champion",
            model,
            "--challenger",
            model,
            "--salt",
            "bench",
            "--port",
            "8471",
        ]
        bare = [sys.executable, "-c", BARE, model / "model", "8472"]
        servers = [
            subprocess.Popen([*map(str, one)], cwd=folder, env=dict(os.environ))  # noqa: S603
            for one in (ours, bare)
        ]
        try:
            links = {"serve.py": ready(8471), "bare": ready(8472)}
            for link in links.values():
                for user in range(ASKED):
                    ask(link, user)
            medians: dict[str, list[float]] = {name: [] for name in links}
            for _ in range(ROUNDS):
                for name, link in links.items():
                    medians[name].append(statistics.median(ask(link, user) for user in range(ASKED)))
            print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
            print(f"Medians of {ROUNDS} rounds of {ASKED} requests:\n\n| | median | min | max |\n|:--|--:|--:|--:|")
            for name, taken in medians.items():
                print(f"| {name} | {statistics.median(taken):.2f} ms | {min(taken):.2f} ms | {max(taken):.2f} ms |")
            added = [one - other for one, other in zip(medians["serve.py"], medians["bare"], strict=True)]
            print(f"\nserve.py adds {statistics.median(added):.2f} ms ({min(added):.2f} to {max(added):.2f} ms).\n")
            print("| clients | answers a second | median | 99 % |\n|--:|--:|--:|--:|")
            for clients in CLIENTS:
                rate, taken = load(8471, clients)
                worst = taken[int(len(taken) * 0.99)]
                print(f"| {clients} | {rate:.0f} | {statistics.median(taken):.1f} ms | {worst:.1f} ms |")
        finally:
            for server in servers:
                server.kill()
                server.wait()


if __name__ == "__main__":
    main()
