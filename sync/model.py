"""What the engine speaks of: statuses, orders, runs and rollouts. Frozen, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from providers.types import Heads, Policy


class Status(StrEnum):
    """Where a target stands, compared with the head of its history."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"  #: at a revision that this service has known, but that is not on disk now
    UNKNOWN = "unknown"  #: at a revision nobody here has heard of, or never checked
    HELD = "held"  #: a person's downgrade or stamp stands until it is released
    DRIFTED = "drifted"  #: at head, but its schema is not the one that was recorded
    STARTING = "starting"  #: its server is, and takes no session yet
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word that the clock leaves a target alone."""

    actor: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """One target as it was found at its last check."""

    name: str
    history: str
    provider: str  #: dialect name
    status: Status
    heads: Heads | None  #: None: never read
    head: Heads  #: the history's heads; several where it has branches
    pending: tuple[str, ...]  #: revisions to apply, first one first
    policy: Policy
    tenants: str | None = None  #: the pattern that it was found by; None: it is named itself
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    checked_at: datetime | None = None
    last_run: str | None = None  #: id of the newest run
    hold: Hold | None = None
    awaits: str | None = None  #: digest of the plan that waits, for an approval or a canary
    problem: str | None = None  #: one line: why it could not be checked or brought to head
    edited: tuple[str, ...] = ()  #: applied revisions whose file is another one now
    drift: tuple[str, ...] = ()  #: how its schema differs from what was recorded, in words
    minority: str | None = None  #: how it differs from most targets at the same heads
    retry_at: datetime | None = None  #: the clock leaves it alone until then


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsStatus:
    """One pattern of tenants, and who they were when its database last answered."""

    name: str
    history: str
    provider: str  #: dialect name
    over: str  #: what each of them is: ``schema`` or ``database``
    targets: int  #: how many it stands for
    policy: Policy
    listed_at: datetime | None = None  #: None: there was never an answer
    problem: str | None = None  #: one line: why there is no newer answer
    left_out: tuple[str, ...] = ()  #: a line for each that was found and is no target
    retry_at: datetime | None = None  #: the clock does not ask until then


class Verb(StrEnum):
    """What a run does."""

    SYNC = "sync"  #: apply what is pending
    DOWNGRADE = "downgrade"
    STAMP = "stamp"  #: set the version table only


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants done: a verb, and the revision to end at, as Alembic names them."""

    verb: Verb
    to: str = "head"  #: revision, unique prefix, label, ``+1``, ``-1``, ``heads``, ``base``


@dataclass(frozen=True, slots=True)
class Selection:
    """Which targets an order is for; everything that is given must match. Empty: all."""

    targets: tuple[str, ...] = ()  #: names of targets, and of patterns for all of theirs
    history: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class RunState(StrEnum):
    """How far a run came."""

    REQUESTED = "requested"  #: the lease is held; nothing was done yet
    DELAYED = "delayed"  #: its target is starting; nothing was done yet
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROPOSED = "proposed"  #: it ended with a plan that needs an approval; nothing was done
    INTERRUPTED = "interrupted"  #: it ended without a word, or something of it is in doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to carry out one order on one target."""

    id: str
    rollout: str
    target: str
    history: str
    actor: str
    order: Order
    state: RunState
    requested_at: datetime
    ended_at: datetime | None = None
    plan: str | None = None  #: digest; None until the plan is known
    before: Heads | None = None  #: None until the target was read
    after: Heads | None = None  #: heads when the run ended; None until then
    approver: str | None = None  #: who approved its plan; None where nobody had to
    error: str | None = None  #: one line; None unless failed, proposed or interrupted
    address: str | None = None  #: hash of where its target's database is; None: not known
    warehouse_seconds: float | None = None  #: its sessions were open; None where none costs


