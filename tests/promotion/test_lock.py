"""The lock of promotions on one machine: one holder, a name that stays, and a sentence for whoever waits."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gates.errors import Exit, GatesError
from gates.promotion.transaction import PromotionContext

NOBODY = cast(Any, None)
HOLD = """
import sys
from pathlib import Path
from types import SimpleNamespace
from gates.promotion.transaction import PromotionContext
registry = SimpleNamespace(lock=Path(sys.argv[1]))
with PromotionContext(name="churn", registry=registry, ledger=None, run=None, say=print).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def promoter(lock: Path, say: Callable[[str], None] = lambda _: None) -> PromotionContext:
    registry = cast(Any, SimpleNamespace(lock=lock))
    return PromotionContext(name="churn", registry=registry, ledger=NOBODY, run=NOBODY, say=say)


@contextmanager
def another(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends, or it is killed."""
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_the_lock_has_a_name_that_every_holder_reads(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "lock"
    names = []
    for _ in range(2):
        desk = promoter(lock)
        with desk.locked():
            names += desk.held
        assert desk.held == []
    assert re.fullmatch("[0-9a-f]{32}", names[0])
    assert names == [names[0]] * 2
    assert lock.read_text() == names[0]


def test_who_waits_is_told_once_and_then_holds_it(tmp_path: Path) -> None:
    told: list[str] = []
    held, waiting = Event(), Event()

    def hold() -> None:
        with promoter(tmp_path / "lock").locked():
            held.set()
            waiting.wait(60)

    def say(line: str) -> None:
        told.append(line)
        waiting.set()

    holder = Thread(target=hold)
    holder.start()
    assert held.wait(60)
    with promoter(tmp_path / "lock", say).locked():
        assert waiting.is_set()
    holder.join()
    assert told == ["waiting for another promotion on this machine"]


def test_a_holder_that_is_killed_holds_it_no_longer(tmp_path: Path) -> None:
    told: list[str] = []
    with another(tmp_path / "lock") as process:
        name = (tmp_path / "lock").read_text()

        def say(line: str) -> None:
            told.append(line)
            process.kill()

        desk = promoter(tmp_path / "lock", say)
        with desk.locked():
            assert desk.held == [name]
    assert len(told) == 1


def test_it_is_freed_by_an_error(tmp_path: Path) -> None:
    desk = promoter(tmp_path / "lock", pytest.fail)
    with pytest.raises(GatesError), desk.locked():
        raise GatesError("something")
    with desk.locked():
        pass


@pytest.mark.parametrize("make", ["link", "folder", "file above"])
def test_where_no_lock_can_be_is_said(tmp_path: Path, make: str) -> None:
    lock = tmp_path / "folder" / "lock"
    if make == "file above":
        lock.parent.write_text("")
    elif make == "folder":
        lock.mkdir(parents=True)
    else:
        lock.parent.mkdir()
        lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GatesError, match="can't be locked: ") as caught, promoter(lock).locked():
        pass
    assert (caught.value.where, caught.value.exit_code) == (str(lock), Exit.OUTSIDE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_machine_without_fcntl_can_import_it() -> None:
    code = "import sys; sys.modules['fcntl'] = None; import gates.promotion.transaction"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
