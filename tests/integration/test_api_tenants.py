"""Patterns of tenants over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.model import Role
from sync.settings import load_settings
from tests.integration.test_api import CONFIGURATION, Service, serving
from tests.support.engine import execute
from tests.support.postgres import Databases

PATTERN = """
[[tenants]]
name = "shop"
history = "app"
url = "${URL}"
schemas = 'tenant\\_%'
"""


@pytest.fixture
async def tenants(tmp_path: Path, databases: Databases) -> AsyncIterator[Service]:
    """The API over a pattern of two tenants, and a target beside it."""
    url, other = await databases(2)
    await execute(url, 'CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b; CREATE SCHEMA "tenant_ c"')
    own = '[[target]]\nname = "own"\nhistory = "app"\nurl = "${OTHER}"\n'
    (tmp_path / "levelhead.toml").write_text(f"{CONFIGURATION}{PATTERN}{own}")
    settings = load_settings(None, {"URL": url, "OTHER": other}, tmp_path)
    async with serving(settings, open_reads=True) as service:
        yield service


async def test_patterns(tenants: Service) -> None:
    """A pattern is listed with how many it found, and with what of it is no target."""
    (shop,) = (await tenants.get("tenants")).json()["items"]
    assert (shop["name"], shop["over"], shop["targets"]) == ("shop", "schema", 2)
    assert shop["left_out"] == [
        '"tenant_ c": "shop-tenant_ c" is no name for a target: letters, digits, _ . - only'
    ]
    assert shop["problem"] is None
    assert shop["listed_at"] is not None


async def test_its_targets(tenants: Service) -> None:
    """They are listed by its name, and each says whose it is."""
    found = (await tenants.get("targets", tenants="shop")).json()["items"]
    assert [(each["name"], each["tenants"]) for each in found] == [
        ("shop-tenant_a", "shop"),
        ("shop-tenant_b", "shop"),
    ]
    assert (await tenants.get("targets/shop-tenant_a")).json()["tenants"] == "shop"
    assert (await tenants.get("targets/own")).json()["tenants"] is None


async def test_an_order_for_all_of_them(tenants: Service) -> None:
    """A sync of many takes the name of a pattern."""
    accepted = await tenants.post("sync", targets=["shop"], dry_run=True)
    assert [each["target"] for each in accepted.json()["items"]] == [
        "shop-tenant_a",
        "shop-tenant_b",
    ]


@pytest.mark.parametrize("call", ["sync", "downgrade", "stamp", "release"])
async def test_what_is_for_one_target(tenants: Service, call: str) -> None:
    """The name of a pattern is none of a target: 404, and nothing is done."""
    body = {"to": "base"} if call in {"downgrade", "stamp"} else None
    path = f"targets/shop/{call}"
    for answer in (
        await tenants.send("POST", path, Role.OPERATOR, json=body),
        await tenants.get("targets/shop"),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith('"shop" stands for the targets of a pattern')
    assert (await tenants.get("runs")).json()["items"] == []
