"""Histories: the revisions that targets follow."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException

from api.auth import Reader
from api.deps import Engine
from api.questions import Text
from api.routes import PROBLEMS
from api.schemas import Graph, Revision

router = APIRouter(tags=["histories"], responses=PROBLEMS, dependencies=[Reader])


@router.get("/histories/{name}/revisions")
async def list_revisions(name: Text, engine: Engine) -> Graph:
    """List a history's revisions as they are on disk now, in an order of application."""
    if name not in engine.settings.histories:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no history {name}")
    graph = await engine.graph(name)
    items = [Revision.model_validate(each) for each in graph.revisions.values()]
    return Graph(history=graph.history, heads=sorted(graph.heads), digest=graph.digest, items=items)
