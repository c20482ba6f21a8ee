"""Fixtures for a database on Lakebase: a workspace before it, and TLS as the only way in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conformance.proxy import proxy
from tests.support.lakebase import INSTANCE, Authority, Workspace, authority, running_workspace

TOKEN = "token-of-the-workspace"  # noqa: S105 - made up


@dataclass(frozen=True, slots=True)
class Stand:
    """A workspace, and a database with one role for which it mints."""

    workspace: Workspace
    database: str  #: a superuser's URL
    port: int  #: where TLS is spoken

    def url(self, *, token: str = TOKEN, port: int | None = None, **options: str) -> str:
        """Return a target's URL: by the instance, unless *options* say otherwise."""
        name = urlsplit(self.database).path.removeprefix("/")
        given = options if "endpoint" in options else {"instance": INSTANCE, **options}
        return self.workspace.url(token, name, port=port or self.port, **given)

    async def beside(self, sql: str) -> None:
        """Run *sql* as the superuser."""
        connection = await asyncpg.connect(self.database)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    """Give a certificate authority that signs for localhost."""
    return authority(tmp_path, "localhost")


@pytest.fixture
async def lakebase(database: str, trusted: Authority) -> AsyncIterator[Stand]:
    """Give a database that is reached through a workspace alone."""
    role = f"test_{secrets.token_hex(4)}"
    with running_workspace(database, trusted) as workspace:
        async with proxy(database, trusted.tls) as before, AsyncExitStack() as cleanup:
            made = Stand(workspace, database, urlsplit(before.url).port or 0)
            await made.beside(f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")
            cleanup.push_async_callback(made.beside, f"DROP OWNED BY {role}; DROP ROLE {role}")
            workspace.identities[TOKEN] = role
            yield made
