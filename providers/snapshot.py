"""How a snapshot is hashed: the same by the client and by a server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from providers.types import Snapshot


def snapshot_of(objects: Mapping[str, str]) -> Snapshot:
    """Return the snapshot of *objects*, with their fingerprint.

    That is the sha256, hexadecimal, of names and definitions in the order of the names' bytes:
    each in UTF-8, and each followed by a zero byte, which no text of a database holds.
    """
    digest = hashlib.sha256()
    for name, definition in sorted(objects.items()):  # UTF-8 sorts as its code points do
        digest.update(f"{name}\0{definition}\0".encode())
    return Snapshot(objects, digest.hexdigest())
