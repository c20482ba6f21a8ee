"""The migrations of the control database itself: numbered, and never changed once released."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: The type of a text column whose order must not depend on the server's language.
_TEXT: Mapping[str, str] = MappingProxyType(
    {"sqlite": "TEXT", "postgresql": 'TEXT COLLATE "C"'},
)

_TABLES = (
    """
    CREATE TABLE events (
        sequence BIGINT PRIMARY KEY,
        id {text} NOT NULL UNIQUE,
        at {text} NOT NULL,
        kind {text} NOT NULL,
        actor {text} NOT NULL,
        target {text},
        history {text},
        run {text},
        revision {text},
        ticket {text},
        data {text} NOT NULL,
        previous {text} NOT NULL,
        hash {text} NOT NULL
    )
    """,
    "CREATE INDEX events_at ON events (at)",
    "CREATE INDEX events_kind ON events (kind, sequence)",
    "CREATE INDEX events_actor ON events (actor, sequence)",
    "CREATE INDEX events_target ON events (target, sequence)",
    "CREATE INDEX events_history ON events (history, sequence)",
    "CREATE INDEX events_run ON events (run, sequence)",
    "CREATE INDEX events_ticket ON events (ticket, sequence)",
    "CREATE TABLE chain_head (sequence BIGINT PRIMARY KEY, hash {text} NOT NULL)",
    "INSERT INTO chain_head (sequence, hash) VALUES (0, '" + "0" * 64 + "')",
    """
    CREATE TABLE intents (
        ticket {text} PRIMARY KEY,
        target {text} NOT NULL,
        sequence BIGINT NOT NULL
    )
    """,
    "CREATE INDEX intents_target ON intents (target, sequence)",
    "CREATE TABLE statements (digest {text} PRIMARY KEY, sql {text} NOT NULL)",
    """
    CREATE TABLE rollouts (
        id {text} PRIMARY KEY,
        actor {text} NOT NULL,
        verb {text} NOT NULL,
        destination {text} NOT NULL,
        requested_at {text} NOT NULL
    )
    """,
    """
    CREATE TABLE skips (
        rollout {text} NOT NULL REFERENCES rollouts (id),
        target {text} NOT NULL,
        reason {text} NOT NULL,
        PRIMARY KEY (rollout, target)
    )
    """,
    """
    CREATE TABLE runs (
        id {text} PRIMARY KEY,
        rollout {text} NOT NULL,
        target {text} NOT NULL,
        history {text} NOT NULL,
        actor {text} NOT NULL,
        verb {text} NOT NULL,
        destination {text} NOT NULL,
        state {text} NOT NULL,
        requested_at {text} NOT NULL,
        ended_at {text},
        plan {text},
        before {text},
        after {text},
        error {text}
    )
    """,
    "CREATE INDEX runs_requested ON runs (requested_at, id)",
    "CREATE INDEX runs_target ON runs (target, requested_at, id)",
    "CREATE INDEX runs_history ON runs (history, requested_at, id)",
    "CREATE INDEX runs_state ON runs (state, requested_at, id)",
    "CREATE INDEX runs_rollout ON runs (rollout, requested_at, id)",
    """
    CREATE TABLE targets (
        target {text} PRIMARY KEY,
        heads {text},
        status {text} NOT NULL,
        checked_at {text},
        problem {text},
        hold_actor {text},
        hold_reason {text},
        hold_since {text},
        failed_scripts {text},
        failures INTEGER NOT NULL,
        retry_at {text}
    )
    """,
    """
    CREATE TABLE leases (
        target {text} PRIMARY KEY,
        token BIGINT NOT NULL,
        holder {text},
        run {text},
        expires_at {text}
    )
    """,
    """
    CREATE TABLE tokens (
        name {text} PRIMARY KEY,
        role {text} NOT NULL,
        digest {text} NOT NULL UNIQUE,
        created_at {text} NOT NULL,
        revoked_at {text}
    )
    """,
    "CREATE TABLE graphs (history {text} PRIMARY KEY, graph {text} NOT NULL)",
    """
    CREATE TABLE revisions (
        history {text} NOT NULL,
        revision {text} NOT NULL,
        digest {text} NOT NULL,
        first_seen {text} NOT NULL,
        PRIMARY KEY (history, revision, digest)
    )
    """,
)

# INSERT OR REPLACE deletes without firing a DELETE trigger, so SQLite needs a third one.
_SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_no_replace BEFORE INSERT ON events
    WHEN EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence OR id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
)

_POSTGRES_TRIGGERS = (
    """
    CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$
    """,
    """
    CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_refuse()
    """,
    """
    CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse()
    """,
)


_PLANS = (
    """
    CREATE TABLE plans (
        digest {text} PRIMARY KEY,
        history {text} NOT NULL,
        dialect {text} NOT NULL,
        body {text} NOT NULL,
        compiled_at {text} NOT NULL
    )
    """,
    "CREATE INDEX plans_history ON plans (history, compiled_at)",
    """
    CREATE TABLE compilations (
        key {text} PRIMARY KEY,
        plan {text} NOT NULL REFERENCES plans (digest),
        sources {text} NOT NULL
    )
    """,
)

# Graphs are looked up anew: this version keeps more of each script.
_LINTS = (
    "CREATE TABLE lints (plan {text} PRIMARY KEY, body {text} NOT NULL)",
    "DELETE FROM graphs",
)

_SCRIPTS = (
    """
    CREATE TABLE applied (
        target {text} NOT NULL,
        revision {text} NOT NULL,
        history {text} NOT NULL,
        script {text} NOT NULL,
        PRIMARY KEY (target, revision)
    )
    """,
    "CREATE INDEX applied_script ON applied (history, revision, script)",
    """
    CREATE TABLE edits (
        history {text} NOT NULL,
        revision {text} NOT NULL,
        applied {text} NOT NULL,
        found {text} NOT NULL,
        PRIMARY KEY (history, revision, applied, found)
    )
    """,
)

_FINGERPRINTS = (
    "CREATE TABLE snapshots (fingerprint {text} PRIMARY KEY, objects {text} NOT NULL)",
    """
    CREATE TABLE fingerprints (
        target {text} PRIMARY KEY,
        recorded {text},
        recorded_heads {text},
        recorded_major {text},
        live {text},
        live_heads {text},
        live_major {text},
        looked_at {text},
        difference {text} NOT NULL,
        problem {text}
    )
    """,
    "CREATE INDEX fingerprints_recorded ON fingerprints (recorded)",
    "CREATE INDEX fingerprints_live ON fingerprints (live)",
)


_APPROVALS = (
    """
    CREATE TABLE decisions (
        plan {text} PRIMARY KEY REFERENCES plans (digest),
        state {text} NOT NULL,
        actor {text} NOT NULL,
        at {text} NOT NULL,
        reason {text}
    )
    """,
    """
    CREATE TABLE proposals (
        plan {text} NOT NULL REFERENCES plans (digest),
        target {text} NOT NULL,
        actor {text} NOT NULL,
        run {text} NOT NULL,
        at {text} NOT NULL,
        PRIMARY KEY (plan, target, actor)
    )
    """,
    "CREATE INDEX proposals_target ON proposals (target, at)",
    "CREATE INDEX plans_compiled ON plans (compiled_at, digest)",
    "ALTER TABLE runs ADD COLUMN approver {text}",
    "ALTER TABLE targets ADD COLUMN major {text}",
    "ALTER TABLE targets ADD COLUMN awaits {text}",
    "ALTER TABLE targets ADD COLUMN awaits_scripts {text}",
)


_TENANTS = (
    """
    CREATE TABLE tenants (
        pattern {text} PRIMARY KEY,
        question {text} NOT NULL,
        listed_at {text},
        left_out {text},
        problem {text},
        failures INTEGER NOT NULL,
        retry_at {text}
    )
    """,
    """
    CREATE TABLE tenant_members (
        pattern {text} NOT NULL,
        tenant {text} NOT NULL,
        target {text},
        PRIMARY KEY (pattern, tenant)
    )
    """,
)


_CANARIES = (
    """
    CREATE TABLE canaries (
        plan {text} PRIMARY KEY REFERENCES plans (digest),
        state {text} NOT NULL,
        target {text},
        run {text},
        after {text},
        expected {text},
        difference {text} NOT NULL,
        reason {text},
        at {text} NOT NULL
    )
    """,
    "CREATE INDEX canaries_target ON canaries (target, state)",
    "CREATE INDEX canaries_expected ON canaries (expected)",
    "ALTER TABLE targets ADD COLUMN awaits_for {text}",
)


#: A whole number of seconds would be too coarse; both databases know this type.
_COSTS = ("ALTER TABLE runs ADD COLUMN warehouse_seconds DOUBLE PRECISION",)

_PASSING = (
    "ALTER TABLE targets ADD COLUMN passing {text}",
    """
    UPDATE targets SET passing = problem, problem = NULL
    WHERE status IN ('starting', 'unreachable')
    """,
)

#: Skips and notes have become part of a plan's digest.
_REMARKS = ("DELETE FROM compilations",)

_ADDRESSES = (
    "ALTER TABLE runs ADD COLUMN address {text}",
    "CREATE INDEX runs_address ON runs (address)",
)


def _filled(dialect: str, tables: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sql.format(text=_TEXT[dialect]) for sql in tables)


def _both(tables: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({dialect: _filled(dialect, tables) for dialect in _TEXT})


#: Version n of the schema is what the first n entries make; each maps dialect -> statements.
MIGRATIONS: tuple[Mapping[str, tuple[str, ...]], ...] = (
    MappingProxyType(
        {
            "sqlite": _filled("sqlite", _TABLES) + _SQLITE_TRIGGERS,
            "postgresql": _filled("postgresql", _TABLES) + _POSTGRES_TRIGGERS,
        },
    ),
    _both(_PLANS),
    _both(_LINTS),
    _both(_SCRIPTS),
    _both(_APPROVALS),
    _both(_FINGERPRINTS),
    _both(_TENANTS),
    _both(_CANARIES),
    _both(_COSTS),
    _both(_PASSING),
    _both(_REMARKS),
    _both(_ADDRESSES),
)

#: The version that this code reads and writes.
LATEST = len(MIGRATIONS)
