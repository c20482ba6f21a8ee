from __future__ import annotations

from pathlib import Path

import alembic

ROOT = Path(__file__).resolve().parents[2]


def test_the_folder_of_the_sample_history_is_no_package() -> None:
    """No __init__.py stands anywhere under alembic/: it would shadow the library."""
    assert (ROOT / "alembic" / "env.py").is_file()
    assert list((ROOT / "alembic").rglob("__init__.py")) == []


def test_alembic_is_the_library() -> None:
    """From the project's own folder, `import alembic` still finds the library."""
    assert alembic.__file__ is not None
    assert not Path(alembic.__file__).is_relative_to(ROOT / "alembic")
