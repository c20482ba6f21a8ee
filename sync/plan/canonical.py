"""The one way in which a plan is written as bytes, and its digest.

The digest is the sha256 of JSON with sorted keys, no blanks and UTF-8, over dialect,
heads and steps: no clock, path, URL or host is in it, so equal paths have equal digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from providers.types import Heads
from sync.plan.model import Plan, Step


def plan_of(history: str, dialect: str, before: Heads, steps: Sequence[Step]) -> Plan:
    """Put a plan together, and sign it with its digest."""
    after = steps[-1].after if steps else before
    return Plan(history, dialect, before, after, tuple(steps), digest(dialect, before, steps))


def digest(dialect: str, before: Heads, steps: Sequence[Step]) -> str:
    """Return the sha256 of a path, hexadecimal."""
    body = {"dialect": dialect, "before": sorted(before), "steps": [plain(s) for s in steps]}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(step: Step) -> dict[str, str | list[str]]:
    """Return *step* as JSON has it."""
    return {
        "revision": step.revision,
        "before": sorted(step.before),
        "after": sorted(step.after),
        "script": step.script,
    }
