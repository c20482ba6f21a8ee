"""What a database is logged into with: minted by the workspace, kept until it nearly runs out.

Postgres looks at the credential at login only, so a session may outlive it. A new one is minted
before the old one runs out, or when a login was refused with one that somebody else has
replaced; whoever comes at the same time waits for the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from providers.lakebase.address import Address
from providers.workspace.calls import begin
from providers.workspace.login import host_in
from providers.workspace.rest import Api
from providers.workspace.tokens import Tokens

#: A credential that lives no longer than this is not used for another login, ...
_MARGIN = timedelta(minutes=2)
#: ... nor one of which less than this part is left.
_PART = 0.5

#: The state of an endpoint that has no host yet.
_NEW = "INIT"

#: A credential takes so many at most; together they may last for as many times the limit.
_REQUESTS = 3

_DATABASE = "/api/2.0/database"
_POSTGRES = "/api/2.0/postgres"
_ME = "/api/2.0/preview/scim/v2/Me"


class NotRunningError(Exception):
    """The instance takes no sessions; the text is its state."""


@dataclass(frozen=True, slots=True)
class Grant:
    """All that a login needs."""

    host: str
    role: str
    password: str = field(repr=False)
    until: datetime  #: no login with it after that, by the clock that it was minted by


class Grants:
    """The credentials of this process: one for each identity at an instance or endpoint."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._tokens = Tokens()
        self._kept: dict[Address, Grant] = {}
        self._locks: dict[Address, asyncio.Lock] = {}

    async def grant(self, place: Address, timeout: float) -> Grant:  # noqa: ASYNC109 - of each request, in a thread
        """Return what *place* can be logged into with now; each request has *timeout* seconds.

        Raises:
            NotRunningError: The instance is not available.
            SignInError, OSError, HTTPException, ValueError, KeyError, TypeError: No answer of
                the workspace, or none of its API's.
        """
        login = _login(place)
        async with self._locks.setdefault(login, asyncio.Lock()):
            kept = self.kept(place)
            if kept is None:
                kept = await self._minted(place, timeout)
                self._kept[login] = kept
            return kept

    async def _minted(self, place: Address, timeout: float) -> Grant:  # noqa: ASYNC109 - as above
        """Have a credential minted; one that comes too late is not waited for, nor kept."""
        minting = begin(lambda: minted(place, self._tokens, self._clock(), timeout))
        async with asyncio.timeout(timeout * _REQUESTS):
            return await asyncio.wrap_future(minting)

    def kept(self, place: Address) -> Grant | None:
        """Return what was minted before; None where nothing was, or it may run out any moment."""
        found = self._kept.get(_login(place))
        return found if found and found.until > self._clock() else None

    def forget(self, place: Address, refused: Grant) -> None:
        """Mint anew next time, unless somebody has done so since *refused*."""
        login = _login(place)
        if self._kept.get(login) == refused:
            del self._kept[login]


def _login(place: Address) -> Address:
    """Return what is equal for all databases that one credential is good for."""
    return replace(place, scheme="", database="")


def minted(place: Address, tokens: Tokens, now: datetime, timeout: float) -> Grant:
    """Have a credential minted, and find out what else a login needs; this blocks.

    Raises:
        NotRunningError: The instance is not available.
        SignInError, OSError, HTTPException, ValueError, KeyError, TypeError: No answer of the
            workspace, or none of its API's.
    """
    api = Api(place.login, tokens)
    host = place.host or _host(api, place, timeout)
    if host_in(host) is None:
        raise ValueError(host)
    role = place.role or place.login.client or _text(api.get(_ME, {}, timeout), "userName")
    answer = _credential(api, place, timeout)
    end = datetime.fromisoformat(answer.get("expiration_time") or answer["expire_time"])
    return Grant(host, role, _text(answer, "token"), now + _usable(end - now))


def _usable(life: timedelta) -> timedelta:
    return max(life - _MARGIN, life * _PART)


def _host(api: Api, place: Address, timeout: float) -> str:
    """Return the direct host, as the workspace tells it."""
    if place.endpoint is not None:
        status = api.get(f"{_POSTGRES}/{place.endpoint}", {}, timeout)["status"]
        if status.get("current_state") == _NEW and not status.get("hosts"):
            raise NotRunningError(_NEW)
        return _text(status["hosts"], "host")
    found = api.get(f"{_DATABASE}/instances/{place.instance}", {}, timeout)
    if found.get("state", "AVAILABLE") not in {"AVAILABLE", "UPDATING"}:
        raise NotRunningError(_text(found, "state"))
    return _text(found, "read_write_dns")


def _text(found: Mapping[str, Any], name: str) -> str:
    """Return a text; where there is none, a driver would look for one of its own."""
    text = found[name]
    if not isinstance(text, str) or not text:
        raise TypeError
    return text


def _credential(api: Api, place: Address, timeout: float) -> Mapping[str, Any]:
    if place.endpoint is not None:
        return api.post(f"{_POSTGRES}/credentials", {"endpoint": place.endpoint}, timeout)
    asked = {"instance_names": [place.instance], "request_id": str(uuid4())}
    return api.post(f"{_DATABASE}/credentials", asked, timeout)
