"""What the measurement says, as text."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.rounds import Round, spread

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is measured."""

    targets: int
    width: int  #: how many databases are looked at together, by the sweep and by the bare loop
    rounds: int

    @property
    def command(self) -> str:
        """The command that asks it again."""
        return (
            f"python -m bench --targets {self.targets} --width {self.width} --rounds {self.rounds}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The answer."""

    rounds: Sequence[Round]
    memory: float  #: MiB
    postgres: int  #: major version


def render(question: Question, found: Measurement) -> Iterator[str]:
    """Yield the lines of a report."""
    yield (
        f"{question.targets} targets, nothing pending, {question.width} at a time; "
        f"{question.rounds} alternated rounds"
    )
    yield (
        f"Postgres {found.postgres} on this machine, Python {platform.python_version()}, "
        f"{os.cpu_count()} processors"
    )
    yield ""
    yield _times("sweep", [each.sweep for each in found.rounds])
    yield _times("bare loop", [each.bare for each in found.rounds])
    ratio = spread([each.ratio for each in found.rounds])
    yield (
        f"{'ratio':<12}{ratio.median:8.2f}     median of the pairs "
        f"({ratio.least:.2f} to {ratio.most:.2f})"
    )
    yield f"{'memory':<12}{found.memory:8.0f} MiB peak of levelhead serve"
    yield ""
    yield f"repeat: {question.command}"


def _times(name: str, seconds: Sequence[float]) -> str:
    found = spread([value * _MILLISECONDS for value in seconds])
    return f"{name:<12}{found.median:8.0f} ms  median ({found.least:.0f} to {found.most:.0f})"
