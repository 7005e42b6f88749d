"""A cluster for tests: an API server that kubectl talks to, whose pods are processes on this machine.

It knows what a server knows that a list of answers would not: names that are taken, labels, owners, pods that wait for
their secret, logs from a time on. ``faults`` are tried on each request before it is answered.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from gates.launch.filled import SAID
from gates.launch.job_kinds import KINDS

NAMESPACE = "models"
SERVED = {
    ("v1", "pods"): "Pod",
    ("v1", "events"): "Event",
    ("v1", "secrets"): "Secret",
    ("v1", "namespaces"): "Namespace",
}
SERVED |= {(kind.api, kind.plural): kind.kind for kind in KINDS}
LONGEST = 60  # seconds that anything here is waited for


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Fault:
    """What goes wrong with requests whose ``METHOD /path?query`` fits, so many times: an answer, or none at all."""

    fits: str
    code: int = 500
    times: int = 10**6
    reason: str = ""
    hang: threading.Event | None = None

    def answer(self, handler: Handler) -> bool:
        if self.times <= 0 or not re.search(self.fits, f"{handler.command} {handler.path}"):
            return False
        self.times -= 1
        if self.hang:
            self.hang.wait(LONGEST)
            handler.close_connection = True
        else:
            handler.status(self.code, self.reason or "Fault", "as the test wants it")
        return True


@dataclass
class Pods:
    """What the pods of this cluster meet. ``evicted``: how many are taken away before one stays. ``waiting``: the
    reason for which none starts. ``queued``: nothing is scheduled, and why. ``vanishing``: its pod is gone when it has
    ended. ``cut``: how many lines of a log come before its stream is cut."""

    evicted: int = 0
    waiting: str = ""
    queued: str = ""
    vanishing: bool = False
    cut: int = 0


@dataclass
class Process:
    """A pod's process, and the lines that it has printed, each with its time."""

    running: subprocess.Popen[bytes]
    lines: list[tuple[str, bytes]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        """End it with all that it has started, as the end of a container does.

        One that has ended is left alone: its number may be somebody else's by now.
        """
        if self.running.poll() is not None:
            return
        for pid in [self.running.pid, *_started_by(self.running.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _started_by(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [*children, *(other for child in children for other in _started_by(child))]
    return []


class Cluster:
    """The server, its objects by (api version, plural, name), and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pods, self.faults, self.asked = folder, Pods(), list[Fault](), list[str]()
        self.objects: dict[tuple[str, str, str], dict] = {}
        self.objects["v1", "namespaces", NAMESPACE] = {"metadata": {"name": NAMESPACE, "uid": "1"}}
        self.processes: dict[str, Process] = {}
        self.changed = threading.Condition(threading.RLock())
        self.threads: list[threading.Thread] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cluster": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{self._server.server_port}"
        self.config = folder / "kubeconfig"
        names = {"cluster": "stub", "user": "somebody", "namespace": NAMESPACE}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "stub"}
        config["clusters"] = [{"name": "stub", "cluster": {"server": address}}]
        config["users"] = [{"name": "somebody", "user": {}}]
        config["contexts"] = [{"name": "stub", "context": names}]
        self.config.write_text(yaml.safe_dump(config))

    def close(self) -> None:
        for process in list(self.processes.values()):
            process.kill()
        for fault in self.faults:
            if fault.hang:
                fault.hang.set()
        with self.changed:
            self.objects.clear()
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        for thread in self.threads:
            thread.join(LONGEST)

    # -- for tests --

    def of(self, plural: str) -> list[dict]:
        with self.changed:
            return [thing for (_, kind, _), thing in self.objects.items() if kind == plural]

    def wait(self, test: Callable[[], object]) -> None:
        """Wait until something is so; a test that waits for what never comes ends."""
        with self.changed:
            assert self.changed.wait_for(test, LONGEST), "it never came"

    def delete(self, plural: str, name: str) -> None:
        """Delete an object with all that it owns."""
        with self.changed:
            key = next((key for key in self.objects if key[1:] == (plural, name)), None)
            if key is None:
                return
            gone = self.objects.pop(key)
            if name in self.processes:
                self.processes[name].kill()
            for (_, kind, other), thing in list(self.objects.items()):
                owners = thing["metadata"].get("ownerReferences") or ()
                if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                    self.delete(kind, other)
            self.changed.notify_all()

    # -- what a controller and a kubelet do --

    def create(self, api: str, plural: str, thing: dict) -> dict:
        metadata = thing["metadata"]
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "resourceVersion": "1"}
        metadata["namespace"] = NAMESPACE
        thing |= {"apiVersion": api, "kind": SERVED[api, plural]}
        if plural == "secrets":
            thing["data"] = thing.pop("stringData", None) or {}
        with self.changed:
            self.objects[api, plural, metadata["name"]] = thing
            self.changed.notify_all()
        if plural == "jobs":
            thread = threading.Thread(target=self._control, args=(thing,), daemon=True)
            self.threads.append(thread)
            thread.start()
        return thing

    def _control(self, job: dict) -> None:
        """Make pods of a job until one has ended by itself."""
        for number in range(100):
            pod = self._pod(job, number)
            if not self._fits(job):
                return
            self._run(job, pod, evict=number < self.pods.evicted)
            if not self._fits(job):
                return
            if not self._evicted(pod):
                break
        self._finish(job, pod)

    def _fits(self, job: dict) -> bool:
        return self.objects.get(("batch/v1", "jobs", job["metadata"]["name"])) is job

    @staticmethod
    def _evicted(pod: dict) -> bool:
        return any(held["type"] == "DisruptionTarget" for held in pod["status"]["conditions"])

    def _pod(self, job: dict, number: int) -> dict:
        name, template = f"{job['metadata']['name']}-{number}", job["spec"]["template"]
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
        }
        metadata = {"name": name, "labels": dict(template.get("metadata", {}).get("labels") or {})}
        metadata["ownerReferences"] = [owner]
        status = {"phase": "Pending", "conditions": [], "containerStatuses": []}
        return self.create("v1", "pods", {"metadata": metadata, "spec": template["spec"], "status": status})

    def _told(self, pod: dict, **status: object) -> None:
        with self.changed:
            pod["status"] |= status
            self.changed.notify_all()

    def _run(self, job: dict, pod: dict, *, evict: bool) -> None:
        """Run the first container of a pod to its end."""
        container, name = pod["spec"]["containers"][0], pod["metadata"]["name"]
        if self.pods.queued:
            held = {"type": "PodScheduled", "status": "False", "message": self.pods.queued}
            self._told(pod, conditions=[held])
            self.wait(lambda: not self.pods.queued or not self._fits(job))
        if self.pods.waiting:
            waits = {"waiting": {"reason": self.pods.waiting, "message": "as the test wants it"}}
            self._told(pod, containerStatuses=[{"image": container["image"], "state": waits}])
            self.wait(lambda: not self.pods.waiting or not self._fits(job))
        environment = self._environment(job, container)
        if not self._fits(job):
            return
        said = Path(container.get("terminationMessagePath") or self.folder / f"{name}.said")
        environment = {
            key: text.replace(SAID, str(said)) for key, text in environment.items()
        }  # which is mounted there
        said.unlink(missing_ok=True)
        folder = self.folder / name
        folder.mkdir()
        process = Process(
            subprocess.Popen(
                container["command"],
                env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
        self.processes[name] = process
        began = now()
        status = {
            "image": container["image"],
            "imageID": container["image"],
            "state": {"running": {"startedAt": began}},
        }
        self._told(pod, phase="Running", containerStatuses=[status])
        if evict:
            process.kill()
            self._told(pod, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "Preempted"}])
        for line in process.running.stdout:
            with self.changed:
                process.lines.append((datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"), line))
                self.changed.notify_all()
        code = process.running.wait()
        process.running.stdout.close()
        with self.changed:
            process.ended.set()
            self.changed.notify_all()
        shutil.rmtree(folder, ignore_errors=True)
        ended = {"startedAt": began, "finishedAt": now(), "exitCode": code if code >= 0 else 128 - code}
        ended["reason"] = "Completed" if code == 0 else "Error"
        if said.exists():
            ended["message"] = said.read_text()
        self._told(
            pod, phase="Failed" if code else "Succeeded", containerStatuses=[status | {"state": {"terminated": ended}}]
        )

    def _environment(self, job: dict, container: dict) -> dict[str, str]:
        """Return a container's environment, as soon as its secrets are there."""
        environment = {}
        for item in container.get("env", ()):
            if "value" in item:
                environment[item["name"]] = item["value"]
                continue
            wanted = item["valueFrom"]["secretKeyRef"]
            key = ("v1", "secrets", wanted["name"])
            self.wait(lambda key=key: key in self.objects or not self._fits(job))
            if not self._fits(job):
                return {}
            environment[item["name"]] = self.objects[key]["data"][wanted["key"]]
        return environment

    def _finish(self, job: dict, pod: dict) -> None:
        well = pod["status"]["phase"] == "Succeeded"
        condition = {"type": "Complete" if well else "Failed", "status": "True"}
        if not well:
            condition |= {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
        if self.pods.vanishing:
            self.delete("pods", pod["metadata"]["name"])
        with self.changed:
            job["status"] = {"conditions": [condition]}
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    """What the server answers."""

    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, value: dict, code: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def status(self, code: int, reason: str, message: str) -> None:
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        self.answer(told | {"reason": reason, "message": message}, code)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _met(self) -> bool:
        with self.cluster.changed:
            self.cluster.asked.append(f"{self.command} {self.path}")
            self.cluster.changed.notify_all()
        return any(fault.answer(self) for fault in self.cluster.faults)

    def _body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _place(self) -> tuple[str, str, str, str] | None:
        """Return version, plural, name and what is below it."""
        steps = urlsplit(self.path).path.strip("/").split("/")
        api, rest = ("v1", steps[2:]) if steps[0] == "api" else ("/".join(steps[1:3]), steps[3:])
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        padded = [*rest, "", "", ""]
        return (api, padded[0], padded[1], padded[2]) if (api, padded[0]) in SERVED else None

    def do_GET(self) -> None:
        if self._met():
            return
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if (told := _discovery(path)) is not None:
            self.answer(told)
        elif (place := self._place()) is None:
            self.status(404, "NotFound", "the server could not find the requested resource")
        elif place[3] == "log":
            self._log(place[2], query)
        elif place[2]:
            self._one(place)
        else:
            self._list(place, query.get("labelSelector", [""])[0])

    def _one(self, place: tuple[str, str, str, str]) -> None:
        with self.cluster.changed:
            thing = self.cluster.objects.get(place[:3])
            if thing is not None:
                self.answer(thing)
                return
        self.status(404, "NotFound", f'{place[1]} "{place[2]}" not found')

    def _list(self, place: tuple[str, str, str, str], selector: str) -> None:
        api, plural = place[:2]
        with self.cluster.changed:
            items = [
                thing
                for (version, kind, _), thing in self.cluster.objects.items()
                if (version, kind) == (api, plural) and _selected(thing, selector)
            ]
            self.answer({"kind": f"{SERVED[api, plural]}List", "apiVersion": api, "metadata": {}, "items": items})

    def do_POST(self) -> None:
        body = self._body()
        if self._met():
            return
        place = self._place()
        name = body["metadata"]["name"]
        with self.cluster.changed:
            if place is None:
                self.status(404, "NotFound", "the server could not find the requested resource")
            elif (*place[:2], name) in self.cluster.objects:
                self.status(409, "AlreadyExists", f'{place[1]} "{name}" already exists')
            else:
                self.answer(self.cluster.create(place[0], place[1], body), 201)

    def do_DELETE(self) -> None:
        self._body()
        if self._met():
            return
        place = self._place()
        self.cluster.delete(place[1], place[2])
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _log(self, name: str, query: dict[str, list[str]]) -> None:
        process, cut = self.cluster.processes.get(name), self.cluster.pods.cut
        with self.cluster.changed:
            if process is None or ("v1", "pods", name) not in self.cluster.objects:
                self.status(404, "NotFound", f'pods "{name}" not found')
                return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent, since = 0, query.get("sinceTime", [""])[0]
        follow = "follow" in query
        for when, line in self._lines(process, follow):
            if when[:19] < since[:19]:
                continue
            self.wfile.write(f"{when} ".encode() + line if "timestamps" in query else line)
            self.wfile.flush()
            sent += 1
            if follow and cut and sent >= cut:
                return

    def _lines(self, process: Process, follow: bool):
        place = 0
        while True:
            with self.cluster.changed:
                if follow:
                    self.cluster.changed.wait_for(
                        lambda place=place: place < len(process.lines) or process.ended.is_set(), LONGEST
                    )
                fresh = process.lines[place:]
                last = process.ended.is_set() or not follow
            yield from fresh
            place += len(fresh)
            if last and place == len(process.lines):
                return


def _selected(thing: dict, selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        name, unequal, value = re.fullmatch(r"([^=!]+)(!?)=+(.*)", term).groups()
        if (labels.get(name) == value) == bool(unequal):
            return False
    return True


def _discovery(path: str) -> dict | None:
    """Return what the server says of itself, by which kubectl knows the kinds."""
    groups = sorted({api for api, _ in SERVED if "/" in api})
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        told = []
        for api in groups:
            version = {"groupVersion": api, "version": api.split("/")[1]}
            told.append({"name": api.split("/")[0], "versions": [version], "preferredVersion": version})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": told}
    if path == "/openapi/v3":
        places = [f"apis/{api}" if "/" in api else f"api/{api}" for api, _ in SERVED]
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}
    if path.startswith("/openapi/v3/"):
        return _openapi(path.removeprefix("/openapi/v3/"))
    api = path.removeprefix("/apis/") if path.startswith("/apis/") else path.removeprefix("/api/")
    kinds = [(plural, kind) for (version, plural), kind in SERVED.items() if version == api]
    if not kinds:
        return None
    verbs = ["create", "delete", "get", "list"]
    resources = [
        {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs} for plural, kind in kinds
    ]
    return {"kind": "APIResourceList", "groupVersion": api, "resources": resources}


def _openapi(place: str) -> dict:
    """Return as much of a description as says that the server itself finds unknown fields."""
    api, paths = place.partition("/")[2], {}
    for (version, plural), kind in SERVED.items():
        if version == api:
            group, _, short = api.rpartition("/")
            operation = {"parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]}
            operation["x-kubernetes-group-version-kind"] = {"group": group, "version": short, "kind": kind}
            operation["responses"] = {"200": {"description": "OK"}}
            paths[f"/{place}/{plural}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "stub", "version": "1"}, "paths": paths}
