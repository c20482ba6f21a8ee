"""What failed: on stderr in lines, and from the names of errors to exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping

from providers.errors import ConfigError, LevelheadError
from sync.errors import RunError


class RefusedError(Exception):
    """The service refused what the command asked of it; its text is one line."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def exit_codes() -> Mapping[str, int]:
    """Return class name -> exit code of every error that levelhead raises on purpose."""
    return {kind.__name__: kind.exit_code for kind in _family(LevelheadError)}


def code_of_name(name: str | None) -> int:
    """Return the exit code of a run that failed with an error of class *name*.

    What is not ours, or has no name, counts as a run that could not go on.
    """
    return exit_codes().get(name or "", RunError.exit_code)


def code_of_problem(problem_type: str) -> int:
    """Return the exit code for a problem's type, ``urn:levelhead:problem:unknown-target``."""
    name = problem_type.rpartition(":")[2]
    known = {_dashed(kind): code for kind, code in exit_codes().items()}
    known["invalid-request"] = ConfigError.exit_code
    return known.get(name, LevelheadError.exit_code)


def worst(codes: Iterable[int]) -> int:
    """Return the exit code that stands for several: the highest; 0 for none."""
    return max(codes, default=0)


def _family(kind: type[LevelheadError]) -> Iterator[type[LevelheadError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _family(below)


def _dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name.removesuffix("Error")).lower()


def complain(lines: Iterable[str]) -> None:
    """Write each line to stderr."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
