"""A history as Alembic reads it: its configuration, its graph, and the paths through it."""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path
from typing import Any, Union

from alembic.config import Config
from alembic.runtime.migration import HeadMaintainer, RevisionStep, StampStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import to_tuple

from .connection import with_driver
from .errors import RefusedError
from .ways import way_back

Step = Union[RevisionStep, StampStep]  # noqa: UP007 - Python 3.9 evaluates it


def loaded(request: dict[str, Any]) -> tuple[Config, ScriptDirectory]:
    """Load the history, and tell it of the target as the request describes.

    ``env`` is set in this process only, after its start, so that it stands in no
    process listing. ``{url}``, ``{schema}`` and ``{target}`` are filled in.
    """
    config = Config(request["config"], ini_section=request["section"])
    script = ScriptDirectory.from_config(config)  # also extends sys.path, which the hook needs
    if request.get("url"):
        env_py = Path(script.dir, "env.py")
        request["url"] = with_driver(request["url"], request.get("driver"), env_py)
        config.set_main_option("sqlalchemy.url", request["url"].replace("%", "%%"))
    facts = {name: request.get(name) or "" for name in ("url", "schema", "target")}
    os.environ.update({name: fill(value, facts) for name, value in request["env"].items()})
    os.environ.update(request.get("environment", {}))
    config.attributes.update({k: fill(v, facts) for k, v in request["attributes"].items()})
    config.attributes["levelhead.lock_held"] = True
    return config, script


def fill(value: Any, facts: dict[str, str]) -> Any:  # noqa: ANN401 - settings hold any TOML value
    """Replace ``{name}`` in a text by the fact of that name; other values stay."""
    if isinstance(value, str):
        for name, fact in facts.items():
            value = value.replace("{" + name + "}", fact)
    return value


def call_hook(hook: str | None, config: Config) -> None:
    """Call the history's own ``module:function`` with its configuration."""
    if hook:
        module, _, name = hook.partition(":")
        getattr(importlib.import_module(module), name)(config)


def digest(path: str) -> str:
    """Return the sha256 of a file, hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def graph(script: ScriptDirectory, config: Config) -> dict[str, Any]:
    """Return all revisions in an order of application, the heads, and where they stand."""
    revisions = walked(script)
    return {
        "revisions": [described(revision) for revision in reversed(revisions)],
        "heads": list(script.get_heads()),
        "locations": [
            os.path.abspath(place)  # noqa: PTH100 - resolve() would follow links away
            for place in (
                config.config_file_name,
                os.path.join(script.dir, "env.py"),  # noqa: PTH118 - Alembic's own str
                *script._version_locations,  # noqa: SLF001 - no public name for it
            )
            if place
        ],
    }


def walked(script: ScriptDirectory) -> list[Script]:
    """Return all revisions, last one first.

    Raises:
        RevisionError: A revision names a parent that does not exist.
    """
    try:
        return list(script.walk_revisions())
    except KeyError as error:  # all that Alembic makes of it
        raise RevisionError(f"a revision follows {error}, which does not exist") from error


def described(revision: Script) -> dict[str, Any]:
    """Return one revision as plain data."""
    return {
        "id": revision.revision,
        "parents": list(to_tuple(revision.down_revision, default=())),
        "depends_on": list(revision._resolved_dependencies),  # noqa: SLF001 - full ids, labels resolved
        "labels": sorted(revision.branch_labels),
        "message": revision.doc or "",
        "file": Path(revision.path).name,
        "digest": digest(revision.path),
        "downgrade": way_back(revision.path),
    }


def revisions(script: ScriptDirectory, verb: str, to: str, heads: tuple[str, ...]) -> list[Step]:
    """Return Alembic's own steps from *heads* to *to*, in order."""
    if verb == "sync":
        return list(script._upgrade_revs(to, heads))  # type: ignore[arg-type]  # noqa: SLF001 - what `alembic upgrade` calls
    if verb == "downgrade":
        return list(script._downgrade_revs(to, heads))  # type: ignore[arg-type]  # noqa: SLF001 - what `alembic downgrade` calls
    if verb == "stamp":
        return list(script._stamp_revs(to, heads))  # noqa: SLF001 - what `alembic stamp` calls
    raise RefusedError(f"no such verb: {verb}")


class Rehearsal(HeadMaintainer):
    """Alembic's own arithmetic of heads, without a database."""

    def __init__(self, heads: tuple[str, ...]) -> None:
        self.heads = set(heads)

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


def path(steps: list[Step], heads: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return for each step its revision, the heads around it, and its script's digest."""
    rehearsal = Rehearsal(heads)
    found = []
    for step in steps:
        before = sorted(rehearsal.heads)
        rehearsal.update_to_step(step)
        found.append({"before": before, "after": sorted(rehearsal.heads), **identity(step)})
    return found


def identity(step: Step) -> dict[str, str]:
    """Return the revision that a step runs, and its script's digest; both empty for a stamp."""
    revision = getattr(step, "revision", None)
    if revision is None:
        return {"revision": "", "script": ""}
    return {"revision": revision.revision, "script": digest(revision.path)}
