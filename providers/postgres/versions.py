"""The SQL of one transaction: guard, statements, stamp, in a single message.

Several statements in one message are one implicit transaction: the server takes all
of it or nothing, in one round trip, and a failure leaves no aborted transaction behind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TypeAlias

from asyncpg import exceptions as pg

from providers.postgres.sql import identifier, literal, milliseconds, version_table
from providers.types import Heads, Statement, Target

#: Raised by the guard; the message is a JSON list of the heads that were found.
CONFLICT = "LH001"

#: Raised where the version table did not keep what the stamp wrote.
NOT_KEPT = "LH002"

#: Milliseconds: as good as no limit, and no value that a script would choose. So it shows
#: whether a script has set a limit for itself, which then holds, as it does under Alembic.
_NONE = 2**31 - 1

#: Settings of a session and their values.
Limits: TypeAlias = tuple[tuple[str, timedelta], ...]

#: Many targets are sent the same few texts.
_same = lru_cache(1024)

NO_LIMITS = f"SET lock_timeout = {_NONE}; SET statement_timeout = {_NONE}"


def limits(target: Target) -> str:
    """Return SQL that sets the target's timeouts for the session, beneath those of scripts."""
    return _changed(_limits(target), _no_limits(target), "false")


def lifted_limits(target: Target) -> str:
    """Return SQL that takes back what `limits` has set, and leaves what a script has set."""
    return _changed(_no_limits(target), _limits(target), "false")


def local_limits(target: Target) -> str:
    """Return SQL that sets the target's timeouts for the transaction, beneath those of scripts."""
    return _changed(_limits(target), _no_limits(target), "true")


def _limits(target: Target) -> Limits:
    return (("lock_timeout", target.lock_timeout), ("statement_timeout", target.statement_timeout))


def _no_limits(target: Target) -> Limits:
    return tuple((name, timedelta(milliseconds=_NONE)) for name, _ in _limits(target))


@_same
def _changed(values: Limits, found: Limits, is_local: str) -> str:
    """Return SQL that gives settings their *values* where they are as *found*."""
    return "; ".join(
        f"SELECT set_config('{name}', '{milliseconds(value)}', {is_local})"
        f" WHERE current_setting('{name}')::interval = interval '{milliseconds(old)} milliseconds'"
        for (name, value), (_, old) in zip(values, found, strict=True)
    )


def guard(target: Target, before: Heads) -> str:
    """Return SQL that ends the transaction unless the version table holds just *before*.

    It creates the version table where it is missing, as Alembic does, and keeps others
    from writing to it: the rows cannot be locked for that, as there may be none.
    """
    key = identifier(f"{target.version_table}_pkc")
    return _guard(version_table(target), key, before)


@_same
def _guard(table: str, key: str, before: Heads) -> str:
    return _block(f"""
        IF to_regclass({literal(table)}) IS NULL THEN
            BEGIN
                CREATE TABLE {table} (
                    version_num VARCHAR(32) NOT NULL, CONSTRAINT {key} PRIMARY KEY (version_num)
                );
            EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation THEN
                NULL; -- somebody was quicker: what they wrote is looked at below
            END;
        END IF;
        LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
        {_expectation(table, before, CONFLICT)}
    """)


def stamp(target: Target, after: Heads) -> str:
    """Return SQL that replaces the rows of the version table by *after*, and reads them back."""
    return _stamp(version_table(target), after)


@_same
def _stamp(table: str, after: Heads) -> str:
    rows = literal(json.dumps(sorted(after)))
    return _block(f"""
        DELETE FROM {table};
        INSERT INTO {table} (version_num) SELECT jsonb_array_elements_text({rows});
        {_expectation(table, after, NOT_KEPT)}
    """)  # noqa: S608 - the names are quoted, the values are literals


def transaction(target: Target, block: Sequence[Statement], before: Heads, after: Heads) -> str:
    """Return the message that runs *block* between its guard and its stamp."""
    statements = [statement.sql for statement in block]
    return "\n;\n".join(
        [local_limits(target), guard(target, before), *statements, stamp(target, after)]
    )


def found_heads(error: pg.PostgresError) -> Heads:
    """Return the heads that the guard reported."""
    return frozenset(json.loads(str(error.args[0])))


def _expectation(table: str, heads: Heads, code: str) -> str:
    expected = literal(json.dumps(sorted(heads)))
    return f"""
        DECLARE
            found jsonb := (
                SELECT coalesce(jsonb_agg(version_num ORDER BY version_num COLLATE "C"), '[]')
                  FROM {table}
            );
        BEGIN
            IF found <> {expected} THEN
                RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = found::text;
            END IF;
        END;
    """  # noqa: S608 - the names are quoted, the values are literals


def _block(body: str) -> str:
    return f"DO {literal(f'BEGIN {body} END')}"
