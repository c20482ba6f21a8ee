"""What an order asks of a history: pure."""

from __future__ import annotations

from providers.types import Heads
from sync.errors import MultipleHeadsError
from sync.history import Graph, behind, several_heads
from sync.model import Order, Verb


def is_to_head(order: Order) -> bool:
    """Tell whether *order* is to apply whatever is pending."""
    return order.verb is Verb.SYNC and order.to in ("head", "heads")


def is_at_head(order: Order, graph: Graph, heads: Heads) -> bool:
    """Tell whether *order* asks for nothing more than what *heads* are."""
    return is_to_head(order) and heads == graph.heads and not behind(graph, heads)


def require_one_head(order: Order, graph: Graph) -> None:
    """Refuse ``head`` where the history has several.

    Raises:
        MultipleHeadsError: It names them.
    """
    if order.to == "head" and len(graph.heads) > 1:
        raise MultipleHeadsError(f"{several_heads(graph)}, or say which, or heads for all")
