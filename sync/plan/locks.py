"""The table locks that a statement takes on Postgres, where the manual says so: pure.

From the chapter "Explicit Locking" and the pages of the commands. What the manual leaves
open is left out here too: no lock shown is not the same as no lock taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby, pairwise
from typing import Final


class Mode(IntEnum):
    """The modes of a table lock, the weakest first."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    @property
    def title(self) -> str:
        """The mode as the manual writes it: ``SHARE ROW EXCLUSIVE``."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock on one table."""

    mode: str  #: such as ``"ACCESS EXCLUSIVE"``
    on: str  #: the table, as the statement names it


_TOKEN = re.compile(
    r"""
    (?P<blank> \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<text> [EeBbXxNn]?'(?:[^']|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<name> "(?:[^"]|"")+"(?:\."(?:[^"]|"")+"|\.\w+)* | \w+(?:\."(?:[^"]|"")+"|\.\w+)* )
  | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)

#: Words that may stand ahead of a table's name.
_FILLERS: Final = frozenset({"TABLE", "ONLY", "IF", "NOT", "EXISTS", "INTO", "FROM"})

#: Storage parameters that a table takes under the weaker lock: the beginnings of their names.
_GENTLE: Final = ("FILLFACTOR", "TOAST", "AUTOVACUUM_", "LOG_AUTOVACUUM_", "PARALLEL_WORKERS")

_MODES: Final = {mode.title: mode for mode in Mode}


def locks(sql: str, dialect: str) -> tuple[Lock, ...]:
    """Return the locks that *sql* is known to take on tables, each table's strongest."""
    if dialect != "postgresql":
        return ()
    found: dict[str, Mode] = {}
    for words in statements(sql):
        with suppress(LookupError, ValueError):  # another grammar than this one knows
            for table, mode in taken(words):
                found[table] = max(mode, found.get(table, mode))
    return tuple(Lock(mode.title, table) for table, mode in found.items())


def statements(sql: str) -> Iterator[list[str]]:
    """Yield the tokens of each statement of a text: names and signs, literals as ``''``."""
    words = [
        "''" if found["text"] else found[0] for found in _TOKEN.finditer(sql) if not found["blank"]
    ]
    for separates, several in groupby(words, key=lambda word: word == ";"):
        if not separates:
            yield list(several)


def taken(words: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks of one statement."""
    match [word.upper() for word in words[:3]]:
        case ["INSERT" | "MERGE", "INTO", *_] | ["UPDATE", *_] | ["DELETE", "FROM", *_]:
            yield table_in(words[1:]), Mode.ROW_EXCLUSIVE
        case ["TRUNCATE", *_] | ["DROP", "TABLE", *_]:
            yield from ((table, Mode.ACCESS_EXCLUSIVE) for table in tables_in(words[1:]))
        case ["DROP", "INDEX", after] if after != "CONCURRENTLY":
            indexes = tables_in(words[2:])
            yield from ((f"the table of {index}", Mode.ACCESS_EXCLUSIVE) for index in indexes)
        case ["LOCK", *_]:
            yield from asked_for(words)
        case ["CREATE", *_]:
            yield from of_create(words)
        case ["ALTER", "TABLE", _]:
            yield from of_alter(words[2:])
        case ["ALTER", "INDEX", _] if is_rename(words):
            yield table_in(words[2:]), Mode.SHARE_UPDATE_EXCLUSIVE
        case ["COMMENT", "ON", kind] if kind in ("TABLE", "COLUMN"):
            column = words[3].rpartition(".")[0] if kind == "COLUMN" else words[3]
            yield column, Mode.SHARE_UPDATE_EXCLUSIVE
        case ["REFRESH", "MATERIALIZED", "VIEW"]:
            yield of_refresh(words[3:])
        case _:
            return


def of_refresh(words: Sequence[str]) -> tuple[str, Mode]:
    """Return the lock of REFRESH MATERIALIZED VIEW."""
    if words[0].upper() == "CONCURRENTLY":
        return words[1], Mode.EXCLUSIVE
    return words[0], Mode.ACCESS_EXCLUSIVE


def is_rename(words: Sequence[str]) -> bool:
    """Tell whether ALTER INDEX gives it another name."""
    return "RENAME" in (word.upper() for word in words[3:])


def asked_for(words: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks of LOCK TABLE."""
    upper = [word.upper() for word in words]
    mode = Mode.ACCESS_EXCLUSIVE
    if "IN" in upper and "MODE" in upper:
        mode = _MODES[" ".join(upper[upper.index("IN") + 1 : upper.index("MODE")])]
    yield from ((table, mode) for table in tables_in(words[1:]))


def of_create(words: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks of CREATE."""
    upper = [word.upper() for word in words]
    rest = [word for word in upper[1:5] if word not in ("UNIQUE", "OR", "REPLACE", "CONSTRAINT")]
    rest = [word for word in rest if word not in ("TEMPORARY", "TEMP", "UNLOGGED")]
    match rest[:2]:
        case ["INDEX", *after]:
            gentle = after == ["CONCURRENTLY"]
            mode = Mode.SHARE_UPDATE_EXCLUSIVE if gentle else Mode.SHARE
            yield table_in(words[upper.index("ON") + 1 :]), mode
        case ["TRIGGER", *_]:
            yield words[upper.index("ON") + 1], Mode.SHARE_ROW_EXCLUSIVE
        case ["STATISTICS", *_]:
            yield words[upper.index("FROM") + 1], Mode.SHARE_UPDATE_EXCLUSIVE
        case ["TABLE", *_]:
            yield from of_create_table(words, upper)
        case _:
            return


def of_create_table(words: Sequence[str], upper: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks that a new table takes on others."""
    own = table_in(words[upper.index("TABLE") :])
    if "PARTITION" in upper and upper[upper.index("PARTITION") + 1] == "OF":
        yield words[upper.index("PARTITION") + 2], Mode.ACCESS_EXCLUSIVE
    for other in referenced(words):
        if other != own:
            yield other, Mode.SHARE_ROW_EXCLUSIVE


def of_alter(words: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks of ALTER TABLE; *words* stand behind these two."""
    if words[0].upper() == "ALL":
        return
    own = table_in(words)
    behind = [word for word in words[words.index(own) + 1 :] if word != "*"]
    for action in parts(behind):
        yield own, mode_of([word.upper() for word in action])
        yield from on_others(action)


def on_others(action: Sequence[str]) -> Iterator[tuple[str, Mode]]:
    """Yield the locks that one action of ALTER TABLE takes on other tables."""
    match [word.upper() for word in action]:
        case ["ADD", *_]:
            yield from ((other, Mode.SHARE_ROW_EXCLUSIVE) for other in referenced(action))
        case ["ATTACH", "PARTITION", *_] | ["DETACH", "PARTITION", _, "CONCURRENTLY"]:
            yield action[2], Mode.ACCESS_EXCLUSIVE
        case _:
            return


def mode_of(action: Sequence[str]) -> Mode:
    """Return the mode that one action, in capitals, takes on the altered table itself.

    The manual: "An ACCESS EXCLUSIVE lock is acquired unless explicitly noted."
    """
    match list(action):
        case ["ADD", "FOREIGN", *_] | ["ADD", "CONSTRAINT", _, "FOREIGN", *_]:
            return Mode.SHARE_ROW_EXCLUSIVE
        case ["ENABLE" | "DISABLE", *between] if "TRIGGER" in between[:2]:
            return Mode.SHARE_ROW_EXCLUSIVE
        case ["ALTER", *column] if sets_attribute(column):
            return Mode.SHARE_UPDATE_EXCLUSIVE
        case ["SET" | "RESET", "(", *parameters] if all(map(is_gentle, names_of(parameters))):
            return Mode.SHARE_UPDATE_EXCLUSIVE
        case (
            ["VALIDATE", "CONSTRAINT", *_]
            | ["CLUSTER", "ON", *_]
            | ["SET", "WITHOUT", "CLUSTER"]
            | ["ATTACH", "PARTITION", *_]
            | ["DETACH", "PARTITION", _, "CONCURRENTLY"]
        ):
            return Mode.SHARE_UPDATE_EXCLUSIVE
        case _:
            return Mode.ACCESS_EXCLUSIVE


def sets_attribute(column: Sequence[str]) -> bool:
    """Tell whether ``ALTER COLUMN`` only tells the planner something."""
    rest = list(column[1:] if column[0] == "COLUMN" else column)[1:3]
    return rest in (["SET", "STATISTICS"], ["SET", "("], ["RESET", "("])


def names_of(parameters: Sequence[str]) -> list[str]:
    """Return the names in ``a = 1, b)``."""
    return [part[0] for part in parts(parameters[:-1])]


def is_gentle(parameter: str) -> bool:
    """Tell whether a storage parameter is set under the weaker lock."""
    return parameter.startswith(_GENTLE)


def referenced(words: Sequence[str]) -> Iterator[str]:
    """Yield the tables behind REFERENCES."""
    for word, after in pairwise(words):
        if word.upper() == "REFERENCES":
            yield after


def table_in(words: Sequence[str]) -> str:
    """Return the first name that is not a filler.

    Raises:
        LookupError: There is none.
    """
    for word in words:
        if word.upper() not in _FILLERS:
            return word
    raise LookupError("no name")


def tables_in(words: Sequence[str]) -> list[str]:
    """Return the names at the beginning, with commas between them."""
    return [table_in(part) for part in parts(words) if set(map(str.upper, part)) - _FILLERS]


def parts(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield what stands between commas, parentheses kept whole."""
    part: list[str] = []
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    yield part
