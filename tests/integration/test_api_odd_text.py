"""Texts that no control database can hold, wherever the API takes a text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync.model import Role
from sync.settings import load_settings
from tests.integration.test_api import CONFIGURATION, Service, serving


@dataclass(frozen=True)
class Odd:
    """A request with a NUL in one of its texts."""

    method: str
    path: str
    where: str  #: of the text, as a mistake names it
    body: Mapping[str, object] | None = None


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The API over no target at all."""
    (tmp_path / "levelhead.toml").write_text(CONFIGURATION)
    async with serving(load_settings(None, {}, tmp_path), open_reads=True) as service:
        yield service


async def test_no_text_holds_a_nul(service: Service) -> None:
    """Paths, queries and bodies: whatever is declared as a text is refused with it, and named."""
    document = (await service.get("openapi.json")).json()
    asked = list(requests(document))
    assert len(asked) > 30
    for odd in asked:
        answer = await service.send(odd.method, odd.path, Role.ADMIN, json=odd.body)
        assert answer.status_code == 422, odd
        assert answer.headers["content-type"] == "application/problem+json"
        mistakes = {each["where"]: each["what"] for each in answer.json()["errors"]}
        what = next(what for where, what in mistakes.items() if where.startswith(odd.where))
        assert what == "must hold no NUL" or "match pattern" in what, odd


async def test_no_text_holds_half_a_surrogate_pair(service: Service) -> None:
    """JSON can write it, UTF-8 cannot."""
    answer = await service.client.post(
        "/api/v1/sync",
        content=b'{"to": "\\ud800"}',
        headers={
            "Authorization": f"Bearer {service.keys[Role.OPERATOR]}",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def requests(document: Mapping[str, Any]) -> Iterator[Odd]:
    """Yield a request for each text that the API takes anywhere."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            verb = method.upper()
            for each in filter(is_text, operation.get("parameters", ())):
                yield Odd(verb, address(path, each), f"{each['in']}.{each['name']}")
            for name, odd in bodies(document, operation):
                yield Odd(verb, path.format_map(Ones()), f"body.{name}", {name: odd})


class Ones(dict[str, str]):
    """Gives a harmless value for every part of a path."""

    def __missing__(self, name: str) -> str:
        """Return it."""
        return "1"


def address(path: str, parameter: Mapping[str, Any]) -> str:
    """Return *path* with a NUL in the place of *parameter*."""
    name = parameter["name"]
    if parameter["in"] == "path":
        return path.format_map(Ones({name: "a%00b"}))
    return f"{path.format_map(Ones())}?{name}=a%3D%00b"


def bodies(
    document: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[tuple[str, object]]:
    """Yield name and odd value of each text in the body that *operation* takes."""
    if "requestBody" not in operation:
        return
    (content,) = operation["requestBody"]["content"].values()
    wanted = content["schema"]
    reference = next(iter(wanted.get("anyOf", [wanted])))["$ref"]
    schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    for name, field in schema["properties"].items():
        if kind := shape({"schema": field}):
            yield name, {"string": "a\0b", "array": ["a\0b"], "object": {"a": "\0"}}[kind]


def is_text(parameter: Mapping[str, Any]) -> bool:
    """Tell whether a parameter is a text, or several."""
    return shape(parameter) is not None


def shape(parameter: Mapping[str, Any]) -> str | None:
    """Return whether it is a string, or an array or object of strings; None: of something else."""
    for schema in parameter["schema"].get("anyOf", [parameter["schema"]]):
        inner = schema.get("items") or schema.get("additionalProperties") or schema
        if inner.get("type") == "string" and not {"enum", "format"} & set(inner):
            return str(schema["type"])
    return None
