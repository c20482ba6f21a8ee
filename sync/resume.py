"""What of a step stands already, read off the events of earlier runs: pure.

Where nothing rolls back, a run that stops in the middle of a revision leaves a part of it
behind. The next run sends the script's statements from the first one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from providers.types import Heads, Outcome
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.plan.conversation import Sent

BEGAN = (Kind.STATEMENT_STARTED, Kind.TRANSACTION_STARTED)
ENDED = (Kind.STATEMENT_SUCCEEDED, Kind.TRANSACTION_SUCCEEDED)
RESOLVED = (Kind.STATEMENT_RESOLVED, Kind.TRANSACTION_RESOLVED)


@dataclass(slots=True)
class Standing:
    """What is known to stand of one step, in the order in which it was sent."""

    after: Heads  #: where the step leads: up and down are steps of their own
    sent: dict[str, tuple[Sent, ...]] = field(default_factory=dict)  #: by ticket
    final: set[str] = field(default_factory=set)  #: tickets

    def tell(self, event: Event) -> None:
        """Take one event of the step's revision into account."""
        ticket = cast("str", event.ticket)
        if event.kind in BEGAN and heads_of(event) == self.after:
            self.sent[ticket] = sent_by(event)
        elif event.kind in ENDED or (event.kind in RESOLVED and was_applied(event)):
            self.final.add(ticket)
        elif forgets(event):
            self.sent.clear()
            self.final.clear()

    def prefix(self) -> tuple[Sent, ...]:
        """Return the statements that stand."""
        kept = (sent for ticket, sent in self.sent.items() if ticket in self.final)
        return tuple(one for several in kept for one in several)


def made_final(events: Iterable[Event], after: Heads) -> tuple[Sent, ...]:
    """Return what earlier runs made final of a step that leads to *after*.

    *events* are those of the step's revision on one target, since its last stamp, oldest
    first. Empty where the step was never begun, or reached its end.
    """
    standing = Standing(after)
    for event in events:
        standing.tell(event)
    return standing.prefix()


def forgets(event: Event) -> bool:
    """Tell whether nothing of a step stands for itself any more: it is whole, or undone."""
    if event.kind == Kind.STEP_SUCCEEDED:
        return True
    return event.kind == Kind.STEP_RESOLVED and was_applied(event)


def was_applied(event: Event) -> bool:
    """Tell whether a resolution found that the act took effect."""
    return event.data.get("outcome") == Outcome.APPLIED


def heads_of(event: Event) -> Heads:
    """Return the heads to which the act's step leads."""
    return frozenset(cast("Sequence[str]", event.data["after"]))


def sent_by(event: Event) -> tuple[Sent, ...]:
    """Return the statements of an intent, as they are compared.

    What Alembic sent ahead of the step is not the script's, and does not come again.
    """
    digests = cast("Sequence[str]", event.data.get("statements", ()))
    parameters = cast("Sequence[str | None]", event.data.get("parameters", (None,) * len(digests)))
    ahead = cast("int", event.data.get("preamble", 0))
    return tuple(zip(digests, parameters, strict=True))[ahead:]
