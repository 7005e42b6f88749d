"""Render one static site about the models of several repositories: no server, no network, no other files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from gates.documents.live.experiment_history import ExperimentHistory
from gates.documents.live.watch_history import WatchHistory
from gates.documents.overview import AliasHistory, ModelOverview, RepositoryOverview
from gates.documents.record import Record, Waiver
from gates.judge.waivers import label_of
from gates.report.headline import SIGNS
from gates.report.html import compared_arms, past, pictures, watched_windows
from gates.wording import counted, plural

if TYPE_CHECKING:
    import jinja2


def pages(repositories: Sequence[RepositoryOverview], today: str, soon: str, version: str) -> Iterator[tuple[str, str]]:
    """Yield each page's file name and HTML. ``today``: the day by which waivers have ended, YYYY-MM-DD; ``soon``: up to
    which they end soon."""
    every = [(repository, model) for repository in repositories for model in repository.models]
    files = {
        id(model): f"{_slug(repository.name)}-{_slug(model.name)}-{place}.html"
        for place, (repository, model) in enumerate(every)
    }
    rows = [_row(repository, model, files[id(model)], today) for repository, model in every]
    common = {"today": today, "version": version, **_styles()}
    empty = [repository for repository in repositories if repository.unread is None and not repository.models]
    yield (
        "index.html",
        _page("index.html.j2").render(
            rows=sorted(rows, key=lambda row: (-row["badness"], row["model"], row["repository"])),
            unread=[repository for repository in repositories if repository.unread is not None],
            broken=[repository for repository in repositories if repository.flaws],
            empty=empty,
            summary=_summary(repositories, rows),
            **common,
        ),
    )
    for repository, model in every:
        yield files[id(model)], _page("model.html.j2").render(_about(repository, model, today, soon) | common)


def _summary(repositories: Sequence[RepositoryOverview], rows: Sequence[dict[str, Any]]) -> str:
    serving = sum(bool(row["aliases"]) for row in rows)
    where = plural(len(repositories), "repository", "repositories")
    return f"{counted(len(rows), 'model')} of {where}; {serving:,} of them serve"


def _row(repository: RepositoryOverview, model: ModelOverview, file: str, today: str) -> dict[str, Any]:
    accepted = model.holding(today)
    newest = model.records[0]
    return {
        "model": model.name,
        "repository": repository.name,
        "file": file,
        "aliases": [_named(alias) for alias in model.aliases],
        "waivers": plural(len(accepted), "accepted rule", "accepted rules") if accepted else "",
        "ends": accepted[0].until if accepted else "",
        "newest": f"{newest.kind}, {newest.at[:10]}",
        "watch": _watch(model.watch),
        "trial": _trial(model.experiments),
        "broken": bool(repository.flaws),
        "badness": 4 * bool(repository.flaws) + 2 * _alarming(model.watch) + (not model.aliases),
    }


def _watch(watch: WatchHistory | None) -> dict[str, str]:
    """Return what live rows said last: the sign, the verdict, and until when."""
    if watch is None:
        return {}
    shown = next((sign for known, sign in SIGNS.items() if str(known) == watch.verdict), SIGNS[None])
    ends = [window.end for window in watch.windows if window.part == "rows"]
    return {"sign": shown, "verdict": watch.verdict, "until": max(ends, default="")[:10]}


def _trial(experiments: Sequence[ExperimentHistory]) -> str:
    """Return how the newest experiment stands; empty where there was none."""
    return experiments[-1].brief if experiments else ""


def _alarming(watch: WatchHistory | None) -> bool:
    return watch is not None and watch.verdict in ("fail", "error")


def _named(alias: AliasHistory) -> dict[str, Any]:
    now = alias.now
    verdict = now.judged.verdict or "not judged"
    return {
        "name": alias.name,
        "version": now.version,
        "since": now.record.at[:10],
        "verdict": verdict,
        "sign": next((sign for known, sign in SIGNS.items() if str(known) == verdict), SIGNS[None]),
        "by": now.record.run.actor.login,
    }


def _about(repository: RepositoryOverview, model: ModelOverview, today: str, soon: str) -> dict[str, Any]:
    accepted = model.holding(today)
    return {
        "model": model.name,
        "repository": repository,
        "aliases": [{**_named(alias), "anchor": _slug(alias.name), **_history(alias)} for alias in model.aliases],
        "watch": watched_windows.told(model.watch) if model.watch else None,
        "trial": compared_arms.told(model.experiments[-1], model.experiments[:-1]) if model.experiments else None,
        "waivers": [_waiver(one, soon) for one in accepted],
        "ended": len(model.waivers) - len(accepted),
        "records": [_record(one) for one in model.records],
    }


def _history(alias: AliasHistory) -> dict[str, Any]:
    moves = past.told(None, alias.champions)
    return moves | {"charts": [chart | {"picture": _safe(chart["picture"])} for chart in moves["charts"]]}


def _waiver(waiver: Waiver, soon: str) -> dict[str, Any]:
    return {
        "rule": label_of(waiver),
        "verdict": waiver.verdict,
        "who": waiver.who.login,
        "until": waiver.until,
        "soon": waiver.until <= soon,
        "reason": waiver.reason,
    }


def _record(record: Record) -> dict[str, Any]:
    version = f"v{record.after.version}" if record.after else ""
    return {
        "sequence": record.sequence,
        "at": record.at.removesuffix("Z").replace("T", " "),
        "kind": str(record.kind),
        "what": " ".join(filter(None, (version, record.alias and f"@{record.alias}"))),
        "by": record.run.actor.login,
        "reason": f"{record.code}: {record.reason}" if record.code else record.reason,
    }


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def _styles() -> dict[str, Any]:
    return {
        "light": _safe(pictures.variables("light")),
        "dark": _safe(pictures.variables("dark")),
        "marks": _safe(pictures.MARKS),
    }


@cache
def _page(name: str) -> jinja2.Template:
    import jinja2

    loader = jinja2.PackageLoader("gates.report", "")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    ).get_template(f"site/{name}")


def _safe(text: str) -> Any:
    """Return text of ours that is HTML already."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704 -- pictures hold numbers and escaped names alone
