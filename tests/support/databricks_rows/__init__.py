"""Each directive of Alembic and what becomes of it on Databricks."""

from __future__ import annotations

from typing import Any

import databricks.sqlalchemy
import sqlalchemy
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

from tests.support.databricks_rows import besides, columns, others, tables
from tests.support.databricks_rows.row import MANUAL, Row
from tests.support.databricks_rows.types import TYPES

__all__ = ["MANUAL", "PREPARED", "ROWS", "TYPES", "Row", "run"]

ROWS = (*tables.ROWS, *columns.ROWS, *others.ROWS, *besides.ROWS)

#: The tables that live calls find.
PREPARED = (
    "CREATE TABLE teams (id STRING NOT NULL, CONSTRAINT pk_teams PRIMARY KEY (id)) USING DELTA",
    (
        "CREATE TABLE people (id STRING NOT NULL, team_id STRING, nick STRING, age INT,"
        " CONSTRAINT pk_people PRIMARY KEY (id),"
        " CONSTRAINT fk_people_team FOREIGN KEY (team_id) REFERENCES teams (id)) USING DELTA"
    ),
    "ALTER TABLE people ADD CONSTRAINT ck_people_nick CHECK (nick <> '')",
    "CREATE TABLE visits (id STRING NOT NULL, person STRING) USING DELTA",
    "CREATE TABLE files (id STRING, body BINARY) USING DELTA",
    "INSERT INTO people VALUES ('1', 't', 'ada', 36)",
)


def run(call: str, op: Operations | Any) -> None:  # noqa: ANN401 - alembic.op is a module
    """Run a call as a line of a revision."""
    names = {"op": op, "sa": sqlalchemy, "pg": postgresql, "dbx": databricks.sqlalchemy}
    exec(call, names)  # noqa: S102 - our own table
