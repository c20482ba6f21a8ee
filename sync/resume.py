"""What of a step stands already, read off the events of earlier runs: pure.

Where nothing rolls back, a run that stops in the middle of a revision leaves a part of it
behind. The next run sends the script's statements from the first one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from providers.types import Heads, Outcome
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.plan.conversation import Sent
from sync.plan.model import Block
from sync.store.statements import digest_of

BEGAN = (Kind.STATEMENT_STARTED, Kind.TRANSACTION_STARTED)
ENDED = (Kind.STATEMENT_SUCCEEDED, Kind.TRANSACTION_SUCCEEDED)
RESOLVED = (Kind.STATEMENT_RESOLVED, Kind.TRANSACTION_RESOLVED)

#: How statements begin that set up the session and change nothing else.
SETTING = ("set ", "reset ", "use ", "select set_config(", "select pg_catalog.set_config(")

#: Those of them that end with their transaction.
FLEETING = ("set local ", "set transaction ", "set constraints ")


@dataclass(slots=True)
class Standing:
    """What is known to stand of one step, in the order in which it was sent."""

    after: Heads  #: where the step leads: up and down are steps of their own
    sent: dict[str, tuple[Sent, ...]] = field(default_factory=dict)  #: by ticket
    runs: dict[str, str] = field(default_factory=dict)  #: that sent it, by ticket
    final: set[str] = field(default_factory=set)  #: tickets

    def tell(self, event: Event) -> None:
        """Take one event of the step's revision into account; a repair is no part of the step."""
        ticket = cast("str", event.ticket)
        if event.kind in BEGAN and heads_of(event) == self.after and "repairs" not in event.data:
            self.sent[ticket] = sent_by(event)
            self.runs[ticket] = cast("str", event.run)
        elif event.kind in ENDED or (event.kind in RESOLVED and was_applied(event)):
            self.final.add(ticket)
        elif forgets(event):
            self.sent.clear()
            self.final.clear()

    def prefix(self) -> tuple[Sent, ...]:
        """Return the statements that stand."""
        kept = (sent for ticket, sent in self.sent.items() if ticket in self.final)
        return tuple(one for several in kept for one in several)

    def senders(self) -> tuple[str, ...]:
        """Return the ids of the runs that sent what stands, in order."""
        return tuple(dict.fromkeys(self.runs[t] for t in self.sent if t in self.final))

    def tried(self) -> tuple[str, ...]:
        """Return the digests of what was sent and does not stand, each once."""
        lost = (sent for ticket, sent in self.sent.items() if ticket not in self.final)
        return tuple(dict.fromkeys(digest for several in lost for digest, _ in several))


def standing_of(events: Iterable[Event], after: Heads) -> Standing:
    """Return what earlier runs made of a step that leads to *after*.

    *events* are those of the step's revision on one target, since its last stamp, oldest
    first. Empty where the step was never begun, or reached its end.
    """
    standing = Standing(after)
    for event in events:
        standing.tell(event)
    return standing


def rest(blocks: Sequence[Block], applied: Sequence[Sent]) -> tuple[Block, ...] | None:
    """Return what is left of *blocks* behind the statements that stand already.

    What sets up the session is sent again. None where those that stand are not how the blocks
    begin: another text was sent, or a script did it.
    """
    settings = {digest_of(sql) for block in blocks for sql in block.statements if is_setting(sql)}
    standing = [sent for sent in applied if sent[0] not in settings]
    if not standing:
        return tuple(blocks)
    count = len(standing)
    texts = [sql for block in blocks for sql in block.statements if not is_setting(sql)]
    if standing != [(digest_of(sql), None) for sql in texts[:count]]:
        return None
    return tuple(without(blocks, count))


def without(blocks: Sequence[Block], count: int) -> Iterator[Block]:
    """Yield *blocks* without their first *count* statements that are no settings."""
    for block in blocks:
        ours = [sql for sql in block.statements if not is_setting(sql)]
        passed = ours[:count]
        count -= len(passed)
        left = list(kept(block.statements, len(passed)))
        if passed == ours:
            left = [sql for sql in left if not is_fleeting(sql)]
        if left:
            yield replace(block, statements=tuple(left))


def kept(sqls: Sequence[str], count: int) -> Iterator[str]:
    """Yield *sqls* without the first *count* of them that are no settings."""
    for sql in sqls:
        if is_setting(sql) or not count:
            yield sql
        else:
            count -= 1


def is_setting(sql: str) -> bool:
    """Tell whether a text is one statement that sets up the session and changes nothing else."""
    words = " ".join(sql.lower().split()).rstrip("; ")
    return ";" not in words and words.startswith(SETTING)


def is_fleeting(sql: str) -> bool:
    """Tell whether a setting ends with its transaction."""
    return " ".join(sql.lower().split()).startswith(FLEETING)


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
