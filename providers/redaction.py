"""Takes row data out of what a Postgres server says, so that a message may be stored."""

from __future__ import annotations

import re
from collections.abc import Collection

#: SQLSTATE classes whose messages quote nothing but names and keywords of the schema.
_HARMLESS_CLASSES = frozenset({"0A", "25", "28", "2B", "3D", "3F", "40", "42", "53", "55", "57"})

#: Members of those classes that quote what was being read: a token, or a value taken for a name.
_HARMFUL_CODES = frozenset({"42601", "42602"})

#: Servers quote as their language does, and `lc_messages` is not ours to set.
_QUOTE = re.compile('["“”„«»「」『』]')

_APOSTROPHES = re.compile(r"(?<!\w)'.*'(?!\w)")
_REDACTED = '"..."'


def redacted(message: str, *, code: str | None, names: Collection[str]) -> str:
    """Return the first line of *message* without quoted values.

    Quoted values stay where the SQLSTATE *code* says that they can only be names,
    and where they are among *names* (those of the error's own fields). A value may
    have quotes inside, so all from the first untrusted quote to the last one goes.
    """
    line = message.strip().partition("\n")[0].rstrip()
    if _is_harmless(code):
        return line
    return _APOSTROPHES.sub(_REDACTED, _without_values(line, names))


def _is_harmless(code: str | None) -> bool:
    return code is not None and code[:2] in _HARMLESS_CLASSES and code not in _HARMFUL_CODES


def _without_values(line: str, names: Collection[str]) -> str:
    quotes = [match.start() for match in _QUOTE.finditer(line)]
    trusted = [match.span() for match in _quoted(names).finditer(line)]
    loose = [at for at in quotes if not any(start <= at < end for start, end in trusted)]
    if not loose:
        return line
    if len(loose) % 2:  # a value only looks like a name, or goes on in the next line
        return line[: quotes[0]] + _REDACTED
    return line[: loose[0]] + _REDACTED + line[loose[-1] + 1 :]


def _quoted(names: Collection[str]) -> re.Pattern[str]:
    """Match any of *names* between quotes; French puts a space inside them."""
    choices = "|".join(re.escape(name) for name in names if name) or "(?!)"
    return re.compile(rf"{_QUOTE.pattern}\s?(?:{choices})\s?{_QUOTE.pattern}")
