"""What brings tables back to where they were before a run, and what nothing brings back.

It is told, never done: to restore a table takes back what everybody has written to it since.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from providers.types import Heads
from sync.images import words_of
from sync.whereabouts import Whereabouts, followed, parts_of, sql_of

_FLAGS = re.IGNORECASE | re.DOTALL
_AHEAD = re.compile(r"(?:\s+|/\*.*?\*/|--[^\n]*(?:\n|$))*", re.DOTALL)

_KEYS = "keys belong to the catalog, not to a version"

#: What a statement did that is no part of a table's versions -> what is said of it.
_BEYOND: Mapping[str, str] = {
    r"(CREATE|DROP|ALTER)\s+(OR\s+REPLACE\s+)?(MATERIALIZED\s+|TEMPORARY\s+)?VIEW\b": (
        "a view has no versions; write it as it was, or drop it"
    ),
    r"(CREATE|DROP|ALTER)\s+(OR\s+REPLACE\s+)?(SCHEMA|DATABASE|CATALOG|VOLUME|FUNCTION)\b": (
        "it is no table, and has no versions"
    ),
    r"ALTER\s+TABLE\s+.*\b(PRIMARY|FOREIGN)\s+KEY\b": f"{_KEYS}; add or drop them anew",
    r"ALTER\s+TABLE\s+.*\bDROP\s+CONSTRAINT\b": f"a CHECK comes back; {_KEYS}: add it anew",
    r"ALTER\s+TABLE\s+.*\b(RENAME|DROP)\s+COLUMNS?\b": (
        f"keys over the column went with it, and do not come back: {_KEYS}"
    ),
    r"ALTER\s+TABLE\s+.*\bSET\s+TBLPROPERTIES\b": (
        "a protocol that rose by it does not fall again, and older clients stay locked out"
    ),
    r"(GRANT|REVOKE)\b": "privileges belong to the catalog; take them back by hand",
    r"ALTER\s+TABLE\s+.*\b(OWNER|TAGS)\b": "owners and tags belong to the catalog",
    r"VACUUM\b": "it may have removed files that a RESTORE needs",
    r"USE\b": "names without a schema that came after it may mean tables of another one",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one run has recorded and sent."""

    run: str  #: its id
    versions: Mapping[str, int | None]  #: ahead of its first statement; see `sync.images`
    sent: Sequence[str]  #: every SQL text of it that may have had an effect, oldest first


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """SQL for somebody to look at and to send, and what it does not do."""

    run: str
    since: str  #: the run ahead of which it leads: an earlier one where that had begun a revision
    statements: tuple[str, ...]  #: in order
    stamp: tuple[str, ...]  #: revisions that are to be stamped then, in order
    remarks: tuple[str, ...]  #: one line each


def restore_plan(parts: Sequence[Part], version_table: str, before: Heads) -> RestorePlan:
    """Return what undoes a run.

    Args:
        parts: The run comes last; ahead of it those in whose half of a revision it began.
        version_table: Its name; whatever else was touched, it was.
        before: Where the target was ahead of them all.
    """
    run = parts[-1].run
    versions = first_images(parts)
    texts = [sql for part in parts for sql in map(bare, part.sent)]
    names = [parts_of(table) for table in versions]
    home = names[0][:-1] if names else ()
    where = followed(texts, home=home, known=names, aside=f"_of_run_{run[:8]}")
    touched = {
        table: version
        for table, version in versions.items()
        if parts_of(table) in where.touched or parts_of(table)[-1] == version_table.lower()
    }
    remarks = (
        *_lost(touched, where),
        *_without_version(touched),
        *_names(where),
        *_beyond(texts),
    )
    return RestorePlan(
        run=run,
        since=parts[0].run,
        statements=(*where.way_back(), *_restored(touched, where)),
        stamp=tuple(sorted(before)) or ("base",),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def first_images(parts: Sequence[Part]) -> Mapping[str, int | None]:
    """Return the versions that tables had ahead of all *parts*.

    What a later one has found counts only of tables that the earlier ones did not name.
    """
    found: dict[str, int | None] = {}
    named: frozenset[str] = frozenset()
    for part in parts:
        for table, version in part.versions.items():
            if not _is_named(table, named):
                found.setdefault(table, version)
        named |= words_of(map(bare, part.sent))
    return found


def bare(sql: str) -> str:
    """Return *sql* from its first word on: no comment ahead of it."""
    ahead = _AHEAD.match(sql)
    return sql[ahead.end() if ahead else 0 :].strip()


def _restored(touched: Mapping[str, int | None], where: Whereabouts) -> Iterator[str]:
    """Yield a RESTORE for each table that was touched, and can be found by its name."""
    for table, version in touched.items():
        if version is not None and parts_of(table) not in where.lost:
            yield f"RESTORE TABLE {table} TO VERSION AS OF {version}"


def _lost(touched: Mapping[str, int | None], where: Whereabouts) -> Iterator[str]:
    for table, version in touched.items():
        if parts_of(table) in where.lost:
            schema = sql_of(parts_of(table)[:-1])
            yield (
                f"{table}: the run dropped another table of its name after it, and UNDROP takes "
                f"the last one; SHOW TABLES DROPPED IN {schema} tells its id: UNDROP TABLE WITH "
                f"ID, then RESTORE TABLE {table} TO VERSION AS OF {version}"
            )


def _without_version(touched: Mapping[str, int | None]) -> Iterator[str]:
    for table, version in touched.items():
        if version is None:
            yield f"{table}: had no version that could be read (a view, or no Delta table)"


def _names(where: Whereabouts) -> Iterator[str]:
    for name in where.undropped():
        yield (
            f"{sql_of(name)}: UNDROP brings no primary and foreign keys back, nor those of other "
            "tables that refer to it; add them anew"
        )
    for name in where.created():
        yield f"{sql_of(name)}: was created by the run; DROP TABLE {sql_of(name)} takes it away"
    for name in where.strangers:
        yield (
            f"{sql_of(name)}: is in another schema, of which no versions were recorded; DESCRIBE "
            f"HISTORY {sql_of(name)} tells which one it had before the run"
        )


def _beyond(texts: Sequence[str]) -> Iterator[str]:
    for sql in texts:
        for pattern, remark in _BEYOND.items():
            if re.match(pattern, sql, _FLAGS):
                yield f"{' '.join(sql.split())[:80]}: {remark}"


def _is_named(table: str, words: Collection[str]) -> bool:
    """Tell whether the last part of a table's name is made up of *words*."""
    return words_of([table.rsplit("`.`", maxsplit=1)[-1]]) <= frozenset(words)
