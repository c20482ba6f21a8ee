"""Reads the heads of all targets on one warehouse, in one session: each that opens costs time.

A target is read under its own catalog and schema, which have to exist, one after another.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import replace

from providers.databricks.address import Address, AddressError, address, with_options
from providers.databricks.connection import Connection
from providers.databricks.errors import reading
from providers.databricks.heads import read_heads
from providers.databricks.sql import use
from providers.errors import AccessDeniedError, StatementError
from providers.types import Heads, Survey, Target

#: Stands in a URL for whatever its targets have there.
_ANY = {"catalog": "-", "schema": "-"}


def place_of(target: Target) -> Hashable:
    """Return what is equal for targets that one session can read: nothing to be shown."""
    try:
        where = at(target)
    except AddressError:
        return target.url  # to open it says what is wrong
    if where.catalog is None or where.schema is None:
        return target.url, target.schema  # the session's own names count
    return with_options(target.url, _ANY)


def at(target: Target) -> Address:
    """Return where *target* is.

    Raises:
        AddressError: Its URL cannot be used as it is written.
    """
    found = address(target.url)
    return replace(found, schema=target.schema or found.schema)


async def survey(connection: Connection, targets: Sequence[Target]) -> Survey:
    """Return the heads of *targets*; see `Surveying.survey`."""
    found: dict[str, Heads] = {}
    for target in targets:
        with suppress(AccessDeniedError, StatementError):
            found[target.name] = await _heads(connection, target)
    return Survey("", found)


async def _heads(connection: Connection, target: Target) -> Heads:
    place = at(target)
    with reading(target.name):
        if (statement := use(place.catalog, place.schema)) is not None:
            await connection.query(statement)
    return frozenset(await read_heads(connection, target, place) or ())
