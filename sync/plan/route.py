"""What a plan is asked for."""

from __future__ import annotations

from dataclasses import dataclass

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
