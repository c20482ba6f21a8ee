"""What a plan is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.types import Heads, Target
from sync.model import Order
from sync.settings import History
from sync.settings.places import parameter
from sync.settings.values import parse_url


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
SPECIAL = frozenset({"public", "default"})

#: What in a history's settings tells scripts which target it is: see `fill` of the runner.
TOLD = ("{schema}", "{target}")


def of_any_schema(route: Route) -> Route | None:
    """Return *route* for a target of whatever schema; None where there is no such thing.

    There is not where the target has none, and where the scripts are told which one it is: they
    may do something else for one of them.
    """
    schema, history = where(route.target)[1], route.history
    if not schema or schema in SPECIAL:
        return None
    if any(told in repr((history.env, history.attributes)) for told in TOLD):
        return None
    return replace(route, target=replace(route.target, schema=ANYWHERE[0]))


def where(target: Target) -> tuple[str, str]:
    """Return catalog and schema that scripts may know *target* by; empty: its database's own.

    A shadow has the same, so what they spell out is in the plan.
    """
    url = parse_url(target.url)
    return parameter(url, "catalog").lower(), target.schema or parameter(url, "schema").lower()
