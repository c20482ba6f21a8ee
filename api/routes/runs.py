"""Runs and rollouts: what was ordered, and what became of it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request

from api.auth import Reader
from api.deps import PREFIX, Engine, next_page
from api.questions import RunQueryString, Text
from api.routes import PROBLEMS
from api.schemas import Event, Page, Rollout, Run, RunWithEvents
from sync.model import EventQuery

router = APIRouter(tags=["runs"], responses=PROBLEMS, dependencies=[Reader])

#: How many events come with a run; the others are a link away.
EVENTS = 500


@router.get("/rollouts/{id}")
async def get_rollout(id: Text, engine: Engine) -> Rollout:  # noqa: A002 - the name in the path
    """Return a rollout with its runs as they stand now."""
    rollout = await engine.rollout(id)
    if rollout is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no rollout {id}")
    return Rollout.model_validate(rollout)


@router.get("/runs")
async def list_runs(request: Request, engine: Engine, wanted: RunQueryString) -> Page[Run]:
    """List runs, newest first."""
    found = await engine.runs(wanted.query(wanted.limit + 1))
    runs = [Run.model_validate(run) for run in found[: wanted.limit]]
    more = len(found) > len(runs)
    return Page[Run](items=runs, next=next_page(request, before=runs[-1].id) if more else None)


@router.get("/runs/{id}")
async def get_run(id: Text, engine: Engine) -> RunWithEvents:  # noqa: A002 - the name in the path
    """Return a run with its events, oldest first."""
    run = await engine.run(id)
    if run is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no run {id}")
    found = await engine.events(EventQuery(run=id, limit=EVENTS + 1))
    events = [Event.model_validate(event) for event in found[:EVENTS]]
    more = len(found) > len(events)
    rest = f"{PREFIX}/events?run={id}&after={events[-1].sequence}" if more else None
    return RunWithEvents(**dict(Run.model_validate(run)), events=events, next=rest)
