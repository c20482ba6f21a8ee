"""What a step leaves behind in its session, and the steps after it count on: pure.

Under Alembic one session sees a whole path. Here it is ours for replayed steps and a runner's
for live ones. So where a step leaves something in the session for those after it, and not all
of these are sure to be replayed, they run live from there on, one after the other in one runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.plan.model import Step, StepClass
from sync.plan.recording import Taken


def in_one_session(steps: Sequence[Step], taken: Sequence[Taken]) -> list[Step]:
    """Return *steps*, those live that a replay would deprive of the session they count on.

    *taken* is what each of them sent on the shadow, as far as that could be seen.
    """
    first = next((place for place, each in enumerate(taken) if each.remains), len(steps))
    is_last = first + 1 >= len(steps)
    if is_last or all(step.kind is StepClass.STATIC for step in steps[first:]):
        return list(steps)
    left = ", ".join(taken[first].remains)
    why = f"{steps[first].revision} leaves {left} in the session"
    return [*steps[:first], *(live(step, why) for step in steps[first:])]


def live(step: Step, why: str) -> Step:
    """Return *step* as one whose script runs."""
    reasons = (*step.why, why) if step.kind is StepClass.LIVE else (why,)
    return replace(step, kind=StepClass.LIVE, why=reasons, blocks=(), fingerprint=None)
