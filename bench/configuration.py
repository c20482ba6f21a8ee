"""Configurations that the bench writes for itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Place:
    """What a target needs to be reached."""

    url: str = field(repr=False)
    schema: str | None = None  #: None: the URL says it all


@contextmanager
def configured(places: Sequence[Place], *tables: str) -> Iterator[Path]:
    """Write a `levelhead.toml` with *places* as targets of the sample history, for the block.

    It has a folder of its own, in which the control database will lie.

    Args:
        places: The targets.
        tables: Lines of TOML for everything else.
    """
    with tempfile.TemporaryDirectory(prefix="levelhead-bench-") as directory:
        config = Path(directory, "levelhead.toml")
        config.write_text("\n".join([*tables, *_lines(places)]))
        yield config


def _lines(places: Sequence[Place]) -> Iterator[str]:
    yield f'history = [{{ name = "app", config = "{ROOT / "alembic.ini"}" }}]'
    for number, place in enumerate(places):
        yield "[[target]]"
        yield f'name = "target-{number:04}"'
        yield 'history = "app"'
        yield f'url = "{place.url}"'
        if place.schema is not None:
            yield f'schema = "{place.schema}"'
