"""A training as a job, from the policy to the candidate: with the real kubectl, and pods that are processes here."""

import json
import threading

import pytest
from launch_project import IMAGE, QUICK

from gates.errors import Exit, GatesError
from gates.launch.task import KEY


def left(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_candidate_is_trained_as_a_job_and_judged(project):
    done = project.gates("run", "--json")
    assert done.code == 0, done.err
    evidence = json.loads((project.root / ".gates" / "evidence.json").read_text())
    facts = evidence["candidate"]["training"]
    assert facts["image"] == facts["ran"] == IMAGE
    assert (facts["engine"], facts["kind"], facts["where"]) == ("kubernetes", "batch/v1 Job", "models")
    assert facts["interruptions"] == 0
    assert not facts["adopted"]
    assert project.log == "trained with seed 0 on 201 lines\n"


def test_what_is_sent(project):
    project.train()
    (job,) = project.jobs
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert job["metadata"]["name"].startswith("gates-churn-")
    assert spec["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] == 60
    assert spec["ttlSecondsAfterFinished"] == 86400
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["command"][:3] == ["python3", "-I", "-c"]
    assert any("fieldValidation=Strict" in line for line in project.cluster.asked)
    assert "ownerReferences" not in job["metadata"]


def test_the_owner_that_the_environment_names(project):
    project.environ["GATES_OWNER"] = "batch/v1/Job/gates-run/1f0c"
    project.train()
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "gates-run", "uid": "1f0c"}
    assert project.jobs[0]["metadata"]["ownerReferences"] == [owner]
    project.environ["GATES_OWNER"] = "gates-run"
    with pytest.raises(GatesError, match="GATES_OWNER: is not a reference"):
        project.train()


def test_the_code_goes_without_the_holdout(project):
    (project.root / "notes").mkdir()
    (project.root / "notes" / "a b.txt").write_text("seen")
    (project.root / "also.csv").symlink_to("holdout.csv")
    project.policy["train"]["run"] = "find . -type f | sort > $GATES_OUT/predictions.csv"
    (folder,) = project.train()
    seen = (folder / "predictions.csv").read_text().split("\n")
    assert "./notes/a b.txt" in seen
    assert "./train.py" in seen
    assert not [name for name in seen if "holdout" in name or ".gates/" in name or "also" in name]


def test_a_link_out_of_the_checkout_is_refused(project):
    (project.root / "away").symlink_to("/etc/hostname")
    with pytest.raises(GatesError, match="leads out of the repository"):
        project.train()
    assert not project.jobs


def test_nothing_of_the_job_reaches_the_command(project):
    project.policy["train"]["run"] = "env > $GATES_OUT/predictions.csv; pwd"
    (folder,) = project.train()
    names = {line.partition("=")[0] for line in (folder / "predictions.csv").read_text().splitlines()}
    assert "GATES_JOB" not in names
    assert {"GATES_OUT", "GATES_HOLDOUT", "GATES_TRAIN", "GATES_SEED"} <= names


@pytest.mark.parametrize("tidied", [False, True])
def test_a_second_launch_of_the_same_finds_the_first(project, tidied):
    first = left(project.train()[0])
    if tidied:
        project.cluster.delete("jobs", project.jobs[0]["metadata"]["name"])
    (folder,) = project.train(project.session())
    assert left(folder) == first
    facts = json.loads((folder / "launched.json").read_text())
    assert facts["adopted"] is True
    assert facts["where"] == (None if tidied else "models")
    assert len(project.jobs) == (0 if tidied else 1)


def test_fresh_starts_another_job(project):
    project.train()
    project.train(project.session(fresh="2"))
    assert len(project.jobs) == 2


def test_a_failed_job_is_tried_again(project):
    flag = project.cluster.folder / "again"
    project.policy["train"]["run"] = f"test -e {flag} || exit 7; python3 train.py"
    with pytest.raises(GatesError, match="exit code 7"):
        project.train()
    flag.touch()
    (folder,) = project.train()
    assert "predictions.csv" in left(folder)
    assert len(project.jobs) == 1


def test_jobs_of_an_earlier_commit_are_stopped(project):
    project.policy["train"]["run"] = "sleep 60"
    with pytest.raises(GatesError, match="was deleted before it ended") as caught:
        while_running(project, lambda: _train_other(project))
    assert caught.value.exit_code is Exit.OUTSIDE
    assert len(project.jobs) == 1


def _train_other(project):
    project.policy["train"]["run"] = "python3 train.py"
    other = project.session()
    project.train(other)


def while_running(project, act):
    """Train on another thread, act as soon as its pod runs, and give what became of the training."""
    outcome: list = []

    def work():
        try:
            outcome.append(project.train(session))
        except BaseException as error:
            outcome.append(error)

    session = project.session()
    thread = threading.Thread(target=work)
    thread.start()
    project.cluster.wait(lambda: project.cluster.processes)
    act()
    thread.join(60)
    assert outcome, "it never ended"
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def test_trainings_of_one_candidate_don_t_stop_each_other(project):
    project.policy["train"]["seeds"] = 3
    folders = project.train(seeds=3)
    assert len(project.jobs) == 3
    assert all("predictions.csv" in left(folder) for folder in folders)
    names = {json.loads((folder / "launched.json").read_text())["name"] for folder in folders}
    assert len(names) == 3


def test_two_launchers_at_once_share_a_job(project):
    sessions, made, errors = [project.session() for _ in range(2)], [], []
    barrier = threading.Barrier(2)

    def work(session, folder):
        from launch_project import Handed, JobTraining

        barrier.wait(30)
        handed = Handed(holdout=project.root / "unlabelled.csv", train=project.root / "train.csv")
        try:
            JobTraining(session=session, patience=QUICK).run(handed, [folder], folder.with_suffix(".log"))
            made.append(left(folder))
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(session, project.root / ".gates" / f"made{place}"))
        for place, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert made[0] == made[1] == {"predictions.csv", "launched.json"}
    assert len(project.jobs) == 1


