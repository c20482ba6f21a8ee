"""Targets that are found: schemas of a database and databases of a server, on a real Postgres."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

from providers.databricks.warehouse import Warehouse
from providers.errors import UnknownTargetError
from sync.model import Order, RunState, Selection, Status, TenantsStatus, Verb
from sync.runtime import Runtime
from sync.settings import Settings, load_settings
from tests.support.control import sqlite_url
from tests.support.engine import (
    Calendar,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered,
    query,
    runtime_at,
    swept,
    version,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases, Postgres
from tests.support.proxy import Proxy
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]


def settings_with(
    scripts: Scripts, url: str, *patterns: str, control: str | None = None, more: str = ""
) -> Settings:
    """Write levelhead.toml with *patterns* on *url*: each is the lines of one [[tenants]]."""
    common = 'history = "app"\nurl = "${URL}"'
    file = scripts.folder / "levelhead.toml"
    tables = [
        '[control]\nurl = "${CONTROL}"',
        "[schedule]\n" + 'retry_min = "30s"',
        f'[[history]]\nname = "app"\nconfig = "{scripts.config}"\nshadow = "none"',
        more,
        *(f"[[tenants]]\n{common}\n{pattern}" for pattern in patterns),
    ]
    file.write_text("\n\n".join(tables))
    environ = {"URL": url, "CONTROL": control or sqlite_url(scripts.folder)}
    return load_settings(file, environ, scripts.folder)


LIKE = 'name = "shop"\nschemas = "tenant\\\\_%"'
ASKED = 'name = "shop"\nschemas_query = "SELECT name FROM public.tenants WHERE active"'


async def create_schemas(url: str, *names: str) -> None:
    """Create schemas."""
    await execute(url, ";".join(f'CREATE SCHEMA "{name}"' for name in names))


async def names(runtime: Runtime, *selected: str) -> list[str]:
    """Return the names of the targets as they are shown."""
    return [each.name for each in await runtime.statuses(Selection(selected))]


def pattern_of(runtime: Runtime) -> TenantsStatus:
    """Return how things are with the only pattern."""
    (found,) = runtime.fleet.statuses(Selection())
    return found


async def test_a_sweep_brings_found_schemas_to_head(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Each schema that is LIKE the pattern is a target, and is brought to head; no other is."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "tenant_b", "tenantxc", "other")
    async with opened_runtime(settings_with(scripts, url, LIKE, control=control_url)) as runtime:
        runs = await swept(runtime)
        assert [(run.target, run.state) for run in runs] == [
            ("shop-tenant_a", RunState.SUCCEEDED),
            ("shop-tenant_b", RunState.SUCCEEDED),
        ]
        found = await runtime.statuses(Selection())
        assert {(each.tenants, each.status) for each in found} == {("shop", Status.CURRENT)}
        assert await kinds(runtime, kind="target.found") == ["target.found"] * 2
    assert await version(url, "tenant_a.alembic_version") == {"a1"}
    tables = await query(url, "SELECT schemaname FROM pg_tables WHERE tablename = 'a1'")
    assert {name for (name,) in tables} == {"tenant_a", "tenant_b"}


async def test_nothing_is_written_down_where_nothing_changed(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Who is found again is no news, after a restart neither."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a")
    settings = settings_with(scripts, url, LIKE, control=control_url)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        before = await runtime.verify()
        await swept(runtime)
        assert await runtime.verify() == before
    async with opened_runtime(settings) as runtime:
        assert await names(runtime) == ["shop-tenant_a"]
        await swept(runtime)
        assert await runtime.verify() == before


async def test_tenants_come_and_go(scripts: Scripts, url: str) -> None:
    """A new schema is a target at the next sweep; one that is gone is shown no more, but logged."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "tenant_b")
    async with opened_runtime(settings_with(scripts, url, LIKE)) as runtime:
        await swept(runtime)
        await create_schemas(url, "tenant_c")
        await execute(url, "DROP SCHEMA tenant_a CASCADE")
        assert [run.target for run in await swept(runtime)] == ["shop-tenant_c"]
        assert await names(runtime) == ["shop-tenant_b", "shop-tenant_c"]
        (gone,) = await events(runtime, kind="target.vanished")
        assert (gone.target, gone.history, gone.data) == (
            "shop-tenant_a",
            "app",
            {"tenants": "shop"},
        )
        assert "run.succeeded" in await kinds(runtime, target="shop-tenant_a")
        with pytest.raises(UnknownTargetError):
            await names(runtime, "shop-tenant_a")


