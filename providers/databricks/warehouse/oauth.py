"""Who may ask: the access token, and OAuth tokens of one service principal, which run out.

Page "dev-tools/auth/oauth-m2m". The service principal is called `CLIENT`; its secret is the
access token. A request whose token has run out is turned away, as at a workspace.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
from collections.abc import Callable
from urllib.parse import parse_qs

from providers.databricks.warehouse.faults import RefusedError

#: The one service principal.
CLIENT = "levelhead-client"

METADATA = "/.well-known/databricks-config"
ENDPOINTS = "/oidc/.well-known/oauth-authorization-server"
TOKEN = "/oidc/v1/token"  # noqa: S105 - a path

#: A real one's, in seconds.
HOUR = 3600


class Doorman:
    """Tells whose requests are answered."""

    def __init__(
        self, token: str, life: int, *, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        """Take requests with *token*; OAuth tokens live for *life* seconds.

        *clock* tells what an OAuth token says of its end, in seconds since 1970.
        """
        self._clock = clock
        self._token = token
        self._life = life
        self._monotonic = monotonic
        self._ends: dict[str, float] = {}  #: OAuth token -> when it runs out
        self._lock = threading.Lock()

    def check(self, authorization: str) -> None:
        """Return where a request with that header may be answered.

        Raises:
            RefusedError: It has no valid token.
        """
        given = authorization.removeprefix("Bearer ")
        with self._lock:
            end = self._ends.get(given)
        if end is not None and self._monotonic() < end:
            return
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            raise RefusedError(403, "Invalid access token.")

    @staticmethod
    def told(path: str, host: str) -> bytes | None:
        """Return what anybody may know, who reaches this server at *host*: where tokens are given.

        None where there is nothing of that kind at *path*.
        """
        if path == METADATA:
            return json.dumps({"oidc_endpoint": f"{host}/oidc", "workspace_id": "1"}).encode()
        if path == ENDPOINTS:
            at = f"{host}{TOKEN.removesuffix('/token')}"
            found = {"authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token"}
            return json.dumps(found).encode()
        return None

    def give(self, authorization: str, body: bytes, host: str) -> bytes:
        """Return a new token for the service principal, which reaches this server at *host*.

        Raises:
            RefusedError: It is not the service principal who asks, or not for that.
        """
        if parse_qs(body.decode()).get("grant_type") != ["client_credentials"]:
            raise RefusedError(400, "unsupported_grant_type", _error("unsupported_grant_type"))
        proof = base64.b64encode(f"{CLIENT}:{self._token}".encode()).decode()
        if not hmac.compare_digest(authorization.encode(), f"Basic {proof}".encode()):
            raise RefusedError(401, "invalid_client", _error("invalid_client"))
        token = _token(f"{host}/oidc", self._clock() + self._life)
        with self._lock:
            self._ends[token] = self._monotonic() + self._life
        return json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": self._life}
        ).encode()


def _token(issuer: str, end: float) -> str:
    """Return a JSON Web Token; clients read its end, and nobody its signature."""
    said = {"iss": issuer, "sub": CLIENT, "exp": int(end), "jti": secrets.token_urlsafe(8)}
    parts = ({"alg": "none", "typ": "JWT"}, said)
    written = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    return ".".join([*(text.decode().rstrip("=") for text in written), secrets.token_urlsafe(24)])


def _error(code: str) -> bytes:
    return json.dumps({"error": code, "error_description": "Client authentication failed"}).encode()
