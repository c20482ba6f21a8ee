"""Shadows for Databricks: a local warehouse each, or a new schema of a scratch catalog.

A local warehouse has the target's own catalog and schemas, by name, so SQL that spells them out
means the same there. A schema of a scratch catalog has not: nothing keeps a script that spells
out a catalog or a schema from reaching what really has that name. So no shadow is made in the
target's own catalog, and the token for a scratch catalog should be one that may write nowhere
else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from providers.base import ON_TARGET, Session
from providers.databricks.address import Address, address, dialect_options, with_options
from providers.databricks.errors import opening
from providers.databricks.sql import identifier
from providers.errors import (
    ConfigError,
    ConnectError,
    ConnectionLostError,
    ProviderError,
    ShadowError,
    StatementError,
)
from providers.tasks import undisturbed
from providers.types import Statement, Target

if TYPE_CHECKING:
    from providers.databricks.warehouse import Warehouse

#: Opens a session on a target; see `Provider.open`.
Open: TypeAlias = Callable[[Target], AbstractAsyncContextManager[Session]]

_log = logging.getLogger("levelhead")

#: The names that a target has which names none.
_CATALOG, _SCHEMA = "main", "default"

#: Seconds to create or to drop a schema.
_PATIENCE = 60.0


@asynccontextmanager
async def shadow_of(target: Target, place: str | None, connect: Open) -> AsyncIterator[Target]:
    """Create an empty schema, and drop it after the block; see `Shadowing.shadow`.

    Args:
        target: What the shadow is for.
        place: URL of a warehouse and a scratch catalog; None: a local warehouse.
        connect: Opens sessions.
    """
    wanted = replace(target, name=f"shadow of {target.name}")
    with opening(wanted.name, None):
        own, options = address(target.url), dialect_options(target.url)
    async with AsyncExitStack() as made:
        if place is None:
            shadow = await undisturbed(_local(wanted, own, connect, made))
        else:
            shadow = await undisturbed(_scratch(wanted, own, place, connect, made))
        yield replace(shadow, url=with_options(shadow.url, options))


async def _local(wanted: Target, own: Address, connect: Open, made: AsyncExitStack) -> Target:
    """Start a warehouse with the target's catalog and schemas; have *made* end it."""
    catalog, schema = own.catalog or _CATALOG, wanted.schema or own.schema or _SCHEMA
    try:
        warehouse, running = await asyncio.to_thread(_started, catalog)
    except ImportError as error:
        missing = f"its local warehouse needs {error.name!r}, which is not installed"
        line = f"{missing}; pip install 'levelhead[warehouse]'"
        raise ShadowError(f"{wanted.name}: {line}") from error
    except ConfigError as error:
        raise _unfit(wanted, str(error)) from error
    made.push_async_callback(_ended, running)
    server = replace(wanted, url=with_options(warehouse.target_url(), {"catalog": catalog}))
    schemas = {schema, wanted.version_table_schema or schema}
    places = (f"{identifier(catalog)}.{identifier(name)}" for name in sorted(schemas))
    await _send(server, connect, *(f"CREATE SCHEMA IF NOT EXISTS {place}" for place in places))
    return replace(wanted, url=with_options(server.url, {"schema": schema}))


def _started(catalog: str) -> tuple[Warehouse, ExitStack]:
    """Return a warehouse in a process of its own, and what ends it."""
    module = import_module("providers.databricks.warehouse")  # late: it needs an extra
    names = (catalog.lower(),)  # as a warehouse keeps them
    with ExitStack() as stack:
        warehouse = stack.enter_context(module.warehouse_process(catalogs=names))
        return warehouse, stack.pop_all()


async def _ended(running: ExitStack) -> None:
    await undisturbed(asyncio.to_thread(running.close))


async def _scratch(
    wanted: Target, own: Address, url: str, connect: Open, made: AsyncExitStack
) -> Target:
    """Create a schema in the catalog that *url* names; have *made* drop it."""
    if url == ON_TARGET:
        raise _unfit(wanted, "a script that spells out names would reach the target itself")
    with opening(wanted.name, None):
        place = address(url)
    catalog = _scratch_catalog(wanted, own, place)
    name = f"levelhead_shadow_{secrets.token_hex(6)}"
    schema = f"{identifier(catalog)}.{identifier(name)}"
    server = replace(wanted, url=url)
    await _send(server, connect, f"CREATE SCHEMA {schema}")
    made.push_async_callback(_drop, server, schema, connect)
    return replace(
        wanted,
        url=with_options(url, {"schema": name}),
        schema=wanted.schema and name,
        version_table_schema=wanted.version_table_schema and name,
    )


def _scratch_catalog(wanted: Target, own: Address, place: Address) -> str:
    """Return the catalog of *place*, where a shadow may be made in it."""
    if place.catalog is None:
        raise _unfit(wanted, f"the URL for shadows on {place.server} names no catalog")
    if place.schema is not None:
        line = f'the URL for shadows names schema "{place.schema}"; each gets one of its own'
        raise _unfit(wanted, line)
    if (place.origin, _folded(place.catalog)) == (own.origin, _folded(own.catalog)):
        line = f'"{place.catalog}" is the target\'s own catalog, which scripts may spell out'
        raise _unfit(wanted, line)
    if wanted.version_table_schema not in {None, wanted.schema or own.schema}:
        line = f'its version table is in schema "{wanted.version_table_schema}", outside a shadow'
        raise _unfit(wanted, line)
    return place.catalog


def _folded(name: str | None) -> str:
    return (name or _CATALOG).lower()


async def _drop(server: Target, schema: str, connect: Open) -> None:
    try:
        await undisturbed(_send(server, connect, f"DROP SCHEMA {schema} CASCADE"))
    except (ProviderError, ShadowError) as error:  # the work on the shadow is done: let it count
        _log.warning("schema %s is left over: %s", schema, error)


async def _send(server: Target, connect: Open, *statements: str) -> None:
    """Run *statements* in a session of their own."""
    place = replace(server, schema=None)
    try:
        async with asyncio.timeout(_PATIENCE), connect(place) as session:
            for sql in statements:
                await session.execute(Statement(sql), ticket="shadow")
    except TimeoutError as error:
        raise ConnectError("no answer in time; try again later", target=server.name) from error
    except (StatementError, ConnectionLostError) as error:
        raise ShadowError(str(error)) from error


def _unfit(wanted: Target, line: str) -> ShadowError:
    advice = f'set shadow of history "{wanted.history}" to another place'
    return ShadowError(f"{wanted.name}: {line}; {advice}")
