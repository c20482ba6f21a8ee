"""Who asks, and whether they may.

Tokens travel in the Authorization header alone. A browser never adds that header by
itself, as it does with cookies, so a page of another site cannot act for anybody here:
no further protection against cross-site requests is needed, and none must be weakened
by ever accepting a cookie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.deps import Engine
from sync.model import Role, Token

#: What a role may do: all read, and whoever asks for plans is not who approves them.
_INCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.APPROVER: frozenset({Role.VIEWER, Role.APPROVER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset(Role),
}
_REALM = 'Bearer realm="levelhead"'

_bearer = HTTPBearer(
    auto_error=False, description="A token of `levelhead token create`, or the first one."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def authenticate(request: Request, engine: Engine, credentials: Credentials) -> Token | None:
    """Return the bearer's token; None for somebody who sent nothing.

    Raises:
        HTTPException: 401, where something was sent that is not a living token.
    """
    if credentials is None and "authorization" not in request.headers:
        return None
    token = await engine.authenticate(credentials.credentials) if credentials else None
    if token is None:
        raise _unauthorized("the token is unknown or revoked", ', error="invalid_token"')
    return token


Bearer = Annotated[Token | None, Depends(authenticate)]


async def reader(request: Request, bearer: Bearer) -> None:
    """Let anybody read where reads are open; ask for a token elsewhere."""
    if not request.app.state.open_reads:
        _require(bearer, Role.VIEWER)


def actor_with(role: Role) -> Callable[[Token | None], Awaitable[str]]:
    """Return a dependency that demands *role* and gives the name for events."""

    async def actor(bearer: Bearer) -> str:
        return f"token:{_require(bearer, role).name}"

    return actor


def _require(bearer: Token | None, role: Role) -> Token:
    if bearer is None:
        raise _unauthorized("a token is needed: Authorization: Bearer ...")
    if role not in _INCLUDES[bearer.role]:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"this needs the role {role.value}; token {bearer.name} has {bearer.role.value}",
            {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope"'},
        )
    return bearer


def _unauthorized(detail: str, error: str = "") -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": _REALM + error})


Reader = Depends(reader)
Approver = Annotated[str, Depends(actor_with(Role.APPROVER))]
Operator = Annotated[str, Depends(actor_with(Role.OPERATOR))]
Admin = Annotated[str, Depends(actor_with(Role.ADMIN))]
