"""gates statement and gates card, as a user runs them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
import yaml
from edge_project import Project, call, refused, without
from huggingface_hub import ModelCard, eval_result_entries_to_yaml, parse_eval_result_entries

from gates.checkout.workspace import Workspace
from gates.documents.record import RecordedModel, RecordKind
from gates.promotion.provenance import draft, run
from gates.report.card.model_card import render as card


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


def test_a_verification_result_is_made_of_what_is_verified_now(project):
    public = str(project.root / "pub.pem")
    assert write(project, "--predicate", "svr").out.strip() == str(project.work / "svr.json")
    done = write(project, "--predicate", "svr", "--key", str(project.root / "key.pem"))
    assert done.out.strip() == str(project.work / "svr.dsse.json")
    told = json.loads(check(project, "svr.dsse.json", "--key", public, "--json").out)
    assert (told["tier"], told["model"], told["digest"]) == ("key", "churn", project.decision["candidate"]["digest"])
    assert told["properties"][:2] == ["GATES_VERDICT_PASS", "GATES_RULE_PASS:roc_auc:min"]
    assert told["signed_by"]
    shown = check(project, "svr.json")
    assert shown.code == 0
    assert shown.out.startswith("churn: GATES_VERDICT_PASS, GATES_RULE_PASS:roc_auc:min")
    assert check(project, "svr.json", "--key", public).code == 1
    whole = (project.work / "decision.json").read_text()
    judged = json.loads(whole)
    judged["gates"][0]["candidate"]["value"] = 0.99
    (project.work / "decision.json").write_text(json.dumps(judged))
    try:
        refused(write(project, "--predicate", "svr"), "does not follow from policy and evidence")
    finally:
        (project.work / "decision.json").write_text(whole)


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
        ("multiclass", 0.5, "It gives each row one of several classes.", "tabular-classification"),
        ("regression", 0.5, "It predicts a number for each row.", "tabular-regression"),
        ("ranking", 0.5, "It ranks the rows of each query.", None),
        ("score", 0.5, "Its answers have no label.", None),
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
    assert ("is called positive" in made) == ("positive class" in made) == (task == "binary")
    assert line in made


def test_the_card_says_what_the_hub_asks_for_and_only_what_is_known(project, tmp_path):
    work = Workspace(policy=project.root / "gates.yaml")
    resolved, evidence, decision = work.load(), work.load_evidence(), work.load_decision()
    known = on_the_hub(card(resolved, evidence, decision)).data
    assert (known.library_name, known.datasets) == (None, None)
    benchmark = {"dataset": "acme/churn", "task": "2026", "metric": "roc_auc"}
    about = {"pipeline_tag": "text-generation", "library_name": "keras", "datasets": ["acme/train"]}
    policy = json.loads((project.root / "gates.yaml").read_text()) | {"card": about | {"benchmark": benchmark}}
    (tmp_path / "gates.yaml").write_text(json.dumps(policy))
    known = on_the_hub(card(Workspace(policy=tmp_path / "gates.yaml").load(), evidence, decision)).data
    assert (known.pipeline_tag, known.library_name) == ("text-generation", "keras")
    assert known.datasets == ["acme/train", "acme/churn"]
    (result, *_) = known.eval_results
    assert (result.task_type, result.dataset_type) == ("text-generation", "acme/churn")


@pytest.mark.parametrize(
    ("flavours", "library"),
    [
        ("mlflow (python_function, sklearn)", "sklearn"),
        ("mlflow (python_function, sentence_transformers)", "sentence-transformers"),
        ("mlflow (python_function)", None),
        ("mlflow (onnx, sklearn)", None),  # which of the two?
        ("mlflow (catboost)", None),  # the hub has no such name
        ("predictions", None),
    ],
)
def test_the_library_is_the_promoted_models(project, flavours, library):
    work = Workspace(policy=project.root / "gates.yaml")
    record = draft("churn", run({}, None), RecordKind.PROMOTION, "champion", "")
    model = RecordedModel(digest="sha256:" + "a" * 64, format=flavours, pickled=(), parameters=None)
    made = card(work.load(), work.load_evidence(), work.load_decision(), replace(record, model=model))
    assert on_the_hub(made).data.library_name == library


def test_the_hubs_folder_has_the_card_and_the_result_of_a_benchmark(project, tmp_path):
    folder = tmp_path / "hub"
    done = call("card", "--policy", str(project.root / "gates.yaml"), "--to", str(folder))
    assert (done.code, done.out.split()) == (0, [str(folder / "README.md")]), done.err
    assert (folder / "README.md").read_text() == call("card", "--policy", str(project.root / "gates.yaml")).out
    policy = json.loads((project.root / "gates.yaml").read_text())
    for metric, code in (("roc_auc", 0), ("recall", 2)):
        policy["card"] = {"benchmark": {"dataset": "acme/churn", "metric": metric}}
        (project.root / "other.yaml").write_text(json.dumps(policy))
        done = call("card", "--policy", str(project.root / "other.yaml"), "--to", str(tmp_path / metric))
        assert done.code == code, done.err
        assert (tmp_path / metric).exists() == (code == 0), "nothing half-written"
    assert "recall was not measured on the whole holdout" in done.err
    assert "Measured were: roc_auc, demographic_parity_difference" in done.err
    written = yaml.safe_load((tmp_path / "roc_auc/.eval_results/gates.yaml").read_text())
    (entry,) = parse_eval_result_entries(written)
    assert (entry.dataset_id, entry.task_id) == ("acme/churn", "default")
    assert entry.value == project.decision["gates"][0]["candidate"]["value"]
    assert "240 rows" in entry.notes
    assert written == eval_result_entries_to_yaml([entry]), "no key that the hub does not know"


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
