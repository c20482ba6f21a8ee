"""What brings tables back to where they were before a run, and what nothing brings back.

It is told, never done: to restore a table takes back what everybody has written to it since.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sync.images import words_of

_FLAGS = re.IGNORECASE | re.DOTALL
_NAME = r"((?:`(?:[^`]|``)+`|[\w$]+)(?:\s*\.\s*(?:`(?:[^`]|``)+`|[\w$]+))*)"
_MARK = re.compile(r"^\s*/\*.*?\*/\s*", re.DOTALL)

_DROPPED = re.compile(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", _FLAGS)
_RENAMED = re.compile(rf"ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s+{_NAME}", _FLAGS)
_CREATED = re.compile(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", _FLAGS
)

#: What a statement did that is no part of a table's versions -> what is said of it.
_BEYOND: Mapping[str, str] = {
    r"(CREATE|DROP|ALTER)\s+.*?VIEW\b": "a view has no versions; write it anew",
    r"(CREATE|DROP|ALTER)\s+(SCHEMA|DATABASE|CATALOG|VOLUME|FUNCTION)\b": (
        "it is no table, and has no versions"
    ),
    r"ALTER\s+TABLE\s+.*\b(PRIMARY|FOREIGN)\s+KEY\b": (
        "keys belong to the catalog, not to a version; add or drop them anew"
    ),
    r"ALTER\s+TABLE\s+.*\bSET\s+TBLPROPERTIES\b": (
        "a protocol that rose by it does not fall again, and older clients stay locked out"
    ),
    r"(GRANT|REVOKE)\b": "privileges belong to the catalog; take them back by hand",
    r"ALTER\s+TABLE\s+.*\b(OWNER|TAGS)\b": "owners and tags belong to the catalog",
}


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """SQL for somebody to look at and to send, and what it does not do."""

    run: str
    statements: tuple[str, ...]  #: in order
    remarks: tuple[str, ...]  #: one line each


def restore_plan(
    run: str, versions: Mapping[str, int | None], sent: Sequence[str], version_table: str
) -> RestorePlan:
    """Return what undoes *run*, of which these texts were sent, oldest first.

    Args:
        run: Its id.
        versions: What it has recorded before; see `sync.images`.
        sent: Every SQL text of the run that may have had an effect.
        version_table: Its name; whatever else was touched, it was.
    """
    texts = [_MARK.sub("", sql).strip() for sql in sent]
    words = words_of([*texts, version_table])
    return RestorePlan(
        run,
        (*_undone_names(texts), *_restored(versions, words)),
        (*_without_version(versions, words), *_created(texts), *_beyond(texts)),
    )


def _undone_names(texts: Sequence[str]) -> Iterator[str]:
    """Yield what gives tables their names back, the last change first."""
    for sql in reversed(texts):
        if renamed := _RENAMED.match(sql):
            yield f"ALTER TABLE {renamed[2]} RENAME TO {renamed[1]}"
        if dropped := _DROPPED.match(sql):
            yield f"UNDROP TABLE {dropped[1]}"


def _restored(versions: Mapping[str, int | None], words: Collection[str]) -> Iterator[str]:
    """Yield a RESTORE for each table that was touched."""
    for table, version in versions.items():
        if version is not None and _is_touched(table, words):
            yield f"RESTORE TABLE {table} TO VERSION AS OF {version}"


def _without_version(versions: Mapping[str, int | None], words: Collection[str]) -> Iterator[str]:
    for table, version in versions.items():
        if version is None and _is_touched(table, words):
            yield f"{table}: had no version that could be read (a view, or no Delta table)"


def _created(texts: Sequence[str]) -> Iterator[str]:
    for sql in texts:
        if created := _CREATED.match(sql):
            yield f"{created[1]}: was created by the run; DROP TABLE {created[1]} takes it away"


def _beyond(texts: Sequence[str]) -> Iterator[str]:
    for sql in texts:
        for pattern, remark in _BEYOND.items():
            if re.match(pattern, sql, _FLAGS):
                yield f"{' '.join(sql.split())[:80]}: {remark}"


def _is_touched(table: str, words: Collection[str]) -> bool:
    """Tell whether the last part of a table's name is made up of *words*."""
    return words_of([table.rsplit("`.`", maxsplit=1)[-1]]) <= frozenset(words)
