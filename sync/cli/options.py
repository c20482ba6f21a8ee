"""Options that several commands share, and the values people write in them."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from sync.events.kinds import Kind
from sync.model import Selection

_AGE = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_RELATIVE = re.compile(r"-\d+")


def parse_labels(pairs: Sequence[str]) -> dict[str, str]:
    """Return ``k=v`` pairs as a mapping.

    Raises:
        typer.BadParameter: A pair has no ``=`` or no key, or a key comes twice.
    """
    labels: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"expected key=value, found {pair!r}")
        if labels.setdefault(key, value) != value:
            raise typer.BadParameter(f"{key} is given twice: {labels[key]!r} and {value!r}")
    return labels


def parse_moment(text: str | None, now: datetime) -> datetime | None:
    """Return the moment that *text* names: an age before *now*, or ISO 8601 (UTC unless said).

    Raises:
        typer.BadParameter: It is neither.
    """
    if text is None:
        return None
    try:
        if age := _AGE.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "expected an age (30m, 2h, 7d) or a date (2026-03-01, 2026-03-01T12:00), "
            f"found {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def checked_labels(pairs: list[str] | None) -> list[str] | None:
    """Refuse bad labels while the option that holds them is still known."""
    parse_labels(pairs or ())
    return pairs


def checked_moment(text: str | None) -> str | None:
    """Refuse a bad moment while the option that holds it is still known."""
    parse_moment(text, datetime.now(UTC))
    return text


def checked_kind(text: str | None) -> str | None:
    """Refuse what is no kind of event: a filter that never matches looks like an empty log."""
    if text is not None and text not in set(Kind):
        close = get_close_matches(text, list(Kind), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise typer.BadParameter(f"there is no kind {text!r}{hint}")
    return text


def parse_revision(text: str | None) -> str | None:
    """Let ``-1`` through as a revision, and refuse every other word with a dash in front.

    Raises:
        typer.BadParameter: It looks like an option.
    """
    if text is not None and text.startswith("-") and not _RELATIVE.fullmatch(text):
        raise typer.BadParameter(f"no such option: {text}")
    return text


def one_revision(positional: str | None, option: str | None) -> str:
    """Return the revision, which may be given either way, but not both.

    Raises:
        typer.BadParameter: It is given twice, or not at all.
    """
    if (positional is None) == (option is None):
        found = "none" if positional is None else f"{positional!r} and --to {option!r}"
        raise typer.BadParameter(f"expected one revision, as REV or --to REV, found {found}")
    return positional or option or ""


def os_user() -> str:
    """Return who is logged in; the number where the number has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError up to Python 3.12, OSError from 3.13
        return str(os.getuid())


def selection(
    targets: Sequence[str] | None, history: str | None, labels: Sequence[str] | None
) -> Selection:
    """Return what the options of a command select."""
    return Selection(tuple(targets or ()), history, parse_labels(labels or ()))


Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="Names of targets; all when none is given."),
]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Name of the target.")]
Rev = Annotated[
    str | None,
    typer.Argument(
        metavar="REV",
        callback=parse_revision,
        help="A revision as Alembic names it: an id, a unique prefix, a label, -1, base, heads.",
    ),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="REV", help="The revision, given as an option.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file. [default: LEVELHEAD_CONFIG, else levelhead.toml here]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
History = Annotated[
    str | None, typer.Option("--history", metavar="NAME", help="Only targets of this history.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="KEY=VALUE",
        callback=checked_labels,
        help="Only targets with this label; repeatable.",
    ),
]
Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        help="Who does it, for the audit log. [default: cli:<user>] "
        "Through a running service it is always the token's name.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", callback=checked_moment, help="From an age (2h) or a date on."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="WHEN", callback=checked_moment, help="Before an age (2h) or a date."
    ),
]
OneTarget = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="Only this target.")
]
Port = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port of 127.0.0.1; 0: any."),
]
Directory = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help="Keep everything here. [default: in memory]"),
]
Certificate = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="Speak https with this certificate (PEM)."),
]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The certificate's key (PEM).")
]
Catalogs = Annotated[
    list[str] | None,
    typer.Option(
        "--catalog", metavar="NAME", help="Of a new warehouse; repeatable. [default: main]"
    ),
]
