"""Parcels: what is packed twice has one digest, and nothing hostile comes out of one. The store: what lies there."""

import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from gates.errors import Exit, GatesError
from gates.launch import inside, parcel, store

NAME = st.text("abcé .-_", min_size=1, max_size=8).filter(lambda name: name.strip(".") != "")


@given(st.dictionaries(NAME, st.tuples(st.binary(max_size=2000), st.booleans()), min_size=1, max_size=8), st.randoms())
def test_a_parcel_depends_on_names_contents_and_whether_they_run(tmp_path_factory, files, random):
    first, second = (tmp_path_factory.mktemp("files") for _ in range(2))
    for folder, names in ((first, list(files)), (second, random.sample(list(files), len(files)))):
        for name in names:
            (folder / name).write_bytes(files[name][0])
            (folder / name).chmod(0o755 if files[name][1] else 0o600)
            os.utime(folder / name, (random.randrange(10**9), random.randrange(10**9)))
    beside = tmp_path_factory.mktemp("beside")
    with parcel.packed(parcel.below(first), beside) as (tar, digest):
        parcel.opened(tar, beside / "out", "a test")
        assert {path.name: path.read_bytes() for path in (beside / "out").iterdir()} == {
            name: content for name, (content, _) in files.items()
        }
        assert all(os.access(beside / "out" / name, os.X_OK) == runs for name, (_, runs) in files.items())
    with parcel.packed(parcel.below(second), beside) as (_, again):
        assert digest == again
    assert [path.name for path in beside.iterdir()] == ["out"]


def member(name, content=b"x", **more):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


HOSTILE = {
    "a way out": member("../out"),
    "a way out inside": member("a/../../out"),
    "an absolute name": member("/out"),
    "an empty step": member("a//b"),
    "a name with a newline": member("a\nb"),
    "a backslash": member("a\\b"),
    "a link": member("a", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member("a", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a pipe": member("a", b"", type=tarfile.FIFOTYPE),
    "a device": member("a", b"", type=tarfile.CHRTYPE),
    "a folder": member("a", b"", type=tarfile.DIRTYPE),
    "a sparse file": member("a", b"", type=tarfile.GNUTYPE_SPARSE),
}


def packed(path, *members):
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_plain_file_is_refused(case, tmp_path):
    tar = packed(tmp_path / "t.tar", member("good"), HOSTILE[case])
    with pytest.raises(GatesError):
        parcel.opened(tar, tmp_path / "in" / "out", "a test")
    assert not (tmp_path / "in" / "out").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "said"), [(("a", "a"), "twice"), (("a", "a/b"), "one name"), (("a/b", "a"), "one name")]
)
def test_names_that_contradict_each_other(names, said, tmp_path):
    tar = packed(tmp_path / "t.tar", *map(member, names))
    with pytest.raises(GatesError, match=said):
        parcel.opened(tar, tmp_path / "out", "a test")


def test_limits_are_counted_while_it_is_unpacked(tmp_path, monkeypatch):
    tar = packed(tmp_path / "t.tar", *(member(str(number), bytes(1000)) for number in range(20)))
    for name, most in (("MOST_FILES", 10), ("LARGEST", 5000)):
        with monkeypatch.context() as patch:
            patch.setattr(parcel, name, most)
            with pytest.raises(GatesError, match="the limits"):
                parcel.opened(tar, tmp_path / "out", "a test")
    parcel.opened(tar, tmp_path / "out", "a test")


@pytest.mark.parametrize("kept", [0, 100, 512, 1024, 1536])
def test_a_tar_that_is_cut_is_no_parcel(kept, tmp_path):
    tar = packed(tmp_path / "t.tar", member("a", bytes(600)))
    tar.write_bytes(tar.read_bytes()[:kept])
    with pytest.raises(GatesError, match=r"cut off|not a tar"):
        parcel.opened(tar, tmp_path / "out", "a test")


