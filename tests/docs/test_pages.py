"""Pages of the documentation are done step by step, as a reader would.

A block is marked by an unseen line before it: ``file: NAME`` is written, ``add: NAME`` added to a file, ``run`` is run
(it ends with 0, or with the code that stands there), ``says`` is what the run before it printed, among other lines.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lengths import long
from pages import PAGES, blocks

RUN = [page for page in PAGES if "<!-- run" in page.read_text()]
AUTHOR = {f"GIT_{who}_{what}": "dana@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
DONE_ELSEWHERE = ("quick-start", "template")  # by the demo, and by tests/init and tests/actions
FAR = "observe until 2999-12-31"  # so that an example doesn't end


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Where the registry that the first page made is kept for the others: making one takes seconds."""
    return tmp_path_factory.mktemp("registry") / "mlflow.db"


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.name, marks=[long] if page.stem in DONE_ELSEWHERE else []) for page in RUN]
)
def test_a_page_does_what_it_says(page, tmp_path, registry):
    environment = {**os.environ, **AUTHOR, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    if registry.exists():
        shutil.copyfile(registry, tmp_path / registry.name)
    said = ""
    for action, argument, _, text in blocks(page):
        if action == "file":
            (tmp_path / argument).write_text(text)
        elif action == "add":
            with (tmp_path / argument).open("a") as file:
                file.write(re.sub(r"observe until [\d-]+", FAR, text))
        elif action == "run":
            done = subprocess.run(
                ["/bin/sh", "-ec", text], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = f"{text}\n{done.stdout}\n{done.stderr}"
            assert done.returncode == int(argument or 0), said
        elif action == "says":
            for line in text.splitlines():
                assert " ".join(line.split()) in " ".join(said.split())
    if not registry.exists() and (tmp_path / registry.name).exists():
        shutil.copyfile(tmp_path / registry.name, registry)


def test_the_pages_by_which_people_begin_are_among_them():
    begin = {"quick-start", "start-small", "template", "migrate", "write-a-policy", "llm-grades", "warehouse"}
    assert begin <= {page.stem for page in RUN}
