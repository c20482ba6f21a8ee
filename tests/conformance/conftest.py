"""One fixture, `adapter`: every test of the suite runs once for each kind of database.

Where the contract leaves it to a database whether it has an ability, a test names the ability
that it needs: `@needs_exclusion`, `@needs_rollback`, `@needs_fingerprints`, `@needs_surveys`. So it
runs where the ability is.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from providers.base import Fingerprinting, Session, Surveying, Transactional
from providers.databricks.warehouse import Warehouse, warehouse_process
from tests.conformance.abilities import ADAPTERS
from tests.conformance.adapters import Adapter, MemoryAdapter, PostgresAdapter
from tests.conformance.gate import gate
from tests.conformance.lakebases import LakebaseAdapter
from tests.conformance.proxy import proxy
from tests.conformance.warehouses import DatabricksAdapter
from tests.support.lakebase import Authority, authority, running_workspace


@pytest.fixture
def memory_adapter() -> MemoryAdapter:
    """Give an empty database in memory."""
    return MemoryAdapter()


@pytest.fixture
async def postgres_adapter(database: str) -> AsyncIterator[PostgresAdapter]:
    """Give an empty database on a real server."""
    async with proxy(database) as before, AsyncExitStack() as cleanup:
        yield PostgresAdapter(database, before, cleanup)


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give a certificate authority of the suite's own."""
    return authority(tmp_path_factory.mktemp("authority"), "localhost")


@pytest.fixture
async def lakebase_adapter(database: str, trusted: Authority) -> AsyncIterator[LakebaseAdapter]:
    """Give an empty database on a real server, reached through a workspace."""
    with running_workspace(database, trusted) as workspace:
        async with proxy(database, trusted.tls) as before, AsyncExitStack() as cleanup:
            adapter = LakebaseAdapter(database, before, cleanup, workspace)
            await adapter.prepare()
            yield adapter
            await adapter.provider.aclose()


@pytest.fixture(scope="session")
def own_warehouse() -> Iterator[Warehouse]:
    """Give a warehouse of the suite's own: it is stopped again and again."""
    with warehouse_process() as running:
        yield running


@pytest.fixture
async def databricks_adapter(own_warehouse: Warehouse) -> AsyncIterator[DatabricksAdapter]:
    """Give an empty schema on a local warehouse, behind the real client."""
    async with gate(own_warehouse.port) as before:
        adapter = DatabricksAdapter(own_warehouse, f"test_{secrets.token_hex(6)}", before)
        await adapter.prepare()
        yield adapter
        await adapter.provider.aclose()
        own_warehouse.control.clear()


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Give each kind of database in turn."""
    chosen: Adapter = request.getfixturevalue(f"{request.param}_adapter")
    return chosen


@pytest.fixture
async def session(adapter: Adapter) -> AsyncIterator[Session]:
    """Give a session on the adapter's target."""
    async with adapter.provider.open(adapter.target) as opened:
        yield opened


@pytest.fixture
def transactional(session: Session) -> Transactional:
    """Give the same session, as one whose DDL rolls back."""
    assert isinstance(session, Transactional)
    return session


@pytest.fixture
def fingerprinting(session: Session) -> Fingerprinting:
    """Give the same session, as one whose drift can be seen."""
    assert isinstance(session, Fingerprinting)
    return session


@pytest.fixture
def surveying(adapter: Adapter) -> Surveying:
    """Give the adapter's provider, as one that can survey."""
    assert isinstance(adapter.provider, Surveying)
    return adapter.provider
