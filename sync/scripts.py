"""Script digests: how a change of files on disk is seen without importing Alembic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_of(locations: Iterable[str]) -> str:
    """Return one sha256 over all scripts at *locations*, names and contents.

    Files count as they are, folders with every ``.py`` file below them. Folders
    themselves do not: the same scripts elsewhere have the same digest.
    """
    found = hashlib.sha256()
    for location in map(Path, locations):
        for file in scripts(location):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            name = file.relative_to(location.parent).as_posix()
            found.update(f"{name} {content}\n".encode())
    return found.hexdigest()


def scripts(location: Path) -> list[Path]:
    """Return the files that count at *location*, sorted; none where nothing is."""
    if location.is_dir():
        return sorted(path for path in location.rglob("*.py") if path.is_file())
    return [location] if location.is_file() else []
