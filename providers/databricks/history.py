"""Asks the workspace's REST API what became of statements, and how a warehouse is.

Neither question wakes a warehouse. How late the query history shows a statement is not
known, so nothing may be concluded from its silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError

from providers.databricks.errors import COMMITTED
from providers.types import Outcome
from providers.workspace.rest import ERRORS, Api, is_temporary

_HISTORY = "/api/2.0/sql/history/queries"
_WAREHOUSES = "/api/2.0/sql/warehouses/"

#: The largest page that the API gives, and how many of them are looked through, newest first.
_PAGE, _PAGES = 1000, 20

#: Ends of a statement that tell; any other status means that it has not ended.
_DONE = "FINISHED"
_UNDONE = frozenset({"FAILED", "CANCELED"})


def outcome_of(api: Api, warehouse: str | None, mark: str, *, timeout: float) -> Outcome:
    """Tell what became of the statement that begins with *mark*.

    RUNNING where it has not ended, UNKNOWN where it is not shown.

    Args:
        api: That of the workspace.
        warehouse: Where it was sent; None where that is not known.
        mark: A comment of its own before the statement.
        timeout: Seconds for each answer.

    Raises:
        SignInError, OSError, HTTPException, ValueError, KeyError, TypeError: No answer, or none
            of the API's.
    """
    try:
        found = _statements(api, warehouse, timeout)
        shown = {_end(each) for each in found if _begins(each, mark)}
    except HTTPError as error:
        if is_temporary(error):
            raise
        return Outcome.UNKNOWN  # the history may not be read
    if _DONE in shown:
        return Outcome.APPLIED
    if not shown:
        return Outcome.UNKNOWN
    return Outcome.ABSENT if shown <= _UNDONE else Outcome.RUNNING


def state_of(api: Api, warehouse: str | None, *, timeout: float) -> str | None:
    """Return the warehouse's state, such as STARTING; None where nobody can tell."""
    if warehouse is None:
        return None
    try:
        return str(api.get(_WAREHOUSES + warehouse, {}, timeout)["state"])
    except ERRORS:
        return None


def _end(shown: Mapping[str, Any]) -> str:
    """Return how a statement ended; what failed behind its commit stands."""
    status = str(shown["status"])
    stands = f"[{COMMITTED}]" in str(shown.get("error_message") or "")
    return _DONE if status in _UNDONE and stands else status


def _begins(shown: Mapping[str, Any], mark: str) -> bool:
    return str(shown.get("query_text") or "").startswith(mark)


def _statements(api: Api, warehouse: str | None, timeout: float) -> Iterator[Mapping[str, Any]]:
    """Yield what the history shows, the newest first."""
    query: dict[str, object] = {"max_results": _PAGE}
    if warehouse is not None:
        query["filter_by.warehouse_ids"] = warehouse
    for _ in range(_PAGES):
        page = api.get(_HISTORY, query, timeout)
        yield from page.get("res", ())
        if not page.get("has_next_page"):
            return
        query["page_token"] = page["next_page_token"]
