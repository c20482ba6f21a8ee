"""Which skips are errors: the kinds, as the extensions of the providers name them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from sync.settings.values import quote, suggest

#: A test holds this list and the extensions' own together: they cannot be imported here.
KINDS = (
    "index",
    "unique",
    "exclude",
    "foreign-key-action",
    "autoincrement",
    "identity-option",
    "enum",
    "type",
    "collation",
    "table-option",
    "length",
)


def _known(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError('must be a list such as ["index", "unique"]')  # noqa: TRY004 - pydantic collects ValueError only
    for kind in value:
        if kind not in KINDS:
            hint = suggest(str(kind), KINDS) or f"; known are {', '.join(KINDS)}"
            raise ValueError(f"no kind of skip {quote(str(kind))}{hint}")
    return value


SkipKinds = Annotated[frozenset[str], BeforeValidator(_known)]
