"""How to sign in to a workspace, as the URL of a target says it.

=========================  ===========================================================
before the host            means
=========================  ===========================================================
``token:TOKEN@``           an access token
``CLIENT_ID:SECRET@``      a service principal: OAuth from machine to machine, or with
                           ``auth=azure-client-secret`` one of Microsoft Entra
nothing                    what Databricks' own tools would find: ``auth`` and
                           ``profile`` narrow it down
=========================  ===========================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from urllib.parse import SplitResult, unquote

#: Options of a URL that say how to sign in.
OPTIONS = frozenset({"auth", "azure_tenant_id", "profile"})

#: As the SDK names the ways of service principals.
MACHINE, AZURE = "oauth-m2m", "azure-client-secret"

#: A way for people.
_BROWSER = "external-browser"

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")

#: Can stand in the header of a request.
_TOKEN = re.compile(r"[!-~]+")


class LoginError(ValueError):
    """A URL does not say how to sign in; the message shows no value of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to sign in to one workspace."""

    origin: str  #: scheme, host and port of its REST API
    token: str | None = field(default=None, repr=False)  #: None: one is asked for
    client: str | None = None  #: id of a service principal; None: whoever is found
    secret: str | None = field(default=None, repr=False)  #: of that service principal
    auth: str | None = None  #: as the SDK names the way; None: the first that is set up
    profile: str | None = None  #: of the file of profiles; None: its default
    tenant: str | None = None  #: of Microsoft Entra; None: the SDK asks the workspace
    trusted: str | None = None  #: file with certificate authorities; None: the system's


def host_in(text: str) -> str | None:
    """Return the host *text* as it stands in a URL, IPv6 in brackets; None where it is none."""
    if _NAME.fullmatch(text):
        return text
    try:
        return f"[{IPv6Address(text.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        return None


def login_of(
    parts: SplitResult, options: Mapping[str, str], *, origin: str, trusted: str | None
) -> Login:
    """Return how *parts* and *options* of a URL say to sign in at *origin*.

    Raises:
        LoginError: They contradict one another, or leave something out.
    """
    auth, profile = options.get("auth"), options.get("profile")
    tenant = options.get("azure_tenant_id")
    if auth == _BROWSER:
        raise LoginError(f"auth={_BROWSER} waits for a person; nobody is there: choose another way")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not password:
        return Login(origin=origin, auth=auth, profile=profile, tenant=tenant, trusted=trusted)
    _need_both(parts.scheme, user, password)
    _need_plain(user, password)
    if profile is not None:
        raise LoginError("profile cannot be given beside credentials; keep one of the two")
    if user == "token":
        _need_auth(auth, {None, "pat"}, "a token")
        return Login(origin=origin, token=password, trusted=trusted)
    _need_auth(auth, {None, MACHINE, AZURE}, "CLIENT_ID:SECRET")
    return Login(
        origin=origin,
        client=user,
        secret=password,
        auth=auth or MACHINE,
        tenant=tenant,
        trusted=trusted,
    )


def _need_both(scheme: str, user: str, password: str) -> None:
    if not user or not password:
        raise LoginError(
            f"it must begin with {scheme}://token:TOKEN@HOST,"
            f" with {scheme}://CLIENT_ID:SECRET@HOST, or with {scheme}://HOST"
            " where the credentials are set up as Databricks' own tools want them"
        )


def _need_plain(user: str, password: str) -> None:
    """Refuse what no header can carry: the end of a line, where a file was pasted, most of all."""
    if user == "token" and not _TOKEN.fullmatch(password):
        raise LoginError("its token must be printable ASCII without blanks or line ends")
    if not (user + password).isprintable():
        raise LoginError("a client id or its secret has a character that cannot be printed")


def _need_auth(auth: str | None, fit: set[str | None], what: str) -> None:
    if auth not in fit:
        choices = " or ".join(sorted(filter(None, fit)))
        raise LoginError(f"auth does not go with {what}: leave it out, or write {choices}")
