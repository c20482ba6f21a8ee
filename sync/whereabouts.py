"""Which table bears which name while the statements of a run go by, and the way back: pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sync.images import words_of

#: Catalog, schema and table in lower case, as far as they are known.
Name: TypeAlias = tuple[str, ...]

_FLAGS = re.IGNORECASE | re.DOTALL
_PART = re.compile(r"`((?:[^`]|``)+)`|([\w$]+)")
_NAME = r"((?:`(?:[^`]|``)+`|[\w$]+)(?:\s*\.\s*(?:`(?:[^`]|``)+`|[\w$]+))*)"

_DROPPED = re.compile(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", _FLAGS)
_RENAMED = re.compile(rf"ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s+{_NAME}", _FLAGS)
_REPLACED = re.compile(rf"(?:CREATE\s+OR\s+)?REPLACE\s+TABLE\s+{_NAME}", _FLAGS)
_CREATED = re.compile(rf"CREATE\s+(?:EXTERNAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", _FLAGS)
_CHANGED = re.compile(
    r"(?:ALTER\s+TABLE|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE\s+TABLE|COMMENT\s+ON\s+TABLE"
    rf"|INSERT\s+(?:INTO|OVERWRITE)(?:\s+TABLE)?)\s+{_NAME}",
    _FLAGS,
)

#: What names tables, and makes no version of any.
_ASIDE = re.compile(
    r"(?:CREATE|DROP|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+|TEMPORARY\s+)?VIEW\b"
    r"|(?:GRANT|REVOKE|USE)\b",
    _FLAGS,
)


def parts_of(text: str) -> tuple[str, ...]:
    """Return the identifiers of a name as SQL has it, in lower case, without their quotes."""
    found = _PART.findall(text)
    return tuple((quoted.replace("``", "`") or bare).lower() for quoted, bare in found)


def sql_of(name: Name) -> str:
    """Return *name* as SQL has it."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in name)


@dataclass(slots=True, eq=False)
class Table:
    """One table, whatever its name."""

    before: Name | None  #: its name ahead of the run; None: the run has created it


@dataclass(frozen=True, slots=True)
class Undoing:
    """A statement that takes the change of a name back."""

    table: Table
    sql: str


@dataclass(slots=True)
class Whereabouts:
    """What became of names; it is told the statements in their order."""

    home: Name  #: catalog and schema of names that have none; empty: not known
    known: Collection[Name]  #: what there was at home
    aside: str  #: is put behind the name of what stands in the way
    undoings: list[Undoing] = field(default_factory=list)
    lost: set[Name] = field(default_factory=set)  #: that UNDROP would not find under their names
    strangers: dict[Name, None] = field(default_factory=dict)  #: changed, and not at home
    touched: set[Name] = field(default_factory=set)  #: by the names that they had before
    _now: dict[Name, Table] = field(default_factory=dict)
    _vacated: set[Name] = field(default_factory=set)
    _dropped: dict[Name, Table] = field(default_factory=dict)  #: by the name that they had then

    def __post_init__(self) -> None:
        """Begin with what there was."""
        self._now = {name: Table(name) for name in self.known}

    def tell(self, sql: str) -> None:
        """Take one statement into account."""
        if renamed := _RENAMED.match(sql):
            self._rename(self._full(renamed[1]), self._full(renamed[2]))
        elif dropped := _DROPPED.match(sql):
            self._drop(self._full(dropped[1]))
        elif replaced := _REPLACED.match(sql):
            self._touch(self._now.get(self._full(replaced[1])))
            self._create(self._full(replaced[1]))
        elif created := _CREATED.match(sql):
            self._create(self._full(created[1]))
        elif changed := _CHANGED.match(sql):
            self._touch(self._table(self._full(changed[1])))
        elif not _ASIDE.match(sql):
            self._suspect(sql)

    def way_back(self) -> Iterator[str]:
        """Yield what gives tables their names back, the last change first."""
        for undoing in reversed(self.undoings):
            if undoing.table.before not in self.lost:
                yield undoing.sql

    def undropped(self) -> Iterator[Name]:
        """Yield the tables that are had back by UNDROP, by the names that they had before."""
        for table in self._dropped.values():
            if table.before is not None and table.before not in self.lost:
                yield table.before

    def created(self) -> Iterator[Name]:
        """Yield what the run has created and is still there, by its name after the way back."""
        for name, table in self._now.items():
            if table.before is None:
                yield self._after_way_back(name, table)

    def _after_way_back(self, name: Name, table: Table) -> Name:
        for undoing in reversed(self.undoings):
            if undoing.table is table and (renamed := _RENAMED.match(undoing.sql)):
                name = parts_of(renamed[2])
        return name

    def _full(self, text: str) -> Name:
        parts = parts_of(text)
        return (*self.home[: 3 - len(parts)], *parts) if self.home else parts

    def _table(self, name: Name) -> Table | None:
        """Return the table of that name; None where there is none. Elsewhere there always is."""
        if self.home and name[:-1] != self.home and name not in self._now:
            self.strangers[name] = None
            self._now[name] = Table(name)
        return self._now.get(name)

    def _touch(self, table: Table | None) -> None:
        if table is not None and table.before is not None:
            self.touched.add(table.before)

    def _suspect(self, sql: str) -> None:
        """Take every table for touched that a statement of an unknown kind may name."""
        words = words_of([sql])
        for name, table in self._now.items():
            if words_of(name[-1:]) <= words:
                self._touch(table)

    def _rename(self, old: Name, new: Name) -> None:
        if table := self._table(old):
            self._touch(table)
            self._now[new] = self._now.pop(old)
            self._vacated.add(old)
            sql = f"ALTER TABLE {sql_of(new)} RENAME TO {sql_of(old)}"
            self.undoings.append(Undoing(table, sql))

    def _drop(self, name: Name) -> None:
        table = self._table(name)
        if table is None:
            return
        self._touch(table)
        del self._now[name]
        self._vacated.add(name)
        hidden = self._dropped.get(name)
        if table.before is None:
            self.undoings = [each for each in self.undoings if each.table is not table]
            if hidden is not None and hidden.before is not None:
                self.lost.add(hidden.before)
            return
        self._dropped[name] = table
        self.undoings.append(Undoing(table, f"UNDROP TABLE {sql_of(name)}"))

    def _create(self, name: Name) -> None:
        if name in self._now:
            return
        table = self._now[name] = Table(None)
        if name in self._vacated:
            away = (*name[:-1], name[-1] + self.aside)
            sql = f"ALTER TABLE {sql_of(name)} RENAME TO {sql_of(away)}"
            self.undoings.append(Undoing(table, sql))


def followed(
    sent: Iterable[str], *, home: Name, known: Collection[Name], aside: str
) -> Whereabouts:
    """Return what became of names under the texts that were *sent*, oldest first."""
    found = Whereabouts(home, known, aside)
    for sql in sent:
        found.tell(sql)
    return found
