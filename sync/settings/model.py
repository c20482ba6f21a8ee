"""The tables of `levelhead.toml`, and the settings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, SecretStr, model_validator

from providers.types import Target
from sync.plan.findings import Level
from sync.settings.lint import Levels
from sync.settings.section import Section
from sync.settings.shadow import Shadow, ShadowPlaces
from sync.settings.skips import SkipKinds
from sync.settings.targets import TARGET
from sync.settings.tenants import Tenants
from sync.settings.values import (
    AnyPath,
    CanaryName,
    ControlUrl,
    Count,
    Cron,
    Duration,
    Executable,
    FilePath,
    Hook,
    HostNames,
    Name,
    Often,
    PositiveDuration,
    parse_url,
)

Driver = Literal["psycopg", "psycopg2", "asyncpg"]


def _beside_control(data: Mapping[str, Any]) -> Path:
    url = data.get("url")
    parsed = parse_url(url.get_secret_value()) if isinstance(url, SecretStr) else None
    if parsed is None or parsed.get_backend_name() != "sqlite":
        return Path("levelhead.token")
    return Path(str(parsed.database)).with_name("levelhead.token")


class Control(Section):
    """Where levelhead keeps its own records."""

    url: ControlUrl = Field(
        default=SecretStr("sqlite:///levelhead.db"),
        validate_default=True,
        description="The control database, SQLite or Postgres. Several services need Postgres.",
    )
    token_file: AnyPath = Field(
        default_factory=_beside_control,
        validate_default=True,
        description="Where `serve` puts the first admin token. Without it: `levelhead.token` "
        "beside the SQLite control database, else beside this file.",
    )
    lease: PositiveDuration = Field(
        default=timedelta(seconds=30),
        description="After this long without a word from a service, its targets are free.",
    )


def _every(data: Mapping[str, Any]) -> timedelta | None:
    return None if data.get("cron") else timedelta(seconds=60)


class Schedule(Section):
    """When the clock sweeps, and how much at once."""

    cron: Cron | None = Field(
        default=None,
        description="Five cron fields, in UTC, days of the week by name. Instead of `every`.",
    )
    every: PositiveDuration | None = Field(
        default_factory=_every,
        description='Time from one sweep to the next. Without it and `cron`: `"60s"`.',
    )
    jitter: Duration = Field(
        default=timedelta(seconds=5),
        description="A sweep starts up to this much later, so that services spread.",
    )
    concurrency: Count = Field(
        default=16, ge=1, le=1000, description="Targets that are checked at once."
    )
    runs: Count = Field(
        default=4, ge=1, le=1000, description="Runs at once; each has a runner process."
    )
    warm: Count = Field(
        default=16,
        ge=0,
        le=10_000,
        description="Connections to Postgres that stay open between checks, which are faster then; "
        "0: none. A database with one cannot be dropped without `WITH (FORCE)`, nor copied. See "
        "[warm connections](../how-to/warm-connections.md).",
    )
    warm_for: PositiveDuration = Field(
        default=timedelta(seconds=90),
        description="Such a connection is closed after this long without a check.",
    )
    grace: Duration = Field(
        default=timedelta(seconds=30),
        description="At shutdown, what is in flight has this long to end.",
    )
    script_timeout: PositiveDuration = Field(
        default=timedelta(hours=1), description="A runner process is ended after this long."
    )
    drift_every: Often = Field(
        default=timedelta(minutes=15),
        description="From one look at a target's schema to the next; in between a check reads the "
        'heads alone. `"0s"`: at each check. `"off"`: never, and no run records what it left.',
    )
    retry_min: PositiveDuration = Field(
        default=timedelta(seconds=30),
        description="An unreachable, starting or busy target is left alone this long at first.",
    )
    retry_max: PositiveDuration = Field(
        default=timedelta(minutes=15), description="It is left alone this long at most."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.cron and self.every:
            raise ValueError("every and cron exclude each other; keep one")
        if self.retry_min > self.retry_max:
            raise ValueError("retry_min is longer than retry_max")
        return self


class Api(Section):
    """Where the API listens."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Count = Field(
        default=8414, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    allowed_hosts: HostNames = Field(
        default=(),
        description="Host names, without port, that requests may be addressed to besides "
        "`host`, such as the name of a proxy. In one text: between commas.",
    )


