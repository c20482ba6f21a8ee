"""Plans as they go over the wire."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from api.questions import Question, Text
from api.schemas import Answer, Heads, Moment
from sync.model import CanaryState, PlanQuery, PlanState
from sync.plan.model import StepClass


class Block(Answer):
    """Statements that commit together; one alone where it stands outside a transaction."""

    statements: list[str]
    transactional: bool


class SkippedDirective(Answer):
    """A directive without a counterpart on the plan's dialect."""

    directive: str
    detail: str


class NotedDirective(Answer):
    """Something to know of what a directive sends, such as what it asks of other clients."""

    directive: str
    detail: str


class KnownType(Answer):
    """A type that earlier steps of a path have created: Alembic does not create it again."""

    kind: str = Field(description="As Alembic keeps it in mind.")
    within: str | None = Field(description="Its schema; null: the search path.")
    name: str


class Step(Answer):
    """One revision, up or down, and the heads it moves between."""

    revision: str
    before: Heads
    after: Heads
    script: str = Field(description="sha256 of the revision file.")
    kind: StepClass = Field(description="live: its SQL is not known beforehand.")
    why: list[str] = Field(description="Reasons of the kind.", examples=[["reads tenant"]])
    blocks: list[Block]
    fingerprint: str | None = Field(description="Of the schema that the script has seen.")
    skips: list[SkippedDirective]
    notes: list[NotedDirective]
    known: list[KnownType] = Field(description="Types that its script takes to exist.")


class Plan(Answer):
    """The steps from one set of heads to another."""

    history: str
    dialect: str
    before: Heads
    after: Heads
    steps: list[Step]
    digest: str = Field(description="sha256 of all that would be sent.")
    prologue: list[str] = Field(description="What env.py sends ahead of the steps.")
    sources: str = Field(description="sha256 over env.py and the project's modules.")


class Finding(Answer):
    """One thing that somebody should look at before a plan is carried out."""

    rule: str = Field(examples=["drop-table", "squawk:ban-drop-column"])
    message: str
    advice: str = Field(description="What to do instead; empty where the linter has none.")
    revision: str | None = Field(description="null: the plan as a whole.")
    statement: int | None = Field(
        description="Its number in the step, from 1; null: the step as a whole."
    )


class Preview(Answer):
    """What an order would do to one target, or the reason why it would not."""

    target: str
    plan: Plan | None = Field(description="null: there is none, or nobody could find out.")
    problem: str | None
    findings: list[Finding]
    unasked: list[str] = Field(description="Which rules were not applied, and why.")


class Decision(Answer):
    """What somebody said of a plan; the last word counts."""

    state: PlanState = Field(description="approved or rejected.")
    actor: str = Field(examples=["token:anna"])
    at: Moment
    reason: str | None


class Proposal(Answer):
    """Somebody's wish to apply a plan to a target that needs an approval first."""

    plan: str
    target: str
    actor: str = Field(description="Who asked.", examples=["clock"])
    run: str = Field(description="Id of the run that asked.")
    at: Moment


class Canary(Answer):
    """The target that runs a plan's scripts before the plan is replayed anywhere."""

    state: CanaryState
    at: Moment = Field(description="Since when it is so.")
    target: str | None = Field(description="null: missing.")
    run: str | None = Field(description="null: missing.")
    difference: list[str] = Field(description="How its schema differs from the shadow's.")
    reason: str | None = Field(description="Why it is missing.")


class PlanRecord(Answer):
    """What is known of a plan besides its steps."""

    digest: str
    history: str
    dialect: str
    before: Heads
    after: Heads
    steps: int = Field(description="How many.")
    compiled_at: Moment
    state: PlanState
    decision: Decision | None
    proposals: list[Proposal]
    canary: Canary | None = Field(description="null: nobody has asked for one.")


class StatementLock(Answer):
    """A table lock that a statement is known to take."""

    revision: str
    block: int = Field(description="Place in the step's blocks, from 0.")
    statement: int = Field(description="Place in the block, from 0.")
    mode: str = Field(description="As Postgres names it.", examples=["SHARE ROW EXCLUSIVE"])
    on: str = Field(description="The table.")


class PlanDetails(Answer):
    """A plan whole, what was said of it, and what is known of its statements."""

    record: PlanRecord
    plan: Plan
    locks: list[StatementLock]
    findings: list[Finding]
    unasked: list[str] = Field(description="Which rules were not applied, and why.")


class DecisionRequest(Question):
    """Why a plan is approved or rejected."""

    reason: Text | None = Field(None, min_length=1, max_length=1000)


class PlanFilter(Question):
    """Which plans to list, newest first: all that is given must match."""

    history: Text | None = None
    state: PlanState | None = None
    before: Text | None = Field(None, description="Digest of a plan: only older ones.")
    limit: int = Field(50, ge=1, le=500)

    def query(self, limit: int) -> PlanQuery:
        """Return the engine's question for *limit* plans."""
        return PlanQuery(**{**dict(self), "limit": limit})


PlanQueryString = Annotated[PlanFilter, Query()]
