"""What people see in MLflow after a promotion: a named run, metrics with bounds, data, a linked model, descriptions."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import mlflow
import pytest
import yaml
from edge_project import save_model_to
from moto.server import ThreadedMotoServer
from worlds import GATES, World, git, table

sys.path.insert(0, str(Path(__file__).parent.parent / "registry"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from mlflow_server import Server, serving
from pages import ROOT, blocks

from gates.promotion.summary import MOST_LINES
from gates.registry.address import MLflowAddress
from gates.registry.mlflow import MLflowRegistry
from gates.registry.server import ServerRegistry
from gates.registry.sqlite import SQLiteRegistry

pytestmark = pytest.mark.usefixtures("forked_children")
CARD = {"intended_use": "Ranks customers, for the retention team."}


def with_model(world: World, **policy: Any) -> Any:
    """A candidate that is a model, and a file beside it."""
    rows = save_model_to(world.root / "made" / "model")
    (world.root / "made" / "notes.txt").write_text("trained on a Monday")
    world.begin(rows, **({"data": {"key": None}} | policy))
    (world.root / "made" / "predictions.csv").unlink()
    return rows


def promoted(world: World, **env: str) -> Any:
    for command in ("run", "promote"):
        done = world.run(command, **env)
        assert done.code == 0, done.out + done.err
    return done


def client_of(world: World) -> Any:
    return opened(f"sqlite:///{world.database}")


def opened(address: str) -> Any:
    """Without the second address MLflow takes that of a server in this process."""
    return mlflow.MlflowClient(address, address)


def version_of(client: Any) -> Any:
    return client.get_model_version_by_alias("churn", "champion")


def test_a_promotion_shows_in_mlflow_what_was_judged(world: World) -> None:
    with_model(world, card=CARD)
    promoted(world)
    client, decision = client_of(world), json.loads((world.root / ".gates/decision.json").read_text())
    version, record = version_of(client), world.records()[-1]
    run = client.get_run(version.run_id)
    gate = decision["gates"][0]
    digest = decision["candidate"]["digest"]
    assert run.info.run_name == f"churn-{digest[7:15]}"
    assert run.info.status == "FINISHED"
    bounds = {"roc_auc": "value", "roc_auc.low": "low", "roc_auc.high": "high"}
    assert run.data.metrics == {name: gate["candidate"][bound] for name, bound in bounds.items()}
    assert {name: run.data.tags[f"gates.{name}"] for name in ("digest", "decision")} == {
        "digest": digest,
        "decision": record["decision"],
    }
    assert run.data.tags["mlflow.source.git.commit"] == git(world.root, "rev-parse", "HEAD")
    (table,) = run.inputs.dataset_inputs
    assert (table.dataset.name, [tag.value for tag in table.tags]) == ("holdout", ["eval"])
    assert json.loads(table.dataset.profile)["digest"] == record["data"][0]["digest"]

    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.source_run_id, str(model.status)) == ("churn", version.run_id, "READY")
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "churn", "version": 1}]
    assert {(one.key, one.value, one.dataset_name) for one in model.metrics} == {
        (name, value, "holdout") for name, value in run.data.metrics.items()
    }
    kept = sorted(one.path for one in client.list_logged_model_artifacts(model.model_id))
    assert {"MLmodel", "model.pkl"} < set(kept), "models:/MODEL-ID is a model that MLflow loads"
    assert version.source == model.artifact_location
    assert [one.path for one in client.list_artifacts(version.run_id, "candidate")] == ["candidate/notes.txt"]
    uri = f"sqlite:///{world.database}"
    glance = SQLiteRegistry(MLflowAddress(uri, uri), lambda: pytest.fail("MLflow was asked"))
    assert glance.stored("churn", "1") == digest, "gates status reads it without MLflow"

    assert version.description.startswith("Judged by gates: **pass**.")
    assert record["decision"] in version.description
    assert run.data.tags["mlflow.note.content"] == version.description
    assert client.get_registered_model("churn").description.startswith(CARD["intended_use"])
    world.sound()


def test_the_next_promotion_shows_the_difference_and_leaves_a_description_of_ones_own(world: World) -> None:
    rows = world.begin()
    promoted(world)
    client = client_of(world)
    client.update_registered_model("churn", "Ours.")
    world.better(rows)
    assert world.run("promote").code == 0
    version = version_of(client)
    metrics = client.get_run(version.run_id).data.metrics
    difference = json.loads((world.root / ".gates/decision.json").read_text())["gates"][1]["difference"]
    assert metrics["roc_auc.difference"] == difference["value"]
    assert (metrics["roc_auc.difference.low"], metrics["roc_auc.difference.high"]) == (
        difference["low"],
        difference["high"],
    )
    assert "Compared with version 1." in version.description
    assert client.get_registered_model("churn").description == "Ours."
    assert world.run("rollback", "--reason", "try").code == 0
    assert str(version_of(client).version) == "1"
    world.sound()


def test_predictions_alone_are_a_run_without_a_model(world: World) -> None:
    world.begin()
    promoted(world)
    client = client_of(world)
    version = version_of(client)
    run = client.get_run(version.run_id)
    assert run.outputs is None or not run.outputs.model_outputs
    assert "roc_auc.low" in run.data.metrics
    assert version.source == f"{run.info.artifact_uri}/candidate"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls of MLflow's client that fail while the context lasts."""

    @contextmanager
    def fail(*calls: str) -> Iterator[None]:
        def fails(*_: Any, **__: Any) -> None:
            raise mlflow.exceptions.MlflowException("injected")

        with monkeypatch.context() as patch:
            for call in calls:
                patch.setattr(mlflow.MlflowClient, call, fails)
            yield

    return fail