@dataclass(frozen=True, slots=True)
class Trail:
    """Which runs tell of one target: those at its address, whatever it was called then.

    Those of its name tell of it too, for its database may have got another address; but not
    those at an address where another target is now.
    """

    target: str  #: its name
    address: str | None = None  #: None: not known, the name alone counts
    others: frozenset[str] = frozenset()  #: where runs of its name were, and another target is


@dataclass(frozen=True, slots=True)
class Skip:
    """A target that a rollout left out, and why."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The runs that one trigger started."""

    id: str
    actor: str
    order: Order
    requested_at: datetime
    runs: tuple[Run, ...] = ()
    skipped: tuple[Skip, ...] = ()
    warehouse_seconds: float | None = None  #: of its runs, added up; None where none costs


class Verdict(StrEnum):
    """What a person has found out about an act in doubt."""

    APPLIED = "applied"  #: it took effect
    ABSENT = "absent"  #: it did not


class PlanState(StrEnum):
    """How far a plan has come that may need an approval."""

    COMPILED = "compiled"  #: no run has asked for an approval of it
    PROPOSED = "proposed"  #: a run has, and nobody has decided
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said of a plan; the last word counts."""

    state: PlanState  #: APPROVED or REJECTED
    actor: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Somebody's wish to apply a plan to a target that needs an approval first."""

    plan: str  #: digest
    target: str
    actor: str  #: who asked: ``clock``, or a person
    run: str  #: id of the run that asked
    at: datetime


class CanaryState(StrEnum):
    """What is known of the target that tries a plan for all others."""

    CHOSEN = "chosen"  #: its run is under way, or nobody has compared yet what it left
    PASSED = "passed"  #: its scripts left the schema that the plan gives on a shadow
    FAILED = "failed"  #: they left another one
    MISSING = "missing"  #: no target could be it


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The target that runs a plan's scripts before the plan is replayed anywhere."""

    plan: str  #: digest
    state: CanaryState
    at: datetime  #: since when it is so
    target: str | None = None  #: None where it is missing
    run: str | None = None  #: the same
    after: Heads | None = None  #: where the plan ends; None where it is missing
    expected: str | None = None  #: the shadow's fingerprint there; the same
    difference: tuple[str, ...] = ()  #: how its schema differs, in words, where it failed
    reason: str | None = None  #: one line: why it is missing


class Wait(StrEnum):
    """What a target's plan waits for, where its next move is a person's."""

    APPROVAL = "approval"
    CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """What is known of a plan besides its steps."""

    digest: str
    history: str
    dialect: str
    before: Heads
    after: Heads
    steps: int  #: how many
    compiled_at: datetime
    state: PlanState
    decision: Decision | None = None  #: the last one
    proposals: tuple[Proposal, ...] = ()  #: by target and actor
    canary: Canary | None = None  #: None: nobody has asked for one


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanQuery:
    """A page of plans: everything that is given must match, newest first."""

    before: str | None = None  #: digest of a plan; only older ones
    limit: int = 50
    history: str | None = None
    state: PlanState | None = None


class Role(StrEnum):
    """What the bearer of a token may do; all read."""

    VIEWER = "viewer"  #: read, nothing else
    APPROVER = "approver"  #: approve and reject plans; start nothing
    OPERATOR = "operator"  #: sync, downgrade, stamp, release; approve nothing
    ADMIN = "admin"  #: all of these, and tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A named key to the API; the key itself is shown once and never stored."""

    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """A page of the audit log: everything that is given must match, oldest first."""

    after: int = 0  #: sequence number, exclusive
    limit: int = 100
    target: str | None = None
    history: str | None = None
    kind: str | None = None
    actor: str | None = None
    run: str | None = None
    revision: str | None = None
    since: datetime | None = None  #: inclusive
    until: datetime | None = None  #: exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """A page of runs: everything that is given must match, newest first."""

    before: str | None = None  #: id of a run; only older ones
    limit: int = 50
    target: str | None = None
    history: str | None = None
    state: RunState | None = None
    rollout: str | None = None
