"""Times, revisions and counts as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from providers.types import Heads

#: What stands where there is nothing to say, so that no cell is ever empty.
NOTHING = "-"

#: So many things are named in one line; of more it is said how many.
NAMED = 3

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(length: timedelta) -> str:
    """Return *length* with its two largest units, as ``3 min 20 s``."""
    seconds = max(length.total_seconds(), 0)
    if seconds < 10 and seconds % 1:  # noqa: PLR2004 - where a tenth is still worth a look
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _pair(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    return _pair(whole, _DAY, "d", _HOUR, "h")


def _pair(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    tail = f" {rest} {small_name}" if rest else ""
    return f"{seconds // large} {large_name}{tail}"


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long before *now* a moment was, as ``5 min ago``; ``-`` for None."""
    if moment is None:
        return NOTHING
    seconds = (now - moment).total_seconds()
    if seconds < 1:
        return "now"
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
    size, name = next(unit for unit in units if seconds >= unit[0])
    return f"{int(seconds // size)} {name} ago"


def instant(moment: datetime | None) -> str:
    """Return *moment* in UTC to the second, as ``2026-03-01T12:00:00Z``; ``-`` for None."""
    if moment is None:
        return NOTHING
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def heads_text(heads: Heads | None) -> str:
    """Return the heads in order; ``base`` where there are none, ``-`` where nobody knows."""
    if heads is None:
        return NOTHING
    return ", ".join(sorted(heads)) or "base"


def pending_text(pending: tuple[str, ...]) -> str:
    """Return how many revisions are pending and which comes first, as ``3, first a1b2``."""
    if not pending:
        return NOTHING
    return f"{len(pending)}, first {pending[0]}" if len(pending) > 1 else f"1, {pending[0]}"


def count(number: int, noun: str, several: str = "") -> str:
    """Return ``1 revision``, ``2 revisions``; *several* where the plural is irregular."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or f'{noun}s'}"


def one_line(text: str) -> str:
    """Return *text* with every run of white space, line ends included, made one blank."""
    return " ".join(text.split())


def named(target: str, problem: str) -> str:
    """Return ``target: problem``, where *problem* does not begin so already."""
    line = one_line(problem)
    return line if line.startswith(f"{target}: ") else f"{target}: {line}"


def or_nothing(text: str | None) -> str:
    """Return *text*, or ``-`` where it is None or empty."""
    return one_line(text or "") or NOTHING


def some(items: Sequence[str]) -> str:
    """Return the first of *items* with commas, and how many more there are."""
    more = [f"and {len(items) - NAMED} more"] if len(items) > NAMED else []
    return joined([*items[:NAMED], *more])


def joined(items: Iterable[str]) -> str:
    """Return *items* with commas, or ``-`` where there are none."""
    return ", ".join(items) or NOTHING
