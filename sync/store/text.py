"""How values are written in the control database: one text for each value, on every database.

Moments are ISO 8601 in UTC with microseconds (``2031-05-06T07:08:09.000010Z``), so that
text order is time order. JSON is canonical: keys sorted, no blanks, UTF-8. Heads are a
sorted JSON list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias, cast

from providers.types import Heads

#: Many rows hold the same few values: where ten thousand targets stand, and when all were seen.
_same = lru_cache(1024)

#: What an event's data may hold.
JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"


@_same
def moment_to_text(moment: datetime) -> str:
    """Return the one text of *moment*.

    Raises:
        ValueError: *moment* names no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} names no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@_same
def moment_from_text(text: str) -> datetime:
    """Return the moment that `moment_to_text` wrote, aware and in UTC.

    Raises:
        ValueError: *text* is not what `moment_to_text` writes.
    """
    moment = datetime.fromisoformat(text).astimezone(UTC)
    if moment_to_text(moment) != text:
        raise ValueError(f"{text!r} is not a moment as it is written here")
    return moment


def canonical(value: JSON) -> str:
    """Return the canonical JSON of *value*; equal values give equal texts.

    Half a surrogate pair, which UTF-8 cannot hold, is written as its JSON escape.

    Raises:
        TypeError: *value* holds something that JSON has no word for.
        ValueError: *value* holds a number that is not finite.
    """
    text = json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> object:
    """Turn a mapping of another type into a dict, which is all that `json` knows."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def parse_object(text: str) -> dict[str, JSON]:
    """Return the object that `canonical` wrote.

    Raises:
        ValueError: *text* is not canonical, or not an object.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or canonical(value) != text:
        raise ValueError("not a JSON object in canonical form")
    return cast("dict[str, JSON]", value)


@_same
def heads_to_text(heads: Heads) -> str:
    """Return the one text of *heads*."""
    return canonical(sorted(heads))


@_same
def heads_from_text(text: str) -> Heads:
    """Return the heads that `heads_to_text` wrote."""
    return frozenset(json.loads(text))