def test_what_only_people_read_stops_no_promotion_and_its_failure_is_reported(world: World, failing: Any) -> None:
    """The alias is moved, the record says so, and the version says nothing that was not judged."""
    rows = world.begin()
    assert world.run("run").code == 0
    for number, call in enumerate(("log_inputs", "log_batch"), 1):
        with failing(call):
            done = world.run("promote")
        assert (done.code, done.out) == (0, f"churn version {number} is now champion\n")
        assert "the registry does not show how good the model is: " in done.err
        assert "injected" in done.err
        assert world.kinds()[-2:] == ["intent", "promotion"]
        world.better(rows, 0.01 * number)
    world.sound()


def test_what_can_not_be_stored_or_registered_is_not_promoted(world: World, failing: Any) -> None:
    with_model(world)
    assert world.run("run").code == 0
    for call in ("create_logged_model", "log_model_artifacts", "log_outputs", "create_model_version"):
        with failing(call):
            assert world.run("promote").code == 3
        assert world.standing()["aliases"][0]["version"] is None, call
        assert "promotion" not in world.kinds(), call
    assert world.run("promote").code == 0
    world.sound()


def test_no_slice_and_no_group_is_in_mlflow(world: World) -> None:
    """They are values of columns. Report and ledger have rules for sensitive ones; MLflow has none."""
    names = ("Zanzibarian", "Ruritanian")
    rows = [row | {"origin": names[at % 2]} for at, row in enumerate(table())]
    fair = {"metric": "recall_difference", "by": "origin", "max": 0.9}
    world.begin(
        rows, slices=["origin"], gates=[*GATES, {"metric": "accuracy", "min": 0.5, "slices": {"min": 0.1}}, fair]
    )
    promoted(world)
    everything = b"".join(path.read_bytes() for path in world.base.glob("mlflow.db*"))
    assert b"accuracy.low" in everything
    for value in (*names, "origin", "recall"):
        assert value.encode() not in everything, value


@pytest.mark.slow
def test_a_description_fits_into_mlflow(world: World) -> None:
    """It keeps 5,000 characters of one, and refuses longer ones where its database does."""
    gates = [{"metric": "share_above", "of": "score", "above": (1 + at) / 100, "min": 0.05} for at in range(40)]
    world.begin(gates=gates)
    promoted(world)
    version = version_of(client_of(world))
    assert len(version.description) < 5000
    assert f"And {len(gates) - MOST_LINES} more" in version.description
    assert len(client_of(world).get_run(version.run_id).data.metrics) == 3 * len(gates)


