"""The clock of a second compilation: later for scripts, in every unit, and only for a while."""

from __future__ import annotations

import datetime as dt
import time
from types import ModuleType

import pytest

from sync.plan.runner.clock import LATER, advanced

#: Ways to ask for the time, and how finely they tell it.
ASKED = [
    "datetime.now()",
    "datetime.utcnow()",
    "datetime.today()",
    "dt.datetime.now(dt.timezone.utc)",
    "dt.date.today()",
    "date.today().year",
    "int(time.time()) // 3600",
    "time.time_ns() // 10**12",
    "time.strftime('%Y')",
    "time.strftime('%H')",
    "time.gmtime().tm_year",
    "time.localtime()[3]",
    "time.ctime()[-4:]",
    "time.asctime()[-4:]",
]


def script() -> ModuleType:
    """Return a module that has imported the clocks by their names."""
    module = ModuleType("script")
    exec("import datetime as dt, time\nfrom datetime import date, datetime", vars(module))  # noqa: S102 - as a script does it
    return module


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_every_clock_is_later(asked: str) -> None:
    """Years, days and hours differ, however a script asks; afterwards they are as before."""
    module = script()
    with advanced([module]):
        later = eval(asked, vars(module))  # noqa: S307 - the texts are our own
    assert later != eval(asked, vars(module))  # noqa: S307 - as above
    assert (dt.datetime, dt.date) == (
        type(dt.datetime.now(dt.UTC)),
        type(dt.datetime.now(dt.UTC).date()),
    )


def test_given_times_are_not_moved() -> None:
    """What a script names itself stays what it is, and is of the real classes."""
    module = script()
    with advanced([module]):
        day = eval("datetime(2024, 2, 29, 1)", vars(module))  # noqa: S307 - the text is our own
        told = eval("time.strftime('%Y', time.gmtime(0))", vars(module))  # noqa: S307 - as above
        known = eval("isinstance(datetime.now(), datetime)", vars(module))  # noqa: S307 - as above
    assert (day, told, known) == (dt.datetime(2024, 2, 29, 1), "1970", True)  # noqa: DTZ001 - as given
    assert type(day) is dt.datetime


def test_other_modules_keep_their_clock() -> None:
    """A name that a library has imported is the real one throughout."""
    library = script()
    with advanced([]):
        now = eval("datetime.now(dt.timezone.utc)", vars(library))  # noqa: S307 - the text is our own
    assert abs(now.timestamp() - time.time()) < LATER.total_seconds() / 2
