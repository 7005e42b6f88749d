"""Champions: promoted into a real MLflow registry on SQLite, compared with on the same rows, never mistaken."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from edge_project import Project, Rows, refused, table

from gates.registry.mlflow import MLflowRegistry

GATES = [{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.1}, {"metric": "accuracy", "min": 0.5}]


def promoted(project: Project, rows: Rows | None = None, **policy: Any) -> Rows:
    """A first champion."""
    rows = project.ready(rows, **({"gates": GATES} | policy))
    assert project.gates("run").code == 0
    done = project.gates("promote")
    assert done.code == 0, done.err
    return rows


def shifted(rows: Rows, by: float = 0.05) -> Rows:
    """Another model: a little better."""
    return [
        row | {"score": round(min(1.0, max(0.0, row["score"] + (by if row["churn"] == "left" else -by))), 2)}
        for row in rows
    ]


def stored(project: Project, *parts: str) -> list[Path]:
    """The files of an artifact in the store, oldest run first."""
    found = (project.root / "mlartifacts").rglob("/".join(parts))
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def champion(project: Project) -> Any:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    return client.get_model_version_by_alias("churn", "champion")


def test_the_first_run_compares_with_nobody(registered: Project) -> None:
    registered.ready(gates=GATES)
    assert registered.gates("run").code == 0
    waiting = registered.gate("max_worsening")
    assert (waiting["verdict"], waiting["code"]) == (None, "no_champion")
    assert registered.decision["champion"] is None


def test_what_passed_becomes_the_champion(registered: Project) -> None:
    registered.ready(gates=GATES)
    registered.gates("run")
    done = registered.gates("promote", "--json")
    told = json.loads(done.out)
    assert (done.code, told["model"], told["alias"], told["version"], told["done"]) == (
        0,
        "churn",
        "champion",
        "1",
        True,
    )
    assert champion(registered).tags["gates.digest"] == registered.decision["candidate"]["digest"]


def test_the_second_candidate_is_compared_with_the_first(registered: Project) -> None:
    rows = promoted(registered)
    registered.predictions(shifted(rows))
    assert registered.gates("run").code == 0
    compared = registered.gate("max_worsening")
    assert compared["verdict"] == "pass"
    assert compared["difference"]["value"] > 0
    assert compared["champion"]["value"] == pytest.approx(
        compared["candidate"]["value"] - compared["difference"]["value"]
    )
    assert registered.decision["champion"] == {"version": "1", "digest": champion(registered).tags["gates.digest"]}
    assert registered.gates("promote").out == "churn version 2 is now champion\n"


def test_the_same_model_again_differs_by_nothing(registered: Project) -> None:
    promoted(registered)
    registered.gates("run")
    difference = registered.gate("max_worsening")["difference"]
    assert difference["value"] == 0
    assert -0.02 < difference["low"] < 0 < difference["high"] < 0.02, "the same calls on these rows prove no sameness"


def test_a_worse_candidate_is_stopped(registered: Project) -> None:
    rows = promoted(registered, shifted(table(), 0.2))
    registered.predictions(shifted(rows, -0.3))
    assert registered.gates("run").code == 1
    assert registered.gate("max_worsening")["verdict"] == "fail"
    done = registered.gates("promote")
    assert done.code == 1
    assert "the verdict is fail" in done.complaint
    assert str(champion(registered).version) == "1"


def test_the_champions_files_are_not_fetched_while_the_holdout_is_the_same(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kept predictions are enough. That its files are whole is looked at where they lie; gone ones are an error."""
    rows = promoted(registered)
    registered.predictions(shifted(rows))
    registered.gates("run")
    expected = registered.bytes()
    with monkeypatch.context() as patched:
        patched.setattr(MLflowRegistry, "_fetched", lambda *_: pytest.fail("its files were fetched"))
        assert registered.gates("measure").code == 0
        assert registered.gates("judge").code == 0
        assert registered.bytes() == expected
    (folder,) = stored(registered, "artifacts", "candidate")
    shutil.rmtree(folder)
    assert (registered.gates("run").code, registered.decision["code"]) == (2, "stored_bytes")


