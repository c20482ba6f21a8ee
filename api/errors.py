"""Problems (RFC 9457): every error of the API is ``application/problem+json``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from providers import errors as provider_errors
from providers.errors import LevelheadError
from sync import errors as sync_errors
from sync.errors import ChainBrokenError

MEDIA_TYPE = "application/problem+json"

#: The one place where an error becomes an HTTP status. A test walks the tree.
STATUSES: Mapping[type[LevelheadError], HTTPStatus] = {
    provider_errors.LevelheadError: HTTPStatus.INTERNAL_SERVER_ERROR,
    provider_errors.ConfigError: HTTPStatus.INTERNAL_SERVER_ERROR,
    provider_errors.UnknownTargetError: HTTPStatus.NOT_FOUND,
    provider_errors.UnknownDialectError: HTTPStatus.INTERNAL_SERVER_ERROR,
    provider_errors.ShadowError: HTTPStatus.INTERNAL_SERVER_ERROR,
    provider_errors.ProviderError: HTTPStatus.BAD_GATEWAY,
    provider_errors.ConnectError: HTTPStatus.BAD_GATEWAY,
    provider_errors.StartingError: HTTPStatus.SERVICE_UNAVAILABLE,
    provider_errors.AccessDeniedError: HTTPStatus.BAD_GATEWAY,
    provider_errors.LockBusyError: HTTPStatus.CONFLICT,
    provider_errors.StatementError: HTTPStatus.BAD_GATEWAY,
    provider_errors.ContentionError: HTTPStatus.CONFLICT,
    provider_errors.OvertakenError: HTTPStatus.CONFLICT,
    provider_errors.ConnectionLostError: HTTPStatus.BAD_GATEWAY,
    provider_errors.StampConflictError: HTTPStatus.CONFLICT,
    sync_errors.PlanError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.ScriptError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.RunnerTimeoutError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.UnknownRevisionError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.MultipleHeadsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.PlanStaleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.PlanChangedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.PlanRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    sync_errors.UnknownPlanError: HTTPStatus.NOT_FOUND,
    sync_errors.RunError: HTTPStatus.CONFLICT,
    sync_errors.LeaseLostError: HTTPStatus.CONFLICT,
    sync_errors.StatementInDoubtError: HTTPStatus.CONFLICT,
    sync_errors.StatementRunningError: HTTPStatus.CONFLICT,
    sync_errors.TargetHeldError: HTTPStatus.CONFLICT,
    sync_errors.TargetBusyError: HTTPStatus.CONFLICT,
    sync_errors.ApprovalNeededError: HTTPStatus.CONFLICT,
    sync_errors.PlanRejectedError: HTTPStatus.CONFLICT,
    sync_errors.CanaryNeededError: HTTPStatus.CONFLICT,
    sync_errors.CanaryFailedError: HTTPStatus.CONFLICT,
    sync_errors.CanaryPendingError: HTTPStatus.CONFLICT,
    sync_errors.OwnRequestError: HTTPStatus.FORBIDDEN,
    sync_errors.UnknownTicketError: HTTPStatus.NOT_FOUND,
    sync_errors.RunnerLostError: HTTPStatus.CONFLICT,
    sync_errors.AuditError: HTTPStatus.INTERNAL_SERVER_ERROR,
    sync_errors.ChainBrokenError: HTTPStatus.INTERNAL_SERVER_ERROR,
    sync_errors.ControlDatabaseError: HTTPStatus.SERVICE_UNAVAILABLE,
    sync_errors.ControlDatabaseBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def add_handlers(app: FastAPI) -> None:
    """Let *app* answer every error with a problem."""
    app.add_exception_handler(LevelheadError, _on_levelhead_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_surprise)


def problem(
    status: HTTPStatus,
    detail: str | None = None,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> JSONResponse:
    """Return a problem; without *code* its type is ``about:blank``: the status says it all."""
    body: dict[str, object] = {
        "type": f"urn:levelhead:problem:{code}" if code else "about:blank",
        "title": code.replace("-", " ").capitalize() if code else status.phrase,
        "status": status.value,
        **({"detail": detail} if detail else {}),
        **(members or {}),
    }
    return JSONResponse(body, status.value, dict(headers or {}), media_type=MEDIA_TYPE)


def code_of(error: type[LevelheadError]) -> str:
    """Return the last part of a problem's type: ``UnknownTargetError`` -> ``unknown-target``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__.removesuffix("Error")).lower()


def status_of(error: type[LevelheadError]) -> HTTPStatus:
    """Return the status of *error*, or of the nearest class above it."""
    return next(STATUSES[above] for above in error.__mro__ if above in STATUSES)


async def _on_levelhead_error(_: Request, error: Exception) -> JSONResponse:
    kind = type(error)
    if not issubclass(kind, LevelheadError):
        raise error
    members = {"sequence": error.sequence} if isinstance(error, ChainBrokenError) else {}
    return problem(status_of(kind), str(error), code=code_of(kind), members=members)


async def _on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the request has mistakes; see errors",
        code="invalid-request",
        members={"errors": [_mistake(detail) for detail in details]},
    )


def _mistake(detail: Mapping[str, Any]) -> dict[str, str]:
    """Return where and what; never the value, which the caller knows and a log need not."""
    where: Sequence[str | int] = detail["loc"]
    what = "unknown key" if detail["type"] == "extra_forbidden" else str(detail["msg"])
    return {"where": ".".join(map(str, where)), "what": what.removeprefix("Value error, ")}


async def _on_http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    detail = None if error.detail == status.phrase else error.detail
    return problem(status, detail, headers=error.headers)


async def _on_surprise(_: Request, __: Exception) -> JSONResponse:
    # No detail: nobody knows what the text of an unexpected exception holds.
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR)
