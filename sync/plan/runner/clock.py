"""Another clock for a second compilation: what depends on the time comes out different.

Names of Python's own modules are replaced while a script runs, and in the modules of the
history only: libraries that are written in C do not bear it when they are imported.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, tzinfo
from types import BuiltinFunctionType, ModuleType
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


@contextmanager
def advanced(modules: list[ModuleType]) -> Iterator[None]:
    """Let *modules*, and whoever asks Python's own modules, live later during the block."""
    later = names()
    places = [vars(dt), vars(time), *map(vars, modules)]
    found = [
        (place, name, value)
        for place in places
        for name, value in place.items()
        if is_clock(value) and id(value) in later
    ]
    for place, name, value in found:
        place[name] = later[id(value)]
    try:
        yield
    finally:
        for place, name, value in found:
            place[name] = value


def is_clock(value: Any) -> bool:  # noqa: ANN401 - whatever a module holds
    """Tell whether *value* may be one of those that are replaced."""
    return isinstance(value, (type, BuiltinFunctionType))


def names() -> dict[int, Any]:
    """Return what stands in for the clocks of Python's own modules, by their ids."""
    seconds = LATER.total_seconds()
    stand_ins: list[tuple[Any, Any]] = [
        (datetime, LaterDatetime),
        (date, LaterDate),
        (time.time, plus(time.time, seconds)),
        (time.time_ns, plus(time.time_ns, int(seconds) * 10**9)),
    ]
    now = plus(time.time, seconds)
    stand_ins += [(told, at(told, now)) for told in (time.gmtime, time.localtime, time.ctime)]
    stand_ins += [
        (time.strftime, written(time.strftime, 1)),
        (time.asctime, written(time.asctime, 0)),
    ]
    return {id(clock): later for clock, later in stand_ins}


def plus(clock: Callable[[], Any], more: float) -> Callable[[], Any]:
    """Return *clock*, *more* later."""
    return lambda: clock() + more


def at(told: Callable[[Any], Any], now: Callable[[], float]) -> Callable[..., Any]:
    """Return a function of `time` that takes the time of *now* where none is given."""
    return lambda seconds=None: told(now() if seconds is None else seconds)


def written(write: Callable[..., str], place: int) -> Callable[..., str]:
    """Return a function of `time` that writes a later time where none is given at *place*."""

    def later(*arguments: Any) -> str:  # noqa: ANN401 - of the original
        given = len(arguments) > place
        return write(*(arguments if given else (*arguments, time.localtime())))

    return later