# -- a server, and one registry apart from the runs --


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Iterator[tuple[str, Server]]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(empty_registry, folder / "mlflow.db")
    with serving(folder / "mlflow.db", folder / "files") as found:
        yield found


def test_a_server_is_read_without_mlflow(world: World, served: tuple[str, Server], tmp_path: Path) -> None:
    address, server = served
    with_model(world, model="glanced")
    assert world.run("run", MLFLOW_TRACKING_URI=address).code == 0
    assert world.run("promote", MLFLOW_TRACKING_URI=address).code == 0
    glance = ServerRegistry(MLflowAddress(address, address), lambda: pytest.fail("MLflow was asked"))
    whole = MLflowRegistry(address, tmp_path)
    for name, alias in (("glanced", "champion"), ("glanced", "shadow"), ("another", "champion")):
        assert glance.at(name, alias) == whole.at(name, alias)
    assert glance.stored("glanced", "1") == whole.stored("glanced", "1") == world.records()[-1]["after"]["digest"]
    assert glance.stored("glanced", "7") is whole.stored("glanced", "7") is None
    experiment = opened(address).get_experiment_by_name("glanced").experiment_id
    (file,) = (server.files / experiment).rglob("notes.txt")
    file.write_text("changed")
    assert glance.stored("glanced", "1") == whole.stored("glanced", "1") != world.records()[-1]["after"]["digest"]


def test_a_server_keeps_model_and_run_and_says_nothing_in_our_output(world: World, served: tuple[str, Server]) -> None:
    address, _ = served
    with_model(world, model="quiet")
    assert world.run("run", MLFLOW_TRACKING_URI=address).code == 0
    done = world.run("promote", "--json", MLFLOW_TRACKING_URI=address)
    assert done.code == 0, done.err
    assert json.loads(done.out)["version"] == "1"  # one document, nothing beside it
    for word in ("View run", "View experiment", "INFO", "WARNING", "Created version", "Successfully", "%|"):
        assert word not in done.out + done.err
    client = opened(address)
    version = client.get_model_version_by_alias("quiet", "champion")
    (output,) = client.get_run(version.run_id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "quiet", "version": 1}]
    for command in ("status", "verify"):
        done = world.run(command, MLFLOW_TRACKING_URI=address)
        assert done.code == 0, done.err


@pytest.mark.slow
def test_a_server_that_knows_no_logged_models_keeps_the_model_with_its_run(
    world: World, served: tuple[str, Server]
) -> None:
    """MLflow 2 answers 404 there."""
    address, server = served
    with_model(world, model="older")
    server.refused["/logged-models"] = 404
    try:
        promoted(world, MLFLOW_TRACKING_URI=address)
    finally:
        server.refused.clear()
    client = opened(address)
    version = client.get_model_version_by_alias("older", "champion")
    assert version.source.endswith("/candidate/model")
    assert "roc_auc.low" in client.get_run(version.run_id).data.metrics
    assert world.run("status", MLFLOW_TRACKING_URI=address).code == 0


def test_versions_and_aliases_may_be_elsewhere_than_runs_and_files(world: World, empty_registry: Path) -> None:
    with_model(world)
    other = world.base / "registry.db"
    shutil.copyfile(empty_registry, other)
    apart = {"MLFLOW_REGISTRY_URI": f"sqlite:///{other}"}
    promoted(world, **apart)
    runs, versions = client_of(world), opened(f"sqlite:///{other}")
    version = version_of(versions)
    assert runs.get_run(version.run_id).data.metrics["roc_auc.low"] > 0
    assert not runs.search_registered_models()
    assert not versions.search_experiments(filter_string="name = 'churn'")
    for command in ("status", "verify"):
        done = world.run(command, **apart)
        assert done.code == 0, done.err
    assert json.loads(world.run("status", "--json", **apart).out)["aliases"][0]["state"] == "as_promoted"
    wrong = json.loads(world.run("status", "--json").out)["aliases"][0]
    assert wrong["state"] == "moved", "the registry beside the runs names nothing, which is no champion's absence"