def test_a_foreign_job_under_our_name_is_refused(project):
    project.train()
    (job,) = project.jobs
    for labels in ({KEY: "0" * 63}, {}):
        job["metadata"]["labels"] = labels
        with pytest.raises(GatesError, match="its key differs") as caught:
            project.train(project.session())
        assert caught.value.exit_code is Exit.OUTSIDE
        assert project.jobs == [job]


def test_jobs_are_listed_and_stopped(project):
    project.policy["train"]["run"] = "sleep 60"

    def act():
        listed = project.gates("jobs", "--json")
        assert listed.code == 0, listed.err
        (job,) = json.loads(listed.out)["jobs"]
        assert (job["state"], job["model"]) == ("running", "churn")
        assert job["name"] in project.gates("jobs").out
        assert project.gates("stop").out == f"stopped {job['name']}\n"

    with pytest.raises(GatesError, match="was deleted before it ended"):
        while_running(project, act)
    assert project.gates("jobs").out == "no jobs\n"
    assert project.gates("stop").out == "no jobs run\n"


def test_what_another_machine_prepared_is_trained_as_a_job(project):
    """As a workflow's job does it, which sees no labels: the policy's own tables are not there."""
    checked = project.gates("check-data")
    assert checked.code == 0, checked.err
    (project.root / ".gates" / "data").rename(project.root / "handed-data")
    handed = project.root / "handed"
    handed.mkdir()
    (project.root / "handed-data").rename(handed / "data")
    for name in ("holdout.csv", "train.csv"):
        (project.root / name).unlink()
    digests = next(line for line in checked.out.splitlines() if line.startswith("data "))
    done = project.gates("train", "--handed", str(handed), "--digests", digests)
    assert done.code == 0, done.err
    assert (project.root / ".gates" / "candidate" / "predictions.csv").exists()
    assert "candidate sha256:" in done.out
    project.environ |= dict.fromkeys(("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "here")
    again = ("train", "--handed", str(handed), "--digests", digests)
    assert project.gates(*again).code == 0, "no code of the repository runs beside the job's identity"
    here = project.gates(*again, "--here")
    assert (here.code, "has id-token: write" in here.err) == (2, True)


def test_here_ignores_the_document(project):
    done = project.gates("run", "--here", PATH=f"{project.root}:/usr/bin:/bin")
    assert done.code == 0, done.err
    assert not project.jobs
    assert not (project.root / ".gates" / "candidate" / "launched.json").exists()


def test_check_tells_each_mistake_of_the_document(project):
    assert project.gates("check").code == 0
    project.document["metadata"] = {"name": "mine"}
    project.document["spec"]["parallelism"] = 2
    done = project.gates("check")
    assert done.code == 2
    assert "name: gates names the job" in done.err
    assert "parallelism: must be 1" in done.err
    assert not project.cluster.asked
