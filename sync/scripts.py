"""Script digests: how a change of files on disk is seen without importing Alembic."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

#: Nanoseconds after which a file that was written again has another time, on any file system.
GRAIN = 2 * 10**9


def digest_of(locations: Iterable[str]) -> str:
    """Return one sha256 over all scripts at *locations*, names and contents.

    Files count as they are, folders with every ``.py`` file below them. Folders
    themselves do not: the same scripts elsewhere have the same digest.
    """
    found = hashlib.sha256()
    for location in map(Path, locations):
        for file in scripts(location):
            name = file.relative_to(location.parent).as_posix()
            found.update(f"{name} {file_digest(file)}\n".encode())
    return found.hexdigest()


def file_digest(file: Path) -> str:
    """Return the sha256 of a file, which is read only if it may have changed since the last time.

    Raises:
        OSError: It cannot be read.
    """
    seen = file.stat()
    if time.time_ns() - max(seen.st_mtime_ns, seen.st_ctime_ns) < GRAIN:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return _digest(os.fspath(file), seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


@lru_cache(maxsize=10_000)
def _digest(file: str, *_: int) -> str:
    """Return the sha256 of a file that is known by what the file system says of it."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def scripts(location: Path) -> list[Path]:
    """Return the files that count at *location*, sorted; none where nothing is."""
    if location.is_dir():
        return sorted(path for path in location.rglob("*.py") if path.is_file())
    return [location] if location.is_file() else []
