"""Plans: what would be sent, and what people say of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.auth import Approver, Reader
from api.deps import Engine, next_page
from api.plan_schemas import DecisionRequest, PlanDetails, PlanQueryString, PlanRecord
from api.questions import Text
from api.routes import PROBLEMS
from api.schemas import Page

router = APIRouter(tags=["plans"], responses=PROBLEMS)

Digest = Annotated[Text, Path(description="Of a plan, whole: 64 hexadecimal digits.")]


@router.get("/plans", dependencies=[Reader])
async def list_plans(request: Request, engine: Engine, wanted: PlanQueryString) -> Page[PlanRecord]:
    """List plans without their steps, newest first."""
    found = await engine.approvals.page(wanted.query(wanted.limit + 1))
    plans = [PlanRecord.model_validate(plan) for plan in found[: wanted.limit]]
    more = len(found) > len(plans)
    link = next_page(request, before=plans[-1].digest) if more else None
    return Page[PlanRecord](items=plans, next=link)


@router.get("/plans/{digest}", dependencies=[Reader])
async def get_plan(digest: Digest, engine: Engine) -> PlanDetails:
    """Return a plan whole: steps, statements, known locks, and what was said of it."""
    return PlanDetails.model_validate(await engine.approvals.details(digest))


@router.post("/plans/{digest}/approve")
async def approve_plan(
    digest: Digest, engine: Engine, actor: Approver, body: DecisionRequest | None = None
) -> PlanRecord:
    """Let runs apply the plan where an approval is needed; not for who asked for it."""
    reason = body.reason if body else None
    return PlanRecord.model_validate(
        await engine.approvals.approve(digest, actor=actor, reason=reason)
    )


@router.post("/plans/{digest}/reject")
async def reject_plan(
    digest: Digest, engine: Engine, actor: Approver, body: DecisionRequest | None = None
) -> PlanRecord:
    """Let no run apply the plan where an approval is needed, until somebody approves it."""
    reason = body.reason if body else None
    return PlanRecord.model_validate(
        await engine.approvals.reject(digest, actor=actor, reason=reason)
    )
