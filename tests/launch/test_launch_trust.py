"""Who may say what a job is: the base commit's document, addresses without a credential, a record of what ran."""

import json
import os
import subprocess
import uuid
from dataclasses import replace

import boto3
import pytest
import yaml
from cluster import Fault
from launch_project import IMAGE
from moto.server import ThreadedMotoServer

from gates.documents.printed.audit import Flaw
from gates.documents.record import Record
from gates.errors import Exit, GatesError
from gates.ledger.audit_documents import Filed, check
from gates.schema.validation import read_json
from gates.system.git import Git

OTHER = "evil.example/churn@sha256:" + "6" * 64


def git(project, *arguments):
    identity = ("-c", "user.name=dana", "-c", "user.email=dana@example.invalid")
    done = subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(project):
    """The project in a repository with one commit; gives that commit."""
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "base")
    return git(project, "rev-parse", "HEAD")


def test_on_a_pull_request_the_document_is_the_base_commit_s(project, repository):
    spec = project.document["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "stolen", "secret": {"secretName": "everything"}}]
    spec["containers"][0]["image"] = OTHER
    project.policy["train"]["run"] = "python3 train.py; echo its own"
    project.train(project.session(against=repository))
    (job,) = project.jobs
    assert "volumes" not in job["spec"]["template"]["spec"]
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert project.log.endswith("its own\n")


def test_the_report_says_that_a_changed_document_is_not_run(project, repository):
    said = "job.yaml is not the base commit's document, and counts once it is merged"
    for document, times in ((project.document, 0), (project.document | {"metadata": {"labels": {"a": "b"}}}, 1)):
        project.document = document
        assert project.gates("run", "--base", repository).code == 0
        assert (project.root / ".gates" / "report.md").read_text().count(said) == times


def test_on_a_pull_request_the_image_is_its_own(project, repository):
    project.policy["train"]["image"] = OTHER
    project.train(project.session(against=repository))
    assert project.jobs[0]["spec"]["template"]["spec"]["containers"][0]["image"] == OTHER


def test_on_a_pull_request_another_file_is_no_document(project, repository):
    """Neither a new document, nor another one that was merged for something else."""
    project.policy["train"]["job"] = "new.yaml"
    (project.root / "new.yaml").write_text(yaml.safe_dump(project.document | {"kind": "CronJob"}))
    project.train(project.session(against=repository))
    assert len(project.jobs) == 1


def test_a_pull_request_that_brings_the_first_document(project):
    git(project, "init", "--quiet", "--initial-branch=main")
    job = project.policy["train"].pop("job")
    project.write()
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "base")
    base = git(project, "rev-parse", "HEAD")
    project.policy["train"]["job"] = job
    with pytest.raises(GatesError, match=r"no policy of this model with train.job") as caught:
        project.train(project.session(against=base))
    assert "counts once it is merged" in str(caught.value)
    assert not project.jobs


@pytest.mark.usefixtures("repository")
def test_jobs_of_other_commits_are_stale(project):
    from test_launch import while_running

    project.policy["train"]["run"] = "sleep 60"

    def act():
        assert project.gates("stop", "--stale").out == "looked at 1 job\n"
        git(project, "commit", "--quiet", "--allow-empty", "--message", "next")
        assert project.gates("stop", "--stale").out.startswith("stopped gates-churn-")

    with pytest.raises(GatesError, match="was deleted before it ended"):
        while_running(project, act)


