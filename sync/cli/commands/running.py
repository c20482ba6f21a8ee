"""Commands that go on until a signal ends them: serve, demo, warehouse."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

import os
from typing import Annotated

import typer

from sync.cli.commands.root import app, perform, settings_of
from sync.cli.options import Catalogs, Certificate, Config, Directory, Json, Key, Port


@app.command()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Instead of [api] host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, metavar="PORT", help="Instead of [api] port."),
    ] = None,
    config: Config = None,
) -> int:
    """Run the clock and the API until a signal ends them."""
    from sync.cli.serving import serve_until_told

    settings = settings_of(config)
    return perform(
        serve_until_told(
            settings, host or settings.api.host, settings.api.port if port is None else port
        )
    )


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when all targets stand at head.")
    ] = False,
    json: Json = False,
) -> int:
    """Show levelhead at work on throwaway databases."""
    from sync.demo.main import demo as run_demo

    return perform(run_demo(once=once, as_json=json))


@app.command(short_help="Run a local warehouse to try Databricks targets on.")
def warehouse(
    *,
    port: Port = 0,
    directory: Directory = None,
    certificate: Certificate = None,
    key: Key = None,
    catalog: Catalogs = None,
) -> int:
    """Run a local SQL warehouse to try Databricks targets on, until a signal ends it.

    Clients present the token in LEVELHEAD_WAREHOUSE_TOKEN; without one, a new token is shown.
    """
    from sync.cli.warehouse import run_warehouse

    files = (certificate, key)
    return perform(run_warehouse(port, directory, files, catalog or (), os.environ))
