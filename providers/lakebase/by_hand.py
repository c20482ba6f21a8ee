"""Logs into Lakebase for whoever calls Alembic by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from providers.lakebase.provider import LakebaseProvider
from providers.types import Target


@dataclass(frozen=True, slots=True)
class Signed:
    """What a driver of Postgres connects with, within the life of a credential."""

    url: str = field(repr=False)
    environment: Mapping[str, str]  #: variables that every driver of Postgres reads: TLS


def signed(url: str) -> Signed:
    """Have a credential minted for the database that *url* names, and try it; this blocks.

    Raises:
        AccessDeniedError, ConnectError: There is none to be had, or it does not lead to a server
            where a session can hold a lock.
    """
    return asyncio.run(_signed(url))


async def _signed(url: str) -> Signed:
    name = "lakebase"
    target = Target(name=name, history="", dialect="postgresql", provider=name, url=url)
    async with aclosing(LakebaseProvider()) as provider, provider.open(target):
        support = await provider.runner_support(target)
    return Signed(support.url or "", support.environment)
