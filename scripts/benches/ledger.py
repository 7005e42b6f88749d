"""How long a ledger's readers take: scripts/bench ledger [RECORDS]. Every pair of records has evidence of its own.

The policy has four limits without a bootstrap; each decision is derived again by `gates verify --all`.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gates.documents.evidence import Evidence
from gates.judge.judge import judge
from gates.ledger.audit_documents import resolved_of
from gates.ledger.ledger import HERE, Ledger
from gates.policy import ResolvedPolicy
from gates.schema.canonical import canonical, digest_bytes
from gates.schema.validation import read_json
from gates.system.git import Git

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDS = 10_000
GATES = Path(sys.executable).parent / "gates"
Files = dict[str, bytes]


def prepare(folder: Path) -> dict[str, str]:
    """The telco churn example in a repository of its own, with one promotion; gives the environment."""
    shutil.copytree(ROOT / "configs/telco-churn", folder, dirs_exist_ok=True)
    environment = {**os.environ, "PATH": f"{GATES.parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    who = "git -c user.name=x -c user.email=x@example.invalid -c commit.gpgsign=false"
    steps = (
        f"git init -q -b main && python prepare.py && git add -A && {who} commit -qm x && gates run && gates promote"
    )
    subprocess.run(["/bin/sh", "-ec", steps], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603
    return environment


def grown(first: list[Files], records: int) -> Iterator[Files]:
    """The first two records, and as many after them as are asked for: intents and promotions, each pair of its own."""
    previous, last = None, None
    stood = json.loads(first[1]["record.json"])["after"]  # each promotion takes the place of the one before
    resolved = resolved_of(first[0]["policy.json"])
    for place in range(1, records + 1):
        files = dict(first[(place - 1) % 2])
        record = json.loads(files["record.json"])
        if place % 2:
            files |= _judged(resolved, json.loads(files["evidence.json"]), place, stood if place > 2 else None)
        else:
            files |= {name: last["files"][name] for name in ("evidence.json", "decision.json")} if last else {}
        record |= {"sequence": place, "previous": previous, "before": stood if place > 2 else None}
        record["data"][0]["digest"] = json.loads(files["evidence.json"])["tables"][0]["digest"]
        record |= {"evidence": digest_bytes(files["evidence.json"]), "decision": digest_bytes(files["decision.json"])}
        if place % 2 == 0 and last:
            record["intent"] = last["digest"]
        files["record.json"] = canonical(record)
        previous = digest_bytes(files["record.json"])
        last = {"digest": previous, "files": files}
        yield files


def _judged(resolved: ResolvedPolicy, evidence: dict[str, Any], place: int, stood: dict[str, str] | None) -> Files:
    """Evidence that differs from any other, and its decision, beside a champion that is not compared with."""
    if stood:
        evidence["champion"] = {
            "version": stood["version"],
            "digest": stood["digest"],
            "unscored": "it was judged on other rows",
            "facts": None,
        }
        evidence["uncompared"] = "this measures the ledger alone"
    evidence["tables"][0]["digest"] = f"sha256:{place:064x}"
    made = canonical(evidence)
    return {"evidence.json": made, "decision.json": canonical(judge(resolved, read_json(Evidence, made, "evidence")))}


def imported(history: Iterator[Files]) -> Iterator[bytes]:
    """The stream of ``git fast-import``."""
    for place, files in enumerate(history, 1):
        yield f"commit {HERE}\nmark :{place}\ncommitter x <x@x> {1700000000 + place} +0000\ndata 0\n".encode()
        yield f"from :{place - 1}\n".encode() if place > 1 else b""
        yield b"deleteall\n"
        for name, data in files.items():
            yield f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"


def first_two(ledger: Ledger) -> list[Files]:
    """The two records of the promotion."""
    with ledger.git.objects() as objects:
        return [
            {"record.json": data or b""} | {name: objects.get(blob) or b"" for name, blob in files.items()}
            for _, files, data in ledger.files(ledger.head())
        ][::-1]


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float, str]:
    """Wall and processor time of a whole process, each the best of three, and what it said last."""
    wall, cpu, told = float("inf"), float("inf"), ""
    for _ in range(3):
        start, used = time.perf_counter(), processor()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        wall, cpu = min(wall, time.perf_counter() - start), min(cpu, processor() - used)
        told = ((done.stdout or done.stderr).strip().splitlines() or [""])[-1]
    return wall, cpu, told


def processor() -> float:
    """Seconds of processor time that children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a Markdown table."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        environment = prepare(folder)
        ledger = Ledger(git=Git(folder=folder / ".git", environ=environment), remote=None)
        first = first_two(ledger)
        anew = ["git", "update-ref", "-d", HERE]
        subprocess.run(anew, cwd=folder, check=True)  # noqa: S603
        stream = b"".join(imported(grown(first, records)))
        subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream, check=True)  # noqa: S607
        print(f"{records:,} records, Python {platform.python_version()}, {os.cpu_count()} cores, best of 3\n")
        print("| command | seconds | of a processor | it says |\n|:--|--:|--:|:--|")
        commands = (["history", "--last", "20"], ["status"], ["observe"], ["verify", str(records)], ["verify", "--all"])
        for command in commands:
            wall, cpu, told = seconds([str(GATES), *command], folder, environment)
            print(f"| `gates {' '.join(command)}` | {wall:.2f} | {cpu:.2f} | {told[:80]} |", flush=True)
        bare = [sys.executable, "-c", "import mlflow; mlflow.MlflowClient()"]
        wall, cpu, _ = seconds(bare, folder, environment)
        print(f"| a bare `import mlflow` with its client | {wall:.2f} | {cpu:.2f} | part of gates status |")


if __name__ == "__main__":
    main()