@pytest.fixture
def bucket(monkeypatch):
    """The environment of a bucket on this machine."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    login = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
    login |= {"AWS_ENDPOINT_URL": address}
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    name = f"models-{uuid.uuid4()}"  # servers of one process share what they hold
    boto3.client("s3").create_bucket(Bucket=name)
    yield login | {"GATES_STORE": f"s3://{name}/gates"}
    server.stop()


def test_a_pod_without_an_account_gets_signed_addresses(project, bucket):
    project.environ |= bucket
    (folder,) = project.train()
    assert (folder / "predictions.csv").exists()
    (job,), (secret,) = project.jobs, project.cluster.of("secrets")
    told = json.loads(secret["data"]["job"])
    assert secret["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    assert secret["immutable"] is True
    assert all("X-Amz-Signature" in given["url"] for given in told["inputs"])
    assert "X-Amz-Signature" not in json.dumps(job)
    assert "hush" not in json.dumps([job, secret])
    project.cluster.delete("jobs", job["metadata"]["name"])
    assert not project.cluster.of("secrets")


def test_a_secret_that_was_not_made_is_made_by_the_next_launch(project, bucket):
    project.environ |= bucket
    project.cluster.faults.append(Fault("POST .*/secrets", 503, times=1))
    (folder,) = project.train()
    assert (folder / "predictions.csv").exists()
    assert len(project.jobs) == 1


def test_a_secret_that_is_forbidden_leaves_no_job(project, bucket):
    project.environ |= bucket
    project.cluster.faults.append(Fault("POST .*/secrets", 403, reason="Forbidden"))
    with pytest.raises(GatesError, match="Forbidden") as caught:
        project.train()
    assert caught.value.exit_code is Exit.OUTSIDE
    project.cluster.wait(lambda: not project.cluster.of("jobs"))


def test_a_login_that_ends_before_the_job_may_is_refused(project, bucket):
    project.environ |= bucket | {"AWS_SESSION_TOKEN": "t"}
    project.policy["train"] |= {"timeout": "3h"}
    with pytest.raises(GatesError, match="must work for 4 hours; the login that signs them ends before"):
        project.train()
    assert not project.jobs
    project.document["spec"]["template"]["spec"]["serviceAccountName"] = "trainer"
    project.cluster.pods.queued = "whatever"
    project.policy["train"]["wait"] = "0s"
    with pytest.raises(GatesError, match="still queued"):
        project.train()


@pytest.mark.usefixtures("repository")
def test_what_ran_is_recorded_and_may_be_required(project):
    ours, once = "train.image.startsWith('registry.example/')", "train.jobs.all(job, job.adopted == false)"
    project.policy["gates"] += [{"require": f"{ours} && train.interruptions == 0"}, {"require": once}]
    project.write()
    git(project, "commit", "--quiet", "--all", "--message", "required")
    done = project.gates("run")
    assert done.code == 0, done.err
    done = project.gates("promote")
    assert done.code == 0, done.err
    verified = project.gates("verify")
    assert verified.code == 0, verified.out + verified.err
    records = [json.loads(line) for line in project.gates("history", "--json").out.splitlines() if line.strip()]
    (job,) = project.jobs
    text = json.dumps(records)
    assert job["metadata"]["name"] in text
    assert IMAGE in text


@pytest.mark.usefixtures("repository")
def test_a_record_of_another_job_than_its_evidence_s_contradicts_it(project):
    assert project.gates("run").code == project.gates("promote").code == 0
    listed = (line.split() for line in git(project, "ls-tree", "gates-ledger").splitlines())
    blobs = {name: blob for _, kind, blob, name in listed if kind == "blob"}
    record = read_json(Record, git(project, "cat-file", "blob", blobs.pop("record.json")).encode(), "record.json")
    repository = Git(folder=project.root / ".git", environ=project.environ | {"PATH": os.environ["PATH"]})
    (job,) = record.source.training
    for training, flaws in (((job,), 0), ((), 1), ((replace(job, image=OTHER),), 1)):
        said = replace(record, source=replace(record.source, training=training))
        (seen,) = check(repository, [Filed(said, blobs)]).flaws
        assert [flaw for flaw, _ in seen] == [Flaw.CONTRADICTION] * flaws


def test_a_requirement_that_is_not_met(project):
    project.policy["gates"].append({"require": "train.image.startsWith('elsewhere.example/')"})
    assert project.gates("run").code == 1


def test_a_command_can_t_pass_for_a_job(project):
    project.policy["train"]["run"] = "python3 train.py && echo '{}' > $GATES_OUT/launched.json"
    done = project.gates("train", "--here")
    assert done.code == 2
    assert "which gates itself writes of a job" in done.err
