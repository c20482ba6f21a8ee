"""The audit log, and the SQL texts it names."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request

from api.auth import Reader
from api.deps import Engine, next_page
from api.questions import EventQueryString
from api.routes import PROBLEMS
from api.schemas import Event, Page, Statement, Verification

router = APIRouter(tags=["audit log"], responses=PROBLEMS, dependencies=[Reader])


@router.get("/events")
async def list_events(request: Request, engine: Engine, wanted: EventQueryString) -> Page[Event]:
    """List events, oldest first. To follow the log, go on from the last `sequence` seen."""
    found = await engine.events(wanted.query(wanted.limit + 1))
    events = [Event.model_validate(event) for event in found[: wanted.limit]]
    more = len(found) > len(events)
    link = next_page(request, after=events[-1].sequence) if more else None
    return Page[Event](items=events, next=link)


@router.get("/events/verify")
async def verify_events(engine: Engine) -> Verification:
    """Check the hash of every event; a broken chain is a problem that names the place."""
    return Verification(events=await engine.verify())


@router.get("/statements/{digest}")
async def get_statement(
    digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="sha256, as in an event.")],
    engine: Engine,
) -> Statement:
    """Return a SQL text exactly as it was sent."""
    sql = await engine.statement(digest)
    if sql is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no statement {digest}")
    return Statement(digest=digest, sql=sql)
