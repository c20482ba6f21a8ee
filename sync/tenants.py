"""Asks a pattern's database who the tenants are."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime

from providers.base import Listing, Spanning
from providers.errors import ConfigError, ConnectError, LevelheadError
from providers.types import Target
from sync.expansion import Answer, Move
from sync.pool import Providers
from sync.settings.places import place_of
from sync.settings.tenants import Over, Tenants
from sync.settings.values import quote
from sync.store.text import canonical


async def ask(pattern: Tenants, providers: Providers, at: datetime) -> Answer:
    """Ask a pattern's database who the tenants are; an error is an answer too."""
    try:
        return Answer(pattern=pattern, at=at, tenants=await who(pattern, providers))
    except LevelheadError as error:
        return Answer(pattern=pattern, at=at, error=error)


async def who(pattern: Tenants, providers: Providers) -> tuple[str, ...]:
    """Ask a pattern's database who the tenants are.

    Raises:
        ConfigError: Databases of its kind cannot tell, or its query's result is no list of names.
        ProviderError: It could not be reached, refused, or took too long.
    """
    await mover(pattern, providers)  # who cannot move there need not ask
    try:
        async with (
            asyncio.timeout(pattern.patience.total_seconds()) as limit,
            providers.open(pattern.asked) as session,
        ):
            if not isinstance(session, Listing):
                raise unable(pattern)
            return await listed(session, pattern)
    except TimeoutError as error:
        if not limit.expired():
            raise
        line = f"no answer within {pattern.patience.total_seconds():g} s; see list_timeout"
        raise ConnectError(line, target=pattern.name) from error


async def listed(session: Listing, pattern: Tenants) -> tuple[str, ...]:
    """Ask what the pattern says."""
    match pattern.over, pattern.like:
        case Over.SCHEMA, None:
            return await session.schemas_of(str(pattern.query))
        case Over.SCHEMA, str(like):
            return await session.schemas(like)
        case Over.DATABASE, None:
            return await session.databases_of(str(pattern.query))
        case _, like:
            return await session.databases(str(like))


async def mover(pattern: Tenants, providers: Providers) -> Move:
    """Return what moves a target to another database, where that is needed.

    Raises:
        ConfigError: Databases of its kind are not several on a server.
    """
    if pattern.over is Over.SCHEMA:
        return unmoved
    provider = await providers.of(pattern.model)
    if not isinstance(provider, Spanning):
        raise unable(pattern)
    return provider.in_database


def unmoved(target: Target, database: str) -> Target:  # noqa: ARG001 - what moves has both
    """Return *target* as it is."""
    return target


def unable(pattern: Tenants) -> ConfigError:
    """Return the error of a pattern whose kind of database cannot tell."""
    return ConfigError(
        f"{pattern.name}: a database of dialect {quote(pattern.model.dialect)} cannot tell who the "
        "tenants are; write a [[target]] for each"
    )


def question_of(pattern: Tenants) -> str:
    """Return a digest of what is asked, and where: an answer is good for one question alone."""
    facts = [pattern.over, pattern.like, pattern.query, list(place_of(pattern.model))]
    return hashlib.sha256(canonical(facts).encode()).hexdigest()
