"""The demo from beginning to end: scene, service, sweep, audit trail."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from providers.postgres.embedded import throwaway_postgres
from sync.cli.auditing import PACE, pages
from sync.cli.changing import failures
from sync.cli.failures import complain
from sync.cli.follow import board_for, follow
from sync.cli.screen import JsonScreen, Screen, choose_screen
from sync.cli.serving import listening, url_of
from sync.cli.table import Table, plain_lines
from sync.cli.views import at_head, events_table, statuses_table
from sync.cli.words import count
from sync.demo.scene import AT_BASE, BEHIND, BY_HAND, LAKE, prepare, upgrade_by_hand
from sync.demo.service import Service
from sync.demo.warehouse import throwaway_warehouse
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.model import EventQuery, Order, Rollout, Selection, Verb
from sync.runtime import Runtime
from sync.settings import Settings

#: The exit code where a signal came before the end was known.
INTERRUPTED = 130

ALL = Selection()

ADDRESS = """
The API answers at {address}/api/v1
Token of an admin: {token}
"""

HINTS = """\
For instance:

  curl {address}/api/v1/targets
  curl -X POST {address}/api/v1/targets/{target}/downgrade \\
       -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{"to": "-1"}}'

or, in another terminal:

  export LEVELHEAD_CONFIG={config}
  {levelhead} status
  {levelhead} release {target}

Ctrl-C ends the demo and removes all that it made. Until then, this is what happens:
"""


async def demo(*, once: bool, as_json: bool) -> int:
    """Show levelhead at work; then go on until a signal comes, unless *once* is set.

    Returns:
        0 where all targets came to head and the chain of events holds; 1 where a target
        did not; 130 where a signal came first.

    Raises:
        ConfigError: There is no Postgres or no warehouse to start.
        ChainBrokenError: The chain of events does not hold.
    """
    screen = choose_screen(json=as_json)
    screen.note("A Postgres server and a SQL warehouse start; they live as long as this demo.")
    with throwaway_warehouse() as starting:
        async with throwaway_postgres() as postgres:
            settings = await prepare(postgres, asyncio.wrap_future(starting))
            return await play(settings, screen, once=once)


async def play(settings: Settings, screen: Screen, *, once: bool) -> int:
    """Set the scene, and show the service at work on it; see `demo`."""
    with listening(settings.api.host, 0) as listener:
        async with Runtime.open(settings, url=url_of(listener)) as runtime:
            await set_the_scene(runtime, screen)
            await runtime.ensure_first_token()
            service = Service(runtime, listener)
            async with service.running():
                return await perform(service, runtime, screen, once=once)


async def set_the_scene(runtime: Runtime, screen: Screen) -> None:
    """Bring each target to where the service shall find it."""
    screen.note(f"\n{BEHIND}: levelhead applies the first revision")
    selection = Selection((BEHIND,))
    await attend(
        runtime, await runtime.request(Order(Verb.SYNC, "+1"), selection, actor="demo"), screen
    )
    await runtime.check(ALL)  # so that it is noticed what happens behind levelhead's back
    screen.note(f"{BY_HAND}: somebody runs alembic upgrade +2 by hand")
    await upgrade_by_hand(runtime.settings, BY_HAND, "+2")
    screen.note(f"{AT_BASE}: an empty database")
    screen.note(f"{LAKE}: an empty schema of the warehouse, which speaks as Databricks does\n")
    tell_people(screen, statuses_table(await runtime.look(ALL)))


async def perform(service: Service, runtime: Runtime, screen: Screen, *, once: bool) -> int:
    """Show what the service does by itself; stay, unless *once* is set, until it has ended."""
    code = await service.until_ended(show(service, runtime, screen))
    if code is None:
        return INTERRUPTED
    facts = what_to_try(runtime, service.address)
    screen.note(ADDRESS.format_map(facts))
    if not once:
        screen.note(HINTS.format_map(facts))
        await service.until_ended(watch(runtime, screen))
    return code


async def show(service: Service, runtime: Runtime, screen: Screen) -> int:
    """Show the first sweep, where it leaves the targets, and the audit trail."""
    screen.note("\nThe service starts, and its clock sweeps\n")
    rollout = await service.first_rollout()
    if rollout is not None:
        await attend(runtime, rollout, screen)
    statuses = await runtime.check(ALL)
    screen.note("")
    tell_people(screen, statuses_table(statuses))
    screen.note("\nThe audit trail\n")
    tell_people(screen, events_table(await trail(runtime)))
    events = await runtime.verify()
    screen.note(f"{count(events, 'event')}, chain whole")
    screen.conclude({"targets": statuses, "events": events, "verified": True})
    sys.stdout.flush()
    return 0 if all(map(at_head, statuses)) else 1


async def attend(runtime: Runtime, rollout: Rollout, screen: Screen) -> None:
    """Show the runs of *rollout* until they have ended, and say what failed."""
    with board_for(screen, len(rollout.runs)) as board:
        result = await follow(runtime, rollout, board)
    complain(line for line, _ in failures(result))


async def trail(runtime: Runtime) -> list[Event]:
    """Return every event."""
    return [event async for page in pages(runtime, EventQuery()) for event in page]


async def watch(runtime: Runtime, screen: Screen) -> None:
    """Show each event that is added from now on, for ever."""
    seen = await runtime.verify()
    while True:
        async for page in pages(runtime, EventQuery(after=seen)):
            for line in plain_lines(events_table(filter(_tells, page))):
                screen.note(line)
            seen = page[-1].sequence
        await asyncio.sleep(PACE.total_seconds())


def _tells(event: Event) -> bool:
    """Tell whether it is news; that a look has used the warehouse is not, every five seconds."""
    return event.kind is not Kind.WAREHOUSE_USED or event.run is not None


def what_to_try(runtime: Runtime, address: str) -> Mapping[str, str]:
    """Return what the text at the end speaks of."""
    control = runtime.settings.control
    return {
        "address": address,
        "token": control.token_file.read_text(encoding="utf-8").strip(),
        "target": BY_HAND,
        "config": str(runtime.settings.path),
        "levelhead": sys.argv[0],
    }


def tell_people(screen: Screen, table: Table) -> None:
    """Show *table*; a program gets one document, at the end."""
    if not isinstance(screen, JsonScreen):
        screen.show(table, ())
