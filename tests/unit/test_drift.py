from __future__ import annotations

from providers.snapshot import snapshot_of
from sync.drift import Difference, difference, lines


def between(old: dict[str, str], new: dict[str, str]) -> Difference:
    """Compare two schemas."""
    return difference(snapshot_of(old), snapshot_of(new))


def told(old: dict[str, str], new: dict[str, str], limit: int = 100) -> list[str]:
    """Return the difference of two schemas in words."""
    return lines(between(old, new), limit=limit)


class TestDifference:
    """What is found."""

    def test_equal(self) -> None:
        """Equal schemas differ in nothing, whatever the order of their objects."""
        found = between({"table a": "x", "table b": "y"}, {"table b": "y", "table a": "x"})
        assert not found
        assert lines(found, limit=10) == []

    def test_three_kinds(self) -> None:
        """An object is added, dropped or changed, and told with its definitions."""
        found = between({"table a": "1", "table b": "2"}, {"table b": "3", "table c": "4"})
        assert found
        assert found == Difference({"table c": "4"}, {"table a": "1"}, {"table b": ("2", "3")})


class TestLines:
    """How it reads."""

    def test_marks(self) -> None:
        """A plus is added, a minus dropped, a tilde changed from the recorded to the live."""
        email = "column public.users.email"
        assert told(
            {email: "text not null", "index public.ix_b": "CREATE INDEX ix_b ON b (x)"},
            {email: "text", "index public.ix_a": "CREATE INDEX ix_a ON a (x)"},
        ) == [
            "+ index public.ix_a: CREATE INDEX ix_a ON a (x)",
            "- index public.ix_b: CREATE INDEX ix_b ON b (x)",
            "~ column public.users.email: text not null -> text",
        ]

    def test_order(self) -> None:
        """What concerns a table stands together, whichever way it differs, in the same order."""
        old = {"column b.x": "int", "column a.a": "int", "constraint a.k": "UNIQUE (x)"}
        new = {"column b.x": "text", "column a.a": "text", "constraint a.k2": "UNIQUE (x)"}
        names = [line.split(":")[0] for line in told(old, new)]
        assert names == ["~ column a.a", "- constraint a.k", "+ constraint a.k2", "~ column b.x"]
        assert told(dict(reversed(old.items())), dict(reversed(new.items()))) == told(old, new)

    def test_parts(self) -> None:
        """What comes or goes with a table is counted there, and not told line by line."""
        table = {"table a": "permanent", "column a.x": "int", "constraint a.k": "UNIQUE (x)"}
        other = {"table ab": "permanent", "column ab.x": "int"}
        assert told({}, {**table, **other}) == [
            "+ table a: permanent, and 2 parts of it",
            "+ table ab: permanent, and 1 part of it",
        ]
        assert told(table, {}) == ["- table a: permanent, and 2 parts of it"]
        schema = {"schema s": "exists", "table s.a": "permanent", "column s.a.x": "int"}
        assert told({}, schema) == ["+ schema s: exists, and 2 parts of it"]

    def test_part_of_what_stays(self) -> None:
        """A part of a table that stays has its own line."""
        assert told({"table a": "permanent"}, {"table a": "permanent", "column a.x": "int"}) == [
            "+ column a.x: int"
        ]

    def test_limit(self) -> None:
        """Beyond the limit one line tells how many are left out."""
        new = {f"table t{number}": "permanent" for number in range(5)}
        assert told({}, new, limit=5)[-1] == "+ table t4: permanent"
        assert told({}, new, limit=3)[2:] == ["+ table t2: permanent", "... and 2 more"]

    def test_one_line_each(self) -> None:
        """A definition of several lines becomes one."""
        assert told({}, {"view v": "SELECT a,\n    b\n  FROM t"}) == [
            "+ view v: SELECT a, b FROM t"
        ]

    def test_white_space(self) -> None:
        """Where only white space differs, that is said."""
        assert told({"view v": "SELECT 1"}, {"view v": "SELECT  1"}) == [
            "~ view v: differs in white space"
        ]

    def test_long_definitions(self) -> None:
        """Of a long definition that part is shown where the difference begins."""
        body = "SELECT " + ", ".join(f"column_{number}" for number in range(50))
        (line,) = told({"view v": f"{body} FROM a"}, {"view v": f"{body} FROM b WHERE true"})
        assert line.endswith("FROM b WHERE true")
        assert " FROM a -> ..." in line
        assert len(line) < 200
        (line,) = told({}, {"view v": body})
        assert line.startswith("+ view v: SELECT column_0, column_1")
        assert line.endswith("...")
