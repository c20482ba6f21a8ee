"""What the conformance suite needs of a judge."""

# ruff: noqa: D102 - the base class says what each method of an adapter does

from __future__ import annotations

import asyncio
import secrets
from contextlib import closing
from dataclasses import replace
from typing import ClassVar

from providers.databricks.address import address
from providers.databricks.provider import DatabricksProvider
from providers.databricks.sql import identifier, version_table
from providers.types import Heads, Statement, Target
from tests.conformance.adapters import Adapter, Call, a_target
from tests.support.delta.judges import Judge


class JudgeAdapter(Adapter):
    """Schemas with a prefix of their own, which the suite does not see.

    What makes things go wrong is left to the stand-in: nobody can cut the wire of a judge.
    """

    excludes: ClassVar[bool] = False
    rolls_back: ClassVar[bool] = False
    fingerprints: ClassVar[bool] = False
    surveys: ClassVar[bool] = False

    odd_name = "Odd-name"  # Spark's own catalog has no backtick in any name
    slow = Statement("SELECT 'slow'", transactional=False)

    def __init__(self, judge: Judge) -> None:
        self.provider = DatabricksProvider()
        self._judge = judge
        self._prefix = f"levelhead_test_{secrets.token_hex(4)}_"
        self._schemas = ["public"]
        self.target = a_target("databricks", judge.at(self._prefix + "public"))

    async def prepare(self) -> None:
        """Create the schema."""
        await self._beside(f"CREATE SCHEMA {self._place('public')}")

    async def forget(self) -> None:
        """Drop all schemas."""
        for name in self._schemas:
            await self._beside(f"DROP SCHEMA {self._place(name)} CASCADE")

    async def tables(self) -> set[str]:
        found = set()
        for name in self._schemas:
            rows = await self._beside(f"SHOW TABLES IN {self._place(name)}")
            found |= {f"{name}.{row[1]}" for row in rows}
        return found

    async def write_heads(self, target: Target, heads: Heads) -> None:
        table = version_table(target, address(target.url))
        await self._beside(f"CREATE TABLE {table} (version_num STRING NOT NULL) USING DELTA")
        for head in heads:
            await self._beside(f"INSERT INTO {table} VALUES ('{head}')")

    async def forget_heads(self, target: Target) -> None:
        await self._beside(f"DROP TABLE {version_table(target, address(target.url))}")

    async def in_schemas(self, schema: str | None, version_schema: str | None) -> Target:
        named = {name for name in (schema, version_schema) if name is not None}
        for name in sorted(named):
            await self._beside(f"CREATE SCHEMA {self._place(name)}")
            self._schemas.append(name)
        return replace(
            self.target,
            schema=schema and self._prefix + schema,
            version_table_schema=version_schema and self._prefix + version_schema,
        )

    async def slow_is_running(self) -> None:
        raise NotImplementedError

    async def cut(self) -> None:
        raise NotImplementedError

    def lose_reply(self, call: Call) -> None:
        raise NotImplementedError

    async def new_database(self) -> str:
        raise NotImplementedError

    async def unreachable(self) -> Target:
        raise NotImplementedError

    async def starting(self) -> Target:
        raise NotImplementedError

    def finish_start(self) -> None:
        raise NotImplementedError

    async def unwelcome(self) -> Target:
        raise NotImplementedError

    async def unreadable(self) -> Target:
        raise NotImplementedError

    def _place(self, schema: str) -> str:
        return f"{identifier(self._judge.catalog)}.{identifier(self._prefix + schema)}"

    async def _beside(self, sql: str) -> list[tuple[str, ...]]:
        """Run *sql* on a session of our own; return its rows."""

        def rows() -> list[tuple[str, ...]]:
            with self._judge.connected() as connection, closing(connection.cursor()) as cursor:
                return [tuple(row) for row in cursor.execute(sql).fetchall()]

        return await asyncio.to_thread(rows)
