from __future__ import annotations

import pytest

from providers.base import Listing, Session, Shadowing, Spanning
from providers.errors import ConfigError, ConnectionLostError, StatementError
from providers.types import BASE
from tests.conformance.adapters import Adapter

A1 = frozenset({"a1"})


@pytest.fixture
def listing(session: Session) -> Listing:
    """Give the session, as one that can list."""
    assert isinstance(session, Listing)
    return session


async def test_schemas_like(adapter: Adapter, listing: Listing) -> None:
    """Schemas are found as SQL's LIKE finds them, in order; a backslash makes _ itself."""
    for name in ("tenant_b", "tenant_a", "tenantxc", "other"):
        await adapter.in_schemas(name, None)
    assert await listing.schemas("tenant_%") == ("tenant_a", "tenant_b", "tenantxc")
    assert await listing.schemas(r"tenant\_%") == ("tenant_a", "tenant_b")
    assert await listing.schemas("tenant__") == ("tenant_a", "tenant_b", "tenantxc")
    assert await listing.schemas("other") == ("other",)
    assert await listing.schemas("nobody") == ()


async def test_system_schemas(adapter: Adapter, listing: Listing) -> None:
    """Schemas of the system match nothing, nor are they taken from a query."""
    await adapter.in_schemas("eu", None)
    found = await listing.schemas("%")
    assert "eu" in found
    assert not [name for name in found if name.startswith("pg_") or name == "information_schema"]
    assert await listing.schemas_of("VALUES ('information_schema'), ('eu')") == ("eu",)


async def test_databases_like(adapter: Adapter, listing: Listing) -> None:
    """The databases of the whole server are found, be they in use or not."""
    one, other = sorted([await adapter.new_database(), await adapter.new_database()])
    found = await listing.databases("%")
    assert [name for name in found if name in {one, other}] == [one, other]
    assert await listing.databases(one.replace("_", r"\_")) == (one,)
    assert not {"postgres", "template0", "template1", "system"} & set(found)


async def test_shadows_are_nobodys(adapter: Adapter, session: Session, listing: Listing) -> None:
    """A database that was made to compile plans on is not among those of the server."""
    assert isinstance(adapter.provider, Shadowing)
    major = await session.server_major()
    async with adapter.provider.shadow(adapter.target, adapter.place, major=major):
        assert not [name for name in await listing.databases("%") if "shadow" in name]


async def test_in_database(adapter: Adapter) -> None:
    """What is done to a target in another database is done there, and only there."""
    assert isinstance(adapter.provider, Spanning)
    elsewhere = adapter.provider.in_database(adapter.target, await adapter.new_database())
    async with adapter.provider.open(elsewhere) as session:
        await session.stamp(before=BASE, after=A1)
        assert await session.heads() == A1
    async with adapter.provider.open(adapter.target) as session:
        assert await session.heads() == BASE


@pytest.mark.parametrize("ending", ["", ";", " -- all of them"])
async def test_query(listing: Listing, ending: str) -> None:
    """A query's result is taken as it comes: in its order, and twice where it says so."""
    query = f"VALUES ('us'), ('eu'), ('us'){ending}"
    assert await listing.schemas_of(query) == ("us", "eu", "us")
    assert await listing.databases_of(query) == ("us", "eu", "us")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("VALUES ('a', 'b')", r"^orders: its query gives 2 columns \(.*\); select one"),
        ("VALUES (1)", r"^orders: its query gives a value of type int; cast"),
        ("VALUES ('a'), (NULL)", "^orders: its query gives a NULL; leave such rows out"),
    ],
)
async def test_odd_result(listing: Listing, query: str, words: str) -> None:
    """What is not one column of texts is refused in one line, and the session stands."""
    for ask in (listing.schemas_of, listing.databases_of):
        with pytest.raises(ConfigError, match=words) as caught:
            await ask(query)
        assert "\n" not in str(caught.value)
    assert await listing.schemas_of("VALUES ('a')") == ("a",)


@pytest.mark.parametrize("query", ["CREATE TABLE changed (id INTEGER)", "SELEC 'a'"])
async def test_no_query(adapter: Adapter, listing: Listing, query: str) -> None:
    """What would change something, or is no SQL, is refused: nothing happens."""
    before = await adapter.tables()
    with pytest.raises((StatementError, ConfigError), match=r"^orders: "):
        await listing.schemas_of(query)
    assert await adapter.tables() == before


@pytest.mark.parametrize("call", ["schemas", "databases"])
async def test_dead_session(adapter: Adapter, listing: Listing, call: str) -> None:
    """On a dead session it is ConnectionLostError."""
    await adapter.cut()
    with pytest.raises(ConnectionLostError):
        await getattr(listing, call)("%")
