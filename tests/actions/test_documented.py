"""Every workflow of the pages is run by a test beside this one, which names its page and it."""

from __future__ import annotations

import re
from pathlib import Path

from documented import WORKFLOWS, shown

HERE = Path(__file__).parent
RUN = re.compile(r'(?:documented|world\.call)\(\s*"([\w-]+)", "([\w ]+)"')


def test_every_workflow_of_the_pages_is_run() -> None:
    run = {pair for file in HERE.glob("*.py") for pair in RUN.findall(file.read_text())}
    assert run == set(WORKFLOWS)


def test_no_two_workflows_of_a_page_go_by_one_name() -> None:
    assert len(list(shown())) == len(WORKFLOWS) > 14
