"""The kinds of value a setting can have, each with its check."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainValidator, SecretStr, ValidationInfo
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from providers.registry import is_known, known_providers

#: The longest timeout that Postgres can be told, in whole days.
LONGEST = timedelta(days=24)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONE_BACKSLASH = re.compile(r"(?<!\\)(\\\\)*\\\Z")
_DURATION = re.compile(r"([0-9]{1,10})(ms|s|m|h|d)")
_HOOK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a value is checked against."""

    folder: Path  #: relative paths start here
    histories: frozenset[str]  #: names in the file


def surroundings(info: ValidationInfo) -> Surroundings | None:
    """Return what the validation runs in; None where a model is built in code."""
    context = info.context
    return context if isinstance(context, Surroundings) else None


def suggest(wrong: str, right: Iterable[str]) -> str:
    """Return `` (did you mean "..."?)`` with the names closest to *wrong*, or nothing."""
    close = get_close_matches(wrong, sorted(right), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(map(quote, close))}?)" if close else ""


def quote(text: str) -> str:
    """Return *text* in double quotes, on one line whatever it holds."""
    return '"' + repr(text)[1:-1] + '"'


def parse_url(text: str) -> URL:
    """Parse a database URL.

    Raises:
        ValueError: It is none. The text is not repeated: it may hold a password.
    """
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            'is not a database URL such as "postgresql://user:${PASSWORD}@host:5432/name"'
        ) from None


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a duration such as "500ms", "30s", "5m", "1h" or "2d"')
    count, unit = int(match[1]), _UNITS[match[2]]
    if count > LONGEST / unit:
        raise ValueError(f"must be at most {LONGEST.days}d")
    return count * unit


def _often(value: object) -> timedelta | None:
    if value == "off":
        return None
    try:
        return _duration(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "off"') from None


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


def _count(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueError only
    return value


def _listed(value: object) -> object:
    """Split one text: an environment variable has no other way to hold a list."""
    return (
        tuple(filter(None, value.replace(" ", "").split(","))) if isinstance(value, str) else value
    )


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("must start with a letter or digit and go on with letters, digits, _ . -")
    return value


def _like(value: str) -> str:
    if not value:
        raise ValueError('must be a LIKE pattern such as "tenant\\_%", found an empty text')
    if _LONE_BACKSLASH.search(value):
        raise ValueError("must not end in a backslash: that takes the meaning of what follows")
    return value


def _absolute(value: Path, info: ValidationInfo) -> Path:
    # Never resolved: the interpreter of a virtual environment is a symbolic link.
    around = surroundings(info)
    return around.folder / value if around else value


def _canary(value: object) -> object:
    if not isinstance(value, bool | str):
        raise ValueError("must be true, false or the name of a target")  # noqa: TRY004 - pydantic collects ValueError only
    return _name(value) if isinstance(value, str) else value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"there is no file {value}")
    return value


def _executable(value: Path) -> Path:
    if not os.access(_file(value), os.X_OK):
        raise ValueError(f"{value} is not executable")
    return value


def _hook(value: str) -> str:
    if not _HOOK.fullmatch(value):
        raise ValueError('must be "module:function"')
    return value


def _cron(value: str) -> str:
    trigger = import_module("apscheduler.triggers.cron").CronTrigger  # late: only cron needs it
    try:
        trigger.from_crontab(value, timezone="UTC")
    except ValueError:
        raise ValueError('must be five cron fields such as "*/5 * * * *"') from None
    if any(character.isdigit() for character in value.split()[4].partition("/")[0]):
        # 0 is Sunday to cron and Monday to the clock used here.
        raise ValueError('days of the week are written as names, such as "mon-fri"')
    return value


def _control_url(value: SecretStr, info: ValidationInfo) -> SecretStr:
    url = parse_url(value.get_secret_value())
    match url.get_backend_name():
        case "postgresql":
            return value
        case "sqlite":
            return SecretStr(_sqlite_url(url, surroundings(info)))
        case other:
            raise ValueError(
                f"the control database is sqlite:///... or postgresql://..., not {quote(other)}"
            )


def _sqlite_url(url: URL, around: Surroundings | None) -> str:
    if url.database in {None, "", ":memory:"}:
        raise ValueError("the control database must be a file: an audit log has to last")
    folder = around.folder if around else Path()
    return url.set(database=str(folder / str(url.database))).render_as_string(hide_password=False)


def _target_url(value: SecretStr, info: ValidationInfo) -> SecretStr:
    dialect = parse_url(value.get_secret_value()).get_backend_name()
    if surroundings(info) and not is_known(dialect):
        known = ", ".join(sorted(known_providers()))
        raise ValueError(f"no provider for dialect {quote(dialect)}; known are {known}")
    return value


def _history(value: str, info: ValidationInfo) -> str:
    around = surroundings(info)
    if around and value not in around.histories:
        hint = suggest(value, around.histories) or "; add a [[history]] of that name"
        raise ValueError(f"there is no history {quote(value)}{hint}")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Often = Annotated[timedelta | None, BeforeValidator(_often)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Count = Annotated[int, BeforeValidator(_count)]
Name = Annotated[str, AfterValidator(_name)]
Like = Annotated[str, AfterValidator(_like)]
CanaryName = Annotated[bool | str, PlainValidator(_canary)]
AnyPath = Annotated[Path, AfterValidator(_absolute)]
FilePath = Annotated[Path, AfterValidator(_absolute), AfterValidator(_file)]
Executable = Annotated[Path, AfterValidator(_absolute), AfterValidator(_executable)]
Hook = Annotated[str, AfterValidator(_hook)]
Cron = Annotated[str, AfterValidator(_cron)]
HostNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]
ControlUrl = Annotated[SecretStr, AfterValidator(_control_url)]
TargetUrl = Annotated[SecretStr, AfterValidator(_target_url)]
HistoryName = Annotated[str, AfterValidator(_history)]
