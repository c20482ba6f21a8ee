from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sync.errors import ControlDatabaseBusyError, ControlDatabaseError
from sync.store.filelock import Holder, hold, holder

FACTS = Holder(pid=1234, url="http://127.0.0.1:8765")

HOLD = """
import sys, time
from pathlib import Path
from sync.store.filelock import Holder, hold
with hold(Path(sys.argv[1]), Holder(pid=4321, url="http://127.0.0.1:1")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    """Who holds a control file is known for as long as it does, and no longer."""
    path = tmp_path / "control.db"
    assert holder(path) is None
    with hold(path, FACTS):
        assert holder(path) == FACTS
    assert holder(path) is None


def test_second_holder_is_refused(tmp_path: Path) -> None:
    """A second service on one control file is told who holds it, and the first goes on."""
    path = tmp_path / "control.db"
    with hold(path, FACTS):
        with (
            pytest.raises(
                ControlDatabaseBusyError,
                match=r"the service at http://127.0.0.1:8765 \(process 1234\)",
            ),
            hold(path, Holder(pid=5, url="http://127.0.0.1:5")),
        ):
            pass
        assert holder(path) == FACTS
    with hold(path, FACTS):
        assert holder(path) == FACTS


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A service that was killed holds nothing, whatever its file says."""
    path = tmp_path / "control.db"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert holder(path) == Holder(pid=4321, url="http://127.0.0.1:1")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "4321" in (tmp_path / "control.db.lock").read_text()
    assert holder(path) is None
    with hold(path, FACTS):
        assert holder(path) == FACTS


def test_lock_is_not_inherited(tmp_path: Path) -> None:
    """A child that outlives the service does not hold the control file for it."""
    path = tmp_path / "control.db"
    with hold(path, FACTS):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert holder(path) is None
    finally:
        child.kill()
        child.wait()


def test_lock_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else can read the lock file, or hold it up by locking it."""
    with hold(tmp_path / "control.db", FACTS):
        mode = (tmp_path / "control.db.lock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_folder_that_is_missing(tmp_path: Path) -> None:
    """A lock file that cannot be written is refused in one line."""
    with (
        pytest.raises(ControlDatabaseError, match="No such file or directory"),
        hold(tmp_path / "nowhere" / "control.db", FACTS),
    ):
        pass
