"""From a document to settings: every mistake is reported at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from providers.errors import ConfigError
from providers.registry import dialect_of
from providers.types import Target
from sync.settings.model import (
    Api,
    Approval,
    Control,
    History,
    HistoryTable,
    Schedule,
    Settings,
)
from sync.settings.places import version_table_of
from sync.settings.secrets import find_secrets
from sync.settings.shadow import NONE, Shadow
from sync.settings.sources import Document, Key, Mistake, find_file, read_document
from sync.settings.targets import TargetKeys, TargetTable
from sync.settings.tenants import Over, Tenants, TenantsTable
from sync.settings.values import NAME, Surroundings, parse_url, quote, suggest

_Table = TypeVar("_Table", bound=BaseModel)

#: The file's top level: tables that stand once, and tables that repeat.
SINGLE: Mapping[str, type[BaseModel]] = {
    "control": Control,
    "schedule": Schedule,
    "api": Api,
    "approval": Approval,
}
REPEATED: Mapping[str, type[BaseModel]] = {
    "history": HistoryTable,
    "target": TargetTable,
    "tenants": TenantsTable,
}


def load_settings(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the configuration from *path*, `LEVELHEAD_CONFIG` or *cwd*, in that order.

    Raises:
        ConfigError: The file is missing or is not TOML, or holds mistakes: then its
            text has one line for each of them. No secret is in it.
    """
    file = find_file(path, environ, cwd)
    document = read_document(file, environ)
    reader = _Reader(document, _surroundings(document, file.parent))
    control = reader.single("control", Control)
    schedule = reader.single("schedule", Schedule)
    api = reader.single("api", Api)
    approval = reader.single("approval", Approval)
    histories = reader.repeated("history", HistoryTable)
    by_name = {table.name: table for table in histories.values()}
    targets = _targets(reader.repeated("target", TargetTable), by_name)
    tenants = _tenants(reader.repeated("tenants", TenantsTable), by_name)
    mistakes = (
        *document.mistakes,
        *_strange_tables(document),
        *reader.mistakes,
        *_same_names(document),
        *_same_databases(targets),
        *_shared_version_tables(tenants),
        *_bad_canaries(targets, tenants, histories),
    )
    if mistakes or control is None or schedule is None or api is None or approval is None:
        raise ConfigError(_report(file, document, mistakes))
    opened = (*targets.values(), *(pattern.model for pattern in tenants.values()))
    return Settings(
        path=file,
        control=control,
        schedule=schedule,
        api=api,
        approval=approval,
        histories=MappingProxyType({name: _history(table) for name, table in by_name.items()}),
        targets=MappingProxyType({target.name: target for target in targets.values()}),
        tenants=MappingProxyType({pattern.name: pattern for pattern in tenants.values()}),
        hidden=find_secrets(document, _urls(control, histories.values(), opened)),
    )


def _urls(
    control: Control, histories: Iterable[HistoryTable], targets: Iterable[Target]
) -> Iterator[SecretStr]:
    yield control.url
    yield from (SecretStr(target.url) for target in targets)
    for history in histories:
        yield from history.shadow.urls()


class _Reader:
    """Validates table by table, so that one bad table does not hide the mistakes of others."""

    def __init__(self, document: Document, around: Surroundings) -> None:
        self.mistakes: list[Mistake] = []
        self._document = document
        self._around = around
        self._reported = {mistake.key for mistake in document.mistakes}

    def single(self, name: str, model: type[_Table]) -> _Table | None:
        return self._validate(self._document.tables.get(name, {}), (name,), model)

    def repeated(self, name: str, model: type[_Table]) -> dict[Key, _Table]:
        """Return the valid tables by their key."""
        tables = self._document.tables.get(name, [])
        if not isinstance(tables, list):
            self.mistakes.append(Mistake((name,), f"is a list of tables: write [[{name}]]"))
            return {}
        keys: list[Key] = [(name, place) for place in range(len(tables))]
        found = ((key, self._validate(tables[cast("int", key[1])], key, model)) for key in keys)
        return {key: table for key, table in found if table is not None}

    def _validate(self, table: object, key: Key, model: type[_Table]) -> _Table | None:
        if not isinstance(table, dict):
            self.mistakes.append(Mistake(key, f"is a table: write [{key[0]}]"))
            return None
        try:
            return model.model_validate(table, context=self._around)
        except ValidationError as error:
            self._note(error, key, model)
            return None

    def _note(self, error: ValidationError, key: Key, model: type[BaseModel]) -> None:
        for detail in error.errors(include_url=False, include_input=False):
            if detail["type"] == "default_factory_not_called":
                continue  # it hangs on another value, whose mistake is reported
            mistake = Mistake((*key, *detail["loc"]), _words(detail, model))
            # What a bad reference left behind was reported as such.
            if mistake.key not in self._reported:
                self.mistakes.append(mistake)


