"""What handlers ask for: the runtime, and the selection in a query."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from sync.runtime import Runtime

PREFIX = "/api/v1"


def get_runtime(request: Request) -> Runtime:
    """Return the runtime that the application was built for."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Engine = Annotated[Runtime, Depends(get_runtime)]


def next_page(request: Request, **position: str | int) -> str:
    """Return the request's own path and query, moved on to *position*."""
    url = request.url.include_query_params(**position)
    return f"{url.path}?{url.query}"
