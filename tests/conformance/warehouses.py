"""What the suite needs of a Databricks SQL warehouse: the local one, behind the real client."""

# ruff: noqa: D102 - the base class says what each method of an adapter does

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from providers.databricks.address import address
from providers.databricks.provider import DatabricksProvider
from providers.databricks.sql import identifier, version_table
from providers.databricks.warehouse import Fault, FaultKind, Warehouse
from providers.types import Heads, Statement, Target
from tests.conformance.adapters import Adapter, Call, a_target
from tests.conformance.gate import Gate
from tests.support.warehouse_client import connected, history
from tests.support.warehouse_targets import moved, url_of


class DatabricksAdapter(Adapter):
    """A schema of a catalog of its own. Sessions neither lock nor roll back."""

    excludes: ClassVar[bool] = False
    rolls_back: ClassVar[bool] = False
    fingerprints: ClassVar[bool] = False
    place: ClassVar[str | None] = None

    odd_name = "Odd-`name`"
    slow = Statement("SELECT 'slow'", transactional=False)

    def __init__(self, warehouse: Warehouse, catalog: str, before: Gate) -> None:
        self.provider = DatabricksProvider()
        direct = url_of(warehouse, catalog, "public")
        self.target = a_target("databricks", moved(direct, warehouse.port, before.port))
        self._warehouse = warehouse
        self._catalog = catalog
        self._gate = before
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=60, matching=self.slow.sql))

    async def prepare(self) -> None:
        """Create catalog and schema."""
        await self._beside(f"CREATE CATALOG {self._catalog}")
        await self._beside(f"CREATE SCHEMA {self._catalog}.public")

    async def tables(self) -> set[str]:
        rows = await self._beside(
            "SELECT concat(table_schema, '.', table_name)"
            f" FROM {self._catalog}.information_schema.tables"
            " WHERE table_schema <> 'information_schema'"
        )
        return set(rows)

    async def write_heads(self, target: Target, heads: Heads) -> None:
        table = self._name(target)
        await self._beside(f"CREATE TABLE {table} (version_num STRING NOT NULL)")
        for head in heads:
            await self._beside(f"INSERT INTO {table} VALUES ('{head}')")

    async def forget_heads(self, target: Target) -> None:
        await self._beside(f"DROP TABLE {self._name(target)}")

    async def in_schemas(self, schema: str | None, version_schema: str | None) -> Target:
        for name in {schema, version_schema} - {None}:
            await self._beside(f"CREATE SCHEMA {self._catalog}.{identifier(str(name))}")
        return replace(self.target, schema=schema, version_table_schema=version_schema)

    async def new_database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        await self._beside(f"CREATE CATALOG {name}")
        await self._beside(f"CREATE SCHEMA {name}.public")
        return name

    async def slow_is_running(self) -> None:
        running = {"filter_by__statuses": "RUNNING"}
        while not await asyncio.to_thread(self._shows_slow, **running):  # noqa: ASYNC110 - a warehouse tells nobody
            await asyncio.sleep(0.02)

    async def cut(self) -> None:
        await self._gate.cut()
        self._warehouse.control.add(Fault(FaultKind.STOPPED))

    def lose_reply(self, call: Call) -> None:
        matching = "levelhead:" if call == "execute" else "MERGE"
        self._warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching=matching, times=1))

    async def unreachable(self) -> Target:
        return replace(self.target, url=moved(self.target.url, self._gate.port, 1))

    async def starting(self) -> Target:
        self._warehouse.control.add(Fault(FaultKind.STOPPED, seconds=3600))
        return replace(self.target, connect_timeout=timedelta(seconds=2))

    def finish_start(self) -> None:
        self._warehouse.control.clear()

    async def unwelcome(self) -> Target:
        token = self._warehouse.token
        return replace(self.target, url=self.target.url.replace(token, "not-it"))

    async def unreadable(self) -> Target:
        """The local warehouse has no privileges, so the gate before it stands for them."""
        await self.write_heads(self.target, frozenset({"a1"}))
        self._gate.refuse(f"version_num FROM {self._name(self.target)}")
        return self.target

    def _name(self, target: Target) -> str:
        return version_table(target, address(self.target.url))

    def _shows_slow(self, **filters: Any) -> bool:  # noqa: ANN401 - parameters of the API
        return any(
            self.slow.sql in each["query_text"] for each in history(self._warehouse, **filters)
        )

    async def _beside(self, sql: str) -> list[str]:
        """Run *sql* on a session of our own; return the first column."""

        def first_column() -> list[str]:
            with connected(self._warehouse) as connection, connection.cursor() as cursor:
                return [row[0] for row in cursor.execute(sql).fetchall()]

        return await asyncio.to_thread(first_column)
