"""Pages of the documentation are done step by step, as a reader would.

A block is marked by an unseen line before it: ``file: NAME`` is written, ``add: NAME`` added to a file, ``run`` is run
(it ends with 0, or with the code that stands there), ``says`` is what the run before it printed, among other lines.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from churn_world import MONOREPO, commands, copied, done, logged_in, newest, shell
from pages import PAGES, ROOT, blocks

RUN = [page for page in PAGES if "<!-- run" in page.read_text()]
SLOW = {  # done by the demo, by tests/init, and by tests/edge, or of a kind with another page
    *(
        "quick-start",
        "template",
        "promotion",
        "predictions",
        "scale",
        "read-a-report",
        "monorepo",
        "llm-grades",
        "migrate",
        "mlflow",
    ),
}
FAR = "observe until 2999-12-31"  # so that an example doesn't end
START = {  # pages about a project that there is, and what is done there first; others begin in an empty folder
    **dict.fromkeys(
        (
            "approvals",
            "badge",
            "doctor",
            "ledger",
            "mlflow",
            "observability",
            "predictions",
            "promotion",
            "python",
            "read-a-report",
        ),
        "true",
    ),
    **dict.fromkeys(("require", "scale", "statement", "write-a-policy"), "true"),
    "contract": f"{sys.executable} customers.py",
    "first-contract": "rm gates.yaml contract.yaml",
    "monorepo": MONOREPO,
}
CUSTOMERS = """
import pandas

number = range(1, 1001)
columns = {"id": number, "churn": ["No", "Yes"] * 500, "tenure": [n % 100 + 1 for n in number], "total_charges": 20.5}
columns |= {"email": "dana@example.invalid", "diagnosis": "a secret"}
pandas.DataFrame(columns).to_csv("customers.csv", index=False)
"""
MODEL = """
from sklearn.linear_model import LogisticRegression

model = LogisticRegression().fit([[0], [1]], [0, 1])
"""
GIVEN = {"predictions": MODEL}  # what a page's Python takes for given
# by test_scripts.py, test_policies.py, tests/init, test_help.py, tests/serving, tests/launch
ELSEWHERE = {
    "README",
    "custom-metrics",
    "template",
    "monitoring",
    "observability",
    "retraining",
    "serving",
    "experiments",
    "kubernetes",
    "helm",
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Where the registry that the first page made is kept for the others: making one takes seconds."""
    return tmp_path_factory.mktemp("registry") / "mlflow.db"


@pytest.fixture
def begun(request, page, tmp_path):
    """The folder in which a page begins."""
    if page.stem not in START:
        return tmp_path
    home = copied(request.getfixturevalue("churn"), tmp_path)
    (home / "customers.py").write_text(CUSTOMERS)
    done(home, START[page.stem])
    return home


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.stem in SLOW else []) for page in RUN]
)
def test_a_page_does_what_it_says(page, begun, tmp_path, registry, github, forked):
    path = f"{commands(forked, tmp_path)}:{Path(sys.executable).parent}:{logged_in(tmp_path)}:{os.environ['PATH']}"
    environment = {"PATH": path, "GATES_OUT": str(tmp_path)}
    if page.stem == "doctor":
        environment |= {"GITHUB_REPOSITORY": github.repository, "GITHUB_API_URL": github.url}
    if registry.exists() and page.stem not in START:
        shutil.copyfile(registry, begun / registry.name)
    said, python = "", GIVEN.get(page.stem, "")
    for action, argument, language, text in blocks(page):
        if action == "file":
            (begun / argument).write_text(text)
        elif action == "add":
            with (begun / argument).open("a") as file:
                file.write(re.sub(r"observe until [\d-]+", FAR, text))
        elif action == "run":
            if language == "python":
                python += text
                (begun / "page.py").write_text(python)
            script = f"{sys.executable} page.py" if language == "python" else concrete(text, begun)
            ended = shell(begun, script, **environment)
            said = f"{text}\n{ended.stdout}\n{ended.stderr}"
            assert ended.returncode == int(argument or 0), said
        elif action == "says":
            for line in text.splitlines():
                assert " ".join(line.split()) in " ".join(said.split())
    if not registry.exists() and (tmp_path / registry.name).exists():
        shutil.copyfile(tmp_path / registry.name, registry)


def concrete(text, home):
    """The commands of a page with this project's own in the place of what stands for it."""
    head = newest(home) if "sha256:…" in text else ""
    ours = {"OWNER/gates@COMMIT": f"acme/gates@{'a' * 40}", "YOUR-COPY-OF-GATES": str(ROOT), "sha256:…": head}
    for one, other in ours.items():
        text = text.replace(one, other)
    return text


def test_every_command_and_every_python_of_the_pages_is_run():
    left = {
        page.stem
        for page in PAGES
        for action, _, language, _ in blocks(page)
        if action is None and language in ("sh", "python")
    }
    assert left == ELSEWHERE
    assert set(START) | SLOW <= {page.stem for page in RUN}
