"""The documentation as a site: every page is there, no link is dead, and it is read in a real browser."""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import extent
import pytest
from pages import ROOT

PROJECT = "acme/floodgates"
HOME = "/floodgates/"
PAGES = f"https://github.com/{PROJECT}/blob/main/"
AXE = ROOT / "tests/node_modules/axe-core/axe.min.js"
FIRST = ("", "workflows/", "statistics/")
SCHEMES = ("light", "dark")


class Page(HTMLParser):
    """What a page links to, what it can be linked at, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.said = ""
        self._silent = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code", "pre")
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src", "srcset") and value:
                self.links.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code", "pre")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a server shows, with the site as a project's on GitHub Pages."""
    folder = tmp_path_factory.mktemp("site")
    built(folder / HOME.strip("/"))
    return folder


def built(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/site", folder, "--project", PROJECT, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Every page by its path."""
    files = sorted(site.rglob("*.html"))
    assert len(files) > 60
    return {f"/{file.relative_to(site).as_posix()}": Page(file.read_text()) for file in files}


def test_no_link_is_dead(site: Path, pages: dict[str, Page]) -> None:
    """Neither to a page, nor to a place on one, nor to a file, nor to one of the repository."""
    dead = []
    for path, page in pages.items():
        for link in page.links:
            to = urlsplit(urljoin(f"https://site{path}", link))
            if f"{to.scheme}://{to.netloc}{to.path}".startswith(PAGES):
                if not (ROOT / to.path.partition("/blob/main/")[2]).exists():
                    dead.append((path, link))
            elif to.netloc == "site":
                target = to.path + "index.html" if to.path.endswith("/") else to.path
                file = site / unquote(target).lstrip("/")
                there = target in pages and unquote(to.fragment) in pages[target].anchors
                if not file.is_file() or (to.fragment and not there):
                    dead.append((path, link))
    assert dead == []


def test_a_dead_link_would_be_found(site: Path) -> None:
    wrong = Page(
        '<a href="../nowhere/">x</a><a href="../workflows/#no-such-place">y</a><a href="../policy/#gates">z</a>'
    )
    with pytest.raises(AssertionError, match="nowhere"):
        test_no_link_is_dead(site, {f"{HOME}x/index.html": wrong})


def test_every_page_is_there_in_the_order_of_the_index(pages: dict[str, Page]) -> None:
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}
    assert {f"{HOME}{name}/index.html" for name in names} <= pages.keys()
    index = (ROOT / "docs/README.md").read_text()
    listed = list(dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md", index)))
    linked = [urljoin(f"{HOME}index.html", link) for link in pages[f"{HOME}index.html"].links]
    shown = [link for link in dict.fromkeys(linked) if link.strip("/").rpartition("/")[2] in listed]
    assert [link.strip("/").rpartition("/")[2] for link in shown][: len(listed)] == listed


def test_nothing_is_left_of_markdown(pages: dict[str, Page]) -> None:
    """What GitHub shows as a list, a table, a link or code is one here, too."""
    left = re.compile(r"\]\(|^ *[-*] \S|^\|.*\||\*\*\w|```|<!--", re.MULTILINE)
    found = {path: left.findall(page.said) for path, page in pages.items()}
    assert {path: told for path, told in found.items() if told} == {}


def test_the_projects_own_name_stands_everywhere(site: Path) -> None:
    assert [file for file in site.rglob("*.html") if "OWNER/gates" in file.read_text()] == []


def test_a_folder_with_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = built(tmp_path)
    assert (done.returncode, "it holds something else than a site" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# -- in a browser --


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{HOME}"
    server.shutdown()
    server.server_close()


Opened = Callable[..., Any]


@pytest.fixture
def opened(chromium: Any, address: str) -> Iterator[Opened]:
    """opened(path): the page. Afterwards: none said anything, and nothing was asked of anybody else."""
    contexts, said, asked = [], [], []

    def open_(path: str = "", *, width: int = 1280, scheme: str = "light") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(300_000)  # milliseconds: a machine may be busy
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("width", "scheme", "everywhere"),
    [
        (390, "light", True),
        pytest.param(1280, "dark", True, marks=pytest.mark.slow),
        pytest.param(390, "dark", False, marks=pytest.mark.slow),
        pytest.param(1280, "light", False, marks=pytest.mark.slow),
    ],
)
def test_pages_fit_their_width_and_stand_in_no_screen_readers_way(
    opened: Opened, pages: dict[str, Page], address: str, width: int, scheme: str, *, everywhere: bool
) -> None:
    every = [path.removeprefix(HOME).removesuffix("index.html") for path in pages if path.endswith("/index.html")]
    page = opened(width=width, scheme=scheme)
    for path in every if everywhere and extent.ALL else FIRST:
        page.goto(address + path)
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found, kept = page.evaluate("axe.run().then((found) => [found.violations, found.passes.length])")
        assert kept > 20, "its rules were applied"
        told = [
            (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert told == [], path


@pytest.mark.parametrize(("asked", "found"), [("fairness", "fairness/"), ("id-token", "credentials/")])
def test_search_finds_a_page(opened: Opened, address: str, asked: str, found: str) -> None:
    page = opened("slices/")
    page.wait_for_load_state("load")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("combobox", name="Search").fill(asked)
    option = page.get_by_role("option").first
    option.wait_for()
    assert option.get_attribute("href").startswith(address + found)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(address + found)))


@pytest.mark.slow
def test_pictures_follow_light_and_dark(opened: Opened) -> None:
    """Those of the pages and the comment on the first one."""
    for path, which in (("statistics/", "article img[src$='.svg']"), ("", "article picture img")):
        grounds = []
        for scheme in SCHEMES:
            page = opened(path, scheme=scheme)
            picture = page.locator(which).first
            picture.scroll_into_view_if_needed()
            assert picture.evaluate("(one) => one.complete && one.naturalWidth > 0 && one.alt.length > 10")
            grounds.append(picture.screenshot())
        assert grounds[0] != grounds[1]


def test_the_workflow_publishes_what_this_script_builds() -> None:
    text = (ROOT / ".github/workflows/pages.yml").read_text()
    assert "scripts/install .venv locks/site.txt" in text
    assert re.search(r"python scripts/site (\w+) .*\n.*--directory \1 \.", text)
