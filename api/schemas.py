"""What goes over the wire. Answers are read off the engine's frozen values, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
)

from providers.types import Policy
from sync.events.kinds import Kind
from sync.history import WayBack
from sync.model import (
    EventQuery,
    Order,
    Role,
    RunQuery,
    RunState,
    Selection,
    Status,
    Verb,
    Verdict,
)
from sync.store.text import moment_to_text

#: As the log hashes it, so that whoever reads the events can check the chain.
Moment = Annotated[datetime, PlainSerializer(moment_to_text, return_type=str)]
Heads = Annotated[list[str], BeforeValidator(sorted)]
Labels = Annotated[dict[str, str], BeforeValidator(dict)]


def _legible(data: Mapping[str, object]) -> object:
    """Replace half surrogate pairs: an event may hold them, but UTF-8 cannot."""
    return json.loads(json.dumps(dict(data), ensure_ascii=False).encode(errors="replace"))


Data = Annotated[dict[str, JsonValue], BeforeValidator(_legible)]


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must hold no NUL")
    return text


#: Every text that somebody asks with. Half surrogate pairs are refused as no text at all.
Text = Annotated[str, AfterValidator(_storable)]

RevisionName = Annotated[
    Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
]


class Answer(BaseModel):
    """Something the engine holds, as JSON. What is absent is null."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Hold(Answer):
    """A person's word that the clock leaves a target alone."""

    actor: str = Field(examples=["token:anna"])
    reason: str
    since: Moment


class Target(Answer):
    """One target as it was found at its last check."""

    name: str = Field(examples=["orders-eu"])
    history: str = Field(examples=["app"])
    provider: str = Field(description="Dialect name.", examples=["postgresql"])
    status: Status
    heads: Heads | None = Field(description="Null: never read. Empty: at base.")
    head: Heads = Field(description="The history's heads; several where it has branches.")
    pending: list[str] = Field(description="Revisions to apply, first one first.")
    policy: Policy
    tenants: str | None = Field(description="The pattern that it was found by.")
    labels: Labels = Field(examples=[{"region": "eu"}])
    checked_at: Moment | None
    last_run: str | None = Field(description="Id of the newest run.")
    hold: Hold | None
    awaits: str | None = Field(
        description="Digest of the plan that waits, for an approval or a canary."
    )
    problem: str | None = Field(description="Why it could not be checked or brought to head.")
    edited: list[str] = Field(description="Applied revisions whose file is another one now.")
    drift: list[str] = Field(
        description="How its schema differs from what was recorded, in words.",
        examples=[["+ column users.nick: text"]],
    )
    minority: str | None = Field(
        description="How its schema differs from that of most targets at the same heads."
    )
    retry_at: Moment | None = Field(description="The clock leaves it alone until then.")


class OrderAnswer(Answer):
    """What somebody wants done."""

    verb: Verb
    to: str = Field(description="As Alembic names revisions.", examples=["head"])


class Run(Answer):
    """One attempt to carry out one order on one target."""

    id: str
    rollout: str
    target: str
    history: str
    actor: str = Field(examples=["token:anna"])
    order: OrderAnswer
    state: RunState
    requested_at: Moment
    ended_at: Moment | None
    plan: str | None = Field(description="Digest; null until the plan is known.")
    before: Heads | None = Field(description="Null until the target was read.")
    after: Heads | None = Field(description="Heads when the run ended; null until then.")
    approver: str | None = Field(description="Who approved the plan; null where nobody had to.")
    error: str | None = Field(description="Null unless failed, proposed or interrupted.")
    address: str | None = Field(
        description="Hash of where its target's database is; runs with the same one are about one "
        "database, whatever it was called. Null where nobody could tell."
    )
    warehouse_seconds: float | None = Field(
        description="For how long its sessions on a warehouse were open, added up; null until it "
        "ended, and where none costs.",
        examples=[12.5],
    )


class Skip(Answer):
    """A target that a rollout left out, and why."""

    target: str
    reason: str


class Rollout(Answer):
    """The runs that one trigger started."""

    id: str
    actor: str
    order: OrderAnswer
    requested_at: Moment
    runs: list[Run]
    skipped: list[Skip]


class Event(Answer):
    """One fact of the audit log, chained to the one before by its hash."""

    sequence: int
    id: str
    at: Moment
    kind: Kind
    actor: str = Field(examples=["token:anna"])
    target: str | None
    history: str | None
    run: str | None
    revision: str | None
    ticket: str | None
    data: Data
    previous: str = Field(description="Hash of the event before.")
    hash: str


class RunWithEvents(Run):
    """A run, and the first of its events."""

    events: list[Event]
    next: str | None = Field(description="Where its other events are; null when these are all.")


class Verification(Answer):
    """The chain of events holds from the first to the last."""

    verified: bool = True
    events: int = Field(description="How many were checked.")


class Statement(Answer):
    """A SQL text that was sent to a target."""

    digest: str
    sql: str


class Revision(Answer):
    """One revision file, as Alembic read it."""

    id: str
    parents: list[str] = Field(description="`down_revision`; empty at base.")
    depends_on: list[str]
    labels: list[str]
    message: str
    file: str = Field(description="File name without folder.")
    digest: str = Field(description="sha256 of the file.")
    downgrade: WayBack = Field(description="What the script says of the way back.")


class Graph(Answer):
    """All revisions of a history as they are on disk now, in an order of application."""

    history: str
    heads: Heads
    digest: str = Field(description="Changes with any script, env.py or alembic.ini.")
    items: Annotated[list[Revision], BeforeValidator(list)]


