"""Reads the URL of a SQL warehouse: what the connector gets of it, and what may be shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from providers.workspace import login
from providers.workspace.login import Login, LoginError, host_in, login_of

#: What every session of the connector is opened with, ours and those of runners.
#: Its newer retries send a statement again when the connection broke after it took effect,
#: even where one attempt is allowed; the older ones keep to one attempt. With telemetry,
#: connecting asks another address first, and waits half a minute where that is closed.
_ALWAYS: Mapping[str, object] = {
    "_enable_v3_retries": False,
    "_retry_stop_after_attempts_count": 1,
    "enable_telemetry": False,
    "user_agent_entry": "levelhead",
    "use_inline_params": False,
}

#: Read by databricks-sqlalchemy, which gets the same URL.
_FOR_THE_DIALECT = frozenset({"enable_multirow_insert_casts"})

#: The names of the catalog that a workspace had before Unity Catalog; the second is what a session
#: calls it where there is no Unity Catalog.
_LEGACY = frozenset({"hive_metastore", "spark_catalog"})

_PLACE = frozenset({"http_path", "catalog", "schema"})
_KNOWN = _PLACE | _FOR_THE_DIALECT | login.OPTIONS
_LONGEST = 24 * 60 * 60  # seconds
_HTTP_PATH = re.compile(r"[\w./~%-]+", re.ASCII)
_WAREHOUSE = re.compile(r"/(?:warehouses|endpoints)/([^/?]+)")


class AddressError(ValueError):
    """A URL cannot be used; the message says why and shows no value of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a warehouse is. All of it may be shown but what signs in, which its text leaves out."""

    server: str  #: host, and port where it is given
    http_path: str
    login: Login
    catalog: str | None = None  #: None: the workspace's default
    schema: str | None = None  #: None: the catalog's default

    @property
    def origin(self) -> str:
        """Scheme, host and port of the workspace's REST API."""
        return self.login.origin

    @property
    def trusted(self) -> str | None:
        """A file with certificate authorities; None: the system's."""
        return self.login.trusted

    @property
    def warehouse(self) -> str | None:
        """The id of the warehouse; None where the path is that of a cluster."""
        found = _WAREHOUSE.search(self.http_path)
        return found[1] if found else None


def connect_arguments(url: str) -> dict[str, object]:
    """Return the arguments for `databricks.sql.connect`: for us, and for a runner's engine.

    A token is among them where the URL holds one.

    Raises:
        AddressError: *url* cannot be used as it is written.
    """
    parts, options = _read(url)
    place = address(url)
    known = {
        "server_hostname": _host(parts),
        "access_token": place.login.token,
        "http_path": place.http_path,
        "catalog": place.catalog,
        "schema": place.schema,
        "_port": parts.port,
    }
    given = {name: _OPTIONS[name](text) for name, text in options.items() if name in _OPTIONS}
    return {**{name: it for name, it in known.items() if it is not None}, **given, **_ALWAYS}


def with_options(url: str, options: Mapping[str, str]) -> str:
    """Return *url* with *options* in place of its own of these names, or beside them."""
    base, _, query = url.partition("?")
    return f"{base}?{urlencode({**dict(parse_qsl(query)), **options})}"


def without_login(url: str) -> str:
    """Return *url* without what signs in, for a process that is given tokens.

    Raises:
        AddressError: *url* cannot be used as it is written.
    """
    parts, options = _read(url)
    host = parts.netloc.rpartition("@")[2]
    kept = {name: text for name, text in options.items() if name not in login.OPTIONS}
    return f"{parts.scheme}://{host}?{urlencode(kept, quote_via=quote)}"


def dialect_options(url: str) -> dict[str, str]:
    """Return the options of *url* on which the SQL depends that SQLAlchemy writes.

    Raises:
        AddressError: *url* cannot be used as it is written.
    """
    _, options = _read(url)
    return {name: text for name, text in options.items() if name in _FOR_THE_DIALECT}


def address(url: str) -> Address:
    """Return where *url* leads.

    Raises:
        AddressError: *url* cannot be used as it is written.
    """
    parts, options = _read(url)
    port = _OPTIONS["_port"](options["_port"]) if "_port" in options else parts.port
    host = _host(parts) if port is None else f"{_host(parts)}:{port}"
    uri = options.get("_connection_uri")
    origin = "://".join(urlsplit(uri)[:2]) if uri else f"https://{host}"
    return Address(
        server=urlsplit(uri).netloc if uri else host,
        http_path=options["http_path"],
        login=_login(parts, options, origin),
        catalog=options.get("catalog"),
        schema=options.get("schema"),
    )