class Approval(Section):
    """Who approves the plans of targets whose policy is `approve`."""

    four_eyes: bool = Field(default=True, description="Whoever asks for a plan cannot approve it.")


class HistoryTable(Section):
    """An Alembic environment and its versions."""

    name: Name = Field(description="Unique among histories.")
    config: FilePath = Field(description="The `alembic.ini`.")
    section: str = Field(default="alembic", min_length=1, description="Its section.")
    python: Executable | None = Field(
        default=None,
        description="Interpreter that runs the scripts. Without it: the service's own.",
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Environment variables that `env.py` and the scripts see.",
    )
    attributes: dict[str, JsonValue] = Field(
        default_factory=dict, repr=False, description="Put into Alembic's `Config.attributes`."
    )
    hook: Hook | None = Field(
        default=None,
        description="`module:function`, called with Alembic's `Config` before `env.py` runs.",
    )
    driver: Driver | None = Field(
        default=None,
        description="Driver the scripts run on. Without it: what `env.py` asks for.",
    )
    version_table: str = Field(
        default=TARGET["version_table"], min_length=1, description="Alembic's version table."
    )
    version_table_schema: str | None = Field(
        default=None,
        min_length=1,
        description="Its schema. Without it: the target's `schema`, else the search path.",
    )
    shadow: ShadowPlaces = Field(
        default=Shadow(),
        description="Where databases are made and dropped to compile plans on. `auto`: on this "
        "machine, where that is possible. `none`: nowhere, every step runs live. `target`: on the "
        "target's own server. A URL counts for targets of its dialect. Never logged or shown.",
    )
    refuse_skips: SkipKinds = Field(
        default=frozenset(),
        description="What must not be left out where a database has no counterpart for it: "
        "kinds of skips, each of which is an error then. See "
        "[Alembic on Databricks](databricks.md#kinds-of-skips).",
    )
    canary: CanaryName = Field(
        default=False,
        description="`true`, or the name of a target: before a plan is replayed anywhere for the "
        "first time, this target, or the first that can, runs its scripts; the others follow when "
        "the schema is the one that the plan gives on a shadow. See "
        "[canaries](../how-to/canaries.md).",
    )
    lint: Levels = Field(
        default_factory=dict,
        description="What becomes of what a rule finds in a plan: `off`, `warn` or `refuse`, by "
        "rule. Without it: `warn`. See [lint of a plan](lint.md).",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """An Alembic environment and its versions, and how a runner gets at them."""

    name: str
    config: Path  #: absolute path of the ini file
    section: str = "alembic"
    python: Path | None = None  #: None: the service's own interpreter
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    attributes: Mapping[str, JsonValue] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    hook: str | None = None  #: ``module:function``
    driver: Driver | None = None  #: None: what env.py asks for
    version_table: str = "alembic_version"
    version_table_schema: str | None = None
    shadow: Shadow = field(default_factory=Shadow)
    refuse_skips: frozenset[str] = frozenset()  #: kinds of skips that are errors
    canary: bool | str = False  #: the target that it shall be; True: the first that can
    lint: Mapping[str, Level] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration; every path in it is absolute."""

    path: Path  #: the file it was read from
    control: Control = field(default_factory=Control)
    schedule: Schedule = field(default_factory=Schedule)
    api: Api = field(default_factory=Api)
    approval: Approval = field(default_factory=Approval)
    histories: Mapping[str, History] = field(default_factory=lambda: MappingProxyType({}))
    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    tenants: Mapping[str, Tenants] = field(default_factory=lambda: MappingProxyType({}))
    hidden: frozenset[str] = field(default=frozenset(), repr=False)

    def secrets(self) -> frozenset[str]:
        """Return every text that must never be logged, stored or shown.

        Passwords of URLs, decoded and as written, and what environment
        variables and files put into a history's `env` and `attributes`.
        """
        return self.hidden
