"""The chart, and what is given to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from helm_client import render

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy/chart"
IMAGE = f"registry.example/churn@sha256:{'0' * 64}"


def rendered(values: dict[str, Any] | None = None, name: str = "churn") -> dict[tuple[str, str], dict[str, Any]]:
    """The documents of a release, by kind and name."""
    texts = render(CHART, values or {}, name).values()
    documents = [document for text in texts for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}
