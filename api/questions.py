"""What clients send: bodies and queries. What is not known or cannot be stored is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from sync.events.kinds import Kind
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


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must hold no NUL")
    return text


#: Every text that somebody asks with. Half surrogate pairs are refused as no text at all.
Text = Annotated[str, AfterValidator(_storable)]

RevisionName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
]


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
