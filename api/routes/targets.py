"""Targets: where they stand, and orders to them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from api.auth import Operator, Reader
from api.deps import PREFIX, Engine
from api.plan_schemas import Preview
from api.questions import Downgrade, Stamp, SyncMany, SyncOne, TargetQueryString, Text
from api.routes import PROBLEMS
from api.schemas import Listing, Rollout, Run, Target
from sync.model import Selection
from sync.runtime import Runtime

router = APIRouter(tags=["targets"], responses=PROBLEMS)

ACCEPTED = HTTPStatus.ACCEPTED


@router.get("/targets", dependencies=[Reader])
async def list_targets(engine: Engine, wanted: TargetQueryString) -> Listing[Target]:
    """List targets as they were found at their last check."""
    found = await engine.statuses(wanted.selection())
    kept = (each for each in found if not wanted.status or each.status in wanted.status)
    return Listing[Target](items=[Target.model_validate(each) for each in kept])


@router.get("/targets/{name}", dependencies=[Reader])
async def get_target(name: Text, engine: Engine) -> Target:
    """Return one target as it was found at its last check."""
    await engine.fleet.recall()
    engine.fleet.one(name)
    (status,) = await engine.statuses(Selection((name,)))
    return Target.model_validate(status)


@router.post(
    "/sync",
    status_code=ACCEPTED,
    responses={200: {"model": Listing[Preview], "description": "dry_run: nothing was started"}},
)
async def sync(
    engine: Engine, actor: Operator, response: Response, body: SyncMany | None = None
) -> Rollout | Listing[Preview]:
    """Start runs on the targets that the body selects; without a body, on all.

    The rollout tells which targets were left out, and why. A target with a run under
    way contributes that run.
    """
    wanted = body or SyncMany()
    if wanted.dry_run:
        previews = await engine.previews.of(wanted.order(), wanted.selection())
        response.status_code = HTTPStatus.OK
        return Listing[Preview](items=[Preview.model_validate(each) for each in previews])
    rollout = await engine.request(wanted.order(), wanted.selection(), actor=actor)
    response.headers["Location"] = f"{PREFIX}/rollouts/{rollout.id}"
    return Rollout.model_validate(rollout)


_ONE: dict[int | str, dict[str, Any]] = {
    200: {"model": Preview, "description": "dry_run: nothing was started"}
}


@router.post("/targets/{name}/sync", status_code=ACCEPTED, responses=_ONE)
async def sync_target(
    name: Text, engine: Engine, actor: Operator, response: Response, body: SyncOne | None = None
) -> Run | Preview:
    """Start a run that applies what is pending; a run under way is returned instead."""
    return await _ordered(engine, body or SyncOne(), name, actor, response)


@router.post("/targets/{name}/downgrade", status_code=ACCEPTED, responses=_ONE)
async def downgrade_target(
    name: Text, engine: Engine, actor: Operator, response: Response, body: Downgrade
) -> Run | Preview:
    """Start a run that takes the target back; the clock then leaves it alone."""
    return await _ordered(engine, body, name, actor, response)


@router.post("/targets/{name}/stamp", status_code=ACCEPTED, responses=_ONE)
async def stamp_target(
    name: Text, engine: Engine, actor: Operator, response: Response, body: Stamp
) -> Run | Preview:
    """Start a run that sets the version table and applies nothing."""
    return await _ordered(engine, body, name, actor, response)


@router.post("/targets/{name}/release")
async def release_target(name: Text, engine: Engine, actor: Operator) -> Target:
    """End the target's hold, so that the clock applies what is pending again."""
    return Target.model_validate(await engine.release(name, actor=actor))


async def _ordered(
    engine: Runtime, body: SyncOne | Downgrade | Stamp, name: str, actor: str, response: Response
) -> Run | Preview:
    """Do what *body* orders for one target; where it is a dry run, only tell."""
    await engine.target(name)
    selection = Selection((name,))
    if body.dry_run:
        (preview,) = await engine.previews.of(body.order(), selection)
        response.status_code = HTTPStatus.OK
        return Preview.model_validate(preview)
    (run,) = (await engine.request(body.order(), selection, actor=actor)).runs
    response.headers["Location"] = f"{PREFIX}/runs/{run.id}"
    return Run.model_validate(run)
