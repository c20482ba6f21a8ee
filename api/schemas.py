"""What goes over the wire. Answers are read off the engine's frozen values, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
)

from providers.types import Policy
from sync.events.kinds import Kind
from sync.history import WayBack
from sync.model import (
    Role,
    RunState,
    Status,
    Verb,
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
    warehouse_seconds: float | None = Field(
        description="What its runs have used of warehouses up to now, added up; null where none "
        "has.",
        examples=[37.5],
    )


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
