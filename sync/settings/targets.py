"""The table `[[target]]`, and what `[[tenants]]` shares with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import Field

from providers.types import Policy, Target
from sync.settings.section import Section
from sync.settings.values import Duration, HistoryName, Name, PositiveDuration, TargetUrl

#: The contract says what a target is where the file is silent; it is not said twice.
TARGET: Mapping[str, Any] = {item.name: item.default for item in fields(Target)}


class TargetKeys(Section):
    """What is said of a target, or of many that are found."""

    name: Name = Field(description="Unique among targets; the key in every run and event.")
    history: HistoryName = Field(description="Name of the history it follows.")
    url: TargetUrl = Field(
        description="SQLAlchemy URL; its dialect selects the provider. Never logged or shown."
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Free names and values to select targets by."
    )
    policy: Policy = Field(
        default=TARGET["policy"],
        description="`apply`: the clock applies what is pending. `approve`: so it does, as soon as "
        "somebody has approved the plan. `observe`: it only checks. `off`: it leaves the target "
        "alone.",
    )
    schema_: str | None = Field(
        default=None,
        alias="schema",
        min_length=1,
        description="Schema the scripts work in. Without it: the search path.",
    )
    check_every: Duration | None = Field(
        default=None,
        description="The clock looks at it no more often than this, unless something is "
        "pending. Without it: at each sweep; a Databricks warehouse once an hour, since "
        "looking wakes it.",
    )
    lock_wait: Duration = Field(
        default=TARGET["lock_wait"], description="Patience for the migration lock."
    )
    lock_timeout: Duration = Field(
        default=TARGET["lock_timeout"], description='Patience for one table lock; `"0s"`: endless.'
    )
    statement_timeout: Duration = Field(
        default=TARGET["statement_timeout"],
        description='A statement is cancelled after this long; `"0s"`: never.',
    )
    connect_timeout: PositiveDuration = Field(
        default=TARGET["connect_timeout"], description="Patience for opening a connection."
    )
    start_wait: Duration = Field(
        default=TARGET["start_wait"],
        description='A run waits this long for a server that is starting; `"0s"`: not at all.',
    )


class TargetTable(TargetKeys):
    """One database, or one schema of it, kept at head of one history."""
