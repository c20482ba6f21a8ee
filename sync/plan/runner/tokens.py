"""Tokens that run out: the service keeps what they are made of, and gives one when asked."""

from __future__ import annotations

from typing import Any

from .pipe import Pipe


class NoTokenError(Exception):
    """The service had no token to give, so nothing was sent."""


def renewing(pipe: Pipe) -> dict[str, Any]:
    """Return arguments for a driver that asks for its headers at each request."""

    def headers() -> dict[str, str]:
        pipe.say("token")
        token = pipe.hear()["token"]
        if not token:
            raise NoTokenError
        return {"Authorization": f"Bearer {token}"}

    return {"credentials_provider": lambda: headers}
