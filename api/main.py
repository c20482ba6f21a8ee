"""The application: routes over a runtime, behind a guard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI

from api.deps import PREFIX
from api.errors import add_handlers
from api.guard import Guard
from api.routes import events, histories, plans, probes, runs, targets, tenants, tickets, tokens
from sync.runtime import Runtime

DESCRIPTION = """
Many databases kept at the head of one Alembic history, and every act written down.

Whatever changes something needs a token (`levelhead token create`); reading needs one too,
unless the service listens on loopback only. Errors are problems as in RFC 9457.
"""


def create_app(
    runtime: Runtime, *, address: str, hosts: Sequence[str], open_reads: bool
) -> FastAPI:
    """Build the application over an open *runtime*.

    Args:
        runtime: The engine; whoever opened it closes it.
        address: URL at which the service is reached, for the OpenAPI document.
        hosts: Names a request may be addressed to, without port; IPv6 without brackets.
        open_reads: Whether reading needs no token, as befits a service on loopback.
    """
    app = FastAPI(
        title="levelhead",
        version=version("levelhead"),
        description=DESCRIPTION,
        servers=[{"url": address}],
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page would load scripts from other hosts
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.open_reads = open_reads
    add_handlers(app)
    for module in (targets, tenants, tickets, runs, plans, events, histories, tokens, probes):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(probes.router, include_in_schema=False)  # where supervisors look
    paths = [f"{prefix}{path}" for prefix in ("", PREFIX) for path in probes.PATHS]
    app.add_middleware(Guard, hosts=hosts, probes=paths)
    return app
