"""What is common to adapters that list schemas and databases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from providers.errors import ConfigError

#: One character of a LIKE, a backslash with what it protects included.
_PART = re.compile(r"\\(.)|(.)", re.DOTALL)


def matching(names: Iterable[str], like: str) -> tuple[str, ...]:
    """Return those of *names* that are LIKE *like*, in order; for who cannot ask a database."""
    pattern = re.compile("".join(map(_regex, _PART.finditer(like))), re.DOTALL)
    return tuple(sorted(filter(pattern.fullmatch, names)))


def _regex(part: re.Match[str]) -> str:
    return {"%": ".*", "_": "."}.get(part[2]) or re.escape(part[1] or part[2])


def need_one_column(columns: Sequence[str], target: str) -> None:
    """Refuse the result of a query that has another number of columns than one.

    Raises:
        ConfigError: It has.
    """
    if len(columns) != 1:
        found = f"{len(columns)} columns ({', '.join(columns)})" if columns else "no column"
        raise ConfigError(f"{target}: its query gives {found}; select one, with the names")


def need_texts(values: Iterable[object], target: str) -> tuple[str, ...]:
    """Return *values*, which must be texts. What they are is not repeated.

    Raises:
        ConfigError: One of them is NULL, or no text.
    """
    return tuple(_text(value, target) for value in values)


def _text(value: object, target: str) -> str:
    if value is None:
        raise ConfigError(f"{target}: its query gives a NULL; leave such rows out")
    if not isinstance(value, str):
        kind = type(value).__name__
        raise ConfigError(f"{target}: its query gives a value of type {kind}; cast it to text")
    return value
