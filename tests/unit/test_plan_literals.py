"""Parameters written into SQL: what the server then reads is what the driver would have sent."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sync.plan.runner.literals import UnwritableError, named, numbered


class Colour(str, enum.Enum):  # noqa: UP042 - as old scripts have it
    """A text with a name."""

    RED = "r'ed"


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = -3


VALUES: list[tuple[Any, str]] = [
    (None, "NULL"),
    (True, "TRUE"),
    (False, "FALSE"),
    (7, "7"),
    (-7, "(-7)"),
    (Level.HIGH, "(-3)"),
    (Decimal("1.50"), "1.50"),
    (Decimal("-1E+5"), "(-100000)"),
    (Decimal("NaN"), "'NaN'"),
    (0.1, "'0.1'"),
    (float("-inf"), "'-inf'"),
    ("it's $1 :x %s \\", "'it''s $1 :x %s \\'"),
    (Colour.RED, "'r''ed'"),
    (b"\x00'\xff", "'\\x0027ff'"),
    (datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC), "'2024-02-29 01:02:03.000004+00:00'"),
    (
        datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=-5))),
        "'2024-02-29 00:00:00-05:00'",
    ),
    (date(2024, 2, 29), "'2024-02-29'"),
    (time(1, 2, 3), "'01:02:03'"),
    (timedelta(days=-1, microseconds=5), "'-1 days 0 seconds 5 microseconds'"),
    (UUID(int=7), "'00000000-0000-0000-0000-000000000007'"),
    ([1, None, -2], "ARRAY[1, NULL, (-2)]"),
    ((["a"], ["b"]), "ARRAY[ARRAY['a'], ARRAY['b']]"),
    ([], "'{}'"),
]

#: Texts that hold what looks like a parameter, and is none.
QUOTED = [
    "'$1 :a'",
    "'it''s $1 :a'",
    '"$1 :a"',
    "-- $1 :a\n",
    "/* $1\n:a */",
]


@pytest.mark.parametrize(("value", "written"), VALUES)
def test_values_of_postgres(value: object, written: str) -> None:
    """Each type has a literal that the server reads as the same value."""
    assert numbered("SELECT $1::x", [value]) == f"SELECT {written}::x"


@pytest.mark.parametrize(
    "value",
    [object(), {1}, {"a": 1}, date.min, date.max, datetime.min, datetime.max, [[], [1]]],  # noqa: DTZ901 - what drivers take for infinity
)
def test_what_has_no_sure_literal_is_refused(value: object) -> None:
    """Nobody guesses: what a driver may send otherwise has no literal."""
    with pytest.raises(UnwritableError, match=f"type {type(value).__name__} has no literal"):
        numbered("SELECT $1", [value])


@pytest.mark.parametrize("text", [*QUOTED, "E'\\' $1'", "$$ $1 $$", "$a$ $$ $1 $$ $a$", "a$1"])
def test_numbered_parameters_are_no_part_of_other_texts(text: str) -> None:
    """Strings, names, comments and dollar quotes are left as they are."""
    assert numbered(f"{text} $1 $2", [1, 2]) == f"{text} 1 2"


@pytest.mark.parametrize("text", [*QUOTED, "'\\' :a'", "`:a`", "x::a", '"\\" :a"'])
def test_named_parameters_are_no_part_of_other_texts(text: str) -> None:
    """The same for Databricks, where a backslash escapes."""
    assert named(f"{text} :a :b", {"a": 1, "b": "x\\'y"}) == f"{text} 1 'x\\\\\\'y'"


@pytest.mark.parametrize("nothing", [None, (), [], {}])
def test_a_text_without_parameters_is_left_alone(nothing: Any) -> None:  # noqa: ANN401 - as drivers are given it
    """The body of a function has numbers of its own."""
    sql = "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1' || $1 || :a"
    assert numbered(sql, nothing) == named(sql, nothing) == sql


def test_many_parameters() -> None:
    """The tenth is not the first, followed by a nought."""
    assert numbered("$1 $10 $2", list(range(10))) == "0 9 1"


@pytest.mark.parametrize("value", [0.5, b"x", [1], timedelta(1)])
def test_databricks_has_fewer_literals(value: object) -> None:
    """What only Postgres writes so is refused."""
    with pytest.raises(UnwritableError):
        named(":a", {"a": value})


def test_databricks_has_names_of_parameters_in_backticks() -> None:
    """Its dialect writes all names so, whatever is in them; a name of a column stays."""
    sql = "INSERT INTO `t` (`a-b`, c) VALUES (:`a-b`, :`c``d`)"
    values = {"a-b": 1, "c`d": "x"}
    assert named(sql, values) == "INSERT INTO `t` (`a-b`, c) VALUES (1, 'x')"
