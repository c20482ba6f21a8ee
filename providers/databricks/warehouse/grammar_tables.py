"""The grammar of CREATE TABLE and ALTER TABLE.

Pages "sql/language-manual/sql-ref-syntax-ddl-create-table-using", "-ddl-alter-table",
"-ddl-alter-table-manage-column", "-ddl-alter-table-add-constraint" and
"-ddl-alter-table-drop-constraint".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import errors
from providers.databricks.warehouse.datatypes import canonical
from providers.databricks.warehouse.errors import SqlError, cannot_run
from providers.databricks.warehouse.model import Properties
from providers.databricks.warehouse.tokens import Tokens

#: What may follow a column's default.
_AFTER_DEFAULT = ("NOT", "COMMENT", "GENERATED", "CONSTRAINT", "PRIMARY", "FOREIGN")


@dataclass(slots=True)
class _Body:
    """The parts of a CREATE TABLE, as they are read."""

    columns: list[c.NewColumn] = field(default_factory=list)
    keys: list[c.AddPrimaryKey | c.AddForeignKey] = field(default_factory=list)
    properties: Properties = ()
    comment: str | None = None
    cluster_by: tuple[str, ...] = ()
    partitioned_by: tuple[str, ...] = ()
    query: str | None = None


def create_table(tokens: Tokens, *, replace: bool) -> c.CreateTable:
    """Read what follows CREATE [OR REPLACE] TABLE."""
    exists = tokens.take("IF", "NOT", "EXISTS")
    name = tokens.name()
    body = _Body()
    if tokens.take("("):
        _read_elements(tokens, body)
    while not tokens.is_at_end():
        _read_clause(tokens, body)
    return c.CreateTable(
        table=name,
        columns=tuple(body.columns),
        keys=tuple(body.keys),
        properties=body.properties,
        comment=body.comment,
        cluster_by=body.cluster_by,
        partitioned_by=body.partitioned_by,
        query=body.query,
        replace=replace,
        if_not_exists=exists,
    )


def _read_elements(tokens: Tokens, body: _Body) -> None:
    _read_element(tokens, body)
    while tokens.take(","):
        _read_element(tokens, body)
    tokens.need(")")


def _read_element(tokens: Tokens, body: _Body) -> None:
    """Read a column, or a key; CHECK and UNIQUE have no place in CREATE TABLE."""
    if any(tokens.ahead(*words) for words in _KEY_STARTS):
        constraint = _constraint(tokens)
        if isinstance(constraint, c.AddCheck):
            raise SqlError(
                errors.PARSE_SYNTAX_ERROR,
                "Syntax error at or near 'CHECK'. Add the constraint with ALTER TABLE.",
            )
        body.keys.append(constraint)
    else:
        body.columns.append(_column(tokens, body))


_KEY_STARTS = (("CONSTRAINT",), ("PRIMARY", "KEY"), ("FOREIGN", "KEY"), ("CHECK", "("))


def _column(tokens: Tokens, body: _Body) -> c.NewColumn:
    column = c.NewColumn(tokens.identifier(), canonical(tokens.datatype()))
    while not (tokens.ahead(",") or tokens.ahead(")")):
        column = _column_option(tokens, column, body)
    return column


def _column_option(tokens: Tokens, column: c.NewColumn, body: _Body) -> c.NewColumn:
    if tokens.take("NOT", "NULL"):
        return replace(column, nullable=False)
    if tokens.take("DEFAULT"):
        return replace(column, default=tokens.expression(*_AFTER_DEFAULT))
    if tokens.take("COMMENT"):
        return replace(column, comment=tokens.string())
    if tokens.take("GENERATED", "ALWAYS", "AS", "("):
        tokens.back()
        return replace(column, generated=tokens.parenthesised())
    if tokens.take("GENERATED"):
        return replace(column, identity=_identity(tokens))
    body.keys.append(_column_key(tokens, column.name))
    return column


def _column_key(tokens: Tokens, column: str) -> c.AddPrimaryKey | c.AddForeignKey:
    name = tokens.identifier() if tokens.take("CONSTRAINT") else None
    if tokens.take("PRIMARY", "KEY"):
        _key_options(tokens)
        return c.AddPrimaryKey(name, (column,))
    tokens.need("FOREIGN", "KEY")
    return _references(tokens, name, (column,))


def _identity(tokens: Tokens) -> c.NewIdentity:
    always = tokens.take("ALWAYS")
    if not always:
        tokens.need("BY", "DEFAULT")
    tokens.need("AS")
    tokens.need("IDENTITY")
    start, increment = 1, 1
    if tokens.take("("):
        if tokens.take("START", "WITH"):
            start = tokens.integer()
        if tokens.take("INCREMENT", "BY"):
            increment = tokens.integer()
        tokens.need(")")
    return c.NewIdentity(always, start, increment)


def _read_clause(tokens: Tokens, body: _Body) -> None:
    if tokens.take("USING"):
        _delta(tokens.identifier())
    elif tokens.take("COMMENT"):
        body.comment = tokens.string()
    elif tokens.take("TBLPROPERTIES"):
        body.properties = _properties(tokens)
    elif tokens.take("CLUSTER", "BY"):
        body.cluster_by = tokens.names()
    elif tokens.take("PARTITIONED", "BY"):
        body.partitioned_by = tokens.names()
    elif tokens.take("AS"):
        body.query = tokens.rest()
    else:
        raise tokens.error()


def _delta(source: str) -> None:
    if source.upper() != "DELTA":
        raise SqlError(errors.NOT_A_DELTA_TABLE, f"Managed tables are DELTA, not {source}.")


def _properties(tokens: Tokens) -> Properties:
    tokens.need("(")
    found = [_property(tokens)]
    while tokens.take(","):
        found.append(_property(tokens))
    tokens.need(")")
    return tuple(found)


def _property(tokens: Tokens) -> tuple[str, str]:
    key = tokens.key()
    tokens.take("=")
    return key, tokens.value()


def _constraint(tokens: Tokens) -> c.AddPrimaryKey | c.AddForeignKey | c.AddCheck:
    name = tokens.identifier() if tokens.take("CONSTRAINT") else None
    if name is not None and tokens.take("CHECK"):
        condition = tokens.parenthesised()
        tokens.take("ENFORCED")
        return c.AddCheck(name, condition)
    if tokens.take("PRIMARY", "KEY"):
        columns = tokens.names()
        _key_options(tokens)
        return c.AddPrimaryKey(name, columns)
    tokens.need("FOREIGN", "KEY")
    return _references(tokens, name, tokens.names())


def _references(tokens: Tokens, name: str | None, columns: tuple[str, ...]) -> c.AddForeignKey:
    tokens.need("REFERENCES")
    target = tokens.name()
    target_columns = tokens.names() if tokens.ahead("(") else ()
    _key_options(tokens, *_FOREIGN_KEY_OPTIONS)
    return c.AddForeignKey(name, columns, target, target_columns)


_KEY_OPTIONS = (
    ("NOT", "ENFORCED"),
    ("DEFERRABLE",),
    ("INITIALLY", "DEFERRED"),
    ("NORELY",),
    ("RELY",),
    ("ENABLE", "NOVALIDATE"),
)
_FOREIGN_KEY_OPTIONS = (
    ("MATCH", "FULL"),
    ("ON", "UPDATE", "NO", "ACTION"),
    ("ON", "DELETE", "NO", "ACTION"),
)


def _key_options(tokens: Tokens, *more: tuple[str, ...]) -> None:
    """Step over options; none of them changes what the warehouse does with a key."""
    while any(tokens.take(*words) for words in (*_KEY_OPTIONS, *more)):
        pass


def alter_table(tokens: Tokens) -> c.AlterTable:
    """Read what follows ALTER TABLE."""
    return c.AlterTable(tokens.name(), _action(tokens))


def _action(tokens: Tokens) -> c.Action | c.RenameTable:
    if tokens.take("ADD"):
        return _add(tokens)
    if tokens.take("DROP"):
        return _drop(tokens)
    if tokens.take("RENAME"):
        return _rename(tokens)
    if tokens.take("ALTER") or tokens.take("CHANGE"):
        tokens.take("COLUMN")
        return _alter_column(tokens, tokens.identifier())
    return _table_option(tokens)


def _table_option(tokens: Tokens) -> c.Action:
    if tokens.take("SET", "TBLPROPERTIES"):
        return c.SetProperties(_properties(tokens))
    if tokens.take("UNSET", "TBLPROPERTIES"):
        exists = tokens.take("IF", "EXISTS")
        return c.UnsetProperties(_keys(tokens), exists)
    if tokens.take("CLUSTER", "BY"):
        return c.ClusterBy(() if tokens.take("NONE") else tokens.names())
    if any(tokens.ahead(*words) for words in _NOT_MODELLED):
        raise cannot_run("this form of ALTER TABLE")
    raise tokens.error()


_NOT_MODELLED = (
    ("SET", "TAGS"),
    ("UNSET", "TAGS"),
    ("SET", "OWNER"),
    ("OWNER", "TO"),
    ("SET", "LOCATION"),
    ("SET", "ROW", "FILTER"),
    ("REPLACE", "COLUMNS"),
)


def _keys(tokens: Tokens) -> tuple[str, ...]:
    tokens.need("(")
    found = [tokens.key()]
    while tokens.take(","):
        found.append(tokens.key())
    tokens.need(")")
    return tuple(found)


def _add(tokens: Tokens) -> c.Action:
    if tokens.take("COLUMNS") or tokens.take("COLUMN"):
        return c.AddColumns(_added_columns(tokens))
    return _constraint(tokens)


def _added_columns(tokens: Tokens) -> tuple[c.NewColumn, ...]:
    in_parentheses = tokens.take("(")
    found = [_added_column(tokens)]
    while tokens.take(","):
        found.append(_added_column(tokens))
    if in_parentheses:
        tokens.need(")")
    return tuple(found)


def _added_column(tokens: Tokens) -> c.NewColumn:
    if tokens.ahead("IF", "NOT", "EXISTS"):
        raise tokens.error()
    column = c.NewColumn(tokens.identifier(), canonical(tokens.datatype()))
    while not (tokens.ahead(",") or tokens.ahead(")") or tokens.is_at_end()):
        column = _added_option(tokens, column)
    return column


def _added_option(tokens: Tokens, column: c.NewColumn) -> c.NewColumn:
    if tokens.take("NOT", "NULL"):
        return replace(column, nullable=False)
    if tokens.take("DEFAULT"):
        return replace(column, default=tokens.expression("NOT", "COMMENT", "FIRST", "AFTER"))
    if tokens.take("COMMENT"):
        return replace(column, comment=tokens.string())
    if tokens.take("FIRST"):
        return replace(column, after="")
    tokens.need("AFTER")
    return replace(column, after=tokens.identifier())


def _drop(tokens: Tokens) -> c.Action:
    if tokens.take("COLUMN") or tokens.take("COLUMNS"):
        exists = tokens.take("IF", "EXISTS")
        names = tokens.names() if tokens.ahead("(") else _bare_names(tokens)
        return c.DropColumns(names, exists)
    if tokens.take("PRIMARY", "KEY"):
        exists = tokens.take("IF", "EXISTS")
        return c.DropPrimaryKey(exists, _cascade(tokens))
    if tokens.take("FOREIGN", "KEY"):
        exists = tokens.take("IF", "EXISTS")
        return c.DropForeignKey(tokens.names(), exists)
    tokens.need("CONSTRAINT")
    exists = tokens.take("IF", "EXISTS")
    name = tokens.identifier()
    return c.DropConstraint(name, exists, _cascade(tokens))


def _bare_names(tokens: Tokens) -> tuple[str, ...]:
    found = [tokens.identifier()]
    while tokens.take(","):
        found.append(tokens.identifier())
    return tuple(found)


def _cascade(tokens: Tokens) -> bool:
    return tokens.take("CASCADE") or (tokens.take("RESTRICT") and False)


def _rename(tokens: Tokens) -> c.Action | c.RenameTable:
    if tokens.take("TO"):
        return c.RenameTable(tokens.name())
    tokens.need("COLUMN")
    old = tokens.identifier()
    tokens.need("TO")
    return c.RenameColumn(old, tokens.identifier())


def _alter_column(tokens: Tokens, column: str) -> c.Action:
    for words, read in _COLUMN_CHANGES:
        if tokens.take(*words):
            return read(tokens, column)
    raise tokens.error()


_COLUMN_CHANGES: tuple[tuple[tuple[str, ...], Callable[[Tokens, str], c.Action]], ...] = (
    (("TYPE",), lambda tokens, column: c.ChangeType(column, canonical(tokens.datatype()))),
    (("SET", "NOT", "NULL"), lambda _, column: c.SetNullable(column, nullable=False)),
    (("DROP", "NOT", "NULL"), lambda _, column: c.SetNullable(column, nullable=True)),
    (("SET", "DEFAULT"), lambda tokens, column: c.SetDefault(column, tokens.expression())),
    (("DROP", "DEFAULT"), lambda _, column: c.SetDefault(column, None)),
    (("COMMENT",), lambda tokens, column: c.SetColumnComment(column, tokens.string())),
    (("FIRST",), lambda _, column: c.MoveColumn(column, "")),
    (("AFTER",), lambda tokens, column: c.MoveColumn(column, tokens.identifier())),
)
