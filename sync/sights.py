"""Looks at live schemas: what a look at one target gives, nothing written down."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from providers.base import Fingerprinting, Session
from providers.errors import LevelheadError
from providers.types import Heads, Snapshot
from sync.fingerprints import Sight
from sync.store import snapshots
from sync.store.engine import Store
from sync.store.fingerprints import Fingerprint

#: So many snapshots are kept in memory, until those who have read them have written them down.
AT_HAND = 8


class Sights:
    """Looks at schemas; of equal ones it reads one, however many are looked at at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: OrderedDict[str, Snapshot] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def look(self, session: Session, heads: Heads, *, at: datetime) -> Sight | None:
        """Look at the schema of a target that stands at *heads*.

        None where the session cannot tell a fingerprint, or somebody moved the target meanwhile.
        Whatever fails is told in what is returned.
        """
        if not isinstance(session, Fingerprinting):
            return None
        try:
            seen = await self._seen(session, session, heads, at)
            return seen if await session.heads() == heads else None
        except Exception as error:  # noqa: BLE001 - what reads a catalog must never end a check or a run
            return Sight(at=at, heads=heads, problem=problem_of(error))

    async def _seen(
        self, session: Session, schema: Fingerprinting, heads: Heads, at: datetime
    ) -> Sight:
        found = partial(Fingerprint, heads=heads, major=await session.server_major())
        digest = await schema.fingerprint()
        async with self._store.reading() as connection:
            if await snapshots.is_kept(connection, digest):
                return Sight(at=at, heads=heads, fingerprint=found(digest))
        snapshot = await self._snapshot(schema, digest)
        return Sight(at=at, heads=heads, fingerprint=found(snapshot.fingerprint), snapshot=snapshot)

    async def _snapshot(self, schema: Fingerprinting, digest: str) -> Snapshot:
        """Return the snapshot of *digest*; what the schema is now where it has changed since."""
        async with self._turns.setdefault(digest, asyncio.Lock()):
            if digest in self._read:
                return self._read[digest]
            snapshot = await schema.snapshot()
            self._read[snapshot.fingerprint] = snapshot
            while len(self._read) > AT_HAND:
                self._read.popitem(last=False)
            return snapshot


def problem_of(error: Exception) -> str:
    """Return in one line why a schema could not be read; an error not ours could hold anything."""
    said = str(error) if isinstance(error, LevelheadError) else f"unexpected {type(error).__name__}"
    return f"the schema could not be read for its fingerprint: {said}"
