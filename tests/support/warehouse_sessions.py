"""Sessions on a local SQL warehouse, for tests that look past the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.databricks.provider import DatabricksProvider
from providers.databricks.session import DatabricksSession
from providers.databricks.warehouse import Warehouse
from providers.types import Target
from tests.support.warehouse_client import history


def target_at(url: str, **settings: Any) -> Target:  # noqa: ANN401 - the fields of a Target
    """Return a target of that URL."""
    return Target(name="orders", history="app", dialect="databricks", url=url, **settings)


@asynccontextmanager
async def session_on(url: str, **settings: Any) -> AsyncIterator[DatabricksSession]:  # noqa: ANN401 - the fields of a Target
    """Open a session on a target of that URL, with a provider of its own."""
    provider = DatabricksProvider()
    try:
        async with provider.open(target_at(url, **settings)) as session:
            assert isinstance(session, DatabricksSession)
            yield session
    finally:
        await provider.aclose()


async def refuses(url: str, kind: type[Exception], words: str, **settings: Any) -> None:  # noqa: ANN401 - the fields of a Target
    """Check that no session opens at *url*, and that the error says *words*."""
    with pytest.raises(kind, match=words) as caught:
        async with session_on(url, **settings):
            raise AssertionError("it opened")
    assert "\n" not in str(caught.value)


def statuses(warehouse: Warehouse, text: str) -> list[str]:
    """Return how the statements with *text* ended that arrived, the newest first."""
    return [each["status"] for each in history(warehouse) if text in each["query_text"]]
