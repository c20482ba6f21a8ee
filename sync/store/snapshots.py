"""Live schemas, object by object, each kept once under its fingerprint."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Snapshot
from sync.store.tables import canaries, fingerprints, snapshots
from sync.store.text import canonical
from sync.store.upsert import insert_absent

_IS_KEPT = select(snapshots.c.fingerprint).where(snapshots.c.fingerprint == bindparam("of"))


async def keep(connection: AsyncConnection, snapshot: Snapshot) -> None:
    """Keep *snapshot*, unless one of this fingerprint is kept already."""
    row = {"fingerprint": snapshot.fingerprint, "objects": canonical(snapshot.objects)}
    await insert_absent(connection, snapshots, [row])


async def is_kept(connection: AsyncConnection, fingerprint: str) -> bool:
    """Tell whether there is a snapshot of this fingerprint."""
    return await connection.scalar(_IS_KEPT, {"of": fingerprint}) is not None


async def find(connection: AsyncConnection, fingerprint: str) -> Snapshot | None:
    """Return the snapshot of this fingerprint; None where there is none."""
    wanted = select(snapshots.c.objects).where(snapshots.c.fingerprint == fingerprint)
    objects = await connection.scalar(wanted)
    return None if objects is None else Snapshot(json.loads(objects), fingerprint)


async def drop_unused(connection: AsyncConnection, candidates: Collection[str]) -> None:
    """Drop those of *candidates* that are the fingerprint of no target or canary any more."""
    if not candidates:
        return
    digest = snapshots.c.fingerprint
    used = exists().where(or_(fingerprints.c.recorded == digest, fingerprints.c.live == digest))
    expected = exists().where(canaries.c.expected == digest)
    await connection.execute(snapshots.delete().where(digest.in_(candidates), ~used, ~expected))
