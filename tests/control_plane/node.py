"""A node of the control plane: it takes every pod, runs the command of its first container as a process of this
machine, and answers for its log as a kubelet does."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from control_plane import PATIENCE, ControlPlane

NAME = "this-machine"
Pod = dict[str, Any]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Running:
    """A pod's process, and the lines that it has printed."""

    process: subprocess.Popen[bytes]
    lines: list[tuple[str, bytes]] = field(default_factory=list)
    ended: bool = False


@dataclass
class Node:
    """Runs pods until it is closed. ``paused``: pods stay where they are, as where no node has room."""

    plane: ControlPlane
    folder: Path
    paused: bool = False
    pods: dict[str, Running] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificates = self.plane.folder / "certs"
        context.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Logs,), {"node": self}))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.plane.ask("POST", "/api/v1/nodes", {"metadata": {"name": NAME, "labels": {"kubernetes.io/os": "linux"}}})
        status = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.server.server_port}},
        }
        self.plane.ask("PATCH", f"/api/v1/nodes/{NAME}/status", {"status": status})
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.over.set()
        self.thread.join(PATIENCE)
        for running in self.pods.values():
            kill(running)
        self.server.shutdown()
        self.server.server_close()

    def work(self) -> None:
        while not self.over.wait(0.1):
            with suppress(requests.ConnectionError):
                pods = {pod["metadata"]["uid"]: pod for pod in self.plane.ask("GET", "/api/v1/pods")["items"]}
                for uid in set(self.pods) - set(pods):
                    kill(self.pods[uid])
                for uid, pod in pods.items():
                    self.tend(uid, pod)

    def tend(self, uid: str, pod: Pod) -> None:
        """Bring a pod a step further."""
        if pod["metadata"].get("deletionTimestamp"):
            if uid in self.pods:
                kill(self.pods[uid])
            if uid not in self.pods or self.pods[uid].ended:  # first it says how the pod ended
                self.plane.answer("DELETE", path(pod), {"gracePeriodSeconds": 0})
        elif uid in self.pods or self.paused or pod["status"].get("phase") != "Pending":
            return
        elif not pod["spec"].get("nodeName"):
            binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": NAME}}
            self.plane.answer("POST", f"{path(pod)}/binding", binding)
        else:
            self.start(uid, pod)

    def start(self, uid: str, pod: Pod) -> None:
        container = pod["spec"]["containers"][0]
        environ = self.environment(pod, container)
        if environ is None:
            return
        folder = self.folder / uid
        folder.mkdir()
        process = subprocess.Popen(
            [*container.get("command", ()), *container.get("args", ())],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), **environ}, cwd=folder, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.pods[uid] = Running(process)
        began = now()
        self.say(pod, "Running", container, {"running": {"startedAt": began}})
        threading.Thread(target=self.follow, args=(uid, pod, container, began), daemon=True).start()

    def environment(self, pod: Pod, container: Pod) -> dict[str, str] | None:
        """A container's environment; None where a secret or a map of it is not there yet."""
        environ: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            answer = self.plane.answer("GET", path(pod, "secrets", source["secretRef"]["name"]))
            if answer.status_code == 404:
                return None
            environ |= {name: base64.b64decode(value).decode() for name, value in answer.json()["data"].items()}
        for item in container.get("env", ()):
            if "valueFrom" not in item:
                known = dict(environ)
                expanded = re.sub(r"\$\((\w+)\)", lambda m, known=known: known.get(m[1], m[0]), item.get("value", ""))
                environ[item["name"]] = expanded
                continue
            ((source, wanted),) = item["valueFrom"].items()
            if source == "fieldRef":
                environ[item["name"]] = str(field_of(pod, wanted["fieldPath"]))
                continue
            plural = {"secretKeyRef": "secrets", "configMapKeyRef": "configmaps"}[source]
            answer = self.plane.answer("GET", f"{path(pod, plural, wanted['name'])}")
            if answer.status_code == 404:
                return None
            value = answer.json()["data"][wanted["key"]]
            environ[item["name"]] = base64.b64decode(value).decode() if plural == "secrets" else value
        return environ

    def follow(self, uid: str, pod: Pod, container: Pod, began: str) -> None:
        """Keep what a process prints, and say how it ended."""
        running = self.pods[uid]
        assert running.process.stdout
        for line in running.process.stdout:
            with self.changed:
                running.lines.append((datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"), line))
                self.changed.notify_all()
        code = running.process.wait()
        ended = {"exitCode": code if code >= 0 else 128 - code, "startedAt": began, "finishedAt": now()}
        ended["reason"] = "Error" if code else "Completed"
        said = Path(container.get("terminationMessagePath", "/nowhere"))
        if said.exists():
            ended["message"] = said.read_text()[:4096]
            said.unlink()
        self.say(pod, "Failed" if code else "Succeeded", container, {"terminated": ended})
        shutil.rmtree(self.folder / uid, ignore_errors=True)
        with self.changed:
            running.ended = True
            self.changed.notify_all()

    def say(self, pod: Pod, phase: str, container: Pod, state: Pod) -> None:
        status = {
            "phase": phase,
            "hostIP": "127.0.0.1",
            "startTime": now(),
            "containerStatuses": [
                {"name": container["name"], "image": container["image"], "imageID": container["image"], "state": state,
                 "ready": phase == "Running", "restartCount": 0, "lastState": {}}
            ],
        }  # fmt: skip
        if phase in ("Failed", "Succeeded"):
            reason = "PodFailed" if phase == "Failed" else "PodCompleted"
            status["conditions"] = [{"type": "Ready", "status": "False", "reason": reason}]
        self.plane.answer("PATCH", f"{path(pod)}/status", {"status": status}, patch="strategic-merge")


def path(pod: Pod, plural: str = "pods", name: str = "") -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{name or pod['metadata']['name']}"


def field_of(pod: Pod, dotted: str) -> object:
    """What lies at a path such as `metadata.name` or `metadata.labels['app']`."""
    named = re.fullmatch(r"(.*)\['(.*)'\]", dotted)
    value: Any = pod
    for step in (named[1] if named else dotted).split("."):
        value = value[step]
    return value[named[2]] if named else value


def kill(running: Running) -> None:
    """Kill a process with all that it has started, as the end of a container does.

    One that has ended is left alone: its number may be somebody else's by now.
    """
    if running.process.poll() is not None:
        return
    for number in (*below(running.process.pid), running.process.pid):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def below(number: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    found = []
    for task in Path(f"/proc/{number}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *below(child)]
    return found


class Logs(BaseHTTPRequestHandler):
    """A kubelet's answer to `/containerLogs/NAMESPACE/POD/CONTAINER`."""

    node: Node

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        at, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        _, kind, namespace, name, *_ = at.path.split("/")
        answer = self.node.plane.answer("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        running = self.node.pods.get(answer.json().get("metadata", {}).get("uid", "")) if answer.ok else None
        if kind != "containerLogs" or running is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        place, since = 0, query.get("sinceTime", [""])[0][:19]
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                with self.node.changed:
                    if "follow" in query:
                        self.node.changed.wait_for(
                            lambda seen=place: len(running.lines) > seen or running.ended, PATIENCE
                        )
                    fresh, over = running.lines[place:], running.ended or "follow" not in query
                for when, line in fresh:
                    if when[:19] >= since:
                        self.wfile.write(f"{when} ".encode() + line if "timestamps" in query else line)
                        self.wfile.flush()
                place += len(fresh)
                if over and place == len(running.lines):
                    return


def tell(pod: Pod) -> str:
    """A pod as text, for a failing test."""
    return json.dumps(pod["status"])
