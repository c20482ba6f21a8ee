"""Which profile of Databricks' own tools signs in, where a URL leaves that open.

The SDK reads the file of profiles only where a profile is named or no host is given, and a host
always is; and it takes variables of the environment over what a profile says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from providers.workspace.login import Login

_FILE, _PROFILE, _HOST = "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE", "DATABRICKS_HOST"


class Attribute(Protocol):
    """A setting of the SDK."""

    name: str
    env: str | None  #: the variable that sets it
    auth: str | None  #: the way to sign in that it belongs to


@dataclass(frozen=True, slots=True)
class Choice:
    """What signs in."""

    profile: str | None  #: None: variables, or what else the SDK finds
    host: str | None  #: the workspace that goes with it; None: nobody says
    variables: tuple[str, ...]  #: those that would count instead of what the named profile says


def choice(login: Login, attributes: Iterable[Attribute], environ: Mapping[str, str]) -> Choice:
    """Return what signs in for *login*, which holds no credentials."""
    given = {
        each.name: each.env for each in attributes if each.auth and environ.get(each.env or "")
    }
    name = login.profile or environ.get(_PROFILE)
    if name is None and given:
        return Choice(None, environ.get(_HOST), ())
    name = name or _default(environ)
    section = _section(name, environ) if name else {}
    counting = [env for key, env in given.items() if login.auth is None or key in section]
    over = counting if login.profile else []
    host = section.get("host") if name else environ.get(_HOST)
    return Choice(name, host, tuple(sorted(env for env in over if env)))


def is_elsewhere(host: str, login: Login) -> bool:
    """Tell whether *host*, as people write it, is another workspace than the one of *login*."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    origin = f"{parts.scheme}://{parts.netloc}".lower().removesuffix(":443")
    return origin != login.origin.lower().removesuffix(":443")


def _default(environ: Mapping[str, str]) -> str | None:
    named = _section("__settings__", environ).get("default_profile", "").strip()
    return named or ("DEFAULT" if _section("DEFAULT", environ) else None)


def _section(name: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return a profile; empty where there is none, and where the SDK will say what is wrong."""
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        parser.read(Path(environ.get(_FILE) or "~/.databrickscfg").expanduser())
        return dict(parser[name])
    except (Error, OSError, UnicodeError, KeyError, RuntimeError):
        return {}
