"""Finds what is to be said of plans: looked through once, kept, and once more when rules change."""

from __future__ import annotations

from sync.histories import Histories
from sync.linting import looked_through, source
from sync.plan.findings import Lint, shown
from sync.plan.model import Plan
from sync.plan.route import Route
from sync.store import lints, plans
from sync.store.engine import Store

#: So many are kept in memory.
AT_HAND = 64


class Lints:
    """Looks through plans; this one stores nothing, `RecordedLints` does."""

    def __init__(self, histories: Histories, store: Store) -> None:
        self._histories = histories
        self._store = store
        self._found: dict[str, Lint] = {}  #: the last ones, by digest of the plan

    async def of(self, plan: Plan, route: Route) -> Lint:
        """Return what is found in *plan*, which is the one for *route*."""
        graph = await self._histories.graph(route.history.name)
        made_of = source(route, graph)
        known = self._found.get(plan.digest) or await self._stored(plan.digest)
        if known is None or known.source != made_of:
            known = await looked_through(plan, route, graph)
            await self._keep(plan.digest, known)
        self._hold(plan.digest, known)
        return known

    async def recorded(self, digest: str) -> Lint | None:
        """Return what is shown of the plan with this digest; None where nobody has looked."""
        async with self._store.reading() as connection:
            plan = await plans.find(connection, digest)
            found = await lints.find(connection, digest)
        if plan is None or found is None:
            return None
        return shown(found, self._histories.levels(plan.history))

    async def _stored(self, digest: str) -> Lint | None:
        async with self._store.reading() as connection:
            return await lints.find(connection, digest)

    def _hold(self, digest: str, found: Lint) -> None:
        """Keep the newest ones at hand."""
        self._found.pop(digest, None)
        self._found[digest] = found
        for oldest in list(self._found)[:-AT_HAND]:
            del self._found[oldest]

    async def _keep(self, digest: str, found: Lint) -> None:
        """Keep nothing."""


class RecordedLints(Lints):
    """Keeps what was found beside the plans."""

    async def _keep(self, digest: str, found: Lint) -> None:
        async with self._store.writing() as connection:
            await lints.save(connection, digest, found)
