"""What Databricks takes and Spark with Delta Lake has no place for: left out, and told.

Each statement is tried as it came. Only where it is refused for one of the two reasons below is it
looked at again, as the tree that Spark's own parser made of it.

- Primary and foreign keys are informational: Unity Catalog keeps them, Delta Lake does not. Their
  names are remembered, so that dropping one is no error.
- SET NOT NULL on a column that is there: Spark's analyzer refuses it for every catalog.

And one thing is written otherwise: the name of a table that has more than letters, digits and
underscores, which Spark's own catalog has no room for, has underscores in their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Scope
from tests.support.delta.jvm import Java

_NO_CONSTRAINTS = "UNSUPPORTED_FEATURE.TABLE_OPERATION"
_NO_SUCH_CONSTRAINT = "DELTA_CONSTRAINT_DOES_NOT_EXIST"
_NOT_NULL = "Cannot change nullable column to non-nullable"

_BAD_NAME = re.compile(r"^\[INVALID_SCHEMA_OR_RELATION_NAME\] (`.*`) is not a valid name")
_LEFT_OUT = "leaves the key out"
_KEYS = frozenset({"PrimaryKeyConstraint", "ForeignKeyConstraint"})
_DROPS = frozenset({"DropConstraint", "AlterTableDropConstraint"})


@dataclass(frozen=True, slots=True)
class Concessions:
    """What was conceded, by all sessions of one Spark."""

    told: list[str] = field(default_factory=list)  #: what Spark had said, one entry each
    _keys: set[tuple[str, str]] = field(default_factory=set)  #: schema and name, in lower case
    _renamed: dict[str, str] = field(default_factory=dict)  #: quoted name -> the one in its place

    def written(self, sql: str) -> str:
        """Return *sql* with the names that Spark has room for."""
        for name, other in self._renamed.items():
            sql = re.sub(re.escape(name), other, sql, flags=re.IGNORECASE)
        return sql

    def renames(self, refusal: SqlError) -> bool:
        """Tell whether *refusal* was about a name, which has another one from now on."""
        found = _BAD_NAME.search(str(refusal))
        if found is None or found[1] in self._renamed:
            return False
        self._renamed[found[1]] = f"`{re.sub(r'[^a-zA-Z0-9]', '_', found[1][1:-1])}`"
        self.told.append("writes the name with underscores")
        return True

    def rest(self, classes: Java, plan: Java, scope: Scope, refusal: SqlError) -> Java | None:
        """Return what remains of *plan*; None where nothing does. It is told.

        Raises:
            SqlError: *refusal*, where nothing is to be conceded.
        """
        if refusal.condition.name == _NO_SUCH_CONSTRAINT:
            self._forget(plan, scope, refusal)
            self.told.append(_LEFT_OUT)
            return None
        if _NOT_NULL in str(refusal) and kind_of(plan) == "AlterColumns":
            self.told.append(f"leaves out `SET NOT NULL`: {refusal}")
            return None
        rest = self._without_keys(classes, plan, scope, refusal)
        self.told.append(_LEFT_OUT)
        return rest

    def _without_keys(
        self, classes: Java, plan: Java, scope: Scope, refusal: SqlError
    ) -> Java | None:
        if refusal.condition.name != _NO_CONSTRAINTS:
            raise refusal
        if kind_of(plan) == "AddConstraint" and _is_key(plan.tableConstraint()):
            self._remember(plan.tableConstraint(), _schema(plan.table(), scope))
            return None
        if kind_of(plan) == "CreateTable":
            return self._creation(classes, plan, scope)
        raise refusal

    def _creation(self, classes: Java, plan: Java, scope: Scope) -> Java:
        constraints = plan.tableSpec().constraints()
        found = [constraints.apply(at) for at in range(constraints.size())]
        for each in filter(_is_key, found):
            self._remember(each, _schema(plan.name(), scope))
        others = [each for each in found if not _is_key(each)]
        kept = classes.scala.jdk.javaapi.CollectionConverters.asScala(others).toSeq()
        return _copied(plan, "tableSpec", _copied(plan.tableSpec(), "constraints", kept))

    def _remember(self, constraint: Java, schema: str) -> None:
        name = constraint.userProvidedName()
        if name is not None:
            self._keys.add((schema, name.lower()))

    def _forget(self, plan: Java, scope: Scope, refusal: SqlError) -> None:
        if kind_of(plan) not in _DROPS:
            raise refusal
        named = {_name(plan, at): plan.productElement(at) for at in range(plan.productArity())}
        name = str(named.get("constraintName") or named["name"]).lower()
        dropped = (_schema(plan.table(), scope), name)
        if dropped not in self._keys:
            raise refusal
        self._keys.discard(dropped)


def kind_of(node: Java) -> str:
    """Return the name of a node's class."""
    return str(node.getClass().getSimpleName())


def _is_key(constraint: Java) -> bool:
    return kind_of(constraint) in _KEYS


def _schema(relation: Java, scope: Scope) -> str:
    """Return the schema of a name that was not looked up yet."""
    is_table = kind_of(relation) == "UnresolvedTable"
    found = relation.multipartIdentifier() if is_table else relation.nameParts()
    return scope.name([found.apply(at) for at in range(found.size())]).schema


def _name(node: Java, at: int) -> str:
    return str(node.productElementName(at))


def _copied(node: Java, name: str, value: Java) -> Java:
    """Return a case class with another value for one of its fields."""
    fields = [
        value if _name(node, at) == name else node.productElement(at)
        for at in range(node.productArity())
    ]
    return node.copy(*fields)
