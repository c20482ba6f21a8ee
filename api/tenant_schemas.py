"""Patterns of tenants as they go over the wire."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Answer, Moment
from providers.types import Policy


class Tenants(Answer):
    """A pattern that stands for a target for each schema, or each database, that fits it."""

    name: str = Field(examples=["shop"])
    history: str = Field(examples=["app"])
    provider: str = Field(description="Dialect name.", examples=["postgresql"])
    over: str = Field(description="What each of them is: `schema` or `database`.")
    targets: int = Field(description="How many targets it stands for.")
    policy: Policy
    listed_at: Moment | None = Field(description="When its database last told. Null: never.")
    problem: str | None = Field(
        description="Why there is no newer answer; the targets are those of the last one."
    )
    left_out: list[str] = Field(description="A line for each that was found and is no target.")
    retry_at: Moment | None = Field(description="The clock does not ask until then.")
