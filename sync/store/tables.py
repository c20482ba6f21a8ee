"""The tables of the control database, as queries see them; `schema` creates them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Dialect, Float, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

from providers.types import Heads
from sync.store.text import heads_from_text, heads_to_text, moment_from_text, moment_to_text


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as text: both databases give back what was written."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write a moment."""
        del dialect
        return None if value is None else moment_to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read a moment."""
        del dialect
        return None if value is None else moment_from_text(value)


class HeadSet(TypeDecorator[Heads]):
    """Heads, kept as text; NULL means that they were never read."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Heads | None, dialect: Dialect) -> str | None:
        """Write heads."""
        del dialect
        return None if value is None else heads_to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Heads | None:
        """Read heads."""
        del dialect
        return None if value is None else heads_from_text(value)


metadata = MetaData()

#: One row for each version of the schema that was applied.
versions = Table(
    "control_versions",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("applied_at", Moment, nullable=False),
)

#: The audit log. `at` is plain text here: the log itself checks how it is written.
events = Table(
    "events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("target", Text),
    Column("history", Text),
    Column("run", Text),
    Column("revision", Text),
    Column("ticket", Text),
    Column("data", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

#: One row: the last event of the chain. Whoever appends holds it.
chain_head = Table(
    "chain_head",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

#: Tickets whose end is not known: a `.started` event without an end.
intents = Table(
    "intents",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("sql", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("requested_at", Moment, nullable=False),
)

skips = Table(
    "skips",
    metadata,
    Column("rollout", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("reason", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rollout", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("history", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("plan", Text),
    Column("before", HeadSet),
    Column("after", HeadSet),
    Column("approver", Text),
    Column("error", Text),
    Column("warehouse_seconds", Float),
    Column("address", Text),
)

targets = Table(
    "targets",
    metadata,
    Column("target", Text, primary_key=True),
    Column("heads", HeadSet),
    Column("status", Text, nullable=False),
    Column("checked_at", Moment),
    Column("problem", Text),
    Column("hold_actor", Text),
    Column("hold_reason", Text),
    Column("hold_since", Moment),
    Column("failed_scripts", Text),
    Column("failures", Integer, nullable=False),
    Column("retry_at", Moment),
    Column("major", Text),
    Column("awaits", Text),
    Column("awaits_scripts", Text),
    Column("awaits_for", Text),
    Column("passing", Text),
)

#: One row for each target that was ever leased; nobody holds it where holder is NULL.
leases = Table(
    "leases",
    metadata,
    Column("target", Text, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text),
    Column("run", Text),
    Column("expires_at", Moment),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

graphs = Table(
    "graphs",
    metadata,
    Column("history", Text, primary_key=True),
    Column("graph", Text, nullable=False),
)

#: Every file of every revision that was ever seen.
revisions = Table(
    "revisions",
    metadata,
    Column("history", Text, primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("first_seen", Moment, nullable=False),
)

#: Plans under their digests, as `sync.plan.canonical` writes them.
plans = Table(
    "plans",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("history", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("compiled_at", Moment, nullable=False),
)

#: Which plan came out of what: the key is a hash of all that a compilation depends on.
compilations = Table(
    "compilations",
    metadata,
    Column("key", Text, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("sources", Text, nullable=False),
)

#: What linters found in a plan, as JSON.
lints = Table(
    "lints",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

#: Which file of a revision was applied to a target, by its sha256; none where nobody saw it.
applied = Table(
    "applied",
    metadata,
    Column("target", Text, primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("history", Text, nullable=False),
    Column("script", Text, nullable=False),
)

#: Applied files that are others on disk now, and of which an event tells.
edits = Table(
    "edits",
    metadata,
    Column("history", Text, primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("applied", Text, primary_key=True),
    Column("found", Text, primary_key=True),
)

#: What people said of plans; one row for each, the last word.
decisions = Table(
    "decisions",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text),
)

#: Who wants which plan on which target.
proposals = Table(
    "proposals",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("run", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: Which target tries a plan for all others; one row for each plan that somebody asked for it.
canaries = Table(
    "canaries",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("target", Text),
    Column("run", Text),
    Column("after", HeadSet),
    Column("expected", Text),
    Column("difference", Text, nullable=False),
    Column("reason", Text),
    Column("at", Moment, nullable=False),
)

#: Live schemas, object by object, as JSON.
snapshots = Table(
    "snapshots",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("objects", Text, nullable=False),
)

#: One row for each target whose schema was ever looked at.
fingerprints = Table(
    "fingerprints",
    metadata,
    Column("target", Text, primary_key=True),
    Column("recorded", Text),
    Column("recorded_heads", HeadSet),
    Column("recorded_major", Text),
    Column("live", Text),
    Column("live_heads", HeadSet),
    Column("live_major", Text),
    Column("looked_at", Moment),
    Column("difference", Text, nullable=False),
    Column("problem", Text),
)

#: One row for each pattern of tenants whose database was ever asked.
tenants = Table(
    "tenants",
    metadata,
    Column("pattern", Text, primary_key=True),
    Column("question", Text, nullable=False),
    Column("listed_at", Moment),
    Column("left_out", Text),
    Column("problem", Text),
    Column("failures", Integer, nullable=False),
    Column("retry_at", Moment),
)

#: What a pattern's database answered last.
members = Table(
    "tenant_members",
    metadata,
    Column("pattern", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("target", Text),
)