def _words(detail: ErrorDetails, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            known = [item.alias or name for name, item in model.model_fields.items()]
            return f"unknown key{suggest(str(detail['loc'][-1]), known)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "invalid-json-value":
            return "must be text, a number, true, false, a list or a table"
        case _:
            said = detail["msg"].replace("Input should", "must").replace("String should", "must")
            return said.partition(", unable")[0]


def _surroundings(document: Document, folder: Path) -> Surroundings:
    return Surroundings(
        folder=folder,
        histories=frozenset(name for _, name in _names(document, "history")),
    )


def _names(document: Document, kind: str) -> Iterator[tuple[Key, str]]:
    tables = document.tables.get(kind)
    for place, table in enumerate(tables if isinstance(tables, list) else ()):
        name = table.get("name") if isinstance(table, dict) else None
        if isinstance(name, str) and NAME.fullmatch(name):
            yield (kind, place), name


def _strange_tables(document: Document) -> Iterator[Mistake]:
    known = (*SINGLE, *REPEATED)
    for name in document.tables:
        if name not in known:
            yield Mistake((name,), f"unknown table or key{suggest(name, known)}")


def _same_names(document: Document) -> Iterator[Mistake]:
    for kind in REPEATED:
        counts = Counter(name for _, name in _names(document, kind))
        for name, count in counts.items():
            if count > 1:
                yield Mistake((kind, name), f"{count} tables have this name")
    targets = {name for _, name in _names(document, "target")}
    for key, name in _names(document, "tenants"):
        if name in targets:
            yield Mistake(key, "a target has this name too")


def _same_databases(targets: Mapping[Key, Target]) -> Iterator[Mistake]:
    seen: dict[tuple[str | None, ...], str] = {}
    for key, target in targets.items():
        first = seen.setdefault(version_table_of(target), target.name)
        if first != target.name:
            yield Mistake(key, f"has the same database and version table as target {quote(first)}")


def _shared_version_tables(tenants: Mapping[Key, Tenants]) -> Iterator[Mistake]:
    for key, pattern in tenants.items():
        within = pattern.model.version_table_schema
        if pattern.over is Over.SCHEMA and within is not None:
            yield Mistake(
                key,
                f"its targets would share one version table, since history "
                f"{quote(pattern.model.history)} says version_table_schema = {quote(within)}; "
                "take that out",
            )


def _bad_canaries(
    targets: Mapping[Key, Target],
    tenants: Mapping[Key, Tenants],
    histories: Mapping[Key, HistoryTable],
) -> Iterator[Mistake]:
    found = {pattern.model.history for pattern in tenants.values()}  # their names nobody knows yet
    for key, history in histories.items():
        followers = {each.name for each in targets.values() if each.history == history.name}
        name = history.canary
        if isinstance(name, str) and name not in followers and history.name not in found:
            hint = suggest(name, followers) or "; write true for the first target that can be it"
            text = f"no target {quote(name)} follows this history{hint}"
            yield Mistake((*key, "canary"), text)
        if name and history.shadow == Shadow(NONE):
            yield Mistake((*key, "canary"), 'needs shadows to compare with, and shadow is "none"')


def _targets(
    tables: Mapping[Key, TargetTable], histories: Mapping[str, HistoryTable]
) -> Mapping[Key, Target]:
    """Return the target of each table whose history is known."""
    return {
        key: _target(table, histories[table.history])
        for key, table in tables.items()
        if table.history in histories
    }


def _tenants(
    tables: Mapping[Key, TenantsTable], histories: Mapping[str, HistoryTable]
) -> Mapping[Key, Tenants]:
    """Return the pattern of each table whose history is known."""
    return {
        key: _pattern(table, histories[table.history])
        for key, table in tables.items()
        if table.history in histories
    }


def _history(table: HistoryTable) -> History:
    plain = {name: getattr(table, name) for name in HistoryTable.model_fields}
    plain["env"] = MappingProxyType(table.env)
    plain["attributes"] = MappingProxyType(table.attributes)
    plain["lint"] = MappingProxyType(table.lint)
    return History(**plain)


def _pattern(table: TenantsTable, history: HistoryTable) -> Tenants:
    return Tenants(
        name=table.name,
        over=table.over,
        like=table.schemas or table.databases,
        query=table.schemas_query or table.databases_query,
        naming=table.naming,
        patience=table.list_timeout,
        model=replace(_target(table, history), tenants=table.name),
    )


def _target(table: TargetKeys, history: HistoryTable) -> Target:
    url = table.url.get_secret_value()
    provider = parse_url(url).get_backend_name()
    return Target(
        name=table.name,
        history=table.history,
        dialect=dialect_of(provider),
        provider=provider,
        url=url,
        schema=table.schema_,
        version_table=history.version_table,
        version_table_schema=history.version_table_schema,
        labels=MappingProxyType(table.labels),
        policy=table.policy,
        connect_timeout=table.connect_timeout,
        start_wait=table.start_wait,
        check_every=table.check_every,
        lock_wait=table.lock_wait,
        lock_timeout=table.lock_timeout,
        statement_timeout=table.statement_timeout,
    )


def _report(file: Path, document: Document, mistakes: Iterable[Mistake]) -> str:
    names = dict(named for kind in REPEATED for named in _names(document, kind))
    return "\n".join(
        f"{file}: {_place(mistake.key, names, document)}: {mistake.text}" for mistake in mistakes
    )


def _place(key: Key, names: Mapping[Key, str], document: Document) -> str:
    """Return where a mistake is, as people say it: ``target "orders-eu".url``."""
    if key[:2] in document.overridden:
        return f"LEVELHEAD_{'__'.join(map(str, key[:2]))}".upper()
    if key[0] in REPEATED and len(key) > 1:
        # Unnamed tables are counted from one, as they stand in the file.
        head = f"{key[0]}[{key[1] + 1}]" if isinstance(key[1], int) else f'{key[0]} "{key[1]}"'
        head = f'{key[0]} "{names[key[:2]]}"' if key[:2] in names else head
        return head + _path(key[2:])
    return _path(key)[1:]


def _path(key: Key) -> str:
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{_bare(part)}" for part in key)
    return "".join(parts)


def _bare(name: str) -> str:
    return name if NAME.fullmatch(name) else quote(name)
