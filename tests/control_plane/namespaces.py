"""A namespace of a test's own, and jobs as they are launched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from control_plane import ADMIN, ControlPlane
from helm_client import Helm


@dataclass(frozen=True)
class Namespace:
    """A namespace of a test's own."""

    plane: ControlPlane
    name: str

    def path(self, group: str, plural: str, name: str = "") -> str:
        base = "/api/v1" if group == "v1" else f"/apis/{group}"
        return f"{base}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def create(self, group: str, plural: str, thing: dict[str, Any], token: str = ADMIN) -> Any:
        return self.plane.ask("POST", self.path(group, plural), thing, token=token)

    def names(self, group: str, plural: str) -> list[str]:
        return sorted(thing["metadata"]["name"] for thing in self.plane.ask("GET", self.path(group, plural))["items"])

    def wait(self, group: str, plural: str, name: str, test: Any, why: str = "it never came") -> Any:
        return self.plane.wait(self.path(group, plural, name), test, why)

    def helm(self) -> Helm:
        return Helm(self.plane.kubeconfig("helm", namespace=self.name), self.name)


def job(command: list[str], **spec: Any) -> dict[str, Any]:
    """A job as a launcher fills one in."""
    container = {
        "name": "it",
        "image": f"registry.example/it@sha256:{'0' * 64}",
        "command": command,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    filled = {"backoffLimit": 0, "podReplacementPolicy": "Failed", "template": {"spec": pod}} | spec
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "it"}, "spec": filled}


def ended(thing: Any) -> bool:
    """Whether a job has ended, in whatever way."""
    conditions = (thing or {}).get("status", {}).get("conditions", ())
    return any(held["status"] == "True" and held["type"] in ("Complete", "Failed") for held in conditions)


def condition(thing: Any) -> tuple[str, str]:
    """How a job ended, and why."""
    (held,) = [held for held in thing["status"]["conditions"] if held["type"] in ("Complete", "Failed")]
    return held["type"], held["reason"]
