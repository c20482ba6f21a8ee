"""Writes the catalog's values as JSON, and reads them back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from providers.databricks.warehouse.model import (
    Check,
    Column,
    Definition,
    ForeignKey,
    Identity,
    Name,
    PrimaryKey,
    Properties,
    Version,
    View,
)


def dump(value: Version | View) -> str:
    """Return *value* as JSON; times as ISO 8601."""
    return json.dumps(asdict(value), default=datetime.isoformat)


def load_version(text: str) -> Version:
    """Return the version that was dumped as *text*."""
    body = json.loads(text)
    return Version(
        number=body["number"],
        at=datetime.fromisoformat(body["at"]),
        operation=body["operation"],
        parameters=_pairs(body["parameters"]),
        definition=_definition(body["definition"]),
        data=body["data"],
    )


def load_view(text: str) -> View:
    """Return the view that was dumped as *text*."""
    body = json.loads(text)
    return View(
        name=Name(**body["name"]),
        created=datetime.fromisoformat(body["created"]),
        query=body["query"],
        catalog=body["catalog"],
        schema=body["schema"],
        columns=tuple(_column(each) for each in body["columns"]),
        comment=body["comment"],
    )


def _definition(body: dict[str, Any]) -> Definition:
    key = body["primary_key"]
    return Definition(
        columns=tuple(_column(each) for each in body["columns"]),
        primary_key=_primary_key(key) if key else None,
        foreign_keys=tuple(_foreign_key(each) for each in body["foreign_keys"]),
        checks=tuple(Check(**each) for each in body["checks"]),
        properties=_pairs(body["properties"]),
        cluster_by=tuple(body["cluster_by"]),
        partitioned_by=tuple(body["partitioned_by"]),
        comment=body["comment"],
    )


def _column(body: dict[str, Any]) -> Column:
    identity = body.pop("identity")
    return Column(**body, identity=Identity(**identity) if identity else None)


def _primary_key(body: dict[str, Any]) -> PrimaryKey:
    return PrimaryKey(body["id"], body["name"], tuple(body["columns"]))


def _foreign_key(body: dict[str, Any]) -> ForeignKey:
    return ForeignKey(
        name=body["name"],
        columns=tuple(body["columns"]),
        target=body["target"],
        key=body["key"],
        target_columns=tuple(body["target_columns"]),
    )


def _pairs(body: list[list[str]]) -> Properties:
    return tuple((key, value) for key, value in body)
