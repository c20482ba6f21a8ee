"""The fingerprints of each target: as the last run left it, and as it was seen last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Heads
from sync.store.tables import fingerprints
from sync.store.text import canonical
from sync.store.upsert import insert_or_replace

_FIND = select(fingerprints).where(fingerprints.c.target == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a live schema, and what it depends on besides the schema."""

    digest: str
    heads: Heads  #: where the target stood
    major: str  #: of the server, see `Session.server_major`


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """What is known of one target's schema."""

    target: str
    recorded: Fingerprint | None = None  #: as the last run left it; None: none told
    live: Fingerprint | None = None  #: as it was seen last; None: never, or not at these heads
    looked_at: datetime | None = None  #: the last look, be it in vain
    difference: tuple[str, ...] = ()  #: how *live* differs, in words; empty where it does not
    problem: str | None = None  #: one line: why the last look was in vain


async def save(connection: AsyncConnection, known: Fingerprints) -> None:
    """Store *known* in place of what was known about its target."""
    row = {
        "target": known.target,
        **_columns("recorded", known.recorded),
        **_columns("live", known.live),
        "looked_at": known.looked_at,
        "difference": canonical(known.difference),
        "problem": known.problem,
    }
    await insert_or_replace(connection, fingerprints, [row])


async def find(connection: AsyncConnection, target: str) -> Fingerprints:
    """Return what is known about *target*, be it nothing."""
    found = await connection.execute(_FIND, {"of": target})
    row = found.one_or_none()
    return Fingerprints(target=target) if row is None else _known(row)


async def all(  # noqa: A001 - it is called as fingerprints.all(...)
    connection: AsyncConnection,
) -> Mapping[str, Fingerprints]:
    """Return what is known about every target that was ever looked at, by name."""
    found = await connection.execute(select(fingerprints))
    return {row.target: _known(row) for row in found}


def _columns(name: str, one: Fingerprint | None) -> dict[str, object]:
    return {
        name: one.digest if one else None,
        f"{name}_heads": one.heads if one else None,
        f"{name}_major": one.major if one else None,
    }


def _known(row: Row[Any]) -> Fingerprints:
    return Fingerprints(
        target=row.target,
        recorded=_fingerprint(row.recorded, row.recorded_heads, row.recorded_major),
        live=_fingerprint(row.live, row.live_heads, row.live_major),
        looked_at=row.looked_at,
        difference=tuple(json.loads(row.difference)),
        problem=row.problem,
    )


def _fingerprint(digest: str | None, heads: Heads, major: str) -> Fingerprint | None:
    return None if digest is None else Fingerprint(digest, heads, major)
