from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.base import ON_TARGET, Shadowing
from providers.databricks.address import with_options
from providers.databricks.provider import DatabricksProvider
from providers.databricks.warehouse import Fault, FaultKind, Warehouse
from providers.errors import AccessDeniedError, ConnectError, ShadowError
from providers.types import BASE, Statement, Target
from tests.support.warehouse_client import session as client
from tests.support.warehouse_sessions import target_at

pytest_plugins = ["tests.support.warehouse"]

ELSEWHERE = (
    "databricks://token:secret@never.invalid?http_path=/sql/1.0/warehouses/1"
    "&catalog=Sales&schema=orders"
)
WITHOUT = """
import asyncio, sys
sys.modules["duckdb"] = None  # as if it were not installed
from providers.databricks.provider import DatabricksProvider
from providers.errors import ShadowError
from providers.types import Target

async def main():
    target = Target(name="orders", history="app", dialect="databricks", url=sys.argv[1])
    try:
        async with DatabricksProvider().shadow(target, None, major=""):
            raise AssertionError("there was one")
    except ShadowError as error:
        print(error)

asyncio.run(main())
"""


@pytest.fixture
async def provider() -> AsyncIterator[DatabricksProvider]:
    """Give a provider of the test's own."""
    made = DatabricksProvider()
    yield made
    await made.aclose()


@pytest.fixture
def place(warehouse: Warehouse) -> str:
    """Give the URL of a scratch catalog: a warehouse, without a schema."""
    return warehouse.target_url().replace("&schema=default", "")


def shadows_on(warehouse: Warehouse) -> set[str]:
    """Return the shadows in the scratch catalog."""
    with client(warehouse) as cursor:
        found = cursor.execute("SHOW SCHEMAS IN main").fetchall()
    return {row[0] for row in found if row[0].startswith("levelhead_shadow_")}


def options_of(target: Target) -> dict[str, str]:
    """Return the options in the URL of *target*."""
    return {name: texts[0] for name, texts in parse_qs(urlsplit(target.url).query).items()}


async def refuses(
    provider: DatabricksProvider, target: Target, place: str, kind: type[Exception] = ShadowError
) -> str:
    """Check that there is no shadow, and that no token is shown; return the error's line."""
    with pytest.raises(kind, match=r"^shadow of orders: ") as caught:
        async with provider.shadow(target, place, major=""):
            raise AssertionError("there was one")
    line = str(caught.value)
    assert "\n" not in line
    for url in (target.url, place):
        token = urlsplit(url).password
        assert token is None or token not in line
    return line


async def test_names_of_the_target(provider: DatabricksProvider) -> None:
    """A local shadow has catalog and schemas of the target, so SQL may spell them out."""
    assert isinstance(provider, Shadowing)
    target = target_at(ELSEWHERE, version_table_schema="ops")
    async with (
        provider.shadow(target, None, major="") as shadow,
        provider.open(shadow) as session,
    ):
        assert shadow == replace(target, name="shadow of orders", url=shadow.url)
        assert await session.heads() == BASE
        for sql in (
            "CREATE TABLE users (id BIGINT)",
            "INSERT INTO Sales.orders.users VALUES (1)",
            "CREATE TABLE Sales.ops.more (id BIGINT)",
        ):
            await session.execute(Statement(sql), ticket="t")
        await session.stamp(before=BASE, after=frozenset({"a1"}))
        assert await session.heads() == frozenset({"a1"})


async def test_schema_of_the_target(provider: DatabricksProvider) -> None:
    """The target's `schema` counts, not the one in its URL, as for the target itself."""
    target = target_at(ELSEWHERE, schema="tenant")
    async with provider.shadow(target, None, major="") as shadow:
        assert options_of(shadow)["schema"] == "tenant"
        async with provider.open(shadow) as session:
            create = Statement("CREATE TABLE Sales.tenant.users (id BIGINT)")
            await session.execute(create, ticket="t")


async def test_options_that_sql_depends_on(provider: DatabricksProvider) -> None:
    """What the dialect reads of the target's URL, it reads of the shadow's too."""
    target = target_at(f"{ELSEWHERE}&enable_multirow_insert_casts=0")
    async with provider.shadow(target, None, major="") as shadow:
        assert options_of(shadow)["enable_multirow_insert_casts"] == "0"


async def test_local_warehouse_ends(provider: DatabricksProvider) -> None:
    """The local warehouse ends with the block, also where that was cancelled."""
    entered: asyncio.Queue[Target] = asyncio.Queue()

    async def use() -> None:
        async with provider.shadow(target_at(ELSEWHERE), None, major="") as shadow:
            entered.put_nowait(shadow)
            await asyncio.sleep(3600)

    task = asyncio.create_task(use())
    shadow = await entered.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    place = urlsplit(shadow.url)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(place.hostname, place.port)


