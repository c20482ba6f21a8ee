"""Statements that the warehouse reads with its own grammar, as values.

Queries, INSERT, UPDATE, DELETE and MERGE are not here: sqlglot reads those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from providers.databricks.warehouse.model import Parts, Properties
from providers.databricks.warehouse.questions import Question


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """GENERATED { ALWAYS | BY DEFAULT } AS IDENTITY."""

    always: bool
    start: int
    increment: int


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column of CREATE TABLE or of ADD COLUMN."""

    name: str
    datatype: str
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    identity: NewIdentity | None = None
    generated: str | None = None  #: AS (expression)
    after: str | None = None  #: ADD COLUMN only: the column that it follows; "" is first


@dataclass(frozen=True, slots=True)
class AddPrimaryKey:
    """[CONSTRAINT name] PRIMARY KEY (columns)."""

    name: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddForeignKey:
    """[CONSTRAINT name] FOREIGN KEY (columns) REFERENCES target [(columns)]."""

    name: str | None
    columns: tuple[str, ...]
    target: Parts
    target_columns: tuple[str, ...]  #: empty: the target's primary key


@dataclass(frozen=True, slots=True)
class AddCheck:
    """CONSTRAINT name CHECK (condition)."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class AddColumns:
    """ADD { COLUMN | COLUMNS }."""

    columns: tuple[NewColumn, ...]


@dataclass(frozen=True, slots=True)
class DropColumns:
    """DROP { COLUMN | COLUMNS }."""

    names: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """RENAME COLUMN old TO new."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RenameTable:
    """RENAME TO new."""

    new: Parts


@dataclass(frozen=True, slots=True)
class ChangeType:
    """ALTER COLUMN column TYPE datatype."""

    column: str
    datatype: str


@dataclass(frozen=True, slots=True)
class SetNullable:
    """SET NOT NULL, DROP NOT NULL."""

    column: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class SetDefault:
    """ALTER COLUMN column SET DEFAULT default."""

    column: str
    default: str | None  #: None: DROP DEFAULT


@dataclass(frozen=True, slots=True)
class SetColumnComment:
    """ALTER COLUMN column COMMENT, and COMMENT ON COLUMN."""

    column: str
    comment: str


@dataclass(frozen=True, slots=True)
class MoveColumn:
    """ALTER COLUMN column { FIRST | AFTER column }."""

    column: str
    after: str  #: "" is first


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """DROP CONSTRAINT name."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class DropPrimaryKey:
    """DROP PRIMARY KEY."""

    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class DropForeignKey:
    """DROP FOREIGN KEY (columns)."""

    columns: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class SetProperties:
    """SET TBLPROPERTIES."""

    properties: Properties


@dataclass(frozen=True, slots=True)
class UnsetProperties:
    """UNSET TBLPROPERTIES."""

    keys: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class ClusterBy:
    """CLUSTER BY { NONE | (columns) }."""

    columns: tuple[str, ...]  #: empty: NONE


@dataclass(frozen=True, slots=True)
class SetTableComment:
    """COMMENT ON TABLE."""

    comment: str | None


Action: TypeAlias = (
    AddColumns
    | DropColumns
    | RenameColumn
    | ChangeType
    | SetNullable
    | SetDefault
    | SetColumnComment
    | MoveColumn
    | AddPrimaryKey
    | AddForeignKey
    | AddCheck
    | DropConstraint
    | DropPrimaryKey
    | DropForeignKey
    | SetProperties
    | UnsetProperties
    | ClusterBy
    | SetTableComment
)


@dataclass(frozen=True, slots=True)
class AlterTable:
    """ALTER TABLE."""

    table: Parts
    action: Action | RenameTable


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE [OR REPLACE] TABLE."""

    table: Parts
    columns: tuple[NewColumn, ...]
    keys: tuple[AddPrimaryKey | AddForeignKey, ...]
    properties: Properties
    comment: str | None
    cluster_by: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    query: str | None  #: AS query
    replace: bool
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW."""

    view: Parts
    columns: tuple[tuple[str, str | None], ...]  #: (name, comment); empty: those of the query
    comment: str | None
    query: str
    replace: bool
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class CreateSchema:
    """CREATE { SCHEMA | DATABASE }."""

    schema: Parts
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class CreateCatalog:
    """CREATE CATALOG."""

    catalog: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropRelation:
    """DROP { TABLE | VIEW }."""

    name: Parts
    view: bool
    if_exists: bool


@dataclass(frozen=True, slots=True)
class DropSchema:
    """DROP { SCHEMA | DATABASE }."""

    schema: Parts
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class Restore:
    """RESTORE TABLE table TO VERSION AS OF version."""

    table: Parts
    version: int


@dataclass(frozen=True, slots=True)
class Undrop:
    """UNDROP TABLE table."""

    table: Parts


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE TABLE."""

    table: Parts


@dataclass(frozen=True, slots=True)
class Use:
    """USE CATALOG catalog, and USE [SCHEMA] [catalog.]schema."""

    catalog: str | None
    schema: str | None


@dataclass(frozen=True, slots=True)
class SetOption:
    """SET: accepted, and without effect."""


Command: TypeAlias = (
    AlterTable
    | CreateTable
    | CreateView
    | CreateSchema
    | CreateCatalog
    | DropRelation
    | DropSchema
    | Restore
    | Undrop
    | Truncate
    | Use
    | SetOption
    | Question
)
