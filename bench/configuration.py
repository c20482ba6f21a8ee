"""Configurations that the bench writes for itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: The name of the first target.
FIRST = "target-0000"


@contextmanager
def configured(
    urls: Sequence[str], *tables: str, shadow: str = "auto", schemas: Sequence[str] = ()
) -> Iterator[Path]:
    """Write a `levelhead.toml` with targets of the sample history, for the block.

    It has a folder of its own, in which the control database will lie.

    Args:
        urls: The targets.
        tables: Lines of TOML for everything else.
        shadow: Where plans are compiled; none: every step runs live.
        schemas: The schema of each target; without any: the search path.
    """
    with tempfile.TemporaryDirectory(prefix="levelhead-bench-") as directory:
        config = Path(directory, "levelhead.toml")
        config.write_text("\n".join([*tables, *_lines(urls, shadow, schemas)]))
        yield config


def _lines(urls: Sequence[str], shadow: str, schemas: Sequence[str]) -> Iterator[str]:
    yield "[[history]]"
    yield 'name = "app"'
    yield f'config = "{ROOT / "alembic.ini"}"'
    yield f'shadow = "{shadow}"'
    for number, url in enumerate(urls):
        yield "[[target]]"
        yield f'name = "target-{number:04}"'
        yield 'history = "app"'
        yield f'url = "{url}"'
        if schemas:
            yield f'schema = "{schemas[number]}"'