@pytest.mark.slow
def test_a_registry_of_another_server_takes_files_of_a_store_that_both_reach(
    world: World, served: tuple[str, Server]
) -> None:
    """The server has never heard of run and logged model; the version leads to the run's server all the same."""
    address, _ = served
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        s3 = "http://{}:{}".format(*store.get_host_and_port())
        login = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        names = {name.lower(): value for name, value in login.items() if name != "AWS_DEFAULT_REGION"}
        boto3.client("s3", endpoint_url=s3, region_name="us-east-1", **names).create_bucket(Bucket="models")
        with_model(world, model="far")
        client_of(world).create_experiment("far", "s3://models/far")
        apart = {"MLFLOW_REGISTRY_URI": address, "MLFLOW_S3_ENDPOINT_URL": s3, **login}
        promoted(world, **apart)
        version = opened(address).get_model_version_by_alias("far", "champion")
        assert version.source.startswith("s3://models/far/models/m-")
        run = client_of(world).get_run(version.run_id)
        assert run.outputs.model_outputs[0].model_id in version.source
        assert version.description.startswith("Judged by gates: **pass**.")
        for command in ("status", "verify"):
            done = world.run(command, **apart)
            assert done.code == 0, done.err
    finally:
        store.stop()


@pytest.mark.slow
def test_a_registry_that_can_not_reach_the_files_is_an_error_with_a_way_out(
    world: World, served: tuple[str, Server]
) -> None:
    """A server takes no source on this machine for a version of its own."""
    address, _ = served
    with_model(world, model="apart")
    assert world.run("run", MLFLOW_REGISTRY_URI=address).code == 0
    done = world.run("promote", MLFLOW_REGISTRY_URI=address)
    assert done.code == 3
    assert "one store of files that both reach" in done.err
    assert "Traceback" not in done.err
    assert world.run("history", MLFLOW_REGISTRY_URI=address).out.count("failure") == 1


# -- a deployment job: what the page shows is what is done --


def shown(name: str) -> str:
    (text,) = (text for action, file, _, text in blocks(ROOT / "docs/mlflow.md") if (action, file) == ("file", name))
    return text


def test_the_deployment_job_of_the_page_is_one() -> None:
    """The two parameters that Databricks gives, three tasks in a row, and the arguments that the script takes."""
    (job,) = yaml.safe_load(shown("job.yml"))["resources"]["jobs"].values()
    assert [one["name"] for one in job["parameters"]] == ["model_name", "model_version"]
    tasks = {task["task_key"]: task for task in job["tasks"]}
    assert list(tasks) == ["evaluation", "approval", "deployment"]
    after = {key: [one["task_key"] for one in task.get("depends_on", ())] for key, task in tasks.items()}
    assert after == {"evaluation": [], "approval": ["evaluation"], "deployment": ["approval"]}
    evaluation = tasks["evaluation"]["spark_python_task"]
    assert evaluation["parameters"][:2] == ["{{job.parameters.model_name}}", "{{job.parameters.model_version}}"]
    assert Path(evaluation["python_file"]).name == "evaluate.py"
    assert len(evaluation["parameters"]) == shown("evaluate.py").split("= sys.argv")[0].splitlines()[-1].count(",") + 1
    assert evaluation["parameters"][2] == job["git_source"]["git_url"]


def test_the_evaluation_task_lets_through_what_gates_promoted_and_nothing_else(
    world: World, forked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model(world)
    promoted(world)
    client, version = client_of(world), version_of(client_of(world))
    other = client.create_run(client.get_experiment_by_name("churn").experiment_id).info.run_id
    client.log_artifacts(other, str(world.root / "made/model"), "model")
    client.log_text(other, "import os", "model/more.py")
    source = f"{client.get_run(other).info.artifact_uri}/model"
    by_hand = client.create_model_version("churn", source, other)
    script = world.base / "evaluate.py"
    script.write_text(shown("evaluate.py"))
    uri = f"sqlite:///{world.database}"
    monkeypatch.setattr(mlflow, "get_registry_uri", lambda: uri)
    for name, value in world.environment(PATH=f"{forked}:{Path(sys.executable).parent}:/usr/bin:/bin").items():
        monkeypatch.setenv(name, value)
    for number, code in ((version.version, 0), (by_hand.version, 1)):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", "churn", str(number), str(world.origin)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        assert ended.value.code == code
