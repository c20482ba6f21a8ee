"""Before-images: the versions that tables had before a run touched them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from providers.base import Session, Versioning
from sync.plan.model import Plan, StepClass

_WORD = re.compile(r"\w+")


async def before_images(session: Session, plan: Plan) -> Mapping[str, int | None] | None:
    """Return the version of each table that *plan* may touch, by name; None: none ever has any.

    Where SQL is not known for certain it may touch any table of the target's schema.

    Raises:
        ProviderError: The tables cannot be listed.
    """
    if not isinstance(session, Versioning) or not plan.steps:
        return None
    if any(step.kind is not StepClass.STATIC for step in plan.steps):
        return await session.versions(None)
    blocks = (block for step in plan.steps for block in step.blocks)
    return await session.versions(words_of(sql for block in blocks for sql in block.statements))


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return every word in SQL texts, in lower case: whatever is named in them is among these."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))
