"""What the suite needs of Lakebase: a real server behind TLS, and a workspace that mints."""

# ruff: noqa: D102 - the base class says what each method of an adapter does

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from providers.base import Session
from providers.lakebase.provider import LakebaseProvider
from providers.postgres.provider import PostgresProvider
from providers.types import Target
from tests.conformance.adapters import PostgresAdapter, a_target
from tests.support.lakebase import INSTANCE, Workspace


@dataclass
class LakebaseAdapter(PostgresAdapter):
    """The same server as Postgres has, where every login is minted."""

    workspace: Workspace

    def __post_init__(self) -> None:
        self.provider = LakebaseProvider()
        self.token = secrets.token_hex(8)
        self.target = replace(
            a_target("postgresql", self._lakebase_url(self.token)), provider="lakebase"
        )

    async def prepare(self) -> None:
        """Create the role that the workspace mints for."""
        await self._identity(self.token, ("SUPERUSER",))

    def opened(self, shadow: Target) -> AbstractAsyncContextManager[Session]:
        """Open a session on a shadow, which is a Postgres like any other."""
        provider = self.provider if shadow.provider else PostgresProvider()
        return provider.open(shadow)

    async def unreachable(self) -> Target:
        return replace(self.target, url=self.target.url.replace(self.workspace.host, "localhost:1"))

    async def unwelcome(self) -> Target:
        return replace(self.target, url=self._lakebase_url("not-it"))

    async def unreadable(self) -> Target:
        token = secrets.token_hex(8)
        await self._identity(token, ())
        await self.write_heads(self.target, frozenset({"a1"}))
        return replace(self.target, url=self._lakebase_url(token))

    def _lakebase_url(self, token: str) -> str:
        database = urlsplit(self.direct_url).path.removeprefix("/")
        port = urlsplit(self.proxy.url).port or 0
        return self.workspace.url(token, database, port=port, instance=INSTANCE)

    async def _identity(self, token: str, abilities: Sequence[str]) -> None:
        role = f"test_{secrets.token_hex(4)}"
        await self._beside(f"CREATE ROLE {role} LOGIN {' '.join(abilities)}")
        for farewell in (f"DROP ROLE {role}", f"DROP OWNED BY {role}"):
            self.cleanup.push_async_callback(self._beside, farewell)
        self.workspace.identities[token] = role
