"""One fixture, `adapter`: every test of the suite runs once for each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from providers.base import Session, Transactional
from tests.conformance.adapters import Adapter, MemoryAdapter, PostgresAdapter
from tests.conformance.proxy import proxy


@pytest.fixture
def memory_adapter() -> MemoryAdapter:
    """Give an empty database in memory."""
    return MemoryAdapter()


@pytest.fixture
async def postgres_adapter(database: str) -> AsyncIterator[PostgresAdapter]:
    """Give an empty database on a real server."""
    async with proxy(database) as before, AsyncExitStack() as cleanup:
        yield PostgresAdapter(database, before, cleanup)


@pytest.fixture(
    params=[
        pytest.param("memory_adapter", id="memory"),
        pytest.param("postgres_adapter", id="postgres"),
    ]
)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Give each kind of database in turn."""
    chosen: Adapter = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
async def session(adapter: Adapter) -> AsyncIterator[Session]:
    """Give a session on the adapter's target."""
    async with adapter.provider.open(adapter.target) as opened:
        yield opened


@pytest.fixture
def transactional(session: Session) -> Transactional:
    """Give the same session, as one whose DDL rolls back; both our adapters have it."""
    assert isinstance(session, Transactional)
    return session