def test_extra_not_installed() -> None:
    """Without the extra one line names it."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, ELSEWHERE], capture_output=True, text=True, check=True
    )
    (line,) = run.stdout.splitlines()
    assert line.startswith("shadow of orders: its local warehouse needs 'duckdb', which is not")
    assert line.endswith("installed; pip install 'levelhead[warehouse]'")


async def test_in_a_scratch_catalog(
    provider: DatabricksProvider, warehouse: Warehouse, place: str
) -> None:
    """In a scratch catalog each shadow is a schema of its own, dropped with all that is in it."""
    target = target_at(ELSEWHERE, schema="orders", version_table_schema="orders")
    before = shadows_on(warehouse)
    async with (
        provider.shadow(target, place, major="") as shadow,
        provider.open(shadow) as session,
    ):
        await session.execute(Statement("CREATE TABLE users (id BIGINT)"), ticket="t")
        await session.stamp(before=BASE, after=frozenset({"a1"}))
        (name,) = shadows_on(warehouse) - before
        assert (shadow.schema, shadow.version_table_schema) == (name, name)
    assert shadows_on(warehouse) == before


async def test_scratch_for_a_target_without_schema(
    provider: DatabricksProvider, place: str
) -> None:
    """A target whose URL alone names its schema gets a shadow whose URL alone does."""
    async with provider.shadow(target_at(ELSEWHERE), place, major="") as shadow:
        assert (shadow.schema, shadow.version_table_schema) == (None, None)
        assert options_of(shadow)["schema"].startswith("levelhead_shadow_")
        async with provider.open(shadow) as session:
            assert await session.heads() == BASE


async def test_places_that_do_not_fit(provider: DatabricksProvider, place: str) -> None:
    """Refused is what scripts or others may reach by name; nothing is sent."""
    target = target_at(ELSEWHERE)
    own = target_at(f"{place}&schema=x".replace("catalog=main", "catalog=MAIN"))
    for wanted, where, said in (
        (target, ON_TARGET, "would reach the target itself"),
        (target, place.replace("&catalog=main", ""), "names no catalog"),
        (target, f"{place}&schema=x", 'names schema "x"; each gets one of its own'),
        (own, place, '"main" is the target\'s own catalog'),
        (replace(target, version_table_schema="ops"), place, 'in schema "ops", outside'),
    ):
        line = await refuses(provider, wanted, where)
        assert said in line
        assert line.endswith('; set shadow of history "app" to another place')


async def test_places_that_cannot_be_reached(
    provider: DatabricksProvider, warehouse: Warehouse, place: str
) -> None:
    """A URL that makes no sense, a wrong token and a closed port are the errors of opening."""
    target = target_at(ELSEWHERE)
    wrong = place.replace(warehouse.token, "not-it")
    closed = with_options(place, {"_connection_uri": "http://127.0.0.1:1/sql/1.0/warehouses/x"})
    await refuses(provider, target, "databricks://never.invalid", AccessDeniedError)
    await refuses(provider, target, wrong, AccessDeniedError)
    await refuses(provider, target, closed, ConnectError)


async def test_catalog_that_does_not_exist(provider: DatabricksProvider, place: str) -> None:
    """A scratch catalog that is not there is named."""
    gone = with_options(place, {"catalog": "gone"})
    line = await refuses(provider, target_at(ELSEWHERE), gone, ConnectError)
    assert 'there is no catalog "gone"' in line


async def test_lost_reply(provider: DatabricksProvider, warehouse: Warehouse, place: str) -> None:
    """Where it is not known whether the schema was created, that is said, and no more is done."""
    before = shadows_on(warehouse)
    warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="CREATE SCHEMA", times=1))
    line = await refuses(provider, target_at(ELSEWHERE), place)
    assert "the connection broke" in line
    (name,) = shadows_on(warehouse) - before
    with client(warehouse) as cursor:
        cursor.execute(f"DROP SCHEMA main.{name} CASCADE")


async def test_schema_that_is_left_over(
    provider: DatabricksProvider,
    warehouse: Warehouse,
    place: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the schema cannot be dropped, a warning names it; what was done on it counts."""
    before = shadows_on(warehouse)
    async with provider.shadow(target_at(ELSEWHERE), place, major=""):
        warehouse.control.add(Fault(FaultKind.CUT_BEFORE, matching="DROP SCHEMA", times=1))
    (name,) = shadows_on(warehouse) - before
    assert f"schema `main`.`{name}` is left over: shadow of orders: " in caplog.text
    with client(warehouse) as cursor:
        cursor.execute(f"DROP SCHEMA main.{name} CASCADE")
