"""The formats of a report, one module each; to add one, write a module and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gates.documents.decision import Decision
from gates.report import Facts, annotation, html, junit, markdown, sarif, svg
from gates.report.terminal import verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a decision is rendered. ``file``: its name in ``.gates/``; None where it is printed."""

    render: Callable[[Decision, Facts], str]
    file: str | None = None


FORMATS: Final[Mapping[str, Format]] = {
    "markdown": Format(render=markdown.render, file="report.md"),
    "html": Format(render=html.render, file="report.html"),
    "svg": Format(render=svg.render, file="report.svg"),
    "terminal": Format(render=verdicts.render),
    "junit": Format(render=junit.render, file="junit.xml"),
    "sarif": Format(render=sarif.render, file="gates.sarif"),
    "annotations": Format(render=annotation.render),
}
