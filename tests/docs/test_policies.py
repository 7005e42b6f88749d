"""Every policy that a page shows, whole or in part, judges a model beside a champion, by numbers; what is judged by
the record of a policy is the same to the byte; and every contract is counted in tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pages import PAGES, ROOT, blocks
from prometheus_server import NOON

from gates.documents.decision import Verdict
from gates.judge.judge import judge
from gates.ledger.audit_documents import resolved_of
from gates.measure.holdout.models import ModelOutput, RegisteredModel, Rivals
from gates.measure.measurement import Measurement
from gates.measure.prometheus.asking import answered
from gates.measure.prometheus.prometheus_api import PrometheusApi
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read
from gates.schema.canonical import canonical

pytestmark = pytest.mark.usefixtures("forked_children")

ROWS = 1200
CONTRACT = b'{"record": {"properties": {"zip": {"x-sensitive": false}}}, "table": [{"rows": {"min": 1}}]}'
TABLES = ("train.parquet", "holdout.parquet", "prompts.parquet", "data/train.parquet", "data/holdout.parquet")


def shown() -> Iterator[Any]:
    """The policies of all pages, but those that a page runs itself; a list is of gates alone."""
    for page in PAGES:
        for index, (done, _, language, text) in enumerate(blocks(page)):
            value = yaml.safe_load(text) if language == "yaml" and done not in ("file", "add") else None
            value = {"gates": value} if isinstance(value, list) else value
            if value and not {"jobs", "kind", "record", "table"} & set(value):
                marks = [pytest.mark.slow] if "fbeta_score" in text else []  # drawn anew thousands of times
                yield pytest.param(value, id=f"{page.stem}-{index}", marks=marks)


def contracts() -> Iterator[Any]:
    """The contracts of all pages, each a file's text."""
    for page in PAGES:
        for index, (_, _, language, text) in enumerate(blocks(page)):
            value = yaml.safe_load(text) if language == "yaml" else None
            if isinstance(value, dict) and {"record", "table"} & set(value):
                yield pytest.param(text, id=f"{page.stem}-{index}")


