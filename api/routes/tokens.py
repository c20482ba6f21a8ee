"""Tokens: named keys to this API. Only an admin deals with them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Response

from api.auth import Admin
from api.deps import Engine
from api.questions import Text, TokenRequest
from api.routes import PROBLEMS
from api.schemas import Listing, NewToken, Token
from providers.errors import ConfigError

router = APIRouter(tags=["tokens"], responses=PROBLEMS)


@router.get("/tokens")
async def list_tokens(engine: Engine, _: Admin) -> Listing[Token]:
    """List tokens, revoked ones included; keys are not known here."""
    return Listing[Token](items=[Token.model_validate(each) for each in await engine.tokens()])


@router.post("/tokens", status_code=HTTPStatus.CREATED)
async def create_token(
    engine: Engine, actor: Admin, body: TokenRequest, response: Response
) -> NewToken:
    """Make a token. Its key is in this answer and nowhere else."""
    try:
        key = await engine.create_token(body.name, body.role, actor=actor)
    except ConfigError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None
    response.headers["Cache-Control"] = "no-store"
    return NewToken(name=body.name, role=body.role, key=key)


@router.delete("/tokens/{name}", status_code=HTTPStatus.NO_CONTENT)
async def revoke_token(name: Text, engine: Engine, actor: Admin) -> None:
    """Revoke a token, at once and for good."""
    try:
        await engine.revoke_token(name, actor=actor)
    except ConfigError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None
