"""The statements that the warehouse reads for itself, word for word as the manual has them.

Pages "sql/language-manual/sql-ref-syntax-*". CREATE TABLE and ALTER TABLE: `grammar_tables`.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import questions as q
from providers.databricks.warehouse.errors import cannot_run
from providers.databricks.warehouse.grammar_tables import alter_table, create_table
from providers.databricks.warehouse.model import Parts
from providers.databricks.warehouse.tokens import Tokens


def parse(sql: str) -> c.Command | None:
    """Return the command *sql*; None where it is a query or changes rows.

    Raises:
        SqlError: It is none of the statements that a warehouse knows, or is not modelled here.
    """
    tokens = Tokens(sql)
    for words, read in _STATEMENTS:
        if tokens.take(*words):
            command = read(tokens)
            tokens.end()
            return command
    for word in _NOT_MODELLED:
        if tokens.ahead(word):
            raise cannot_run(word)
    if not any(tokens.ahead(word) for word in _FOR_SQLGLOT):
        raise tokens.error()
    return None


#: What begins a statement that Databricks runs and that has no part in migrations.
_NOT_MODELLED = (
    *("ANALYZE", "CACHE", "CALL", "CONVERT", "COPY", "DECLARE", "EXECUTE", "EXPLAIN", "FSCK"),
    *("GRANT", "LIST", "MSCK", "OPTIMIZE", "REFRESH", "REORG", "RESET", "REVOKE", "SYNC"),
    *("UNCACHE", "VACUUM"),
)

#: What begins a statement that sqlglot reads.
_FOR_SQLGLOT = ("SELECT", "WITH", "VALUES", "FROM", "INSERT", "UPDATE", "DELETE", "MERGE", "(")


def _alter(tokens: Tokens) -> c.Command:
    if tokens.take("TABLE"):
        return alter_table(tokens)
    raise cannot_run("ALTER of anything but a table")


def _create(tokens: Tokens) -> c.Command:
    replace = tokens.take("OR", "REPLACE")
    if tokens.take("TABLE"):
        return create_table(tokens, replace=replace)
    if tokens.take("VIEW"):
        return _create_view(tokens, replace=replace)
    if replace:
        raise tokens.error()
    if tokens.take("SCHEMA") or tokens.take("DATABASE"):
        return _create_schema(tokens)
    if tokens.take("CATALOG"):
        exists = tokens.take("IF", "NOT", "EXISTS")
        return c.CreateCatalog(tokens.identifier(), exists)
    raise tokens.error()


def _create_schema(tokens: Tokens) -> c.Command:
    exists = tokens.take("IF", "NOT", "EXISTS")
    name = tokens.name()
    if tokens.take("COMMENT"):
        tokens.string()  # schemas have no comment here; nothing reads it
    return c.CreateSchema(name, exists)


def _create_view(tokens: Tokens, *, replace: bool) -> c.Command:
    exists = tokens.take("IF", "NOT", "EXISTS")
    name = tokens.name()
    columns: list[tuple[str, str | None]] = []
    if tokens.take("("):
        columns.append(_view_column(tokens))
        while tokens.take(","):
            columns.append(_view_column(tokens))
        tokens.need(")")
    comment = tokens.string() if tokens.take("COMMENT") else None
    tokens.need("AS")
    return c.CreateView(name, tuple(columns), comment, tokens.rest(), replace, exists)


def _view_column(tokens: Tokens) -> tuple[str, str | None]:
    name = tokens.identifier()
    return name, tokens.string() if tokens.take("COMMENT") else None


def _drop(tokens: Tokens) -> c.Command:
    if tokens.take("SCHEMA") or tokens.take("DATABASE"):
        exists = tokens.take("IF", "EXISTS")
        name = tokens.name()
        cascade = tokens.take("CASCADE")
        if not cascade:
            tokens.take("RESTRICT")
        return c.DropSchema(name, exists, cascade)
    view = tokens.take("VIEW")
    if not view:
        tokens.need("TABLE")
    exists = tokens.take("IF", "EXISTS")
    return c.DropRelation(tokens.name(), view, exists)


def _comment(tokens: Tokens) -> c.Command:
    tokens.need("ON")
    if tokens.take("COLUMN"):
        *table, column = tokens.name()
        tokens.need("IS")
        return c.AlterTable(tuple(table), c.SetColumnComment(column, _text(tokens) or ""))
    if tokens.take("TABLE"):
        name = tokens.name()
        tokens.need("IS")
        return c.AlterTable(name, c.SetTableComment(_text(tokens)))
    raise cannot_run("comments on anything but tables and columns")


def _text(tokens: Tokens) -> str | None:
    return None if tokens.take("NULL") else tokens.string()


def _use(tokens: Tokens) -> c.Command:
    if tokens.take("CATALOG"):
        catalog = tokens.string() if tokens.is_string() else tokens.identifier()
        return c.Use(catalog, None)
    if not tokens.take("SCHEMA"):
        tokens.take("DATABASE")
    *catalog_part, schema = tokens.name()
    return c.Use(catalog_part[0] if catalog_part else None, schema)


def _set(tokens: Tokens) -> c.Command:
    if not tokens.is_at_end():
        tokens.rest()
    return c.SetOption()


def _restore(tokens: Tokens) -> c.Command:
    tokens.take("TABLE")
    name = tokens.name()
    tokens.take("TO")
    tokens.need("VERSION", "AS", "OF")
    return c.Restore(name, tokens.integer())


def _undrop(tokens: Tokens) -> c.Command:
    tokens.need("TABLE")
    if tokens.ahead("WITH", "ID"):
        raise cannot_run("UNDROP by id")
    return c.Undrop(tokens.name())


def _truncate(tokens: Tokens) -> c.Command:
    tokens.need("TABLE")
    return c.Truncate(tokens.name())


def _show(tokens: Tokens) -> c.Command:
    for words, read in _SHOWS:
        if tokens.take(*words):
            return read(tokens)
    raise tokens.error()


def _show_schemas(tokens: Tokens) -> c.Command:
    within = _within(tokens)
    return q.ShowSchemas(within[0] if within else None, _pattern(tokens))


_SHOWS: tuple[tuple[tuple[str, ...], Callable[[Tokens], c.Command]], ...] = (
    (("CATALOGS",), lambda tokens: q.ShowCatalogs(_pattern(tokens))),
    (("SCHEMAS",), _show_schemas),
    (("DATABASES",), _show_schemas),
    (
        ("TABLES",),
        lambda tokens: q.ShowRelations(_within(tokens), _pattern(tokens), views_only=False),
    ),
    (
        ("VIEWS",),
        lambda tokens: q.ShowRelations(_within(tokens), _pattern(tokens), views_only=True),
    ),
    (("TBLPROPERTIES",), lambda tokens: q.ShowProperties(tokens.name())),
    (("COLUMNS",), lambda tokens: q.ShowColumns(_within(tokens))),
    (("CREATE", "TABLE"), lambda tokens: q.ShowCreateTable(tokens.name())),
)


def _within(tokens: Tokens) -> Parts:
    return tokens.name() if tokens.take("FROM") or tokens.take("IN") else ()


def _pattern(tokens: Tokens) -> str | None:
    if tokens.take("LIKE") or tokens.is_string():
        return tokens.string()
    return None


def _describe(tokens: Tokens) -> c.Command:
    if tokens.take("HISTORY"):
        return q.DescribeHistory(tokens.name(), tokens.integer() if tokens.take("LIMIT") else None)
    if tokens.take("DETAIL"):
        return q.DescribeDetail(tokens.name())
    tokens.take("TABLE")
    extended = tokens.take("EXTENDED")
    return q.Describe(tokens.name(), extended)


def _transaction(_tokens: Tokens) -> c.Command:
    """Refuse; a warehouse takes these for INSERT, UPDATE, DELETE, MERGE and SELECT, never DDL."""
    raise cannot_run("transactions of several statements")


_STATEMENTS: tuple[tuple[tuple[str, ...], Callable[[Tokens], c.Command]], ...] = (
    (("ALTER",), _alter),
    (("CREATE",), _create),
    (("DROP",), _drop),
    (("COMMENT",), _comment),
    (("USE",), _use),
    (("SET",), _set),
    (("RESTORE",), _restore),
    (("TRUNCATE",), _truncate),
    (("UNDROP",), _undrop),
    (("SHOW",), _show),
    (("DESCRIBE",), _describe),
    (("DESC",), _describe),
    (("BEGIN",), _transaction),
    (("START", "TRANSACTION"), _transaction),
    (("COMMIT",), _transaction),
    (("ROLLBACK",), _transaction),
)
