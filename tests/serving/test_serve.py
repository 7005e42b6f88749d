"""configs/recommender/serve.py, as its users run it: what it serves, refuses, tells and writes down."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest
import requests
from pages import ROOT, blocks
from shop import Shop, Starting

FILMS = [1, 32, 110, 260, 318, 356]
SALT, SHARE = "4f0c1d2e3a4b", 0.3


def test_it_shows_what_the_model_scores_highest_and_tells_so(shop: Shop, start: Starting, tmp_path: Path) -> None:
    server = start()
    copy = shutil.copytree(shop.models / "champion/model", tmp_path / "model")  # loading compiles its code, beside it
    model = mlflow.pyfunc.load_model(str(copy))
    for user in (7, 15, 999_999):
        scores = model.predict(pd.DataFrame({"user": user, "film": FILMS}))["score"]
        answer = server.post("show", user=user, films=FILMS)
        assert answer.status_code == 200, answer.text
        assert answer.json()["film"] == max(zip(scores, FILMS, strict=True))[1]
    digest = shop.digest("champion")
    assert requests.get(f"{server.url}/healthz", timeout=60).json()["digest"] == digest
    told = server.metrics()
    labels = 'model="recommender",version="1"'
    assert told[f'model_requests_total{{code="200",{labels}}}'] == 3
    assert told[f"model_request_duration_seconds_count{{{labels}}}"] == 3
    assert told['model_queue_depth{model="recommender"}'] == 0
    assert told[f'model_info{{digest="{digest}",{labels}}}'] == 1
    bins = [name for name in told if name.startswith("model_prediction_score_bucket")]
    assert (len(bins), told[f"model_prediction_score_count{{{labels}}}"]) == (22, 3)
    rows = server.rows("shown")
    assert [(row["user"], row["model_digest"]) for row in rows] == [(user, digest) for user in (7, 15, 999_999)]
    clicked = server.post("click", request_id=rows[0]["request_id"])
    assert (clicked.status_code, server.rows("clicks")[0]["request_id"]) == (200, rows[0]["request_id"])
    text = requests.get(f"{server.url}/metrics", timeout=60).text
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert "model_" not in lint.stderr + lint.stdout, "nothing of ours offends against Prometheus' customs"


def test_two_models_share_the_users_by_a_hash_that_anybody_can_recompute(shop: Shop, start: Starting) -> None:
    server = start("--challenger", shop.models / "challenger", "--salt", SALT, "--share", str(SHARE))
    users = range(1, 201)
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda user: server.post("show", user=user, films=FILMS), users))
    assert {answer.status_code for answer in answers} == {200}
    digests = {True: shop.digest("champion"), False: shop.digest("challenger")}
    expected = {}
    for user in users:
        part = int(hashlib.sha256(f"{SALT}:{user}".encode()).hexdigest(), 16) / 2**256
        expected[user] = digests[part < SHARE]
    assert {row["unit"]: row["arm"] for row in server.rows("exposures")} == expected
    assert {row["user"]: row["model_digest"] for row in server.rows("shown")} == expected
    told = server.metrics()
    counts = [told[f'model_requests_total{{code="200",model="recommender",version="{one}"}}'] for one in (1, 2)]
    assert counts == [list(expected.values()).count(digests[arm]) for arm in (True, False)]
    assert all(count > 30 for count in counts)


def changed(folder: Path) -> None:
    with next(folder.rglob("ranker.py")).open("a") as file:
        file.write("# changed\n")


REFUSED = {
    "a changed file": changed,
    "a further file": lambda folder: (folder / "more.py").write_text("x"),
    "a file less": lambda folder: next(folder.rglob("MLmodel")).unlink(),
    "a link": lambda folder: (folder / "model/link").symlink_to("/etc/passwd"),
    "another model": lambda folder: (shutil.rmtree(folder), shutil.copytree(folder.with_name("other"), folder)),
    "no folder": shutil.rmtree,
}


ALWAYS = ("a changed file", "no folder")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[] if one in ALWAYS else [pytest.mark.slow]) for one in REFUSED]
)
def test_it_does_not_start_with_what_was_not_promoted(shop: Shop, tmp_path: Path, name: str) -> None:
    shutil.copytree(shop.models / "challenger", tmp_path / "other")
    folder = shutil.copytree(shop.models / "champion", tmp_path / "model")
    assert shop.gates("verify", "--model", str(folder)).returncode == 0, "the control"
    REFUSED[name](folder)
    command = [sys.executable, "serve.py", "--champion", folder, "--logs", tmp_path / "logs"]
    done = subprocess.run([*map(str, command)], cwd=shop.root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (1, 2), done.stderr
    assert f"serve.py: {folder} is not served" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "logs").exists()


def test_a_challenger_needs_a_salt(shop: Shop) -> None:
    command = [sys.executable, "serve.py", "--champion", "x", "--challenger", "y"]
    done = subprocess.run(command, cwd=shop.root, capture_output=True, text=True, check=False)
    assert (done.returncode, "needs --salt" in done.stderr) == (2, True)


BAD = {
    "no user": {"films": FILMS},
    "no film": {"user": 1, "films": []},
    "too many films": {"user": 1, "films": list(range(1001))},
    "text": {"user": "'; DROP", "films": FILMS},
    "a forged row": {"user": 1, "films": FILMS, "request_id": '"}\n{"request_id": "forged'},
    "no whole number": {"user": 1, "films": [1.5]},
}


def test_what_is_no_request_is_neither_answered_nor_logged(start: Starting) -> None:
    server = start()
    codes = {name: server.post("show", **body).status_code for name, body in BAD.items()}
    assert codes == dict.fromkeys(BAD, 422)
    assert server.post("click", request_id="a\nb").status_code == 422
    assert (server.rows("shown"), server.rows("clicks")) == ([], [])
    assert server.metrics()['model_requests_total{code="422",model="recommender",version="1"}'] == len(BAD) + 1


def test_every_answer_is_counted_from_0_so_the_first_one_is_an_increase(start: Starting) -> None:
    told = start().metrics()
    counts = {name: value for name, value in told.items() if name.startswith("model_requests_total{")}
    labels = 'model="recommender",version="1"'
    assert counts == {f'model_requests_total{{code="{code}",{labels}}}': 0 for code in (200, 422, 500, 503)}


def test_more_than_it_has_room_for_is_refused_at_once(start: Starting) -> None:
    server = start("--most", "2")
    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(lambda user: server.post("show", user=user, films=FILMS * 150), range(64)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    told = server.metrics()
    assert told['model_requests_total{code="503",model="recommender",version="1"}'] == codes.count(503)
    assert told['model_queue_depth{model="recommender"}'] == 0
    assert len(server.rows("shown")) == codes.count(200)


def test_what_is_not_logged_is_not_shown(start: Starting) -> None:
    server = start()
    assert server.post("show", user=1, films=FILMS).status_code == 200, "the control"
    shutil.rmtree(server.logs / "shown")
    answer = server.post("show", user=1, films=FILMS)
    assert (answer.status_code, "film" in answer.json()) == (503, False)


def test_the_pages_commands_start_it(shop: Shop, start: Starting) -> None:
    ((_, _, _, text),) = [block for block in blocks(ROOT / "docs/serving.md") if block[2] == "sh"]
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert [line[:4] for line in lines] == [["python", "serve.py", "--champion", "models/champion"]] * 2
    for line in lines:
        arguments = [str(shop.models.parent / one) if one.startswith("models/") else one for one in line[4:]]
        assert start(*arguments).post("show", user=1, films=FILMS).status_code == 200
