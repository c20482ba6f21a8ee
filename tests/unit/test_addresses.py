"""Where databases are, told by the URLs and names that the settings give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import Target
from sync.addresses import address_of
from sync.pool import Providers

HOUSE = "postgresql://db.internal/orders"
STAND = "databricks://token:t@ws.example?http_path=/sql/1.0/warehouses/a&catalog=c&schema=s"
LAKE = "lakebase://ws.example/orders?instance=i"


async def are_one(one: str, other: str, **changes: str) -> bool:
    """Tell whether two targets are one database; *changes* are those of the other one."""
    dialect = "databricks" if one == STAND else "postgresql"
    target = Target(name="db-1", history="app", dialect=dialect, url=one)
    if one == LAKE:
        target = replace(target, provider="lakebase")
    renamed = replace(target, name="eu-1", url=other, **changes)  # type: ignore[arg-type]  # texts
    providers = Providers()
    found = [await address_of(each, providers) for each in (target, renamed)]
    assert None not in found
    return found[0] == found[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HOUSE, HOUSE),
        (HOUSE, "postgresql+psycopg://ada:secret@DB.internal:5432/orders?sslmode=require"),
        (HOUSE, "postgresql:///orders?host=db.internal&port=5432"),
        (STAND, STAND.replace("token:t@", "token:u@").replace("warehouses/a", "warehouses/b")),
        (LAKE, LAKE + "&role=other"),
    ],
)
async def test_whoever_signs_in_and_however_it_is_one_database(one: str, other: str) -> None:
    """Name, driver, user, password, options and warehouse make no other database."""
    assert await are_one(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HOUSE, "postgresql://db.internal:5433/orders"),
        (HOUSE, "postgresql://db.internal/billing"),
        (STAND, STAND.replace("catalog=c", "catalog=d")),
        (STAND, STAND.replace("schema=s", "schema=t")),
        (LAKE, LAKE.replace("instance=i", "instance=j")),
    ],
)
async def test_another_place_is_another_database(one: str, other: str) -> None:
    """Host, port, database, catalog and schema count."""
    assert not await are_one(one, other)


@pytest.mark.parametrize("changes", [{"schema": "s"}, {"version_table": "other"}])
async def test_another_version_table_is_another_journal(changes: dict[str, str]) -> None:
    """Several targets may be in one database, each with a version table of its own."""
    assert not await are_one(HOUSE, HOUSE, **changes)


async def test_a_url_that_cannot_be_read_is_nowhere() -> None:
    """The name alone counts then."""
    target = Target(name="db-1", history="app", dialect="postgresql", url="postgresql://a:b/c@d/e")
    assert await address_of(target, Providers()) is None
