"""The providers of this process: one of each kind, made on first use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from providers.base import Provider, Session, Warming
from providers.errors import UnknownDialectError
from providers.registry import BUILT_IN, known_providers, load_provider
from providers.types import Target


def kind_of(target: Target) -> str:
    """Return the name of the provider that opens *target*."""
    return target.provider or target.dialect


def _likely(name: str) -> Mapping[str, str]:
    """Return where the provider *name* is; of strangers all installed packages are asked."""
    return BUILT_IN if name in BUILT_IN else known_providers()


class Providers:
    """Opens sessions on targets of any dialect.

    Each provider that can keeps up to *warm* connections open between surveys, for *warm_for*.
    """

    def __init__(self, *, warm: int = 0, warm_for: timedelta = timedelta(0)) -> None:
        self._warm = warm
        self._warm_for = warm_for
        self._loaded: dict[str, Provider] = {}
        self._loading = asyncio.Lock()

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Session]:
        """Open a session on *target*; see `Provider.open`.

        Raises:
            UnknownDialectError: There is no provider for it, or its driver is missing.
        """
        try:
            provider = await self.of(target)
        except UnknownDialectError as error:
            raise UnknownDialectError(f"{target.name}: {error}") from error
        async with provider.open(target) as session:
            yield session

    async def of(self, target: Target) -> Provider:
        """Return the provider that opens *target*.

        Raises:
            UnknownDialectError: There is none, or its driver is missing.
        """
        name = kind_of(target)
        if name not in self._loaded:
            async with self._loading:
                await self._load(name)
        return self._loaded[name]

    async def _load(self, name: str) -> None:
        if name not in self._loaded:  # nobody else did while we waited
            # A driver can take half a second to import, and the event loop has other work.
            provider = await asyncio.to_thread(load_provider, name, _likely(name))
            if isinstance(provider, Warming):
                provider.keep_warm(self._warm, self._warm_for)
            self._loaded[name] = provider

    async def aclose(self) -> None:
        """Close every provider. Safe to call twice."""
        while self._loaded:
            _, provider = self._loaded.popitem()
            await provider.aclose()
