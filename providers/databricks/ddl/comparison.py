"""What autogenerate takes for a difference between a schema on Databricks and its models.

Only what a warehouse shows can differ. It shows no identity, no expression of a generated column,
and not every default; indexes and unique constraints, which it has none of, are no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from alembic.ddl.impl import DefaultImpl
from sqlalchemy import Column, Table, text
from sqlalchemy.exc import CompileError

from .compiler import Compiler

#: Key of `Column.info` under which a reflected column keeps the name of its type.
NAME = "levelhead.type"


class Comparisons(DefaultImpl):
    """Alembic's own hooks for autogenerate."""

    described: dict[str, dict[str, str]]  #: table -> column -> type; of one comparison

    def autogen_column_reflect(self, inspector: Any, table: Table, column_info: Any) -> None:  # noqa: ANN401, ARG002 - Alembic's own arguments
        """Keep the name of a column's type: the dialect makes a text of all that is nested."""
        names = self.type_names(table)
        column_info["info"] = {NAME: names.get(column_info["name"])}

    def type_names(self, table: Table) -> dict[str, str]:
        """Return column -> type, as the warehouse names it."""
        if table.fullname not in self.described:
            name = self.dialect.identifier_preparer.format_table(table)
            asked = text(f"DESCRIBE TABLE {name}".replace(":", r"\:"))
            rows = self.connection.execute(asked) if self.connection is not None else ()
            self.described[table.fullname] = dict(columns_in(rows))
        return self.described[table.fullname]

    def compare_type(self, inspector_column: Column[Any], metadata_column: Column[Any]) -> bool:
        """Tell whether a column has another type here than the models say."""
        found = inspector_column.info.get(NAME)
        try:
            wanted = self.forms().type_name(metadata_column)
        except CompileError:
            found = None
        if found is None:
            return super().compare_type(inspector_column, metadata_column)
        return plain(found) != plain(wanted)

    def compare_server_default(
        self,
        inspector_column: Column[Any],  # noqa: ARG002 - Alembic's own arguments
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,  # noqa: ARG002 - as above
        rendered_inspector_default: str | None,
    ) -> bool:
        """Tell whether a column has another default; one that is not shown is taken for equal."""
        if rendered_inspector_default is None:
            return False
        wanted = self.forms().get_column_default_string(metadata_column)
        return wanted is None or expression(wanted) != expression(rendered_inspector_default)

    def correct_for_autogen_constraints(
        self,
        conn_uniques: Any,  # noqa: ANN401, ARG002 - Alembic's own arguments
        conn_indexes: Any,  # noqa: ANN401, ARG002 - as above
        metadata_unique_constraints: Any,  # noqa: ANN401 - as above
        metadata_indexes: Any,  # noqa: ANN401 - as above
    ) -> None:
        """Leave out what has no counterpart."""
        metadata_unique_constraints.clear()
        metadata_indexes.clear()

    def _compare_identity_default(
        self,
        *_: Any,  # noqa: ANN401 - as above
    ) -> tuple[set[str], set[str], bool]:
        """Tell of no difference: no identity is shown, and none can be altered."""
        return set(), set(), False

    def _normalize_computed_default(self, _: str) -> str:
        """Return the same for all: no expression is shown, and none can be altered."""
        return ""

    def forms(self) -> Compiler:
        """Return what writes columns as CREATE TABLE has them."""
        return Compiler(self.dialect, None)  # type: ignore[arg-type]  # it compiles parts


def columns_in(rows: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield column and type, of the rows of DESCRIBE TABLE; behind a blank or # comes more."""
    for row in rows:
        if not row[0] or row[0].startswith("#"):
            return
        yield row[0], row[1]


def plain(name: str) -> str:
    """Return a type's name for comparison: FLOAT has another name, and blanks do not matter."""
    return re.sub(r"\breal\b", "float", name.lower().replace(" ", "").replace("`", ""))


def expression(default: str) -> str:
    """Return a default for comparison: functions without arguments have parentheses, or none."""
    return default if default.startswith("'") else default.lower().replace("()", "")
