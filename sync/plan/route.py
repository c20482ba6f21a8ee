"""What a plan is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.types import Heads, Target
from sync.model import Order
from sync.settings import History


@dataclass(frozen=True, slots=True)
class Route:
    """One order, for a target that stands somewhere."""

    history: History
    target: Target
    order: Order
    heads: Heads  #: where it stands
    major: str  #: of its server, as `Session.server_major` told it


#: Schemas of shadows that stand for those of all targets. Nothing else is named so.
ANYWHERE = ("levelhead_any_schema_1", "levelhead_any_schema_2")

#: Schemas that scripts treat otherwise than the rest.
SPECIAL = frozenset({"public"})

#: What in a history's settings tells scripts which target it is: see `fill` of the runner.
TOLD = ("{schema}", "{target}")


def of_any_schema(route: Route) -> Route | None:
    """Return *route* for a target of whatever schema; None where there is no such thing.

    There is not where the target has none, and where the scripts are told which one it is: they
    may do something else for one of them.
    """
    schema, history = route.target.schema, route.history
    if schema is None or schema in SPECIAL:
        return None
    if any(told in repr((history.env, history.attributes)) for told in TOLD):
        return None
    return replace(route, target=replace(route.target, schema=ANYWHERE[0]))
