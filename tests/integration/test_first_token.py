from __future__ import annotations

import asyncio

from sync.model import Role
from sync.store import tokens
from sync.store.engine import Store
from tests.support.control import START


async def test_two_services_make_one_first_token(store: Store) -> None:
    """Of services that start at the same moment one makes the first token, the others go on."""

    async def make() -> str | None:
        async with store.writing() as connection:
            return await tokens.create_first(connection, "first", Role.ADMIN, now=START)

    keys = await asyncio.gather(*[make() for _ in range(8)])
    assert len([key for key in keys if key]) == 1
    async with store.reading() as connection:
        assert [token.name for token in await tokens.list(connection)] == ["first"]


async def test_a_token_of_another_name_is_enough(store: Store) -> None:
    """Where there is any token, none is made."""
    async with store.writing() as connection:
        await tokens.create(connection, "anna", Role.VIEWER, now=START)
        assert await tokens.create_first(connection, "first", Role.ADMIN, now=START) is None
