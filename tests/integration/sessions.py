"""Sessions on a real Postgres, for tests that look past the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from providers.postgres.provider import PostgresProvider
from providers.postgres.session import PostgresSession
from providers.types import Target


def target_at(url: str, **settings: Any) -> Target:  # noqa: ANN401 - the fields of a Target
    """Return a target of that URL."""
    return Target(name="orders", history="app", dialect="postgresql", url=url, **settings)


@asynccontextmanager
async def session_on(url: str, **settings: Any) -> AsyncIterator[PostgresSession]:  # noqa: ANN401 - the fields of a Target
    """Open a session on a target of that URL."""
    async with PostgresProvider().open(target_at(url, **settings)) as session:
        assert isinstance(session, PostgresSession)
        yield session


def as_user(url: str, user: str, password: str) -> str:
    """Return *url* with another user."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{password}@{server}").geturl()
