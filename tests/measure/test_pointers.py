"""Data are held to the pointers that git keeps of them; the known hashes were made by DVC itself."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest

from gates.checkout import pointers
from gates.errors import Exit, GatesError
from gates.system.git import Git

ROWS = b"id,y\n1,0\n2,1\n"
MD5 = hashlib.md5(ROWS, usedforsecurity=False).hexdigest()
OTHER = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "holdout.csv").write_bytes(ROWS)
    return tmp_path


def of(root, pattern="holdout.csv", **more):
    return pointers.of(root, pattern, None, **more)


def refused(root, pattern="holdout.csv", **more):
    with pytest.raises(GatesError) as caught:
        of(root, pattern, **more)
    assert caught.value.exit_code is Exit.INPUT
    return str(caught.value)


def out(path="holdout.csv", md5=MD5, more=""):
    return f"outs:\n- md5: {md5}\n  size: 13\n  hash: md5\n  path: {path}\n{more}"


def listing(**files):
    """A folder's hash, by DVC's format."""
    entries = ", ".join(
        f'{{"md5": "{hashlib.md5(data, usedforsecurity=False).hexdigest()}", "relpath": "{name}"}}'
        for name, data in sorted(files.items())
    )
    return hashlib.md5(f"[{entries}]".encode(), usedforsecurity=False).hexdigest() + ".dir"


def write(root, **files):
    for name, data in files.items():
        place = root / name.replace("__", "/").replace("_csv", ".csv").replace("_dvc", ".dvc")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data if isinstance(data, bytes) else data.encode())


WAYS = {
    "beside the file": lambda root, md5: write(root, holdout_csv_dvc=out(md5=md5)),
    "in a file of another name": lambda root, md5: write(root, all_dvc=out("other.csv") + out(md5=md5)[6:]),
    "from another folder": lambda root, md5: write(root, data_dvc=out("data/../holdout.csv", md5=md5)),
    "by its working directory": lambda root, md5: write(root, dvc_dvc="wdir: .\n" + out(md5=md5)),
    "by a stage of dvc.lock": lambda root, md5: (root / "dvc.lock").write_text(
        f"schema: '2.0'\nstages: {{make: {{cmd: make, outs: [{{path: holdout.csv, hash: md5, md5: {md5}}}]}}}}\n"
    ),
    "by a list of files": lambda root, md5: write(
        root, all_dvc=f"outs:\n- path: .\n  files:\n  - relpath: holdout.csv\n    md5: {md5}\n    hash: md5\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_file_is_held_to_what_dvc_says_of_it(root, way):
    way(root, MD5)
    assert of(root).startswith("dvc:")  # negative control
    way(root, OTHER)
    told = refused(root)
    assert "holdout.csv: is not what " in told
    assert OTHER in told
    assert MD5 in told
    assert "dvc pull" in told
    assert "dvc add" in told


def test_what_nobody_points_at_is_held_to_nothing(root):
    write(root, other_csv_dvc=out("other.csv", OTHER), sub__holdout_csv_dvc=out(md5=OTHER))
    assert of(root) is None


@pytest.mark.parametrize("pattern", ["data/holdout.csv", "data/*.csv", "data"])
def test_a_folder_is_held_to_its_listing(root, pattern):
    write(root, data__holdout_csv=ROWS, data__more__b_csv=b"b")
    says = listing(**{"holdout.csv": ROWS, "more/b.csv": b"b"})
    write(root, data_dvc=out("data", says, "  nfiles: 2\n"))
    assert of(root, pattern) == f"dvc:md5:{says}"
    write(root, data__more__b_csv=b"c")
    told = refused(root, pattern)
    assert told.startswith("data: is not what data.dvc names")
    write(root, data__more__b_csv=b"b", data__c_csv=b"c")
    assert says in refused(root, pattern)


def test_where_dvc_keeps_the_listing_only_the_files_of_the_table_are_looked_at(root):
    write(root, data__holdout_csv=ROWS, data__b_csv=b"b")
    says = listing(**{"holdout.csv": ROWS, "b.csv": b"b"})
    kept = root / ".dvc/cache/files/md5" / says[:2] / says[2:]
    kept.parent.mkdir(parents=True)
    write(root, data_dvc=out("data", says), data__b_csv=b"changed")
    assert "the folder" not in refused(root, "data/holdout.csv")  # the listing is not there yet
    entries = [f'{{"md5": "{hashlib.md5(data, usedforsecurity=False).hexdigest()}", "relpath": "{name}"}}'
               for name, data in (("b.csv", b"b"), ("holdout.csv", ROWS))]  # fmt: skip
    kept.write_text(f"[{', '.join(entries)}]")
    assert of(root, "data/holdout.csv") == f"dvc:md5:{says}"
    assert "data/b.csv: is not what" in refused(root, "data/*.csv")
    write(root, data__c_csv=b"c")
    assert "no hash of it" in refused(root, "data/c.csv")
    kept.write_text("[]")  # not the listing that is named
    assert "data: is not what" in refused(root, "data/holdout.csv")


KNOWN = {
    "data/crlf.csv": b"id,y\r\n1,0\r\n", "data/lf.csv": b"id,y\n1,0\n", "data/more/bin.parquet": b"\0\1\r\n",
    "data/Größe ü.csv": "ä,y\n1,0\n".encode(), "data/a.b": b"a", "data/a/c": b"c",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "md5", "hashed"),
    [
        ("data", "df5da57dc6b6ca2324dd3ed5f1085fbb.dir", "  hash: md5\n"),
        ("data", "db54424988806aa2d12b8187212d1275.dir", ""),  # before DVC 3
        ("data/crlf.csv", "3d14988a320296ca95dd3056ff431af3", "  hash: md5\n"),
        ("data/crlf.csv", "67caa9555a1d5ff15e0878849699ffc5", ""),
    ],
)
def test_hashes_are_those_that_dvc_makes(root, path, md5, hashed):
    """Made by DVC 3 and its code for DVC 2 over these very files."""
    for name, data in KNOWN.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    pointer = root / f"{path}.dvc"
    pointer.write_text(f"outs:\n- md5: {md5}\n{hashed}  path: {path.rpartition('/')[2]}\n")
    assert of(root, "data/*.csv") == f"dvc:md5:{md5}"
    pointer.write_text(
        f"outs:\n- md5: {md5}\n{'' if hashed else '  hash: md5' + chr(10)}  path: {path.rpartition('/')[2]}\n"
    )
    refused(root, "data/*.csv")  # negative control: by the other way of hashing


@pytest.mark.parametrize("says", ["etag: '\"9a\"'", "checksum: 0a1b", "cloud: {s3: {etag: x}}"])
def test_what_only_a_storage_service_can_hash_is_not_checked(root, says):
    write(root, holdout_csv_dvc=f"outs:\n- path: holdout.csv\n  {says}\n")
    assert of(root).startswith("dvc:" + says.partition(":")[0])


@pytest.mark.parametrize("text", ["outs: [", "outs:\n- path: holdout.csv\n", "outs:\n- {path: holdout.csv, md5: 7}\n"])
def test_a_pointer_that_says_nothing_is_no_good(root, text):
    write(root, holdout_csv_dvc=text)
    refused(root)


def test_a_broken_file_about_something_else_is_no_matter(root):
    write(root, other_csv_dvc="outs: [", holdout_csv_dvc=out())
    assert of(root) == f"dvc:md5:{MD5}"
    write(root, any_dvc="outs: [{path: holdout.csv")
    assert "any.dvc" in refused(root)


def test_a_link_into_dvcs_cache_is_the_file(root):
    (root / "cache").mkdir()
    (root / "holdout.csv").rename(root / "cache/ab")
    (root / "holdout.csv").symlink_to(root / "cache/ab")
    write(root, holdout_csv_dvc=out())
    assert of(root) == f"dvc:md5:{MD5}"


@pytest.fixture
def checkout(root):
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *arguments], cwd=root, env=environ, check=True, capture_output=True)

    git("init", "--quiet")
    oid = hashlib.sha256(ROWS).hexdigest()
    (root / "holdout.csv").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(ROWS)}\n"
    )
    git("add", "holdout.csv")
    git("commit", "--quiet", "--message=x")
    (root / "holdout.csv").write_bytes(ROWS)
    return Git(folder=root / ".git", environ=environ), root


def test_a_file_is_held_to_its_committed_lfs_pointer(root, checkout):
    oid = hashlib.sha256(ROWS).hexdigest()
    assert pointers.of(root, "holdout.csv", checkout) == f"lfs:sha256:{oid}"
    (root / "holdout.csv").write_bytes(ROWS + b"3,1\n")
    assert pointers.of(root, "holdout.csv", checkout, lfs=False) is None  # nothing is committed by a run
    with pytest.raises(GatesError) as caught:
        pointers.of(root, "*.csv", checkout)
    told = str(caught.value)
    assert oid in told
    assert hashlib.sha256(ROWS + b"3,1\n").hexdigest() in told
    assert "git lfs pull" in told


def test_many_pointers_are_recorded_as_one(root):
    for number in range(9):
        data = f"id\n{number}\n".encode()
        write(root, **{f"part{number}_csv": data})
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        write(root, **{f"part{number}_csv_dvc": out(f"part{number}.csv", md5)})
    assert of(root, "part*.csv").startswith("9 pointers:sha256:")
    assert of(root, "part[01].csv").count("dvc:md5:") == 2
