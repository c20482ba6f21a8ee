"""What a statement that only reads the catalog asks: values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from providers.databricks.warehouse.model import Parts


@dataclass(frozen=True, slots=True)
class ShowCatalogs:
    """SHOW CATALOGS."""

    pattern: str | None


@dataclass(frozen=True, slots=True)
class ShowSchemas:
    """SHOW SCHEMAS."""

    catalog: str | None
    pattern: str | None


@dataclass(frozen=True, slots=True)
class ShowRelations:
    """SHOW TABLES, SHOW VIEWS."""

    schema: Parts  #: empty: the session's
    pattern: str | None
    views_only: bool


@dataclass(frozen=True, slots=True)
class ShowColumns:
    """SHOW COLUMNS IN table."""

    table: Parts


@dataclass(frozen=True, slots=True)
class ShowProperties:
    """SHOW TBLPROPERTIES table."""

    table: Parts


@dataclass(frozen=True, slots=True)
class ShowCreateTable:
    """SHOW CREATE TABLE table."""

    table: Parts


@dataclass(frozen=True, slots=True)
class Describe:
    """DESCRIBE [TABLE] [EXTENDED] table."""

    table: Parts
    extended: bool


@dataclass(frozen=True, slots=True)
class DescribeHistory:
    """DESCRIBE HISTORY table [LIMIT n]."""

    table: Parts
    limit: int | None  #: so many of the newest versions; None: all


@dataclass(frozen=True, slots=True)
class DescribeDetail:
    """DESCRIBE DETAIL table."""

    table: Parts


Question: TypeAlias = (
    ShowCatalogs
    | ShowSchemas
    | ShowRelations
    | ShowColumns
    | ShowProperties
    | ShowCreateTable
    | Describe
    | DescribeHistory
    | DescribeDetail
)
