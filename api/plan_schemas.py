"""Plans as they go over the wire."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Answer, Heads
from sync.plan.model import StepClass


class Block(Answer):
    """Statements that commit together; one alone where it stands outside a transaction."""

    statements: list[str]
    transactional: bool


class SkippedDirective(Answer):
    """A directive without a counterpart on the plan's dialect."""

    directive: str
    detail: str


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
