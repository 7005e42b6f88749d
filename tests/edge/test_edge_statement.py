"""gates statement and gates card, as a user runs them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
import yaml
from edge_project import Project, call, refused, without
from huggingface_hub import ModelCard

from gates.checkout.workspace import Workspace
from gates.report.model_card import render as card


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("statement"))
    made.ready(
        slices=["region"],
        gates=[
            {"metric": "roc_auc", "min": 0.6, "slices": {"min": 0.5}},
            {"metric": "demographic_parity_difference", "by": "sex", "max": 0.9},
        ],
        card={"intended_use": "Who may leave <b>soon</b>.", "limits": "Not for minors.", "license": "mit"},
    )
    assert made.gates("run").code == 0
    make_keys(made.root, "key.pem", "pub.pem")
    return made


def make_keys(folder, private, public):
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], cwd=folder, check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], cwd=folder, check=True)


def check(project, name, *arguments):
    return call("statement", "check", str(project.work / name), *arguments)


def write(project, *arguments):
    return call("statement", "write", "--policy", str(project.root / "gates.yaml"), *arguments)


def test_unsigned(project):
    assert write(project).out.strip() == str(project.work / "statement.json")
    done = check(project, "statement.json")
    assert (done.code, "tier     none: it is not signed" in done.out) == (0, True)
    asked = check(project, "statement.json", "--key", str(project.root / "pub.pem"), "--json")
    assert (asked.code, json.loads(asked.out)["tier"], json.loads(asked.out)["signed_by"]) == (1, "none", None)


def test_signed(project):
    assert write(project, "--key", str(project.root / "key.pem")).code == 0
    done = check(project, "statement.dsse.json", "--key", str(project.root / "pub.pem"), "--json")
    told = json.loads(done.out)
    assert (done.code, told["tier"], told["verdict"]) == (0, "key", "pass")
    assert told["digest"] == project.decision["candidate"]["digest"]
    shown = check(project, "statement.dsse.json")
    assert (shown.code, "name the key to check it" in shown.out) == (0, True)
    refused(check(project, "statement.dsse.json", "--key", str(project.root / "key.pem")), "public key")
    refused(write(project, "--key", str(project.root / "pub.pem")), "private key")
    refused(check(project, "decision.json"), "not an in-toto statement")


def test_an_attestation_is_githubs_to_check(project):
    write(project, "--key", str(project.root / "key.pem"))
    envelope = json.loads((project.work / "statement.dsse.json").read_text())
    bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope}
    (project.work / "bundle.json").write_text(json.dumps(bundle))
    done = check(project, "bundle.json")
    assert (done.code, "gh attestation verify" in done.out) == (0, True)
    refused(check(project, "bundle.json", "--key", str(project.root / "pub.pem")), "gh attestation verify")


def on_the_hub(text):
    """The card as Hugging Face's client reads it; front matter that it can't read is an error. Asks nobody: the hub's
    own check (``validate``) needs the network."""
    read = ModelCard(text, ignore_metadata_errors=False)
    assert ModelCard(str(read)).data.to_dict() == read.data.to_dict()
    return read


def test_the_card(project):
    done = call("card", "--policy", str(project.root / "gates.yaml"))
    assert done.code == 0
    _, front, body = done.out.split("---\n", 2)
    told = yaml.safe_load(front)
    assert told == {"model_name": "churn"} | on_the_hub(done.out).data.to_dict()
    assert told["license"] == "mit"
    (result,) = told["model-index"][0]["results"]
    value = project.decision["gates"][0]["candidate"]["value"]
    assert {"type": "roc_auc", "name": "roc_auc", "value": value} in result["metrics"]
    assert "Who may leave &#60;b&#62;soon&#60;/b&#62;." in body
    assert "Not for minors." in body
    assert "<code>roc_auc:min@region=north</code>" in body.replace("\u200b", "")
    assert "demographic_parity_difference" in body.split("## Fairness")[1].split("## Who")[0]
    assert "It was not promoted." in body
    assert project.decision["candidate"]["digest"] in body


@pytest.mark.parametrize(
    ("task", "threshold", "line", "pipeline"),
    [
        ("binary", 0.4, "A score of at least 0.4 is called positive.", "tabular-classification"),
        ("multiclass", 0.5, None, "tabular-classification"),
        ("regression", 0.5, None, "tabular-regression"),
        ("ranking", 0.5, None, None),
        ("score", 0.5, None, None),
    ],
)
def test_the_card_says_what_the_task_is(project, task, threshold, line, pipeline):
    work = Workspace(policy=project.root / "gates.yaml")
    resolved = work.load()
    policy = replace(resolved.policy, task=task, predict=replace(resolved.policy.predict, threshold=threshold))
    made = card(replace(resolved, policy=policy), work.load_evidence(), work.load_decision())
    told, evidence = yaml.safe_load(made.split("---\n", 2)[1]), work.load_evidence()
    assert told.get("pipeline_tag") == pipeline
    (result, *_) = on_the_hub(made).data.eval_results
    assert (result.task_type, result.dataset_type, result.dataset_name) == (pipeline or "other", "tabular", "holdout")
    assert result.dataset_revision == next(table.digest for table in evidence.tables if table.name == "holdout")
    assert (result.metric_type, result.metric_value) == ("roc_auc", project.decision["gates"][0]["candidate"]["value"])
    assert told["model-index"][0]["results"][0]["task"]["type"] == (pipeline or "other")
    assert ("is called positive" in made) == (line is not None)
    assert (line or "") in made


def test_the_promoted_models_card_lies_in_the_ledger(project):
    git = ["git", "-c", "user.name=dana", "-c", "user.email=dana@example.invalid"]
    for command in (["init", "-q", "-b", "main"], ["add", "gates.yaml"], ["commit", "-qm", "policy"]):
        subprocess.run([*git, *command], cwd=project.root, check=True)
    assert project.gates("run").code == 0
    assert project.gates("promote").code == 0
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "gates-ledger"],
        cwd=project.root, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    names = [name for name in listed if name.endswith("card.md")]
    assert names
    card = subprocess.run(
        ["git", "show", f"gates-ledger:{names[-1]}"], cwd=project.root, capture_output=True, text=True, check=True
    ).stdout
    assert "The policy asks for nobody's approval." in card


def test_verify_says_by_whose_word_decisions_stand(tmp_path):
    made = Project(tmp_path / "repository")
    rows = made.ready()
    git = ["git", "-c", "user.name=dana", "-c", "user.email=dana@example.invalid"]
    for command in (["init", "-q", "-b", "main"], ["add", "gates.yaml"], ["commit", "-qm", "policy"]):
        subprocess.run([*git, *command], cwd=made.root, check=True)
    for name in ("key", "other"):
        make_keys(tmp_path, f"{name}.pem", f"{name}.pub")
    assert made.gates("run").code == 0
    assert made.gates("promote", "--key", str(tmp_path / "key.pem")).code == 0
    done = made.gates("verify", "--all", "--key", str(tmp_path / "key.pub"))
    assert (done.code, "by a key" in done.out) == (0, True), done.out
    other = made.gates("verify", "--all", "--key", str(tmp_path / "other.pub"), "--json")
    assert (other.code, {one["code"] for one in json.loads(other.out)["found"]}) == (1, {"signature"})
    made.predictions([row | {"score": row["score"] / 2} for row in rows])  # the same order, other calls
    assert made.gates("run").code == 0
    assert made.gates("promote").code == 0  # nobody signs this one
    assert made.gates("verify", "--all", "--key", str(tmp_path / "key.pub")).code == 1
    assert made.gates("verify", "--all").code == 0


def test_without_a_decision_there_is_nothing_to_state(tmp_path):
    made = Project(tmp_path)
    made.ready()
    refused(write(made), "gates judge")
    refused(call("card", "--policy", str(tmp_path / "gates.yaml")), "gates measure")


def test_a_broken_contract_is_no_statement_about_a_model(tmp_path):
    made = Project(tmp_path)
    rows = made.ready(data={"contract": "contract.yaml"})
    (tmp_path / "contract.yaml").write_text("table: [{rows: {min: 100000}}]")
    made.holdout(without(rows))
    assert made.gates("run").code == 1
    refused(write(made), "about no model")
    assert call("card", "--policy", str(tmp_path / "gates.yaml")).code == 0