def test_a_sparse_file_of_another_form_is_refused(tmp_path):
    info, content = member("a", bytes(10))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    with tarfile.open(tmp_path / "t.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(content))
    with pytest.raises(GatesError):
        parcel.opened(tmp_path / "t.tar", tmp_path / "out", "a test")


# -- the store --


@pytest.fixture(scope="module")
def s3():
    """The environment of a bucket on this machine."""
    import boto3

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    login = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    login |= {"AWS_ENDPOINT_URL": address, "GATES_STORE": "s3://models/gates"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in login.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="models")
    yield login
    server.stop()


@pytest.fixture(params=["s3", "file"])
def opened(request, tmp_path, monkeypatch):
    """A store, in a bucket and in a folder."""
    environ = {"GATES_STORE": f"file://{tmp_path / 'store'}"}
    return logged_in(request.getfixturevalue("s3") if request.param == "s3" else environ, monkeypatch)


def logged_in(environ, monkeypatch):
    """A store by the variables of this process: its client reads them there."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return store.opened(environ)


def test_what_was_kept_is_never_overwritten(opened, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"first")
    second.write_bytes(b"second!")
    for file in (first, second, first):
        opened.keep(file, "a" * 64)
    with opened.fetched(store.parcel_name("a" * 64), tmp_path) as copy:
        assert copy.read_bytes() == b"first"
    assert not opened.has("runs/x/out.tar")
    with pytest.raises(GatesError, match="there is nothing"), opened.fetched("runs/x/out.tar", tmp_path):
        pass


def test_what_is_too_large_is_not_fetched(opened, tmp_path, monkeypatch):
    (tmp_path / "first").write_bytes(bytes(100))
    opened.keep(tmp_path / "first", "b" * 64)
    monkeypatch.setattr(store, "LARGEST", 50)
    with pytest.raises(GatesError, match="the limit"), opened.fetched(store.parcel_name("b" * 64), tmp_path):
        pass


def test_signed_addresses_need_no_credential(s3, tmp_path, monkeypatch):
    held = logged_in(s3, monkeypatch)
    (tmp_path / "out").write_bytes(b"made")
    inside.put(held.signed("PUT", "runs/y/out.tar", 60), held.headers, tmp_path / "out")
    assert held.has("runs/y/out.tar")
    inside.fetch(held.signed("GET", "runs/y/out.tar", 60), tmp_path / "again", 100)
    assert (tmp_path / "again").read_bytes() == b"made"
    (tmp_path / "empty").touch()
    inside.put(held.signed("PUT", "runs/z/out.tar", 60), held.headers, tmp_path / "empty")
    assert not held.has("runs/z/out.tar"), "that one can be written is no output"


STORES = {
    "": "is not set",
    "models": "is no address",
    "ftp://models": "is no address",
    "s3://": "is no address",
    "s3://user:password@models": "is no address",
}


@pytest.mark.parametrize("uri", STORES)
def test_an_address_that_is_none(uri):
    with pytest.raises(GatesError, match=STORES[uri]) as caught:
        store.opened({"GATES_STORE": uri})
    assert caught.value.exit_code is Exit.INPUT
    assert "password" not in str(caught.value)


def test_a_store_that_is_away_says_no_secret(tmp_path, monkeypatch):
    environ = {"AWS_ACCESS_KEY_ID": "AKIDQWERTY", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
    environ |= {"GATES_STORE": "s3://models/gates", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(GatesError, match="GATES_STORE: can't") as caught:
        logged_in(environ, monkeypatch).keep(tmp_path / "file", "c" * 64)
    assert caught.value.exit_code is Exit.OUTSIDE
    assert "hush" not in str(caught.value)
    assert "AKID" not in str(caught.value)


SESSIONS = {
    "a key that lasts": ({}, store.WEEK),
    "a session that says nothing": ({"AWS_SESSION_TOKEN": "t"}, store.HOUR),
    "one that says what is no time": ({"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "soon"}, store.HOUR),
    "one that says no zone": ({"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "2999-01-01"}, store.HOUR),
    "one that is over": ({"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z"}, 0),
}


@pytest.mark.parametrize("case", SESSIONS)
def test_how_long_an_address_can_work(case):
    environ, seconds = SESSIONS[case]
    assert store.Store(uri="s3://models", client=None, environ=environ).session() == seconds


# -- the program inside --


def test_the_program_inside_is_of_python_3_8():
    import ast

    source = Path(inside.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name.split(".")[0] for name in imported} <= {*sys.stdlib_module_names, "obstore"}
    assert len(source) < 100_000, "Linux takes 128 KiB as one argument"


class Answers(BaseHTTPRequestHandler):
    """A store that answers what its path says."""

    def do_GET(self):
        self.server.asked += 1
        code = 200 if self.server.asked > self.server.bad else int(self.path.split("/")[1])
        self.send_response(code)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"good")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("code", "bad", "asked", "said"),
    [(503, 2, 3, None), (429, 1, 2, None), (503, 99, 4, "answers 503"), (403, 99, 1, "403; the address has expired")],
)
def test_a_store_that_fails_is_asked_again_but_no_refusal(code, bad, asked, said, tmp_path, monkeypatch):
    monkeypatch.setattr(inside, "PAUSE", 0)
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.asked, server.bad = 0, bad
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/{code}"
        if said:
            with pytest.raises(inside.TroubleError, match=said):
                inside.fetch(address, tmp_path / "got", 100)
        else:
            inside.fetch(address, tmp_path / "got", 100)
            assert (tmp_path / "got").read_bytes() == b"good"
        assert server.asked == asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_parcel_that_is_another_one_than_was_promised(tmp_path):
    """The program runs as a pod runs it: as text, apart from everything."""
    import json

    (tmp_path / "code.tar").write_bytes(b"not what was promised")
    given = [{"name": "code", "url": f"file://{tmp_path / 'code.tar'}", "sha256": "0" * 64}]
    job = {"inputs": given, "out": f"file://{tmp_path / 'out.tar'}", "headers": {}, "run": "true", "folder": "."}
    job |= {"env": {}, "paths": {}, "seconds": 60, "files": 10, "bytes": 10**6, "said": str(tmp_path / "said")}
    source = Path(inside.__file__).read_text()
    ended = subprocess.run(
        [sys.executable, "-I", "-c", source],
        env={"GATES_JOB": json.dumps(job)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == inside.BROKEN
    assert "gates: the parcel code is not the one that was handed over" in ended.stderr
    assert json.loads((tmp_path / "said").read_text())["error"].startswith("the parcel code")
    assert not (tmp_path / "out.tar").exists()


def test_a_pod_that_must_go_lets_its_command_keep_what_it_has(tmp_path):
    """What was cut short is no output, however well it ends."""
    import json
    import signal

    code = tmp_path / "code"
    code.mkdir()
    (code / "a").touch()
    kept, began = tmp_path / "kept", tmp_path / "began"
    run = f"trap 'echo all > {kept}; touch $GATES_OUT/half; exit 0' TERM; touch {began}; while :; do sleep 0.05; done"
    with parcel.packed(parcel.below(code), tmp_path) as (tar, digest):
        given = [{"name": "code", "url": f"file://{tar}", "sha256": digest}]
        job = {"inputs": given, "out": f"file://{tmp_path / 'out.tar'}", "headers": {}, "run": run, "folder": "."}
        job |= {"env": {}, "paths": {}, "seconds": 60, "files": 10, "bytes": 10**6, "said": str(tmp_path / "said")}
        source = Path(inside.__file__).read_text()
        environment = {"GATES_JOB": json.dumps(job), "PATH": os.environ["PATH"]}
        process = subprocess.Popen([sys.executable, "-I", "-c", source], env=environment)
        until = time.monotonic() + 60
        while not began.exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert kept.read_text() == "all\n"
    assert (tmp_path / "out.tar").stat().st_size == 0, "only the proof that one could be written"
