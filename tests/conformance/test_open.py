from __future__ import annotations

from datetime import timedelta

import pytest

from providers.base import Session, Transactional
from providers.errors import AccessDeniedError, ConnectError, ConnectionLostError, StartingError
from providers.types import BASE
from tests.conformance.adapters import Adapter


async def test_unreachable(adapter: Adapter) -> None:
    """Where nothing listens, ConnectError names the target and holds no password."""
    target = await adapter.unreachable()
    with pytest.raises(ConnectError, match=r"^orders: ") as caught:
        async with adapter.provider.open(target):
            raise AssertionError("it opened")
    _shows_no_secret(str(caught.value), target.url)


async def test_starting(adapter: Adapter) -> None:
    """Where the server is starting, StartingError says so; once it has started, it opens."""
    target = await adapter.starting()
    with pytest.raises(StartingError, match=r"^orders: .*starting.*; try again shortly") as caught:
        async with adapter.provider.open(target):
            raise AssertionError("it opened")
    _shows_no_secret(str(caught.value), target.url)
    adapter.finish_start()
    async with adapter.provider.open(adapter.target) as session:
        assert await session.heads() == BASE


async def test_wrong_password(adapter: Adapter) -> None:
    """A wrong password or token is AccessDeniedError, and is not repeated."""
    target = await adapter.unwelcome()
    with pytest.raises(AccessDeniedError, match=r"^orders: wrong (password|token)") as caught:
        async with adapter.provider.open(target):
            raise AssertionError("it opened")
    _shows_no_secret(str(caught.value), target.url)


async def test_open_creates_nothing(adapter: Adapter, session: Session) -> None:
    """To open a session and to hold the lock creates nothing on the target."""
    async with session.lock(wait=timedelta(0)):
        assert await session.heads() == BASE
    assert await adapter.tables() == set()


async def test_sessions_stand_alone(adapter: Adapter) -> None:
    """Two sessions on one target are two connections: the end of one leaves the other alone."""
    async with adapter.provider.open(adapter.target) as first:
        async with adapter.provider.open(adapter.target) as second:
            assert await second.heads() == BASE
        assert await first.heads() == BASE


async def test_error_in_the_block(adapter: Adapter) -> None:
    """What the block raises comes out as it is, and the session is closed."""
    with pytest.raises(ZeroDivisionError):
        async with adapter.provider.open(adapter.target) as session:
            raise ZeroDivisionError
    with pytest.raises(ConnectionLostError):
        await session.heads()


async def test_cut_while_idle(adapter: Adapter, session: Session) -> None:
    """A session that died says so at every further call, and can still be closed."""
    await adapter.cut()
    for _ in range(2):
        with pytest.raises(ConnectionLostError, match=r"^orders: "):
            await session.heads()
    with pytest.raises(ConnectionLostError):
        await session.stamp(before=BASE, after=frozenset({"a1"}))


async def test_close_twice(adapter: Adapter) -> None:
    """A provider may be closed twice."""
    await adapter.provider.aclose()
    await adapter.provider.aclose()


async def test_transactional(adapter: Adapter, session: Session) -> None:
    """The optional ability can be seen from outside: it is there where DDL rolls back."""
    assert isinstance(session, Transactional) == adapter.rolls_back


def _shows_no_secret(message: str, url: str) -> None:
    password = url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert url not in message
    assert not password or password not in message
    assert "\n" not in message