def test_kept_predictions_find_their_rows_in_any_order(registered: Project) -> None:
    rows = promoted(registered)
    registered.gates("run")
    expected = registered.bytes()
    registered.holdout(rows[::-1])
    assert registered.gates("run").code == 0
    assert registered.bytes() == expected


def grown(rows: Rows) -> Rows:
    return rows + [row | {"id": row["id"] + 5000} for row in rows[:20]]


def test_predictions_alone_cannot_follow_the_holdout_where_it_grows(registered: Project) -> None:
    rows = grown(promoted(registered))
    registered.holdout(rows)
    registered.predictions(rows)
    assert registered.gates("run").code == 2
    compared = registered.gate("max_worsening")
    assert (compared["verdict"], compared["code"]) == ("error", "different_rows")
    assert compared["difference"] is None
    assert "champion v1 was not scored on the same rows" in compared["reason"]
    assert registered.gate("min", lambda gate: gate["metric"] == "roc_auc")["verdict"] == "pass"
    assert registered.gate("min", lambda gate: gate["metric"] == "accuracy")["verdict"] == "pass"


def test_another_alias_and_name_may_serve(registered: Project) -> None:
    rows = promoted(registered, champion="models:/other-name@prod")
    registered.predictions(shifted(rows))
    registered.gates("run")
    assert registered.decision["champion"]["version"] == "1"
    registered.policy(gates=GATES)
    registered.gates("run")
    assert registered.decision["champion"] is None, "models:/churn@champion has never been made"


def test_the_registry_is_the_one_that_the_environment_names(project: Project, empty_registry: Path) -> None:
    elsewhere = project.root / "else where.db"
    shutil.copyfile(empty_registry, elsewhere)
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{elsewhere}"}
    project.ready(gates=GATES)
    assert project.gates("run", **uri).code == 0
    assert project.gates("promote", **uri).code == 0
    assert not (project.root / "mlflow.db").exists()
    project.gates("run", **uri)
    assert project.decision["champion"]["version"] == "1"
    project.gates("run")
    assert project.decision["champion"] is None


def test_what_a_training_leaves_beside_the_policy_names_no_registry(project: Project) -> None:
    """MLflow logs into such files where nobody tells it another place."""
    (project.root / "mlflow.db").write_text("this is no database " * 100)
    (project.root / "mlruns").mkdir()
    promoted(project)
    project.gates("run")
    assert project.decision["champion"]["version"] == "1"


def test_a_champion_in_a_registry_that_nobody_names_any_more_is_told(registered: Project) -> None:
    """The ledger says that the champion is in MLflow."""
    promoted(registered)
    named = registered.environ.pop("MLFLOW_TRACKING_URI")
    done = registered.gates("run")
    assert (done.code, registered.decision["verdict"], registered.decision["code"]) == (2, "error", "other_registry")
    assert f"MLFLOW_TRACKING_URI names an MLflow registry ({named}, if an older gates" in done.complaint
    assert registered.gates("status").code == 1
    assert registered.gates("run", MLFLOW_TRACKING_URI=named).code == 0


def test_a_champion_in_mlflows_own_file_is_not_passed_over(registered: Project) -> None:
    """Of a registry that served before it had gates, and that gates would have found there once."""
    import mlflow

    registered.ready(gates=GATES)
    client = mlflow.MlflowClient(f"sqlite:///{registered.root / 'mlflow.db'}")
    client.create_registered_model("churn")
    client.create_model_version("churn", "file:///nowhere")
    client.set_registered_model_alias("churn", "champion", "1")
    del registered.environ["MLFLOW_TRACKING_URI"]
    done = registered.gates("run")
    assert (done.code, registered.decision["code"]) == (2, "not_adopted")
    assert "champion names version 1 in mlflow.db, and nothing says whether that is the registry" in done.complaint
    assert registered.gates("run", GATES_REGISTRY="git").code == 0
    registered.policy(gates=GATES, champion="models:/churn@other")
    assert registered.gates("run").code == 0, "nothing there is what the policy compares with"


