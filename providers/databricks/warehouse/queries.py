"""Turns a statement that sqlglot read into DuckDB's SQL.

Names become those of the tables that hold the rows of the version asked for; views become
their queries; parameters become literals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlglot import exp

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.catalog import INFORMATION_SCHEMA, Catalog
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Name, Scope, Table, Version, View
from providers.databricks.warehouse.reading import read
from providers.databricks.warehouse.storage import kept


def parse(sql: str) -> exp.Expression:
    """Return the tree of a query or of a statement that changes rows."""
    parsed = read(sql)
    if not isinstance(parsed, exp.Expression):
        raise SqlError(errors.PARSE_SYNTAX_ERROR, "Syntax error at or near end of input.")
    return parsed


#: Type of a parameter that holds others -> the function that makes its value of them.
_COLLECTIONS = {"ARRAY": "array", "MAP": "map"}


def bind(statement: exp.Expression, parameters: Sequence[Any]) -> None:
    """Replace the markers in *statement* by the values of *parameters* (TSparkParameter).

    Raises:
        SqlError: A marker has no value.
    """
    named = {parameter.name: parameter for parameter in parameters if parameter.name}
    ordered = iter([parameter for parameter in parameters if not parameter.name])
    for marker in list(statement.find_all(exp.Placeholder)):
        name = marker.text("this")
        found = named.get(name) if name else next(ordered, None)
        if found is None:
            raise SqlError(errors.UNBOUND_PARAMETER, f"Found the unbound parameter: {name or '_'}.")
        marker.replace(_literal(found))


def _literal(parameter: Any) -> exp.Expr:  # noqa: ANN401 - a struct of untyped code
    value = getattr(parameter.value, "stringValue", parameter.value)  # bare within a collection
    if parameter.type in _COLLECTIONS:
        parts = [_literal(each) for each in parameter.arguments or ()]
        return exp.func(_COLLECTIONS[parameter.type], *parts, dialect="databricks")
    if value is None or parameter.type == "VOID":
        return exp.Null()
    literal = exp.Literal.string(value)
    if parameter.type.upper() == "STRING":
        return literal
    return exp.cast(literal, parameter.type, dialect="databricks")


class Translator:
    """Turns statements of one session into DuckDB's SQL."""

    def __init__(
        self, catalog: Catalog, scope: Scope, information: Callable[[str, str], str]
    ) -> None:
        """Set up.

        Args:
            catalog: What names stand for.
            scope: Where short names belong.
            information: Makes a table of an information schema; takes the catalog and the
                table's name, returns the name that DuckDB knows it by.
        """
        self._catalog = catalog
        self._scope = scope
        self._information = information

    def sql(self, statement: exp.Expression, target: str | None = None) -> str:
        """Return *statement* in DuckDB's SQL.

        Args:
            statement: Stays as it is.
            target: The table that takes the changes, for a statement that changes rows.
        """
        tree = statement.copy()
        changed = self._target(tree, target) if target else None
        self.replace_tables(tree, changed)
        self._replace_context(tree)
        _shorten_columns(tree)
        _name_counts(tree)
        _hold_variants(tree)
        return tree.sql(dialect="duckdb")

    def _target(self, tree: exp.Expression, target: str) -> exp.Table:
        """Point *tree* at the table *target*; it keeps its name as an alias."""
        table = target_of(tree)
        if not table.alias and not isinstance(tree, exp.Insert):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        _point_at(table, target)
        return table

    def replace_tables(self, tree: exp.Expression, done: exp.Table | None = None) -> None:
        """Point the tables in *tree*, except *done*, at the rows that they stand for."""
        common = {each.alias.lower() for each in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if table is done or not isinstance(table.this, exp.Identifier):
                continue
            parts = [part.name for part in table.parts]
            if len(parts) > 1 or parts[0].lower() not in common:
                self._replace_table(table, self._scope.name(parts))

    def _replace_table(self, table: exp.Table, name: Name) -> None:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name.relation, quoted=True)))
        if name.schema == INFORMATION_SCHEMA:
            self._catalog.need_schema(name.catalog, name.schema)
            _point_at(table, self._information(name.catalog, name.relation))
            return
        relation = self._catalog.relation(name)
        if isinstance(relation, View):
            self._inline(table, relation)
        else:
            _point_at(table, data_at(relation, table))

    def _inline(self, table: exp.Table, view: View) -> None:
        """Put the query of *view* in the place of *table*."""
        scope = Scope(view.catalog, view.schema)
        body = parse(view.query)
        Translator(self._catalog, scope, self._information).replace_tables(body)
        alias = exp.TableAlias(
            this=exp.to_identifier(table.alias, quoted=True),
            columns=[exp.to_identifier(column.name, quoted=True) for column in view.columns],
        )
        table.replace(exp.Subquery(this=body, alias=alias))

    def _replace_context(self, tree: exp.Expression) -> None:
        values = {
            exp.CurrentCatalog: self._scope.catalog,
            exp.CurrentSchema: self._scope.schema,
            exp.CurrentDatabase: self._scope.schema,
        }
        for node in list(tree.find_all(*values)):
            node.replace(exp.Literal.string(values[type(node)]))


