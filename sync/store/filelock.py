"""The file lock by which one service holds a SQLite control database.

The lock is the kernel's and ends with the process, however that ends. The file beside the
database (``<name>.lock``) says who holds it; without the lock its text means nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sync.errors import ControlDatabaseBusyError, ControlDatabaseError

#: Somebody who asks for the holder has the lock for a moment; ask again after these seconds.
_PAUSES = (0.0, 0.02, 0.05, 0.1)

#: Where others find a process that holds the control database and serves nobody.
NOWHERE = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """The service that holds a control database."""

    pid: int
    url: str  #: of its API


@contextmanager
def hold(path: Path, facts: Holder) -> Iterator[None]:
    """Hold the SQLite control file at *path* for the block.

    Raises:
        ControlDatabaseBusyError: Another process holds it; the message names it.
        ControlDatabaseError: The lock file cannot be written.
    """
    with _opened(_lock_file(path), os.O_RDWR | os.O_CREAT) as file:
        if not _locked(file, fcntl.LOCK_EX):
            raise ControlDatabaseBusyError(_refusal(path, _read(file)))
        try:
            _write(file, json.dumps(asdict(facts)))
        except OSError as error:
            raise ControlDatabaseError(f"{_lock_file(path)}: {error.strerror}") from None
        try:
            yield
        finally:
            # The file stays: whoever removed it could remove that of the next holder.
            _write(file, "")


def holder(path: Path) -> Holder | None:
    """Return who holds the SQLite control file at *path*; None where nobody does.

    Raises:
        ControlDatabaseError: The lock file cannot be read.
    """
    if not _lock_file(path).exists():
        return None
    with _opened(_lock_file(path), os.O_RDONLY) as file:
        # The holder takes the lock first and writes then.
        for pause in _PAUSES:
            time.sleep(pause)
            if _locked_at_once(file, fcntl.LOCK_SH):
                return None
            if found := _read(file):
                return found
    raise ControlDatabaseError(f"{_lock_file(path)}: held by a process that did not say which")


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        raise ControlDatabaseError(f"{path}: {error.strerror}; make it writable") from None
    try:
        yield file
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    for pause in _PAUSES:
        time.sleep(pause)
        if _locked_at_once(file, kind):
            return True
    return False


def _locked_at_once(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> Holder | None:
    try:
        facts = json.loads(os.pread(file, 4096, 0))
        return Holder(pid=facts["pid"], url=facts["url"])
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _refusal(path: Path, found: Holder | None) -> str:
    who = "another process"
    if found:
        what = f"the service at {found.url}" if found.url else "a levelhead command"
        who = f"{what} (process {found.pid})"
    return (
        f"control database {path} is held by {who}; talk to it, wait for it or stop it "
        "(several services need a Postgres control database)"
    )
