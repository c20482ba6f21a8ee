"""Interpreters of other people's histories."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

#: The interpreter itself, of which environments are made.
BASE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def bare_python(folder: Path, *packages: str) -> Path:
    """Give an interpreter that has nothing installed but *packages* and what these import."""
    there = folder / "packages"
    there.mkdir()
    for name in (*packages, "typing_extensions"):
        spec = find_spec(name)
        assert spec
        assert spec.origin
        source = Path(spec.origin)
        place = source.parent if source.name == "__init__.py" else source
        (there / place.name).symlink_to(place)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{there}" exec "{BASE_PYTHON}" -S "$@"\n')
    python.chmod(0o755)
    return python
