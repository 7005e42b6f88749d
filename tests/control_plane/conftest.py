"""A control plane for all tests of this folder, a node that runs its pods, and a namespace for each test."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane, control_plane, programs
from namespaces import Namespace
from node import Node

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("edge", "launch")]  # for their projects

NUMBERS = itertools.count(1)
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    binaries = programs()
    if binaries is None:
        pytest.skip("no control plane is built: scripts/cluster build makes one, and needs Go")
    with control_plane(tmp_path_factory.mktemp("plane"), binaries) as running:
        yield running


@pytest.fixture(scope="session")
def node(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(plane, tmp_path_factory.mktemp("node"))
    yield running
    running.close()


@pytest.fixture
def namespace(node: Node) -> Namespace:
    """A fresh namespace that holds its pods to what is restricted."""
    plane, name = node.plane, f"models-{next(NUMBERS)}"
    plane.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": RESTRICTED}})
    plane.wait(f"/api/v1/namespaces/{name}/serviceaccounts/default", bool)
    return Namespace(plane, name)
