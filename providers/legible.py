"""Makes the words of others fit to be stored and shown."""

from __future__ import annotations

import re

#: NUL, which Postgres has no place for, and halves of surrogate pairs, which UTF-8 has not.
_NOWHERE_STORED = re.compile("[\x00\ud800-\udfff]")

#: Besides, what steers a terminal; line ends and tabs are left to whoever shows the text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def storable(text: str) -> str:
    r"""Return *text* with what no database can store written as escapes, such as ``\x00``."""
    return _NOWHERE_STORED.sub(_escape, text)


def legible(text: str) -> str:
    r"""Return *text* with every control character as an escape, such as ``\x1b``, too."""
    return _STEERING.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
