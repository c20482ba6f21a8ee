"""What every request must satisfy before anything of it is read."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import problem

#: Bytes. The longest sensible order names a few thousand targets.
LONGEST_BODY = 1_000_000


class Guard:
    """Refuses requests for hosts that are not ours, and bodies that are too long.

    A page of another site can make a browser send requests here under a name that
    its owner lets point to this machine (DNS rebinding); such a request carries that
    name in its Host header. Probes are let through: they come by address, and what
    they are told is no secret.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], probes: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._probes = frozenset(probes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = host_name(headers.get("host", ""))
        if host not in self._hosts and scope["path"] not in self._probes:
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this service does not answer for the host in the request; "
                "add it to allowed_hosts of [api]",
                code="unknown-host",
            )
        return _length_refusal(headers)


def _length_refusal(headers: Headers) -> Response | None:
    if "transfer-encoding" in headers:
        return problem(HTTPStatus.LENGTH_REQUIRED)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LONGEST_BODY:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {LONGEST_BODY} bytes")
    return None


def host_name(header: str) -> str:
    """Return the name in a Host header, lower case, without port and brackets."""
    name, colon, port = header.rpartition(":")
    whole = not colon or not port.isdecimal() or (":" in name and not name.endswith("]"))
    return (header if whole else name).strip("[]").lower()
