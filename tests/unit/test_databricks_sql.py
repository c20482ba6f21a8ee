from __future__ import annotations

from typing import Any

import pytest

from providers.databricks.address import Address
from providers.databricks.sql import identifier, literal, move, use, version_table
from providers.types import BASE, Target
from providers.workspace.login import Login


def place(**names: str) -> Address:
    """Return an address with these names."""
    return Address("h", "/p", Login(origin="https://h"), **names)


def target(**settings: Any) -> Target:  # noqa: ANN401 - the fields of a Target
    """Return a target with these settings."""
    return Target(name="o", history="app", dialect="databricks", url="databricks://", **settings)


def test_quoting() -> None:
    """Names and values end where we end them."""
    assert identifier("a`b") == "`a``b`"
    assert literal("it's a \\") == "'it\\'s a \\\\'"


@pytest.mark.parametrize(
    ("names", "settings", "expected"),
    [
        ({}, {}, "`alembic_version`"),
        ({"catalog": "c"}, {}, "`alembic_version`"),
        ({"schema": "s"}, {}, "`s`.`alembic_version`"),
        ({"catalog": "c", "schema": "s"}, {}, "`c`.`s`.`alembic_version`"),
        ({"catalog": "c", "schema": "s"}, {"schema": "eu"}, "`c`.`eu`.`alembic_version`"),
        ({"schema": "s"}, {"schema": "eu", "version_table_schema": "m"}, "`m`.`alembic_version`"),
    ],
)
def test_version_table(names: dict[str, str], settings: dict[str, str], expected: str) -> None:
    """The version table is named as fully as it can be, so that USE in a script moves nothing."""
    assert version_table(target(**settings), place(**names)) == expected


@pytest.mark.parametrize(
    ("catalog", "schema", "expected"),
    [
        (None, None, None),
        ("c", None, "USE CATALOG `c`"),
        (None, "s", "USE `s`"),
        ("c", "s", "USE `c`.`s`"),
    ],
)
def test_use(catalog: str | None, schema: str | None, expected: str | None) -> None:
    """What the URL names is looked for; what it leaves out is the server's own."""
    assert use(catalog, schema) == expected


def test_move() -> None:
    """A move names what goes and what comes, and holds for just the heads that it starts from."""
    sql = move("t", frozenset({"a", "b"}), frozenset({"b", "c"}))
    assert "VALUES ('a', false), ('c', true) AS" in sql
    assert "(SELECT count(*) FROM t) = 2" in sql
    assert "(SELECT count(*) FROM t WHERE version_num IN ('a', 'b')) = 2" in sql


def test_move_from_base() -> None:
    """From base the table must be empty."""
    assert "WHERE (SELECT count(*) FROM t) = 0)" in move("t", BASE, frozenset({"a"}))
