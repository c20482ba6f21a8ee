"""Tells databases apart by where they are, whatever the settings call them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from providers.errors import UnknownDialectError
from providers.types import Target
from sync.model import Run, Trail
from sync.pool import Providers
from sync.store.text import canonical


async def address_of(target: Target, providers: Providers) -> str | None:
    """Return a hash of where the version table of *target* is; None where nobody can tell.

    Nobody can without its provider, or if its URL cannot be read.
    """
    try:
        where = (await providers.of(target)).address(target)
    except (UnknownDialectError, ValueError):
        return None
    schema = target.version_table_schema or target.schema
    parts = {"at": where, "schema": schema, "table": target.version_table}
    return hashlib.sha256(canonical({"dialect": target.dialect, **parts}).encode()).hexdigest()


class Addresses:
    """Where the targets of a fleet are."""

    def __init__(self, providers: Providers, fleet: Mapping[str, Target]) -> None:
        self._providers = providers
        self._fleet = fleet

    async def of(self, target: Target) -> str | None:
        """Return where *target* is; see `address_of`."""
        return await address_of(target, self._providers)

    async def found(self, runs: Iterable[Run]) -> Sequence[tuple[Target | None, Run]]:
        """Return each of *runs* with the target it was about, by its address, else by its name.

        None where that is no target any more.
        """
        named = [(self._fleet.get(run.target), run) for run in runs]
        if all([target and await self._is_of(run, target) for target, run in named]):
            return named
        here = await self.all()
        return [(here.get(run.address or "", target), run) for target, run in named]

    async def _is_of(self, run: Run, target: Target) -> bool:
        return run.address in {None, await self.of(target)}

    async def all(self) -> Mapping[str, Target]:
        """Return the target at each address."""
        found = [(await self.of(target), target) for target in list(self._fleet.values())]
        return {address: target for address, target in found if address is not None}

    async def trail(self, target: Target, former: frozenset[str]) -> Trail:
        """Return whose runs tell of *target*; at *former* addresses runs of its name were."""
        address = await self.of(target)
        others = former - {address}
        if others:
            others &= (await self.all()).keys()
        return Trail(target.name, address, others)