def target_of(tree: exp.Expression) -> exp.Table:
    """Return the table that *tree* changes. Raises SqlError where there is none."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(target, exp.Table):
        raise SqlError(errors.PARSE_SYNTAX_ERROR, "Syntax error: there is no table to change.")
    return target


def data_at(table: Table, node: exp.Table) -> str:
    """Return the table with the rows of *table*, as of the version that *node* asks for."""
    asked = node.args.get("version")
    node.set("version", None)
    if asked is None:
        return f'rows."{table.data}"'
    if asked.name.upper() == "TIMESTAMP":
        return f'rows."{_version_at(table, asked.expression.name).data}"'
    return f'rows."{version_of(table, int(asked.expression.name)).data}"'


def version_of(table: Table, number: int) -> Version:
    """Return version *number* of *table*. Raises SqlError where its rows are not kept."""
    available = kept(table.versions)
    for version in available:
        if version.number == number:
            return version
    first, last = available[0].number, available[-1].number
    raise SqlError(
        errors.VERSION_NOT_FOUND,
        f"Cannot time travel Delta table to version {number}. Available versions: "
        f"[{first}, {last}].",
    )


def _version_at(table: Table, text: str) -> Version:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SqlError(errors.CAST_INVALID_INPUT, f"'{text}' is no TIMESTAMP.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    known = [version for version in kept(table.versions) if version.at <= moment]
    if not known:
        raise SqlError(errors.VERSION_NOT_FOUND, f"There is no version as of {text}.")
    return known[-1]


def _point_at(table: exp.Table, physical: str) -> None:
    found = exp.to_table(physical, dialect="duckdb")
    for part in ("this", "db", "catalog"):
        table.set(part, found.args.get(part))


def _shorten_columns(tree: exp.Expression) -> None:
    """Leave `table.column` of `catalog.schema.table.column`; targets of SET lose all of it."""
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    for update in tree.find_all(exp.Update):
        for change in update.expressions:
            if isinstance(change, exp.EQ) and isinstance(change.this, exp.Column):
                change.this.set("table", None)


def _name_counts(tree: exp.Expression) -> None:
    """Name a bare count(*) as Databricks does."""
    for select in tree.find_all(exp.Select):
        named = [
            exp.alias_(each, "count(1)", quoted=True)
            if isinstance(each, exp.Count) and isinstance(each.this, exp.Star)
            else each
            for each in select.expressions
        ]
        select.set("expressions", named)


def _hold_variants(tree: exp.Expression) -> None:
    """Hold VARIANT as JSON, which the client understands; DuckDB's own VARIANT it does not."""
    for datatype in tree.find_all(exp.DataType):
        if datatype.this is exp.DataType.Type.VARIANT:
            datatype.set("this", exp.DataType.Type.JSON)
