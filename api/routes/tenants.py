"""Patterns of tenants: who was found by them."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Reader
from api.deps import Engine
from api.routes import PROBLEMS
from api.schemas import Listing
from api.tenant_schemas import Tenants
from sync.model import Selection

router = APIRouter(tags=["targets"], responses=PROBLEMS, dependencies=[Reader])


@router.get("/tenants")
async def list_tenants(engine: Engine) -> Listing[Tenants]:
    """List the patterns of tenants, as their databases last answered."""
    await engine.fleet.recall()
    found = engine.fleet.statuses(Selection())
    return Listing[Tenants](items=[Tenants.model_validate(each) for each in found])
