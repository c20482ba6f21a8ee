"""Requests to a workspace's REST API. They block; each is sent once."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from providers.workspace.login import Login
from providers.workspace.tokens import SignInError, Tokens

#: What asking can raise, `HTTPError` included: network, TLS, or an answer that is not the API's.
ERRORS = (SignInError, OSError, HTTPException, ValueError, KeyError, TypeError)

#: Statuses of a request whose token was not taken.
_NOT_TAKEN = frozenset({401, 403})


class AuthoritiesError(ValueError):
    """The file with certificate authorities is of no use; the text says why."""


@dataclass(frozen=True, slots=True)
class Api:
    """The REST API of one workspace."""

    login: Login
    tokens: Tokens

    def get(self, path: str, query: Mapping[str, object], timeout: float) -> dict[str, Any]:
        """Return what is at *path*; *timeout* is in seconds.

        Raises:
            SignInError: There is no token to ask with.
            OSError, HTTPException, ValueError: No answer, or none of the API's.
        """
        return self._ask(Request(self._address(path, query)), timeout)  # noqa: S310 - http(s) only: who read the URL has checked it

    def post(self, path: str, body: Mapping[str, object], timeout: float) -> dict[str, Any]:
        """Return the answer to *body*; see `get`."""
        request = Request(self._address(path, {}), json.dumps(body).encode())  # noqa: S310 - as above
        request.add_header("Content-Type", "application/json")
        return self._ask(request, timeout)

    def _address(self, path: str, query: Mapping[str, object]) -> str:
        return f"{self.login.origin}{path}" + (f"?{urlencode(query)}" if query else "")

    def _ask(self, request: Request, timeout: float) -> dict[str, Any]:
        for name, value in self.tokens.headers(self.login).items():
            request.add_unredirected_header(name, value)
        trust = HTTPSHandler(context=authorities(self.login.trusted))
        opener = build_opener(trust, _NoRedirect())
        try:
            with opener.open(request, timeout=timeout) as answer:
                return _object(json.load(answer))
        except HTTPError as error:
            if error.code in _NOT_TAKEN:
                self.tokens.forget(self.login)
            raise


def authorities(file: str | None) -> ssl.SSLContext:
    """Return whom to trust: the authorities in *file*; None: the system's.

    Raises:
        AuthoritiesError: The file cannot be read, or holds none.
    """
    named = "the file that _tls_trusted_ca_file names"
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise AuthoritiesError(f"{named} holds no certificates in PEM form") from None
    except OSError as error:
        raise AuthoritiesError(
            f"{named} cannot be read ({os.strerror(error.errno or 0)})"
        ) from None


def _object(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON can carry
    """Return *answer*, which is an object wherever the API gives it."""
    if not isinstance(answer, dict):
        raise TypeError
    return answer


def is_temporary(error: HTTPError) -> bool:
    """Tell whether the same request may be answered later."""
    return error.code >= 500 or error.code == 429  # noqa: PLR2004 - statuses have no better names


class _NoRedirect(HTTPRedirectHandler):
    """Carries the token to no other place."""

    def redirect_request(  # noqa: PLR0917 - as the base class has it
        self,
        req: Request,  # noqa: ARG002 - as the base class has it
        fp: IO[bytes],  # noqa: ARG002 - as the base class has it
        code: int,  # noqa: ARG002 - as the base class has it
        msg: str,  # noqa: ARG002 - as the base class has it
        headers: HTTPMessage,  # noqa: ARG002 - as the base class has it
        newurl: str,  # noqa: ARG002 - as the base class has it
    ) -> None:
        """Follow none: the answer is an `HTTPError` with the status."""
        return
