"""Every SQL text that was ever sent, kept once under its hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.tables import statements
from sync.store.upsert import insert_absent


def digest_of(sql: str) -> str:
    """Return the sha256 of the UTF-8 text, hexadecimal."""
    return sha256(sql.encode()).hexdigest()


async def keep(connection: AsyncConnection, sqls: Sequence[str]) -> tuple[str, ...]:
    """Keep each text that is not kept yet; return the digests in the order of *sqls*."""
    digests = tuple(digest_of(sql) for sql in sqls)
    # In one order everywhere, so that two transactions cannot wait for each other.
    rows = [
        {"digest": digest, "sql": sql} for digest, sql in sorted(zip(digests, sqls, strict=True))
    ]
    await insert_absent(connection, statements, rows)
    return digests


async def texts(connection: AsyncConnection, digests: Iterable[str]) -> Mapping[str, str]:
    """Return digest -> text for those of *digests* that are kept."""
    wanted = sorted(set(digests))
    if not wanted:
        return {}
    found = await connection.execute(select(statements).where(statements.c.digest.in_(wanted)))
    return {row.digest: row.sql for row in found}


async def find(connection: AsyncConnection, digest: str) -> str | None:
    """Return the text kept under *digest*; None where there is none."""
    sql: str | None = await connection.scalar(
        select(statements.c.sql).where(statements.c.digest == digest)
    )
    return sql
