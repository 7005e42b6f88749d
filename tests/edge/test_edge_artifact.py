"""An artifact of an earlier job, taken as data: what is not plain data is refused, and nothing is laid then."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from edge_project import call

from gates.errors import Exit, GatesError
from gates.pipeline.machines import handover
from gates.pipeline.machines.artifact import take
from gates.pipeline.machines.handover import without_holdout
from gates.system.files import folder_digest


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A commit with a folder `data` in another case, a link out of the repository, and a file that is left out."""
    root = tmp_path / "checkout"
    for name in ("gates.yaml", "Data/holdout.csv", "sparse/labels.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("committed")
    (root / "out").symlink_to(tmp_path)
    (root / "inner").symlink_to(".git")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    (root / "sparse/labels.csv").unlink()
    (root / "sparse").rmdir()
    return root


def artifact(folder: Path, **files: str) -> Path:
    source = folder / "downloaded"
    for name, text in (files or {"graded.csv": "id,score\n"}).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return source


def state(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text(errors="replace")
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_it_lies_in_its_folder_and_the_download_is_gone(checkout: Path, tmp_path: Path) -> None:
    source = artifact(tmp_path, **{"graded.csv": "1", "deep/er/x.parquet": "2", ".hidden": "3", "ünï cöde.csv": "4"})
    before, digest = state(checkout), folder_digest(source)
    done = call("take-artifact", f"--source={source}", "--folder=eval/graded", env={"GITHUB_WORKSPACE": str(checkout)})
    assert (done.code, done.out) == (0, f"eval/graded {digest}\n"), done.err
    laid = {f"eval/graded/{name}": text for name, text in
            {"graded.csv": "1", "deep/er/x.parquet": "2", ".hidden": "3", "ünï cöde.csv": "4"}.items()}  # fmt: skip
    assert state(checkout) == before | laid
    assert not source.exists()


@pytest.mark.parametrize(
    "folder",
    ["", ".", "..", "/srv/x", "../x", "a/../../x", "a/./b", "a//b", "a/", ".git", ".git/hooks", ".GIT/x", "x/.Git/y",
     ".gates", ".gates/candidate", ".github/workflows", "Data", "data", "DATA/holdout.csv", "Data/holdout.csv",
     "gates.yaml", "gates.yaml/x", "out", "out/x", "inner", "inner/hooks", "sparse", "sparse/labels.csv", "Sparse",
     "a\nb", "a\\b", "a\x1b", "Data/"],
)  # fmt: skip
def test_a_folder_that_the_commit_has_or_that_lies_elsewhere_is_refused(
    checkout: Path, tmp_path: Path, folder: str
) -> None:
    source, before = artifact(tmp_path), state(checkout)
    outside = set(tmp_path.iterdir()) - {source}
    with pytest.raises(GatesError, match="artifact-folder: ") as caught:
        take(source, folder, checkout, os.environ)
    assert caught.value.exit_code is Exit.INPUT
    assert state(checkout) == before
    assert set(tmp_path.iterdir()) == outside


@pytest.mark.parametrize("folder", [":(top)x", "DATA/x", "*", "data [1]", "-x", "ünï"])
def test_a_name_that_is_only_strange_is_a_name(checkout: Path, tmp_path: Path, folder: str) -> None:
    before = state(checkout)
    take(artifact(tmp_path), folder, checkout, os.environ)
    assert state(checkout) == before | {f"{folder}/graded.csv": "id,score\n"}


@pytest.mark.parametrize(
    "name",
    [".git/config", "x/.git/hooks/post-checkout", ".GIT/config", ".gates/decision.json", ".github/workflows/x.yml",
     "a\nb.csv", "a\x1b[31m.csv", "a\\b.csv"],
)  # fmt: skip
def test_what_is_not_plain_data_is_refused_and_lays_nothing(checkout: Path, tmp_path: Path, name: str) -> None:
    before = state(checkout)
    with pytest.raises(GatesError) as caught:
        take(artifact(tmp_path, **{"a.csv": "1", name: "2"}), "graded", checkout, os.environ)
    assert caught.value.exit_code is Exit.INPUT
    assert state(checkout) == before


@pytest.mark.parametrize("kind", ["link", "link out", "folder link", "fifo", "whole", "empty", "missing", "case"])
def test_what_is_no_file_is_refused(checkout: Path, tmp_path: Path, kind: str) -> None:
    source, before = artifact(tmp_path), state(checkout)
    if kind == "fifo":
        os.mkfifo(source / "fifo")
    elif kind == "whole":
        source.rename(tmp_path / "elsewhere")
        source.symlink_to(tmp_path / "elsewhere")
    elif kind == "empty":
        (source / "graded.csv").unlink()
    elif kind == "missing":
        source = tmp_path / "nowhere"
    elif kind == "case":
        (source / "GRADED.csv").write_text("")
    else:
        to = {"link": "graded.csv", "link out": "/etc/passwd", "folder link": "/etc"}[kind]
        (source / "x").symlink_to(to)
    with pytest.raises(GatesError):
        take(source, "graded", checkout, os.environ)
    assert state(checkout) == before
    assert Path("/etc/passwd").exists()


def test_too_much_is_refused(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "LARGEST", 5)
    with pytest.raises(GatesError, match="the limit"):
        take(artifact(tmp_path, **{"x.csv": "123456"}), "graded", checkout, os.environ)


def test_another_artifact_under_the_name_is_refused(checkout: Path, tmp_path: Path) -> None:
    first = take(artifact(tmp_path), "graded", checkout, os.environ)
    assert take(artifact(tmp_path), "again", checkout, os.environ, digest=first) == first
    with pytest.raises(GatesError, match="not the artifact that the first job took"):
        take(artifact(tmp_path, **{"graded.csv": "id,score\n1,1\n"}), "third", checkout, os.environ, digest=first)
    assert not (checkout / "third").exists()


def test_a_training_gets_it_without_the_labels(checkout: Path, tmp_path: Path) -> None:
    names = {"predictions.csv": "1", "hold out[1].csv": "labels", "sub/labels.csv": "labels"}
    take(artifact(tmp_path, **names), "graded", checkout, os.environ)

    class Holdout:
        """What a policy names as its holdout."""

        def files(self, _: str) -> list[Path]:
            return [checkout / "graded/hold out[1].csv", checkout / "graded/sub/labels.csv"]

    patterns = without_holdout(Holdout(), checkout)  # type: ignore[arg-type]
    take(artifact(tmp_path, **names), "train", checkout, os.environ, patterns=patterns.replace("/graded/", "/train/"))
    assert [name for name in state(checkout) if name.startswith("train/")] == ["train/predictions.csv"]
