"""Named keys to the API. Only their hashes are kept: a key cannot be shown again."""

from __future__ import annotations

import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.errors import ConfigError
from sync.model import Role, Token
from sync.store.tables import tokens
from sync.store.upsert import insert_absent

#: How every key starts, so that people and secret scanners know one when they see it.
PREFIX = "lh_"

#: Bytes of chance in a key: so many that a plain hash of it is safe to keep.
_ENTROPY = 24


async def create(connection: AsyncConnection, name: str, role: Role, *, now: datetime) -> str:
    """Create a token, and return its key; it is not stored.

    Raises:
        ConfigError: A token of this name exists, or existed.
    """
    if await _find_by_name(connection, name) is not None:
        raise ConfigError(f"a token named {name!r} exists already; choose another name")
    key = PREFIX + secrets.token_urlsafe(_ENTROPY)
    row = {"name": name, "role": role, "digest": _digest(key), "created_at": now}
    await connection.execute(tokens.insert().values(row))
    return key


async def create_first(
    connection: AsyncConnection, name: str, role: Role, *, now: datetime
) -> str | None:
    """Create a token where there is none at all, and return its key.

    None where there is one, also if another service creates it at this moment.
    """
    if await list(connection):
        return None
    key = PREFIX + secrets.token_urlsafe(_ENTROPY)
    row = {"name": name, "role": role, "digest": _digest(key), "created_at": now}
    await insert_absent(connection, tokens, [row])
    return key if await find(connection, key) else None


async def list(connection: AsyncConnection) -> tuple[Token, ...]:  # noqa: A001 - tokens.list(...)
    """Return every token, revoked ones too, by name."""
    found = await connection.execute(select(tokens).order_by(tokens.c.name))
    return tuple(map(_token, found))


async def revoke(connection: AsyncConnection, name: str, *, now: datetime) -> Token:
    """Make a token useless from *now* on; one that is revoked stays as it is.

    Raises:
        ConfigError: No token has this name.
    """
    await connection.execute(
        tokens.update()
        .where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if (token := await _find_by_name(connection, name)) is None:
        raise ConfigError(f"no token is named {name!r}; run levelhead token list")
    return token


async def find(connection: AsyncConnection, key: str) -> Token | None:
    """Return the token whose key this is; None where there is none, or it is revoked.

    The look-up is by hash, so the time it takes tells nothing about a key.
    """
    found = await connection.execute(
        select(tokens).where(tokens.c.digest == _digest(key), tokens.c.revoked_at.is_(None))
    )
    row = found.one_or_none()
    return None if row is None else _token(row)


async def _find_by_name(connection: AsyncConnection, name: str) -> Token | None:
    row = (await connection.execute(select(tokens).where(tokens.c.name == name))).one_or_none()
    return None if row is None else _token(row)


def _digest(key: str) -> str:
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: Row[Any]) -> Token:
    return Token(
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
