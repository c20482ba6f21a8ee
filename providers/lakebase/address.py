"""Reads the URL of a database on Lakebase.

It leads to the workspace, which tells where the database is and mints what it is logged into
with::

    lakebase://token:TOKEN@WORKSPACE/DATABASE?instance=NAME
    lakebase://CLIENT_ID:SECRET@WORKSPACE/DATABASE?endpoint=projects/P/branches/B/endpoints/E
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from providers.workspace import login
from providers.workspace.login import Login, host_in, login_of

#: The database that every instance and every branch has from the start.
_DATABASE = "databricks_postgres"

_PORT = 5432
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ENDPOINT = re.compile(rf"projects/{_PART}/branches/{_PART}/endpoints/{_PART}")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")

_OPTIONS = frozenset(
    {"_tls_trusted_ca_file", "endpoint", "host", "instance", "port", "role", "sslrootcert"}
    | login.OPTIONS
)


class AddressError(ValueError):
    """A URL cannot be used; the message says why and shows no secret of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a database is, as far as its URL says, and how to sign in to the workspace."""

    login: Login
    scheme: str  #: of the Postgres URL that it becomes
    database: str
    instance: str | None  #: name of a provisioned instance; None: there is an *endpoint*
    endpoint: str | None  #: resource name of an autoscaling endpoint
    role: str | None  #: None: that of the identity which signs in
    host: str | None  #: None: the workspace tells
    port: int
    roots: str | None  #: file with certificate authorities; None: the system's

    @property
    def workspace(self) -> str:
        """The workspace's host, and port where it is given."""
        return self.login.origin.partition("://")[2]

    @property
    def resource(self) -> str:
        """What mints the credentials, in words."""
        return f"instance {self.instance}" if self.instance else f"endpoint {self.endpoint}"


def address(url: str) -> Address:
    """Return what *url* says.

    Raises:
        AddressError, LoginError: It cannot be used as it is written.
    """
    parts, options = _read(url)
    instance, endpoint = options.get("instance"), options.get("endpoint")
    _check(instance, endpoint)
    origin = f"https://{parts.netloc.rpartition('@')[2]}"
    trusted = options.get("_tls_trusted_ca_file")
    return Address(
        login=login_of(parts, options, origin=origin, trusted=trusted),
        scheme="postgresql" + parts.scheme.removeprefix("lakebase"),
        database=unquote(parts.path.removeprefix("/")) or _DATABASE,
        instance=instance,
        endpoint=endpoint,
        role=options.get("role"),
        host=_direct(options.get("host")),
        port=_number(options.get("port", str(_PORT))),
        roots=options.get("sslrootcert"),
    )


def _read(url: str) -> tuple[SplitResult, dict[str, str]]:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read on access
    except ValueError:
        line = "it cannot be read; reserved characters are percent-encoded"
        raise AddressError(line) from None
    if "@" in parts.path + parts.fragment or parts.fragment:
        raise AddressError("a reserved character (such as / ? # @) is not percent-encoded")
    if not parts.hostname:
        raise AddressError("it has no host: that of the workspace, as in lakebase://HOST/DATABASE")
    if host_in(parts.hostname) is None:
        raise AddressError("the part after @, up to the next / or ?, is no name of a host")
    options = dict(parse_qsl(parts.query))
    if "sslmode" in options:
        raise AddressError("sslmode cannot be given: certificates are verified, always")
    for name in sorted(options.keys() - _OPTIONS):
        choices = ", ".join(sorted(_OPTIONS))
        raise AddressError(f"option {name[:40]!r} is not known; choose from {choices}")
    return parts, options


def _check(instance: str | None, endpoint: str | None) -> None:
    """Require one of the two, in a form that may stand in a path of the API."""
    if (instance is None) == (endpoint is None):
        raise AddressError(
            "it must name either instance=NAME (provisioned)"
            " or endpoint=projects/P/branches/B/endpoints/E (autoscaling)"
        )
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise AddressError("endpoint must be projects/P/branches/B/endpoints/E")
    if instance is not None and not _INSTANCE.fullmatch(instance):
        raise AddressError("instance must be a name of letters, digits and hyphens")


def _direct(host: str | None) -> str | None:
    """Return *host*, which must not be a pooler's; its name says so before anybody logs in."""
    if host is not None and host.partition(".")[0].lower().endswith("-pooler"):
        raise AddressError(
            f"{host} is the pooler, where a session cannot hold a lock and no minted credential"
            " is taken; leave host out, or give the direct one, without -pooler"
        )
    if host is not None and host_in(host) is None:
        raise AddressError("host must be a name or an address alone; the port is an option")
    return host


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise AddressError("port must be a number up to 65535")
    return int(text)
