"""Tickets: acts of which nobody saw the end, and a person's word on them."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Operator
from api.deps import Engine
from api.questions import Settle, Text
from api.routes import PROBLEMS
from api.schemas import Event

router = APIRouter(tags=["tickets"], responses=PROBLEMS)


@router.post("/tickets/{ticket}/settle")
async def settle(ticket: Text, body: Settle, engine: Engine, actor: Operator) -> Event:
    """Say whether a statement or transaction in doubt took effect; the next run goes on there."""
    told = await engine.settle(ticket, body.outcome, actor=actor)
    return Event.model_validate(told)
