"""Another clock for a second compilation: what depends on the time comes out different.

Only names of Python's own modules are replaced, for scripts that are imported afterwards.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

#: So long that year, month, day, hour, minute and second all differ.
LATER = timedelta(days=397, hours=5, minutes=7, seconds=11)


class Alike(type):
    """A type whose instances are those of the class that it stands in for."""

    real: type

    def __instancecheck__(cls, instance: object) -> bool:
        """Tell whether *instance* is of the real class."""
        return isinstance(instance, cls.real)

    def __subclasscheck__(cls, other: type) -> bool:
        """Tell whether *other* derives from the real class."""
        return issubclass(other, cls.real)


class LaterDatetime(datetime, metaclass=Alike):
    """Makes real datetimes; what it calls now is later."""

    real = datetime

    def __new__(cls, *arguments: Any, **named: Any) -> datetime:  # type: ignore[misc]  # noqa: ANN401 - datetime's own arguments
        """Make a real datetime."""
        return datetime(*arguments, **named)  # noqa: DTZ001 - whatever the script asks for

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return a later moment."""
        return datetime.now(tz) + LATER

    @classmethod
    def today(cls) -> datetime:  # type: ignore[override]
        """Return a later moment."""
        return cls.now()

    @classmethod
    def utcnow(cls) -> datetime:  # type: ignore[override]
        """Return a later moment, as naive as the original."""
        return cls.now(dt.timezone.utc).replace(tzinfo=None)  # noqa: UP017 - Python 3.9 too


class LaterDate(date, metaclass=Alike):
    """Makes real dates; its today is later."""

    real = date

    def __new__(cls, *arguments: Any, **named: Any) -> date:  # type: ignore[misc]  # noqa: ANN401 - date's own arguments
        """Make a real date."""
        return date(*arguments, **named)

    @classmethod
    def today(cls) -> date:  # type: ignore[override]
        """Return a later day."""
        return LaterDatetime.now().date()


def advance() -> None:
    """Let all that is imported from now on live later."""
    seconds = LATER.total_seconds()
    nanoseconds = int(seconds) * 10**9
    dt.datetime, dt.date = LaterDatetime, LaterDate  # type: ignore[misc]
    time.time = plus(time.time, seconds)
    time.time_ns = plus(time.time_ns, nanoseconds)
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, at_later(getattr(time, name)))


def plus(clock: Callable[[], Any], more: float) -> Callable[[], Any]:
    """Return *clock*, *more* later."""
    return lambda: clock() + more


def at_later(told: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of `time` that takes the later time where none is given."""
    return lambda seconds=None: told(time.time() if seconds is None else seconds)
