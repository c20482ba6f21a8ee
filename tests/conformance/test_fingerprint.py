from __future__ import annotations

from datetime import timedelta

import pytest

from providers.base import Fingerprinting, Session
from providers.errors import ConnectionLostError
from providers.snapshot import snapshot_of
from providers.types import BASE, Snapshot, Statement, Target
from tests.conformance.abilities import needs_fingerprints
from tests.conformance.adapters import Adapter

pytestmark = needs_fingerprints

NO_WAIT = timedelta(0)
A1 = frozenset({"a1"})


async def create(session: Session, *names: str) -> None:
    """Create tables, in that order."""
    for name in names:
        statement = Statement(f"CREATE TABLE {name} (id INTEGER)", transactional=False)
        await session.execute(statement, ticket=f"t-{name}")


async def drop(session: Session, name: str) -> None:
    """Drop a table."""
    statement = Statement(f"DROP TABLE {name}", transactional=False)
    await session.execute(statement, ticket=f"d-{name}")


async def snapshot_with(adapter: Adapter, target: Target, *names: str) -> Snapshot:
    """Create tables on *target*, and return its snapshot."""
    async with adapter.provider.open(target) as session:
        assert isinstance(session, Fingerprinting)
        await create(session, *names)
        return await session.snapshot()


async def test_both_agree(session: Session, fingerprinting: Fingerprinting) -> None:
    """The hash that the database makes is that of the objects that it names."""
    for name in ("a", "b"):
        await create(session, name)
        snapshot = await fingerprinting.snapshot()
        assert await fingerprinting.fingerprint() == snapshot.fingerprint
        assert snapshot_of(snapshot.objects) == snapshot


async def test_tells_the_objects(session: Session, fingerprinting: Fingerprinting) -> None:
    """A snapshot names each object by its kind and its schema."""
    before = await fingerprinting.snapshot()
    await create(session, "a")
    after = await fingerprinting.snapshot()
    assert "table public.a" in after.objects.keys() - before.objects.keys()


async def test_change_and_back(session: Session, fingerprinting: Fingerprinting) -> None:
    """A change changes it; the change undone gives the same as before."""
    await create(session, "a")
    before = await fingerprinting.fingerprint()
    await create(session, "b")
    assert await fingerprinting.fingerprint() != before
    await drop(session, "b")
    assert await fingerprinting.fingerprint() == before


async def test_order_of_creation(session: Session, fingerprinting: Fingerprinting) -> None:
    """It does not depend on the order in which objects were made."""
    await create(session, "a", "b")
    before = await fingerprinting.fingerprint()
    await drop(session, "a")
    await create(session, "a")
    assert await fingerprinting.fingerprint() == before


async def test_version_table(session: Session, fingerprinting: Fingerprinting) -> None:
    """Neither the version table nor its rows count."""
    before = await fingerprinting.snapshot()
    await session.stamp(before=BASE, after=A1)
    assert await fingerprinting.snapshot() == before
    assert await fingerprinting.fingerprint() == before.fingerprint


async def test_changes_nothing(adapter: Adapter, fingerprinting: Fingerprinting) -> None:
    """Looking creates nothing."""
    await fingerprinting.fingerprint()
    await fingerprinting.snapshot()
    assert await adapter.tables() == set()


async def test_two_schemas_of_one_shape(adapter: Adapter) -> None:
    """Schemas of one shape have one fingerprint, and each is looked at alone."""
    first = await adapter.in_schemas("eu", None)
    second = await adapter.in_schemas("us", None)
    found = await snapshot_with(adapter, first, "a", "b")
    assert "table a" in found.objects
    assert await snapshot_with(adapter, second, "b", "a") == found
    assert await snapshot_with(adapter, second, "c") != found
    assert await snapshot_with(adapter, first) == found


async def test_under_the_lock(adapter: Adapter, fingerprinting: Fingerprinting) -> None:
    """It can be taken while another session holds the migration lock."""
    before = await fingerprinting.fingerprint()
    async with adapter.provider.open(adapter.target) as other, other.lock(wait=NO_WAIT):
        assert await fingerprinting.fingerprint() == before


@pytest.mark.parametrize("call", ["fingerprint", "snapshot"])
async def test_dead_session(adapter: Adapter, fingerprinting: Fingerprinting, call: str) -> None:
    """On a dead session it is ConnectionLostError."""
    await adapter.cut()
    with pytest.raises(ConnectionLostError):
        await getattr(fingerprinting, call)()
