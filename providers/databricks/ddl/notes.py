"""What is said of a directive beside what it loses: the protocol that its table comes to ask for.

A client that does not know a table's protocol can no longer read it, or write to it.
Page "delta/feature-compatibility".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from alembic.ddl.base import AddColumn
from sqlalchemy import Column, Dialect, Table
from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from .compiler import DEFAULTS, MAPPING, WITHOUT_ZONE, numbers_itself, properties_of
from .datatypes import name_of
from .elements import AddCheck, SetProperty

#: What a table needs before a column of it may become wider.
WIDENING = ("delta.enableTypeWidening", "true")

#: Every kind of note, and what it says.
KINDS = {
    "protocol": "The table may ask for a later version of Delta's protocol from now on: of all "
    "clients (reader version), or of those that write (writer version).",
    "identity-type": "An integer with an `sa.Identity()` is a BIGINT: no other type numbers "
    "itself.",
}


class Note(NamedTuple):
    """One thing to know of a directive."""

    kind: str  #: a key of `KINDS`
    detail: str


class Feature(NamedTuple):
    """What a client must know of a table that has the feature."""

    name: str
    reader: int
    writer: int


_CHECKS = Feature("checkConstraints", 1, 3)
_COMPUTED = Feature("generatedColumns", 1, 4)
_NUMBERED = Feature("identityColumns", 1, 6)
_ZONELESS = Feature("timestampNtz", 3, 7)

#: Name of a type -> the feature that a column of it turns on.
_OF_TYPES = {"TIMESTAMP_NTZ": _ZONELESS, "VARIANT": Feature("variantType", 3, 7)}

#: Key of a table property -> the feature that it turns on.
_TURNED_ON = {
    DEFAULTS[0]: Feature("allowColumnDefaults", 1, 7),
    MAPPING[0]: Feature("columnMapping", 2, 5),
    WIDENING[0]: Feature("typeWidening", 3, 7),
    WITHOUT_ZONE[0]: _ZONELESS,
}


def notes_of(elements: list[ExecutableDDLElement], dialect: Dialect) -> Iterator[Note]:
    """Yield what is to be known of the statements of one directive, each thing once."""
    yield from dict.fromkeys(note for element in elements for note in _notes(element, dialect))


def _notes(element: ExecutableDDLElement, dialect: Dialect) -> Iterator[Note]:
    if isinstance(element, CreateTable):
        yield from _of_table(element.element, dialect)
    elif isinstance(element, AddColumn):
        yield from _of_type(element.table_name, element.column, dialect)
    elif isinstance(element, AddCheck):
        yield _of_feature(element.table_name, _CHECKS)
    elif isinstance(element, SetProperty) and element.key in _TURNED_ON:
        yield _of_feature(element.table_name, _TURNED_ON[element.key])


def _of_table(table: Table, dialect: Dialect) -> Iterator[Note]:
    for key, _ in properties_of(table):
        yield _of_feature(table.fullname, _TURNED_ON[key])
    for column in table.columns:
        yield from _of_type(table.fullname, column, dialect)
    if any(column.computed is not None for column in table.columns):
        yield _of_feature(table.fullname, _COMPUTED)
    for column in (each for each in table.columns if numbers_itself(each, dialect)):
        yield _of_feature(table.fullname, _NUMBERED)
        if name_of(column.type, dialect) != "BIGINT":
            detail = f"{column.name} on {table.fullname} is a BIGINT, which alone numbers itself"
            yield Note("identity-type", detail)


def _of_type(table: str, column: Column[Any], dialect: Dialect) -> Iterator[Note]:
    name = name_of(column.type, dialect)
    yield from (_of_feature(table, feature) for part, feature in _OF_TYPES.items() if part in name)


def _of_feature(table: str, feature: Feature) -> Note:
    reader = f"reader version {feature.reader} and " if feature.reader > 1 else ""
    needed = f"{reader}writer version {feature.writer}"
    return Note("protocol", f"{table} may ask for {needed} from now on: {feature.name}")
