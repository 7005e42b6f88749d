"""Measure a holdout in parts, each on its own machine, and merge them."""

from __future__ import annotations

import shutil
from pathlib import Path

from gates.checkout.workspace import PART
from gates.documents.evidence import Evidence
from gates.measure.holdout.models import ModelOutput
from gates.measure.measurement import Measurement
from gates.measure.shards import AGAIN, Measured, Shard
from gates.measure.shards import merge as put_together
from gates.measure.statistics.function_calls import GuestMetric
from gates.pipeline import baselines
from gates.pipeline.base_verdict import asked, charged
from gates.pipeline.session import Session
from gates.schema.canonical import canonical
from gates.schema.validation import read_json
from gates.system import files
from gates.wording import counted


def measure(session: Session, text: str) -> Path:
    """Measure one part of the holdout, ``I/N``, and keep what ``merge`` puts together: the folder that holds it."""
    work, shard = session.workspace, Shard.read(text)
    work.prepare()
    folders = work.trained(session.resolved.policy.train.seeds)
    target = work.shard(shard.index, shard.of)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    rivals = baselines.rivals(session)
    with session.steps.step("measure", f"part {text} of the holdout"):
        measurement = Measurement(session.resolved, work.root, work.work, environ=session.environ, shard=shard)
        part = measurement.part([ModelOutput.of(folder) for folder in folders], rivals, target)
    files.write(target / PART, canonical(part) + b"\n")
    return target


def merge(session: Session) -> Evidence:
    """Put the parts of the holdout together to the evidence of the whole."""
    work = session.workspace
    work.forget("measure")
    paths = work.shards()
    guest = GuestMetric(folder=work.work / "metrics", root=work.root, environ=session.environ)
    with session.steps.step("merge", f"{counted(len(paths), 'part')} of the holdout"):
        parts = {path.parent: read_json(Measured, files.read(path, AGAIN), str(path)) for path in paths}
        evidence = charged(session, put_together(session.resolved, parts, guest), session.resolved)
    evidence = asked(session, evidence, session.resolved)
    work.save(work.evidence, evidence)
    return evidence
