"""Probes for whoever supervises the service; they need no token."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.deps import Engine
from api.errors import problem
from api.routes import PROBLEMS
from api.schemas import Health

router = APIRouter(tags=["probes"], responses=PROBLEMS)

PATHS = ("/healthz", "/readyz")


@router.get("/healthz")
async def healthz() -> Health:
    """Tell that the process answers."""
    return Health()


@router.get("/readyz", response_model=Health)
async def readyz(engine: Engine) -> Health | JSONResponse:
    """Tell whether the service can do its work; 503 with the reasons where it cannot."""
    reasons = await engine.ready()
    if reasons:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "; ".join(reasons),
            code="not-ready",
            members={"reasons": reasons},
        )
    return Health()