def _login(parts: SplitResult, options: Mapping[str, str], origin: str) -> Login:
    try:
        return login_of(parts, options, origin=origin, trusted=options.get("_tls_trusted_ca_file"))
    except LoginError as error:
        raise AddressError(str(error)) from None


def _read(url: str) -> tuple[SplitResult, dict[str, str]]:
    """Split *url*, and check all of it."""
    with _own_words("it cannot be read; reserved characters are percent-encoded"):
        parts = urlsplit(url)
        _ = parts.port  # is read on access
    if "@" in parts.path + parts.fragment or parts.fragment:
        raise AddressError("a reserved character (such as / ? # @) is not percent-encoded")
    options = dict(parse_qsl(parts.query))
    if not parts.hostname:
        raise AddressError("it must begin with databricks://token:TOKEN@HOST; it has no host")
    if host_in(parts.hostname) is None:
        raise AddressError("the part after @, up to the next / or ?, is no name of a host")
    if parts.path.strip("/"):
        raise AddressError("nothing can stand between host and ?: write &catalog=...&schema=...")
    if not options.get("http_path"):
        raise AddressError("it lacks http_path, which the warehouse's connection details show")
    if not _HTTP_PATH.fullmatch(options["http_path"]):
        raise AddressError("http_path must be a path such as /sql/1.0/warehouses/ID, and no more")
    for name, text in options.items():
        _check(name, text)
    return parts, options


def _host(parts: SplitResult) -> str:
    return host_in(parts.hostname or "") or ""


def _check(name: str, text: str) -> None:
    if name == "catalog" and text.lower() in _LEGACY:
        raise AddressError(_outside(f"catalog {text.lower()} is"))
    if name in _KNOWN:
        return
    if name.startswith("_retry") or name == "_enable_v3_retries":
        raise AddressError(f"{name} cannot be given: no request is sent twice")
    if name in {"_tls_no_verify", "_tls_verify_hostname"}:
        raise AddressError(
            f"{name} cannot be given: certificates are verified;"
            " name your authority's file with _tls_trusted_ca_file"
        )
    if name not in _OPTIONS:
        choices = ", ".join(sorted({*_PLACE, *_OPTIONS, *login.OPTIONS}))
        raise AddressError(f"option {name[:40]!r} is not known; choose from {choices}")
    with _own_words(f"the value of {name} makes no sense"):
        _OPTIONS[name](text)


def need_catalog(default: str) -> None:
    """Refuse a URL without a catalog where the one of the workspace, *default*, is no fit one.

    Raises:
        AddressError: It is the one from before Unity Catalog.
    """
    if (name := default.lower()) in _LEGACY:
        raise AddressError(_outside(f"it has no catalog, and the workspace's own is {name},"))


def _outside(what: str) -> str:
    return (
        f"{what} outside of Unity Catalog, where there are no keys and other rules for names;"
        " name a catalog of Unity Catalog"
    )


def _address(text: str) -> str:
    """Check an address that stands for host and path; the token is never sent in the clear."""
    parts = urlsplit(text)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise AddressError("_connection_uri must begin with https: the token would travel unhidden")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise AddressError("_connection_uri must be an address such as https://HOST/PATH")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise AddressError("_port must be a number up to 65535")
    return int(text)


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) < _LONGEST:
        raise AddressError("_socket_timeout must be a number of seconds")
    return seconds


def _off(text: str) -> bool:
    if text.lower() not in {"false", "0"}:
        raise AddressError("enable_telemetry cannot be given: telemetry stays off")
    return False


#: Arguments of the connector that a URL may carry -> how they are read.
_OPTIONS: Mapping[str, Callable[[str], object]] = {
    "_connection_uri": _address,
    "_port": _port,
    "_socket_timeout": _seconds,
    "_tls_trusted_ca_file": str,
    "enable_telemetry": _off,
}


@contextmanager
def _own_words(message: str) -> Iterator[None]:
    """Say *message* instead of what the standard library says: that could quote the token."""
    try:
        yield
    except AddressError:
        raise
    except ValueError:
        raise AddressError(message) from None