def frame(random: np.random.Generator) -> pd.DataFrame:
    """A holdout with every column that the pages talk of."""
    number = np.arange(1, ROWS + 1)
    columns: dict[str, Any] = dict.fromkeys(("id", "row_id", "customer", "prompt_id"), number)
    columns |= dict.fromkeys(("household", "customer_id"), number // 2)
    columns |= {"churn": random.choice(["Yes", "No"], ROWS), "sample_weight": random.choice([0.5, 1.0, 2.0], ROWS)}
    columns |= {"churned": columns["churn"] == "Yes", "y": (columns["churn"] == "Yes").astype(int)}
    columns |= {"contract": random.choice(["month", "year"], ROWS), "region": random.choice(["north", "south"], ROWS)}
    columns |= {"sex": random.choice(["f", "m"], ROWS), "female": random.choice(["f", "m"], ROWS)}
    columns |= {"age_group": random.choice(["young", "old"], ROWS), "tenure": random.integers(0, 60, ROWS)}
    columns |= {"month": number % 12, "income": random.normal(3000, 500, ROWS), "age": random.integers(18, 90, ROWS)}
    columns |= {"branch_id": number % 5, "updated_at": pd.Timestamp.now(), "total_charges": 20.5, "diagnosis": "kept"}
    columns |= {"email": "dana@example.invalid"}
    return pd.DataFrame(columns | {"zip": random.choice(["10115", "20095"], ROWS)})


def predictions(held: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """What a model says of each row, and what it cost."""
    score = np.clip(0.45 * held["y"] + 0.6 * random.random(ROWS), 0, 1)
    given = {"cost_usd": random.random(ROWS) / 50, "latency_ms": 900 * random.random(ROWS), "toxicity": score / 2}
    given |= {"polite": random.integers(1, 6, ROWS), "score": score}
    given |= {"clicks": random.integers(0, 3, ROWS), "impressions": random.integers(1, 20, ROWS)}
    return held[["id", "row_id", "customer", "prompt_id"]].assign(**given)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables under every name that the pages give them, two models' predictions, and the module that
    a page shows."""
    folder, random = tmp_path_factory.mktemp("policies"), np.random.default_rng(4)
    held, learnt = frame(random), frame(random)
    for name in TABLES:
        (folder / name).parent.mkdir(exist_ok=True)
        (learnt if "train" in name else held).to_parquet(folder / name, index=False)
    pd.DataFrame({"id": range(5)}).to_csv(folder / "branches.csv", index=False)
    for name in ("candidate", "champion"):
        (folder / name).mkdir()
        predictions(held, random).to_parquet(folder / name / "predictions.parquet", index=False)
    (folder / "candidate/facts.json").write_text(
        '{"parameters": {"max_depth": 6, "learning_rate": 0.1}, "tags": {"team": "risk"}}'
    )
    (folder / "mypkg").mkdir()
    (module,) = [text for _, _, kind, text in blocks(ROOT / "docs/custom-metrics.md") if kind == "python"]
    (folder / "mypkg/metrics.py").write_text(module)
    return folder


def whole(part: dict[str, Any]) -> ResolvedPolicy:
    """The policy that a page shows, with what it leaves out."""
    data = {"train": "train.parquet", "holdout": "holdout.parquet", "label": "churned", "key": "id"}
    policy = {
        "version": 1, "model": "m", "train": "true", "data": data,
        "gates": [{"metric": "recall", "min": 0.5, "slices": {"min": 0.1}}],
    } | part  # fmt: skip
    if any("slices" in gate for gate in policy["gates"]):
        policy = {"slices": ["contract"]} | policy
    if policy["data"].get("label") == "churn":
        policy["data"] = policy["data"] | {"positive": "Yes"}
    if policy.get("task") != "score":
        policy["data"] = policy["data"] | {"contract": "contract.yaml"}
    return read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: CONTRACT)


@pytest.mark.parametrize("part", shown())
def test_a_policy_of_a_page_judges(home: Path, part: dict[str, Any], request: pytest.FixtureRequest) -> None:
    resolved = whole(part)
    if resolved.policy.data.engine == "spark":
        pytest.skip("tests/spark holds what Spark finds to be what DuckDB finds")
    champion = RegisteredModel(
        version="1", digest="sha256:" + "b" * 64, folder=lambda: home / "champion",
        predictions=lambda _: home / "champion/predictions.parquet",
    )  # fmt: skip
    bench = Measurement(resolved, home, home / ".gates")
    candidate = ModelOutput(digest="sha256:" + "a" * 64, folder=home / "candidate")
    evidence = bench.evidence(bench.check(), [candidate], Rivals(champion=champion))
    questions = resolved.needs.questions
    if questions:
        api = PrometheusApi(request.getfixturevalue("prometheus"), "")
        evidence = replace(evidence, answers=answered(api, questions, [NOON], print)[0])
    decision = judge(resolved, evidence)
    unsure = [(gate.label, gate.reason) for gate in decision.gates if gate.verdict in (None, Verdict.ERROR)]
    assert unsure == []
    assert decision.gates
    again = resolved_of(resolved.document)
    assert canonical(judge(again, evidence)) == canonical(decision), "the record of the policy judges otherwise"


@pytest.mark.parametrize("text", contracts())
def test_a_contract_of_a_page_is_counted_in_every_table(home: Path, text: str) -> None:
    data = {"train": "train.parquet", "holdout": "holdout.parquet", "label": "y", "contract": "contract.yaml"}
    policy = {"version": 1, "model": "m", "train": "true", "data": data, "gates": [{"data": ["train", "holdout"]}]}
    resolved = read(yaml.safe_dump(policy).encode(), "gates.yaml", lambda _: text.encode())
    bench = Measurement(resolved, home, home / ".gates")
    decision = judge(resolved, bench.evidence(bench.check()))
    assert [gate.reason for gate in decision.gates if gate.verdict is Verdict.ERROR] == []
    assert {gate.id for gate in decision.gates} >= {"data.holdout"}