def test_finding_no_champion_makes_no_registry(project: Project) -> None:
    project.ready()
    project.gates("run")
    assert not (project.root / "mlflow.db").exists()


DOWN = {
    "nobody listens": {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
    "no such scheme": {"MLFLOW_TRACKING_URI": "nonsense://here"},
    "no database": {"MLFLOW_TRACKING_URI": "sqlite:////dev/null/mlflow.db"},
}


@pytest.mark.parametrize("name", DOWN)
def test_a_registry_that_is_down_is_nobodys_mistake(project: Project, name: str) -> None:
    project.ready(gates=GATES)
    done = project.gates("run", **DOWN[name])
    assert done.code == 3
    assert done.complaint.startswith("gates: registry: ")
    assert "Is MLFLOW_TRACKING_URI right, and is the registry up?" in done.complaint
    assert project.decision["verdict"] == "error"
    assert project.decision["reason"] == done.complaint.removeprefix("gates: ").rstrip()
    again = project.gates("promote", **DOWN[name])
    assert again.code in (2, 3), "there is no evidence either"


def test_a_damaged_registry_is_told(project: Project) -> None:
    project.ready(gates=GATES)
    (project.root / "mlflow.db").write_text("this is no database " * 100)
    done = project.gates("run", MLFLOW_TRACKING_URI="sqlite:///mlflow.db")
    assert done.code == 3
    assert "not a database" in done.complaint


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "fail": ({"gates": [{"metric": "roc_auc", "min": 0.99}]}, "", "the verdict is fail"),
    "inconclusive": ({"gates": [{"metric": "roc_auc", "min": 0.89}]}, "", "the verdict is inconclusive"),
    "nothing judged": ({"gates": [{"metric": "roc_auc", "max_worsening": 0}]}, "", "the verdict is inconclusive"),
    "error": ({"slices": [{"age": [0, 99]}], "gates": [{"metric": "f1", "slices": {"min": 0.001}}]}, "", "is error"),
    "candidate changed": ({}, "echo 1,1 >> .gates/candidate/predictions.csv", "candidate's files are not those"),
    "candidate grown": ({}, "touch .gates/candidate/more", "candidate's files are not those"),
    "candidate gone": ({}, "rm -r .gates/candidate", "no candidate yet"),
    "holdout changed": ({}, "sed -i '5s/,[fm],/,x,/' holdout.csv", "the holdout is not the one"),
    "holdout longer": ({}, "echo 1,north,30,f,left >> holdout.csv", "the holdout is not the one"),
    "evidence gone": ({}, "rm .gates/evidence.json", "Run gates measure first."),
    "decision painted": (
        {"gates": [{"metric": "roc_auc", "min": 0.99}]},
        'sed -i \'s/"fail"/"pass"/g\' .gates/decision.json',
        "the verdict is fail",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_not_judged_so_is_not_promoted(registered: Project, name: str) -> None:
    policy, meanwhile, told = REFUSED[name]
    registered.ready(**policy)
    registered.gates("run")
    shell(registered, meanwhile or "true")
    done = registered.gates("promote")
    assert done.code == (1 if "verdict" in told or "is error" in told else 2)
    assert told in done.complaint
    assert "Traceback" not in done.err
    assert nobody_serves(registered)


def shell(project: Project, command: str) -> None:
    subprocess.run(["sh", "-c", command], cwd=project.root, check=True)


def nobody_serves(project: Project) -> bool:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    return not client.search_registered_models()


def test_a_harder_policy_is_asked_at_the_promotion(registered: Project) -> None:
    """A promotion judges anew; a decision of the easier policy doesn't count."""
    registered.ready()
    assert registered.gates("run").code == 0
    registered.policy(gates=[{"metric": "roc_auc", "min": 0.99}])
    assert registered.gates("promote").code == 1
    registered.policy(predict={"threshold": 0.4})
    refused(registered.gates("promote"), "not measured under the policy", "Run gates run again.")
    assert nobody_serves(registered)


def judged_against_the_one_before(project: Project, rows: Rows, mine: Rows) -> None:
    """`mine` was judged; then another candidate became champion."""
    project.predictions(mine)
    project.gates("run")
    saved = shutil.copytree(project.work, project.root / "judged-before")
    project.predictions(rows)
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    shutil.rmtree(project.work)
    saved.rename(project.work)


def test_a_champion_that_moved_meanwhile_is_judged_against(registered: Project) -> None:
    rows = promoted(registered)
    judged_against_the_one_before(registered, shifted(rows), shifted(rows, 0.1))
    done = registered.gates("promote")
    assert (done.code, done.out.split(" (")[0]) == (0, "churn version 3 is now champion")
    assert "the candidate was judged against version 1: judged again, pass" in done.err


def test_a_champion_that_moved_meanwhile_and_is_better_stops_the_promotion(registered: Project) -> None:
    rows = promoted(registered, gates=[{"metric": "roc_auc", "min": 0.6, "max_worsening": 0.02}])
    judged_against_the_one_before(registered, shifted(rows, 0.3), shifted(rows, 0.01))
    done = registered.gates("promote")
    assert done.code == 1
    assert "judged again, fail" in done.err
    assert "gates: verdict: the verdict is fail" in done.complaint
    assert str(champion(registered).version) == "2"


def test_a_promotion_that_is_done_is_not_done_again(registered: Project) -> None:
    promoted(registered)
    done = registered.gates("promote")
    assert (done.code, done.out) == (0, "churn version 1 is champion already: nothing to do\n")


def test_a_champion_whose_files_were_overwritten_is_told_and_not_used(registered: Project) -> None:
    rows = promoted(registered)
    (file,) = stored(registered, "artifacts", "candidate", "predictions.csv")
    file.write_text(file.read_text().replace(",0.", ",0.0"))
    rows = grown(rows)  # another holdout, so that the files are needed
    registered.holdout(rows)
    registered.predictions(rows)
    assert registered.gates("run").code == 2
    assert (registered.decision["verdict"], registered.decision["code"]) == ("error", "stored_bytes")
    assert "the bytes of version 1 are not those of record 2" in registered.decision["reason"]


def test_a_password_in_the_registrys_address_is_not_told(project: Project) -> None:
    project.ready(gates=GATES)
    done = project.gates("run", MLFLOW_TRACKING_URI="nonsense://ada:tellnobody@here")
    assert done.code == 3
    report = (project.work / "report.md").read_text()
    assert "tellnobody" not in done.out + done.err + report + project.decision["reason"]


def overwritten(file: Path) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *(line.split(",")[0] + ",0.5" for line in lines[1:])]) + "\n")


