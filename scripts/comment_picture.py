"""The README's picture: a comment of a real run, drawn by a browser, light and dark.

    .venv-test/bin/python scripts/comment_picture.py          run the example, and draw what it says
    .venv-test/bin/python scripts/comment_picture.py --draw   draw again what the last run said

The run is that of scripts/demo with three of its rules: the worse of its candidates against its first model. What it
says is kept beside the pictures, and each picture names the digest of that and of this file, by which a test knows an
old one.
Needs a Chromium or Chrome, and looks best with the font Inter.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import yaml
from markdown import markdown
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "configs/telco-churn"
PICTURES = ROOT / "docs/pictures"
SAID = PICTURES / "comment.md"
RULES = [  # one fails, one can't be told, one passes
    {"metric": "roc_auc", "max_worsening": 0.01},
    {"metric": "recall", "min": 0.65},
    {"metric": "precision", "min": 0.45},
]
SCHEMES = ("light", "dark")
DIGEST = "Drawn from"  # the picture's own field
WIDE, COLOURS, SHARP = 830, 96, 2


def policy(text: str) -> str:
    """The example's policy with three of its rules, and without slices."""
    kept = {name: value for name, value in yaml.safe_load(text).items() if name != "slices"}
    return yaml.safe_dump(kept | {"gates": RULES}, sort_keys=False)


def file_of(scheme: str) -> Path:
    """Where a picture lies."""
    return PICTURES / f"comment-{scheme}.png"


def drawn_from() -> str:
    """The digest of all that a picture is made of."""
    return hashlib.sha256(SAID.read_bytes() + Path(__file__).read_bytes()).hexdigest()


# -- the run --


def ran() -> str:
    """What a real run says of the worse candidate."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(shutil.copytree(EXAMPLE, Path(folder) / "churn", ignore=shutil.ignore_patterns("data", ".gates")))
        (home / "gates.yaml").write_text(policy((home / "gates.yaml").read_text()))

        def run(*command: object, ends: int = 0) -> None:
            done = subprocess.run(
                [*map(str, command)], cwd=home, env=ENVIRON, capture_output=True, text=True, check=False
            )
            if done.returncode != ends:
                sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

        run("git", "init", "--quiet", "--initial-branch=main")
        run(sys.executable, "prepare.py")
        for params, ends in (("params.json", 0), ("candidates/worse.json", 1)):
            shutil.copyfile(home / params, home / "params.json") if ends else None
            run("git", "add", "--all")
            run("git", "commit", "--quiet", "--message=A model")
            run("gates", "run", ends=ends)
            run("gates", "promote") if not ends else None
        return (home / ".gates/report.md").read_text()


ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GIT_", "MLFLOW_"))} | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    **{f"GIT_{who}_{what}": f"demo{'@example.invalid' if what == 'EMAIL' else ''}"
       for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}  # fmt: skip


# -- the drawing --

SIGNS = {  # drawn, as not every machine has a font with them
    "❌": ("#cf222e", "M4 4l8 8M12 4l-8 8"),
    "❔": ("#9a6700", "M5.6 5.7a2.5 2.5 0 1 1 3.6 2.6c-.8.5-1.2 1-1.2 1.9M8 12.6v.2"),
    "✅": ("#1a7f37", "M3.5 8.5l3 3 6-6.5"),
}
STYLE = """
:root{--page:#fff;--text:#1f2328;--soft:#59636e;--line:#d1d9e0;--head:#f6f8fa;--code:#818b981f;--link:#0969da}
.dark{--page:#0d1117;--text:#f0f6fc;--soft:#9198a1;--line:#3d444d;--head:#151b23;--code:#656c7633;--link:#4493f8}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);padding:8px;
font:14px/1.5 Inter,system-ui,"Noto Sans",Helvetica,Arial,sans-serif}
.box{border:1px solid var(--line);border-radius:6px}.who{background:var(--head);border-bottom:1px solid var(--line);
padding:8px 16px;border-radius:6px 6px 0 0;color:var(--soft)}.who b{color:var(--text)}
.who i{font-style:normal;border:1px solid var(--line);border-radius:9px;padding:0 6px;font-size:12px}
.body{padding:16px}.body>*{margin:0 0 12px}.body>:last-child{margin:0}h2{font-size:19px;line-height:1.3;font-weight:600}
code{background:var(--code);border-radius:5px;padding:.15em .4em;font:85% ui-monospace,"DejaVu Sans Mono",monospace}
table{border-collapse:collapse;width:100%}th,td{border:1px solid var(--line);padding:5px 10px}th{font-weight:600}
td:first-child{white-space:nowrap}details{color:var(--text)}ol,ul{padding-left:2em}sub{font-size:12px;color:var(--soft)}
sub code{font-size:11px}
svg path{fill:none;stroke:#fff;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
svg{vertical-align:-2px}h2 svg{vertical-align:-1px}
"""


def sign(found: re.Match[str]) -> str:
    """The drawing of a sign."""
    colour, path = SIGNS[found[0]]
    drawn = f'<rect width="16" height="16" rx="4" fill="{colour}"/><path d="{path}"/>'
    return f'<svg width="15" height="15" viewBox="0 0 16 16">{drawn}</svg>'


def page(scheme: str) -> str:
    """The comment as GitHub shows it, with the rules that hold unfolded, as HTML."""
    said = SAID.read_text().replace("<details>", '<details open markdown="1">', 1)
    said = said.replace("<summary>", '<summary markdown="0">', 1)
    text = markdown(said, extensions=["tables", "md_in_html"])
    body = re.sub("|".join(SIGNS), sign, text.replace("\ufe0f", ""))
    return (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><body class="{scheme}"><div class="box">'
        f'<div class="who"><b>github-actions</b> <i>bot</i> commented</div><div class="body">{body}</div></div>'
    )


def shots() -> Iterator[tuple[str, bytes]]:
    """A picture of the page in each scheme."""
    names = (os.environ.get("GATES_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if name and (found := shutil.which(name))), None)
    if program is None:
        sys.exit("no browser found: install Chromium or Chrome, or let GATES_BROWSER name one")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for scheme in SCHEMES:
            shown = browser.new_page(viewport={"width": WIDE, "height": 100}, device_scale_factor=SHARP)
            shown.set_content(page(scheme))
            yield scheme, shown.screenshot(full_page=True)
        browser.close()


def draw() -> None:
    """Write the pictures, few colours each."""
    for scheme, png in shots():
        told = PngInfo()
        told.add_text(DIGEST, drawn_from())
        few = Image.open(BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(file_of(scheme), optimize=True, pnginfo=told)
        print(f"{file_of(scheme).relative_to(ROOT)}  {few.size}  {file_of(scheme).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if "--draw" not in sys.argv:
        SAID.write_text(ran())
    draw()
