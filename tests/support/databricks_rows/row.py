"""One call of a directive, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

#: Source of a row -> page of the manual of Databricks.
MANUAL = {
    "alter": "sql/language-manual/sql-ref-syntax-ddl-alter-table",
    "clustering": "delta/clustering",
    "column": "sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column",
    "comment": "sql/language-manual/sql-ref-syntax-ddl-comment",
    "constraint": "sql/language-manual/sql-ref-syntax-ddl-alter-table-add-constraint",
    "constraints": "tables/constraints",
    "create": "sql/language-manual/sql-ref-syntax-ddl-create-table-using",
    "datatypes": "sql/language-manual/sql-ref-datatypes",
    "defaults": "delta/default-columns",
    "drop": "sql/language-manual/sql-ref-syntax-ddl-drop-table",
    "drop-constraint": "sql/language-manual/sql-ref-syntax-ddl-alter-table-drop-constraint",
    "generated": "delta/generated-columns",
    "insert": "sql/language-manual/sql-ref-syntax-dml-insert-into",
    "mapping": "delta/column-mapping",
    "names": "sql/language-manual/sql-ref-names",
    "view": "sql/language-manual/sql-ref-syntax-ddl-create-view",
    "widening": "delta/type-widening",
    "timestamp-ntz": "sql/language-manual/data-types/timestamp-ntz-type",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One call, and what it comes to."""

    call: str  #: Python, with the names op, sa, pg (its Postgres dialect) and dbx (Databricks')
    source: str  #: a key of `MANUAL`
    sends: tuple[str, ...] = ()  #: statements, blanks as one space each
    skips: tuple[tuple[str, str], ...] = ()  #: kind, detail
    notes: tuple[tuple[str, str], ...] = ()  #: the same, of what is sent
    refusal: str = ""  #: its text; empty: it is not refused