async def test_an_order_for_a_tenant_that_nobody_has_seen(scripts: Scripts, url: str) -> None:
    """Whoever asks for a new tenant by name need not wait for a sweep."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a")
    async with opened_runtime(settings_with(scripts, url, LIKE)) as runtime:
        await swept(runtime)
        await create_schemas(url, "tenant_b")
        (run,) = await ordered(runtime, Verb.SYNC, "head", "shop-tenant_b")
        assert (run.target, run.state) == ("shop-tenant_b", RunState.SUCCEEDED)


async def test_a_pattern_selects_all_of_its_targets(scripts: Scripts, url: str) -> None:
    """Its name stands for them in a status and a sync; a downgrade wants one target."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "tenant_b")
    more = f'[[target]]\nname = "own"\nhistory = "app"\nurl = "{url}"'
    async with opened_runtime(settings_with(scripts, url, LIKE, more=more)) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "shop")
        assert await names(runtime) == ["own", "shop-tenant_a", "shop-tenant_b"]
        assert await names(runtime, "shop") == ["shop-tenant_a", "shop-tenant_b"]
        assert await names(runtime, "own", "shop-tenant_b") == ["own", "shop-tenant_b"]
        with pytest.raises(
            UnknownTargetError, match=r'^"shop" stands for the targets of a pattern'
        ):
            await runtime.request(Order(Verb.DOWNGRADE, "base"), Selection(("shop",)), actor="ada")


async def test_names_come_from_a_query(scripts: Scripts, url: str) -> None:
    """A table says who is a tenant; what it says twice, or of the system, is told and left out."""
    scripts.add_tables("a1")
    await execute(url, "CREATE TABLE public.tenants (name text, active boolean)")
    await create_schemas(url, "eu", "us", "Old One", "gone")
    await execute(
        url,
        "INSERT INTO public.tenants VALUES ('eu', true), ('us', true), ('us', true),"
        " ('Old One', true), ('gone', false), ('pg_catalog', true)",
    )
    async with opened_runtime(settings_with(scripts, url, ASKED)) as runtime:
        await swept(runtime)
        assert await names(runtime) == ["shop-eu", "shop-us"]
        assert pattern_of(runtime).left_out == (
            '"Old One": "shop-Old One" is no name for a target: letters, digits, _ . - only',
            '"us": comes twice',
        )
        (skipped,) = await events(runtime, kind="tenants.skipped")
        assert '"us": comes twice' in str(skipped.data["message"])
        await swept(runtime)
        assert len(await events(runtime, kind="tenants.skipped")) == 1


async def test_names_and_version_tables_are_one_targets(scripts: Scripts, url: str) -> None:
    """A name or a schema that another target has is told; the others go on."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "tenant_b", "tenant_c")
    more = (
        f'[[target]]\nname = "shop-tenant_a"\nhistory = "app"\nurl = "{url}"\n'
        f'[[target]]\nname = "own"\nhistory = "app"\nurl = "{url}"\nschema = "tenant_b"'
    )
    second = 'name = "again"\nschemas = "tenant\\\\_c"'
    settings = settings_with(scripts, url, LIKE, second, more=more)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        assert await names(runtime) == ["shop-tenant_a", "own", "shop-tenant_c"]
        shop, again = runtime.fleet.statuses(Selection())
        assert shop.left_out == (
            '"tenant_a": another target is named "shop-tenant_a"',
            '"tenant_b": target "own" has the same database and version table',
        )
        assert again.left_out == (
            '"tenant_c": target "shop-tenant_c" has the same database and version table',
        )


async def test_databases_of_a_server(scripts: Scripts, postgres: Postgres, url: str) -> None:
    """Each database that is LIKE the pattern is a target of its own URL."""
    scripts.add_tables("a1")
    prefix = f"test_{secrets.token_hex(4)}"
    found = [f"{prefix}_{name}" for name in ("eu", "us")]
    pattern = f'name = "db"\ndatabases = "{prefix}\\\\_%"\ntarget = "{{database}}"'
    try:
        for name in found:
            await postgres.create_database(name)
        async with opened_runtime(settings_with(scripts, url, pattern)) as runtime:
            await swept(runtime)
            assert await names(runtime, "db") == found
        for name in found:
            assert await version(postgres.url(name)) == {"a1"}
    finally:
        await postgres.drop_database(*found)


async def test_a_server_that_is_away_keeps_its_tenants(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """They stay through an outage and a restart in it; it is one event, and its end another."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "tenant_b")
    proxy, calendar = Proxy(url), Calendar()
    both = ["shop-tenant_a", "shop-tenant_b"]
    async with proxy.listening():
        settings = settings_with(scripts, proxy.url, LIKE, control=control_url)
        async with runtime_at(settings, calendar) as runtime:
            await swept(runtime)
    async with runtime_at(settings, calendar) as runtime:
        assert await names(runtime) == both
        for _ in range(2):
            await runtime.sweep()
            calendar.ahead += timedelta(minutes=30)
        found = await runtime.statuses(Selection(("shop",)))
        assert [(each.name, each.status) for each in found] == [
            (name, Status.UNREACHABLE) for name in both
        ]
        shown = pattern_of(runtime)
        assert shown.targets == 2
        assert str(shown.problem).startswith("shop: cannot reach 127.0.0.1")
        assert await kinds(runtime, kind="tenants.failed") == ["tenants.failed"]
        await create_schemas(url, "tenant_c")
        async with proxy.listening():
            assert [run.target for run in await swept(runtime)] == ["shop-tenant_c"]
        assert await names(runtime) == [*both, "shop-tenant_c"]
        assert pattern_of(runtime).problem is None
        assert await kinds(runtime, kind="tenants.recovered") == ["tenants.recovered"]
        assert await kinds(runtime, kind="target.vanished") == []


