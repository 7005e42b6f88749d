"""The formats of a report, one module each. To add one, write a module and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gates.documents.decision import Decision
from gates.report import html, markdown, svg
from gates.report.ci import annotation, junit, sarif
from gates.report.run_facts import Facts
from gates.report.terminal import verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """How a decision is rendered. ``file``: its name in ``.gates/``; None where it is printed."""

    render: Callable[[Decision, Facts], str]
    file: str | None = None


FORMATS: Final[Mapping[str, ReportFormat]] = {
    "markdown": ReportFormat(render=markdown.render, file="report.md"),
    "html": ReportFormat(render=html.render, file="report.html"),
    "svg": ReportFormat(render=svg.render, file="report.svg"),
    "terminal": ReportFormat(render=verdicts.render),
    "junit": ReportFormat(render=junit.render, file="junit.xml"),
    "sarif": ReportFormat(render=sarif.render, file="gates.sarif"),
    "annotations": ReportFormat(render=annotation.render),
}
