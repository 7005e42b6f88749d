"""A real Alertmanager, and the relay that our page shows, before a GitHub that answers as its description says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_server import PATIENCE, free_port, ready

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))

from fake_github import FakeGitHub

SHOWN = Path(__file__).parents[2] / "docs/alertmanager"
NEEDED = ("prometheus-alertmanager", "webhook", "jq", "curl")
TEMPLATES = "/usr/share/prometheus/alertmanager"  # without which Debian's does not start; a webhook uses none of them
BESIDE = f"mount -t tmpfs none /usr/share && mkdir -p {TEMPLATES} && cd {TEMPLATES} && touch default.tmpl email.tmpl"
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"not all of {', '.join(NEEDED)} found: scripts/prometheus .prometheus"
)


@contextmanager
def program(command: list[str], folder: Path, url: str, **env: str) -> Iterator[None]:
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            ready(url, process)
            yield
        finally:
            process.terminate()


def unpacked() -> list[str]:
    """What stands before the program where its package was unpacked and not installed: a mount of its own, with the
    templates. Skips the test where nobody may mount."""
    if Path(TEMPLATES, "default.tmpl").exists():
        return []
    apart = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'({BESIDE}) && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("Debian's Alertmanager needs its templates: install the package, or allow user namespaces")
    return apart


@contextmanager
def alertmanager(folder: Path, target: str) -> Iterator[str]:
    """The address of an Alertmanager with the configuration of the page, which waits for nothing."""
    text = (SHOWN / "alertmanager.yml").read_text()
    for shown, here in (
        ("http://127.0.0.1:9000/hooks/github", target),
        ("group_wait: 30s", "group_wait: 0s"),
        ("group_interval: 5m", "group_interval: 1s"),
    ):
        assert shown in text
        text = text.replace(shown, here)
    (folder / "alertmanager.yml").write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        *unpacked(), "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
        f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=",
    ]  # fmt: skip
    with program(command, folder, f"{url}/-/ready"):
        yield url


@contextmanager
def relay(folder: Path, github: FakeGitHub) -> Iterator[str]:
    """The address of the hook of the page."""
    text = (SHOWN / "hooks.json").read_text()
    assert "/etc/gates-alerts/dispatch.sh" in text
    (folder / "hooks.json").write_text(text.replace("/etc/gates-alerts", str(SHOWN)))
    (folder / "header").write_text("Authorization: Bearer ghs_bot\n")
    port = free_port()
    command = ["webhook", "-ip", "127.0.0.1", "-port", str(port), "-hooks", "hooks.json"]
    env = {"REPOSITORY": "acme/churn", "HEADER_FILE": str(folder / "header"), "GITHUB_API_URL": github.url}
    with program(command, folder, f"http://127.0.0.1:{port}/", **env):
        yield f"http://127.0.0.1:{port}/hooks/github"


def alert(url: str, *, resolved: bool = False, name: str = "ModelBarFailing") -> None:
    now = datetime.now(UTC)
    ends = now - timedelta(seconds=1) if resolved else now + timedelta(hours=1)
    labels = {"alertname": name, "model": "churn", "instance": "hidden-7"}
    text = {"summary": "$(touch stolen) `id` '\"; it is down"}
    told = [{"labels": labels, "annotations": text, "startsAt": (now - timedelta(minutes=5)).isoformat(),
             "endsAt": ends.isoformat()}]  # fmt: skip
    request = urllib.request.Request(  # noqa: S310 -- of this machine
        f"{url}/api/v2/alerts", json.dumps(told).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def until(is_so: Callable[[], object]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def sent(url: str, which: str = "notifications_total") -> float:
    """How many webhooks Alertmanager has sent, or failed to."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as got:  # noqa: S310
        lines = got.read().decode().splitlines()
    start = f'alertmanager_{which}{{integration="webhook"}} '
    return next((float(line.removeprefix(start)) for line in lines if line.startswith(start)), 0.0)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub("acme/churn")
    yield fake
    fake.stop()


def test_what_fires_starts_a_run_and_what_is_resolved_does_nothing(github: FakeGitHub, tmp_path: Path) -> None:
    with ExitStack() as stack:
        hook = stack.enter_context(relay(tmp_path, github))
        url = stack.enter_context(alertmanager(tmp_path, hook))
        alert(url)
        assert until(lambda: github.dispatches)
        (first,) = github.dispatches
        assert first["event_type"] == "model-alert"
        assert list(first["client_payload"]) == ["groupKey"]
        assert 'alertname="ModelBarFailing"' in first["client_payload"]["groupKey"]
        assert "hidden-7" not in json.dumps(first), "a label of the alert that does not group it stays there"
        assert "down" not in json.dumps(first)
        alert(url, resolved=True)
        alert(url, name="AnotherBarFailing")  # which comes after it, so that there is something to wait for
        assert until(lambda: len(github.dispatches) > 1)
        assert [one["client_payload"]["groupKey"].count("AnotherBarFailing") for one in github.dispatches] == [0, 1]
    assert {asked.operation for asked in github.asked} == {"repos/create-dispatch-event"}, "no issue was touched"
    assert not (tmp_path / "stolen").exists()


def test_a_relay_ignores_what_is_resolved_even_if_it_is_sent(github: FakeGitHub, tmp_path: Path) -> None:
    with relay(tmp_path, github) as hook:
        for status in ("resolved", "firing"):
            body = json.dumps({"status": status, "groupKey": f'{{}}:{{status="{status}"}}'}).encode()
            request = urllib.request.Request(hook, body, {"Content-Type": "application/json"})  # noqa: S310
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310
                pass
    assert [one["client_payload"] for one in github.dispatches] == [{"groupKey": '{}:{status="firing"}'}]


def test_without_a_relay_github_refuses_and_alertmanager_gives_up(tmp_path: Path) -> None:
    """Why there has to be one: what Alertmanager sends is no event of GitHub's."""
    github = FakeGitHub("acme/churn")
    with alertmanager(tmp_path, f"{github.url}/repos/acme/churn/dispatches") as url:
        alert(url)
        assert until(lambda: sent(url, "notifications_failed_total") >= 1)
    assert github.dispatches == []
    assert any("event_type" in complaint for complaint in github.complaints)
    github.complaints.clear()  # what this is about
    github.stop()
