"""A cluster whose pods are processes here, and a project whose training runs on it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from edge_project import call, clean_environment

from gates.checkout.workspace import Workspace
from gates.launch.follow import Patience
from gates.pipeline.machines.job_training import Handed, JobTraining
from gates.pipeline.session import Session
from gates.system.progress import Steps

IMAGE = "registry.example/churn@sha256:" + "7" * 64
QUICK = Patience(first=0.02, slowest=0.1)
TRAIN = """
import csv, os

with open(os.environ["GATES_HOLDOUT"]) as file, open(os.environ["GATES_OUT"] + "/predictions.csv", "w") as out:
    out.write("id,score\\n")
    for row in csv.DictReader(file):
        out.write("%s,%s\\n" % (row["id"], row["tenure"]))
print("trained with seed", os.environ["GATES_SEED"], "on", len(open(os.environ["GATES_TRAIN"]).readlines()), "lines")
"""


@dataclass
class Project:
    """A project in a folder, and what its commands see."""

    root: Path
    cluster: Cluster
    environ: dict[str, str]
    policy: dict = field(default_factory=dict)
    document: dict = field(default_factory=dict)

    def write(self) -> None:
        """Write policy and job document as they are now."""
        (self.root / "gates.yaml").write_text(yaml.safe_dump(self.policy))
        (self.root / "job.yaml").write_text(yaml.safe_dump(self.document))

    def gates(self, *arguments: str, **more: str):
        self.write()
        policy = ("--policy", str(self.root / "gates.yaml"))
        return call(*arguments, *policy, env={**self.environ, **more})

    def session(self, **more) -> Session:
        self.write()
        self.said = io.StringIO()
        session = Session(
            workspace=Workspace(policy=self.root / "gates.yaml"),
            steps=Steps(self.said),
            environ={**clean_environment(), **self.environ},
            today="2027-01-01",
            **more,
        )
        session.workspace.prepare()
        return session

    def train(self, session: Session | None = None, patience: Patience = QUICK, seeds: int = 1) -> list[Path]:
        """Train as jobs, without reading a table; gives the folders of what was left."""
        session = session or self.session()
        handed = Handed(holdout=self.root / "unlabelled.csv", train=self.root / "train.csv")
        session.workspace.forget("train")
        folders = session.workspace.trainings(seeds)
        JobTraining(session=session, patience=patience).run(handed, folders, session.workspace.work / "train.log")
        return list(folders)

    @property
    def log(self) -> str:
        return (self.root / ".gates" / "train.log").read_text()

    @property
    def jobs(self) -> list[dict]:
        return self.cluster.of("jobs")


def table(path: Path, *columns: str, first: int = 0) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        for number in range(first, first + 200):
            writer.writerow({"id": number, "tenure": (number % 10) / 10, "left": int(number % 10 > 4)})


@pytest.fixture
def cluster(tmp_path):
    """A cluster that is gone after the test."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


@pytest.fixture
def project(tmp_path, cluster):
    """A project whose training is a Job, with a folder as its store."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "train.py").write_text(TRAIN)
    table(root / "holdout.csv", "id", "tenure", "left")
    table(root / "train.csv", "id", "tenure", "left", first=1000)
    table(root / "unlabelled.csv", "id", "tenure")
    container = {"name": "train", "image": IMAGE}
    project = Project(
        root=root,
        cluster=cluster,
        environ={"KUBECONFIG": str(cluster.config), "GATES_STORE": f"file://{tmp_path / 'store'}"},
        policy={
            "version": 1,
            "model": "churn",
            "data": {"holdout": "holdout.csv", "train": "train.csv", "label": "left", "key": "id"},
            "train": {"run": "python3 train.py", "job": "job.yaml", "timeout": "60s", "wait": "60s"},
            "gates": [{"metric": "accuracy", "min": 0.5}],
        },
        document={
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
    )
    project.write()
    return project
