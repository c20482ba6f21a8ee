"""What the catalog holds: values that never change; a new state is a new value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.errors import SqlError

#: Table properties, in the order of their keys.
Properties: TypeAlias = tuple[tuple[str, str], ...]

#: The one to three identifiers of a name, as a statement has them.
Parts: TypeAlias = tuple[str, ...]

_NEEDS_MAPPING = re.compile(r"[ ,;{}()\n\t=]")


def backticked(name: str) -> str:
    """Quote *name* as a warehouse does."""
    return f"`{name.replace('`', '``')}`"


def quoted(name: str) -> str:
    """Quote *name* for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str]) -> str:
    """Quote *names*, with commas between them."""
    return ", ".join(backticked(name) for name in names)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A relation's name; Unity Catalog keeps names in lower case."""

    catalog: str
    schema: str
    relation: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """Catalog, schema and relation."""
        return self.catalog, self.schema, self.relation

    @property
    def dotted(self) -> str:
        """The name without quotes, as some answers have it."""
        return ".".join(self.parts)

    def __str__(self) -> str:
        return ".".join(map(backticked, self.parts))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names of fewer than three parts belong."""

    catalog: str
    schema: str

    def name(self, parts: Sequence[str]) -> Name:
        """Return the full name that *parts* stand for."""
        full = [self.catalog, self.schema][: 3 - len(parts)] + list(parts)
        catalog, schema, relation = (part.lower() for part in full)
        return Name(catalog, schema, relation)


@dataclass(frozen=True, slots=True)
class Identity:
    """How values of an identity column come about."""

    always: bool  #: False: BY DEFAULT, so that a statement may give the value itself
    start: int
    increment: int
    sequence: str  #: DuckDB's sequence that hands the values out


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its name keeps its case and is found in any case."""

    name: str
    datatype: str  #: canonical, as `datatypes.canonical` gives it
    nullable: bool = True
    default: str | None = None  #: SQL text
    comment: str | None = None
    identity: Identity | None = None
    generated: str | None = None  #: SQL text of the expression that its values come of


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """Informational: nobody looks for duplicates."""

    id: str  #: tells a key from a later one over the same columns
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Informational; it ends with the primary key that it refers to."""

    name: str
    columns: tuple[str, ...]
    target: str  #: id of the table referred to
    key: str  #: id of that table's primary key
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Enforced: true for each row. NULL is not true."""

    name: str
    condition: str  #: SQL text


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything about a table except its rows."""

    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    properties: Properties = ()
    cluster_by: tuple[str, ...] = ()
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None

    def find(self, name: str) -> Column | None:
        """Return the column *name*, in any case; None where there is none."""
        found = (column for column in self.columns if same(column.name, name))
        return next(found, None)

    def column(self, name: str) -> Column:
        """Return the column *name*. Raises SqlError where there is none."""
        found = self.find(name)
        if found is None:
            raise SqlError(
                errors.UNRESOLVED_COLUMN,
                f"A column with name {backticked(name)} cannot be resolved. Did you mean one of "
                f"the following? [{listed([column.name for column in self.columns])}].",
            )
        return found

    def property(self, key: str) -> str | None:
        """Return the value of the table property *key*; None where it is not set."""
        return dict(self.properties).get(key)

    def with_column(self, old: Column, new: Column) -> Definition:
        """Return this with *new* in the place of *old*."""
        columns = tuple(new if column is old else column for column in self.columns)
        return replace(self, columns=columns)

    def constraint_names(self) -> set[str]:
        """Return the names of all constraints, in lower case."""
        named: list[PrimaryKey | ForeignKey | Check] = [*self.foreign_keys, *self.checks]
        if self.primary_key:
            named.append(self.primary_key)
        return {each.name.lower() for each in named}


@dataclass(frozen=True, slots=True)
class Version:
    """One commit to a table."""

    number: int
    at: datetime
    operation: str  #: as DESCRIBE HISTORY names it
    parameters: Properties
    definition: Definition
    data: str  #: DuckDB's table with the rows as of this version


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its past."""

    id: str
    name: Name
    created: datetime
    versions: tuple[Version, ...]  #: oldest first; never empty

    @property
    def definition(self) -> Definition:
        """As of the newest version."""
        return self.versions[-1].definition

    @property
    def data(self) -> str:
        """DuckDB's table with the rows as of the newest version."""
        return self.versions[-1].data


@dataclass(frozen=True, slots=True)
class Dropped:
    """A table that was dropped, and can be had back for a while."""

    table: Table
    at: datetime


@dataclass(frozen=True, slots=True)
class View:
    """A stored query; names in it mean what they meant where it was created."""

    name: Name
    created: datetime
    query: str
    catalog: str
    schema: str
    columns: tuple[Column, ...]
    comment: str | None = None


Relation: TypeAlias = Table | View


def same(one: str, other: str) -> bool:
    """Tell whether two identifiers are the same one."""
    return one.lower() == other.lower()


def contains(names: Iterable[str], name: str) -> bool:
    """Tell whether *name* is among *names*, in any case."""
    return any(same(each, name) for each in names)


def check_column_names(definition: Definition) -> None:
    """Raise SqlError where a column needs column mapping for its name, or comes twice.

    Pages "delta/column-mapping" and "sql/language-manual/sql-ref-names".
    """
    seen: set[str] = set()
    for column in definition.columns:
        if column.name.lower() in seen:
            name = backticked(column.name)
            raise SqlError(errors.COLUMN_ALREADY_EXISTS, f"The column {name} already exists.")
        seen.add(column.name.lower())
        if _NEEDS_MAPPING.search(column.name) and not is_mapped(definition):
            raise SqlError(
                errors.INVALID_CHARACTERS,
                "Found invalid character(s) among ' ,;{}()\\n\\t=' in the column names of your "
                f"schema: {column.name}. Enable column mapping to keep them.",
            )


def is_mapped(definition: Definition) -> bool:
    """Tell whether column mapping is on."""
    return definition.property("delta.columnMapping.mode") in {"name", "id"}