def test_kept_predictions_that_were_overwritten_are_told_and_not_used(registered: Project) -> None:
    """Else whoever can write to the store lowers what the next candidate must reach."""
    promoted(registered)
    (file,) = stored(registered, "artifacts", "predictions", "predictions.csv")
    overwritten(file)
    registered.gates("run")
    compared = registered.gate("max_worsening")
    assert (compared["verdict"], compared["difference"]) == ("error", None)


@pytest.mark.parametrize("key", ["id", None])
def test_predictions_of_other_rows_are_not_compared(registered: Project, key: str | None) -> None:
    """The holdout changed under the same keys, or in the same number of rows; the old predictions are not about it."""
    rows = promoted(registered, data={"key": key})
    other = [row | {"age": row["age"] + 1} for row in rows]
    registered.holdout(other)
    registered.gates("run")
    compared = registered.gate("max_worsening")
    assert (compared["verdict"], compared["code"], compared["difference"]) == ("error", "different_rows", None)


def test_a_reordered_holdout_is_another_one_where_order_finds_the_rows(registered: Project) -> None:
    """Promoted with the old order's predictions under the new order's name, the champion would be crossed."""
    rows = registered.ready(data={"key": None})
    registered.gates("run")
    registered.holdout(rows[::-1])
    refused(registered.gates("promote"), "the holdout is not the one")


def test_an_artifact_store_that_is_away_is_outside_trouble(registered: Project) -> None:
    promoted(registered)
    (registered.root / "mlartifacts").rename(registered.root / "away")
    done = registered.gates("run")
    assert done.code == 3
    assert "registry" in done.complaint
