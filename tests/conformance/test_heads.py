from __future__ import annotations

from dataclasses import replace

import pytest

from providers.base import Session
from providers.errors import AccessDeniedError
from providers.types import BASE, Heads
from tests.conformance.adapters import Adapter


async def test_missing_table(adapter: Adapter, session: Session) -> None:
    """Without a version table heads are BASE, and none is created."""
    assert await session.heads() == BASE
    assert await adapter.tables() == set()


@pytest.mark.parametrize("heads", [BASE, frozenset({"a1"}), frozenset({"a1", "b2"})], ids=len)
async def test_rows(adapter: Adapter, session: Session, heads: Heads) -> None:
    """Heads are the rows of the version table: none, one or several."""
    await adapter.write_heads(adapter.target, heads)
    assert await session.heads() == heads


async def test_read_again(adapter: Adapter, session: Session) -> None:
    """Heads are read each time, never remembered."""
    await adapter.write_heads(adapter.target, frozenset({"a1"}))
    assert await session.heads() == {"a1"}
    await adapter.forget_heads(adapter.target)
    assert await session.heads() == BASE


async def test_unreadable(adapter: Adapter) -> None:
    """A version table that may not be read is AccessDeniedError, not BASE."""
    target = await adapter.unreadable()
    async with adapter.provider.open(target) as session:
        with pytest.raises(AccessDeniedError, match=r"^orders: "):
            await session.heads()


async def test_named_table(adapter: Adapter) -> None:
    """The version table is the one that the target names, however odd."""
    target = replace(adapter.target, version_table=adapter.odd_name)
    await adapter.write_heads(adapter.target, frozenset({"a1"}))
    await adapter.write_heads(target, frozenset({"b2"}))
    async with adapter.provider.open(target) as session:
        assert await session.heads() == {"b2"}


@pytest.mark.parametrize(
    ("schema", "version_schema", "table"),
    [
        ("eu", None, "eu.alembic_version"),
        (None, "meta", "meta.alembic_version"),
        ("eu", "meta", "meta.alembic_version"),
    ],
)
async def test_schemas(
    adapter: Adapter, schema: str | None, version_schema: str | None, table: str
) -> None:
    """The version table lives in version_table_schema, else in schema."""
    target = await adapter.in_schemas(schema, version_schema)
    async with adapter.provider.open(target) as session:
        await session.stamp(before=BASE, after=frozenset({"a1"}))
        assert await session.heads() == {"a1"}
    assert await adapter.tables() == {table}
    async with adapter.provider.open(adapter.target) as elsewhere:
        assert await elsewhere.heads() == BASE


async def test_server_major(adapter: Adapter, session: Session) -> None:
    """The server's major version is a number in text, or nothing; asking changes nothing."""
    major = await session.server_major()
    assert major.isdecimal() or not major
    assert await adapter.tables() == set()
