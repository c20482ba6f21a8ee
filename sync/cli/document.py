"""What ``--json`` prints: the values of `sync.model`, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime


def as_data(value: object) -> object:
    """Return *value* as JSON has it.

    A frozen value becomes an object with the names of its fields, a set a sorted
    list, a moment a string in UTC; what is absent becomes null.
    """
    if is_dataclass(value):
        return {part.name: as_data(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    return _moment(value) if isinstance(value, datetime) else value


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def document(value: object) -> str:
    """Return *value* as an indented JSON document."""
    return json.dumps(as_data(value), indent=2, ensure_ascii=False)


def line(value: object) -> str:
    """Return *value* as JSON on one line, for streams."""
    return json.dumps(as_data(value), ensure_ascii=False)