async def test_the_clock_has_patience_with_a_server_that_is_away(
    scripts: Scripts, url: str
) -> None:
    """Until the patience is over the clock does not ask again; a person's order does."""
    scripts.add_tables("a1")
    proxy, calendar = Proxy(url), Calendar()
    async with proxy.listening():
        settings = settings_with(scripts, proxy.url, LIKE)
    async with runtime_at(settings, calendar) as runtime:
        await runtime.sweep()
        await create_schemas(url, "tenant_a")
        async with proxy.listening():
            await runtime.sweep()
            assert await names(runtime) == []
            (run,) = await ordered(runtime)
            assert run.target == "shop-tenant_a"


async def test_an_answer_is_good_for_one_question(scripts: Scripts, url: str) -> None:
    """Who was found by another pattern than the settings have now is nobody's target."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a", "other_a")
    proxy = Proxy(url)
    async with (
        proxy.listening(),
        opened_runtime(settings_with(scripts, proxy.url, LIKE)) as runtime,
    ):
        await swept(runtime)
    settings = settings_with(scripts, proxy.url, LIKE.replace("tenant", "other"))
    async with opened_runtime(settings) as runtime:
        assert await names(runtime) == []
        await runtime.sweep()
        shown = pattern_of(runtime)
        assert (shown.targets, shown.listed_at) == (0, None)
        assert shown.problem is not None
        async with proxy.listening():
            await runtime.check(Selection())
        assert await names(runtime) == ["shop-other_a"]
        assert [each.target for each in await events(runtime, kind="target.vanished")] == [
            "shop-tenant_a"
        ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("SELECT 1, 2", "shop: its query gives 2 columns (?column?, ?column?); select one"),
        ("SELECT pg_sleep(30)::text", "shop: no answer within 2 s; see list_timeout"),
        ("SELECT x FROM nowhere", 'shop: relation "nowhere" does not exist'),
        ("CREATE SCHEMA found", "shop: its query gives no column; select one"),
    ],
)
async def test_a_query_of_no_use(scripts: Scripts, url: str, asked: str, words: str) -> None:
    """What a query gives that is no list of names is one line; no other pattern suffers."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a")
    bad = f'name = "shop"\nschemas_query = "{asked}"\nlist_timeout = "2s"'
    good = 'name = "good"\nschemas = "tenant%"'
    async with opened_runtime(settings_with(scripts, url, bad, good)) as runtime:
        assert [run.target for run in await swept(runtime)] == ["good-tenant_a"]
        shop, _ = runtime.fleet.statuses(Selection())
        assert str(shop.problem).startswith(words)


async def test_a_pattern_that_is_off_is_not_asked(scripts: Scripts, url: str) -> None:
    """Policy off leaves the pattern's server alone."""
    scripts.add_tables("a1")
    await create_schemas(url, "tenant_a")
    settings = settings_with(scripts, url, f'{LIKE}\npolicy = "off"')
    async with opened_runtime(settings) as runtime:
        assert await runtime.check(Selection()) == ()
        assert (pattern_of(runtime).targets, pattern_of(runtime).listed_at) == (0, None)


async def test_an_order_for_others_asks_nobody(scripts: Scripts, databases: Databases) -> None:
    """A named target of the settings does not wait for the server of a pattern."""
    scripts.add_tables("a1")
    own, patterns = await databases(2)
    more = f'[[target]]\nname = "own"\nhistory = "app"\nurl = "{own}"'
    async with opened_runtime(settings_with(scripts, patterns, LIKE, more=more)) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "own")
        assert pattern_of(runtime).listed_at is None


async def test_a_question_to_a_warehouse_is_counted(
    scripts: Scripts, warehouse: Warehouse, schema: str
) -> None:
    """For how long a sweep asks a warehouse who the tenants are is on record, as its looks are."""
    scripts.add("a1", "pass")
    pattern = f'name = "shop"\nschemas = "{schema}"'
    async with opened_runtime(settings_with(scripts, url_of(warehouse), pattern)) as runtime:
        await runtime.fleet.refresh(Selection())
        (used,) = await events(runtime, kind="warehouse.used")
        assert (used.data["sessions"], used.target, used.actor) == (1, None, "service")
