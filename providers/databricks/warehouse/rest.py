"""The two REST answers: query history, and the state of the warehouse.

Pages "api/workspace/queryhistory/list" and "api/workspace/warehouses/get".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from providers.databricks.warehouse.faults import RefusedError, State
from providers.databricks.warehouse.statements import Statement, StatementLog, Status

_HISTORY = "/api/2.0/sql/history/queries"
_WAREHOUSES = "/api/2.0/sql/warehouses/"
_USER = "local"
_PAGE = 100
_LARGEST_PAGE = 1000


def answer(path: str, warehouse: str, log: StatementLog, state: State) -> bytes:
    """Return the JSON that is at *path*. It starts no warehouse.

    Args:
        path: With the query part.
        warehouse: The id of the one warehouse that there is.
        log: What it ran.
        state: How it is.

    Raises:
        RefusedError: There is nothing at *path*, or its query part is wrong.
    """
    parts = urlsplit(path)
    if parts.path == _HISTORY:
        return json.dumps(_history(parse_qs(parts.query), warehouse, log)).encode()
    if parts.path == _WAREHOUSES + warehouse:
        return json.dumps({"id": warehouse, "name": "local", "state": state}).encode()
    raise RefusedError(404, f"There is nothing at {parts.path}.")


def _history(
    query: Mapping[str, Sequence[str]], warehouse: str, log: StatementLog
) -> dict[str, Any]:
    """Return statements, the most recently started first, a page at a time."""
    wanted = query.get("filter_by.warehouse_ids")
    found = log.all() if wanted is None or warehouse in wanted else []
    found = [each for each in reversed(found) if _fits(each, query)]
    start = _number(query, "page_token", 0)
    end = start + min(_number(query, "max_results", _PAGE), _LARGEST_PAGE)
    page: dict[str, Any] = {"res": [_entry(each, warehouse) for each in found[start:end]]}
    page["has_next_page"] = end < len(found)
    if page["has_next_page"]:
        page["next_page_token"] = str(end)
    return page


def _fits(statement: Statement, query: Mapping[str, Sequence[str]]) -> bool:
    first = _number(query, "filter_by.query_start_time_range.start_time_ms", 0)
    last = _number(query, "filter_by.query_start_time_range.end_time_ms", statement.started_ms)
    return (
        first <= statement.started_ms <= last
        and statement.status in query.get("filter_by.statuses", [statement.status])
        and statement.id in query.get("filter_by.statement_ids", [statement.id])
    )


def _number(query: Mapping[str, Sequence[str]], key: str, default: int) -> int:
    text = query.get(key, [str(default)])[0]
    if not text.isdigit():
        raise RefusedError(400, f"{key} must be a whole number, not '{text}'.")
    return int(text)


def _entry(statement: Statement, warehouse: str) -> dict[str, Any]:
    """Return *statement* as the API shows it."""
    shown: dict[str, Any] = {
        "query_id": statement.id,
        "status": statement.status,
        "query_text": statement.text,
        "query_start_time_ms": statement.started_ms,
        "warehouse_id": warehouse,
        "endpoint_id": warehouse,
        "user_name": _USER,
        "executed_as_user_name": _USER,
        "is_final": statement.status is not Status.RUNNING,
        "query_tags": [{"key": key, "value": value} for key, value in statement.tags],
    }
    if statement.ended_ms is not None:
        shown["execution_end_time_ms"] = shown["query_end_time_ms"] = statement.ended_ms
        shown["duration"] = statement.ended_ms - statement.started_ms
    if statement.error is not None:
        shown["error_message"] = statement.error
    return shown
