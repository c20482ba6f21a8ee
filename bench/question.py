"""What is measured: how much of each thing, and how often."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields


def _count(default: int, meaning: str) -> int:
    counted: int = field(default=default, metadata={"meaning": meaning})
    return counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The sections to measure, and their sizes; each field is an option of the command."""

    only: tuple[str, ...]  #: names of sections, in the order of the table
    targets: int = _count(200, "Postgres databases that are swept")
    databases: int = _count(1000, "Postgres databases whose status is asked for")
    tenants: int = _count(10_000, "schemas of one Postgres database that are targets")
    width: int = _count(16, "of them looked at together")
    rounds: int = _count(9, "timed rounds of what is compared in turns")
    statements: int = _count(50, "statements of a round, each way")
    sessions: int = _count(50, "sessions open at a time")
    schemas: int = _count(20, "Databricks targets that run")
    crowd: int = _count(100, "Databricks targets that run, a session for each of many at a time")
    repeats: int = _count(3, "times that all of them run, each in a new process")

    @property
    def command(self) -> str:
        """The command that asks it again."""
        sizes = [f"--{each.name} {getattr(self, each.name)}" for each in _sizes()]
        return " ".join(["python -m bench", *self.only, *sizes])


def asked(arguments: Sequence[str], sections: Sequence[str]) -> Question:
    """Read the command's arguments; it ends where they cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure, and tell what must be reached and is not."
    )
    parser.add_argument(
        "only", nargs="*", metavar="SECTION", help=f"without it, all of: {', '.join(sections)}"
    )
    for each in _sizes():
        explained = f"{each.metadata['meaning']} (default {each.default})"
        parser.add_argument(f"--{each.name}", type=_positive, default=each.default, help=explained)
    given = vars(parser.parse_args(arguments))
    for name in given["only"]:
        if name not in sections:
            parser.error(f"no section {name!r}; choose from {', '.join(sections)}")
    chosen = given.pop("only") or sections
    return Question(only=tuple(name for name in sections if name in chosen), **given)


def _sizes() -> list[Field[int]]:
    return [each for each in fields(Question) if "meaning" in each.metadata]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number
