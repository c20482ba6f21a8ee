"""Whether a plan that was recorded in two schemas is right in any other: pure."""

from __future__ import annotations

from sync.plan.assembly import UNEQUAL
from sync.plan.canonical import plan_to_text
from sync.plan.environs import prologue
from sync.plan.model import Plan
from sync.plan.recording import Recording
from sync.plan.route import ANYWHERE


def holds_anywhere(plan: Plan, one: Recording, other: Recording) -> bool:
    """Tell whether *plan*, made of both, depends on the schema in nothing that was seen.

    What asks the database which schema it is in was judged before: that is a live step.
    """
    text = plan_to_text(plan)
    return (
        not any(schema in text for schema in ANYWHERE)
        and not any(UNEQUAL in step.why for step in plan.steps)
        and prologue(one) == prologue(other)
    )