class Token(Answer):
    """A named key to the API, without the key."""

    name: str
    role: Role
    created_at: Moment
    revoked_at: Moment | None


class NewToken(Answer):
    """A token that was just made; its key is shown this once."""

    name: str
    role: Role
    key: str = Field(description="Send it as `Authorization: Bearer ...`. Kept nowhere.")


class Health(Answer):
    """The service answers."""

    status: str = "ok"


class Problem(Answer):
    """An error (RFC 9457). Some problems have further members."""

    type: str = Field(examples=["urn:levelhead:problem:unknown-target"])
    title: str = Field(examples=["Unknown target"])
    status: int = Field(examples=[404])
    detail: str | None = Field(None, description="One line: what was found, and what to do next.")


Item = TypeVar("Item", bound=Answer)


class Listing(Answer, Generic[Item]):
    """A collection, whole."""

    items: list[Item]


class Page(Answer, Generic[Item]):
    """A part of a collection."""

    items: list[Item]
    next: str | None = Field(description="Where the next part is; null when this is the last.")


class Question(BaseModel):
    """A body or a query; keys that are not known are refused, as they may be misspelled."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SyncOne(Question):
    """Bring a target to a revision."""

    to: RevisionName = Field(
        Order(Verb.SYNC).to,
        description="Revision, unique prefix, label, `+1`, `head` or `heads`.",
    )
    dry_run: bool = Field(
        default=False, description="Only say what would be done: 200 and a preview."
    )

    def order(self) -> Order:
        """Return what is asked for."""
        return Order(Verb.SYNC, self.to)


class SyncMany(SyncOne):
    """Bring targets to a revision. All that is given must match; nothing given: all targets."""

    targets: list[Text] = Field([], description="Names, of patterns too.", examples=[["orders-eu"]])
    history: Text | None = Field(None, examples=["app"])
    labels: dict[Text, Text] = Field({}, examples=[{"region": "eu"}])

    def selection(self) -> Selection:
        """Return which targets are meant."""
        return Selection(tuple(self.targets), self.history, self.labels)


class Downgrade(Question):
    """Take a target back to a revision; it is then on hold."""

    to: RevisionName = Field(description="Revision, unique prefix, `-1` or `base`.")
    dry_run: bool = Field(default=False, description="Only say what would be done.")

    def order(self) -> Order:
        """Return what is asked for."""
        return Order(Verb.DOWNGRADE, self.to)


class Stamp(Question):
    """Set a target's version table, and nothing else; below head it is then on hold."""

    to: RevisionName = Field(description="Revision, unique prefix, `head`, `heads` or `base`.")
    dry_run: bool = Field(default=False, description="Only say what would be done.")

    def order(self) -> Order:
        """Return what is asked for."""
        return Order(Verb.STAMP, self.to)


class Settle(Question):
    """What a person has found out about an act in doubt."""

    outcome: Verdict = Field(description="Whether it took effect.")


class TokenRequest(Question):
    """A token to make."""

    name: Text = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100, examples=["anna"])
    role: Role = Field(
        description="All read. approver: decides on plans. operator: starts runs. admin: all."
    )


def _pairs(values: Iterable[str]) -> Iterable[str]:
    if any(value.find("=") < 1 for value in values):
        raise ValueError("must be name=value")
    return values


class TargetFilter(Question):
    """Which targets to list: all that is given must match."""

    label: Annotated[list[Text], AfterValidator(_pairs)] = Field(
        [], description="`name=value`; may be repeated.", examples=[["region=eu"]]
    )
    history: Text | None = None
    tenants: Text | None = Field(None, description="Name of a pattern: only its targets.")
    status: list[Status] = Field([], description="May be repeated: any of them.")

    def selection(self) -> Selection:
        """Return which targets are meant, leaving status aside."""
        pattern = () if self.tenants is None else (self.tenants,)
        return Selection(pattern, self.history, self.labels())

    def labels(self) -> Mapping[str, str]:
        """Return the labels as names and values."""
        return dict(label.split("=", 1) for label in self.label)


class RunFilter(Question):
    """Which runs to list, newest first: all that is given must match."""

    target: Text | None = None
    history: Text | None = None
    state: RunState | None = None
    rollout: Text | None = Field(None, description="Id of a rollout.")
    before: Text | None = Field(None, description="Id of a run: only older ones.")
    limit: int = Field(50, ge=1, le=500)

    def query(self, limit: int) -> RunQuery:
        """Return the engine's question for *limit* runs."""
        return RunQuery(**{**dict(self), "limit": limit})


class EventFilter(Question):
    """Which events to list, oldest first: all that is given must match."""

    target: Text | None = None
    history: Text | None = None
    kind: Kind | None = None
    actor: Text | None = Field(None, examples=["token:anna"])
    run: Text | None = Field(None, description="Id of a run.")
    revision: Text | None = Field(None, description="Of a history.")
    since: AwareDatetime | None = Field(None, description="Inclusive, with a time zone.")
    until: AwareDatetime | None = Field(None, description="Exclusive, with a time zone.")
    after: int = Field(0, ge=0, le=2**63 - 1, description="Only those with a higher sequence.")
    limit: int = Field(100, ge=1, le=1000)

    def query(self, limit: int) -> EventQuery:
        """Return the engine's question for *limit* events."""
        return EventQuery(**{**dict(self), "limit": limit})


TargetQueryString = Annotated[TargetFilter, Query()]
RunQueryString = Annotated[RunFilter, Query()]
EventQueryString = Annotated[EventFilter, Query()]
