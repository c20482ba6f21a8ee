"""The providers of this process: one of each dialect, made on first use."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from providers.base import Provider, Session
from providers.registry import known_providers, load_provider
from providers.types import Target


class Providers:
    """Opens sessions on targets of any dialect."""

    def __init__(self) -> None:
        self._known = known_providers()
        self._loaded: dict[str, Provider] = {}

    def open(self, target: Target) -> AbstractAsyncContextManager[Session]:
        """Open a session on *target*; see `Provider.open`.

        Raises:
            UnknownDialectError: There is no provider for it, or its driver is missing.
        """
        return self.of(target.dialect).open(target)

    def of(self, dialect: str) -> Provider:
        """Return the provider for *dialect*.

        Raises:
            UnknownDialectError: There is none, or its driver is missing.
        """
        if dialect not in self._loaded:
            self._loaded[dialect] = load_provider(dialect, self._known)
        return self._loaded[dialect]

    async def aclose(self) -> None:
        """Close every provider. Safe to call twice."""
        while self._loaded:
            _, provider = self._loaded.popitem()
            await provider.aclose()
