"""Where the shadows of a history's targets are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator, SecretStr, ValidationInfo

from providers.base import ON_TARGET
from providers.registry import dialect_of, known_providers
from sync.settings.values import parse_url, quote, suggest, surroundings

AUTO = "auto"  #: where the provider finds a place by itself, if there is one
NONE = "none"  #: nowhere: every step is live

_WORDS = (AUTO, NONE, ON_TARGET)
_CHOICES = '"auto", "none", "target", or the URL of a server for databases that are thrown away'


@dataclass(frozen=True, slots=True)
class Shadow:
    """The places for shadows, by dialect."""

    otherwise: str = AUTO  #: `AUTO`, `NONE` or `ON_TARGET`: for dialects that *places* leaves out
    #: dialect and one of these words, or a URL, which may hold a password
    places: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def place(self, dialect: str) -> str:
        """Return `AUTO`, `NONE`, `ON_TARGET`, or the URL of a server of that dialect."""
        return dict(self.places).get(dialect, self.otherwise)

    def urls(self) -> Iterator[SecretStr]:
        """Yield the URLs."""
        return (SecretStr(place) for _, place in self.places if place not in _WORDS)


def _shadow(value: object, info: ValidationInfo) -> object:
    match value:
        case Shadow():
            return value
        case str() if value in _WORDS:
            return Shadow(value)
        case str():
            return Shadow(places=((_dialect_of(value, info), value),))
        case dict():
            return Shadow(places=tuple(_by_dialect(value, info)))
        case _:
            raise ValueError(f"must be {_CHOICES}, or a table of these by dialect")


def _by_dialect(table: dict[str, object], info: ValidationInfo) -> Iterator[tuple[str, str]]:
    for dialect, place in table.items():
        _need_known(dialect, info)
        if not isinstance(place, str):
            raise ValueError(f"{dialect} must be {_CHOICES}")  # noqa: TRY004 - pydantic collects ValueError only
        if place not in _WORDS and (found := _dialect_of(place, info)) != dialect:
            raise ValueError(f"{dialect} must be a URL of that dialect, not of {quote(found)}")
        yield dialect, place


def _dialect_of(url: str, info: ValidationInfo) -> str:
    if "://" not in url:
        raise ValueError(f"must be {_CHOICES}")
    dialect = parse_url(url).get_backend_name()
    _need_known(dialect, info)
    return dialect


def _need_known(dialect: str, info: ValidationInfo) -> None:
    dialects = {dialect_of(name) for name in known_providers()} if surroundings(info) else {dialect}
    if dialect not in dialects:
        hint = suggest(dialect, dialects) or f"; known are {', '.join(sorted(dialects))}"
        raise ValueError(f"no provider for dialect {quote(dialect)}{hint}")


ShadowPlaces = Annotated[Shadow, BeforeValidator(_shadow)]
