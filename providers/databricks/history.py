"""Asks the workspace's REST API what became of statements, and how a warehouse is.

Neither question wakes a warehouse. How late the query history shows a statement is not
known, so nothing may be concluded from its silence.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from providers.databricks.address import Address
from providers.types import Outcome

_HISTORY = "/api/2.0/sql/history/queries"
_WAREHOUSES = "/api/2.0/sql/warehouses/"

#: The largest page that the API gives, and how many of them are looked through, newest first.
_PAGE, _PAGES = 1000, 20

#: Ends of a statement that tell; any other status means that it has not ended.
_DONE = "FINISHED"
_UNDONE = frozenset({"FAILED", "CANCELED"})

#: What asking can raise, beside HTTPError: network, TLS, or an answer that is not the API's.
ERRORS = (OSError, HTTPException, ValueError, KeyError, TypeError)


def outcome_of(place: Address, mark: str, *, timeout: float) -> Outcome:
    """Tell what became of the statement that begins with *mark*; UNKNOWN where it is not shown.

    Args:
        place: Where it was sent.
        mark: A comment of its own before the statement.
        timeout: Seconds for each answer.

    Raises:
        OSError, HTTPException, ValueError, KeyError, TypeError: No answer, or none of the API's.
    """
    try:
        shown = {each["status"] for each in _statements(place, timeout) if _begins(each, mark)}
    except HTTPError as error:
        if error.code >= 500 or error.code == 429:  # noqa: PLR2004 - statuses have no better names
            raise
        return Outcome.UNKNOWN  # the history may not be read
    if _DONE in shown:
        return Outcome.APPLIED
    return Outcome.ABSENT if shown and shown <= _UNDONE else Outcome.UNKNOWN


def state_of(place: Address, *, timeout: float) -> str | None:
    """Return the warehouse's state, such as STARTING; None where nobody can tell."""
    if place.warehouse is None:
        return None
    try:
        return str(_get(place, _WAREHOUSES + place.warehouse, {}, timeout)["state"])
    except ERRORS:
        return None


def _begins(shown: Mapping[str, Any], mark: str) -> bool:
    return str(shown.get("query_text") or "").startswith(mark)


def _statements(place: Address, timeout: float) -> Iterator[Mapping[str, Any]]:
    """Yield what the history shows, the newest first."""
    query: dict[str, object] = {"max_results": _PAGE}
    if place.warehouse is not None:
        query["filter_by.warehouse_ids"] = place.warehouse
    for _ in range(_PAGES):
        page = _get(place, _HISTORY, query, timeout)
        yield from page.get("res", ())
        if not page.get("has_next_page"):
            return
        query["page_token"] = page["next_page_token"]


def _get(place: Address, path: str, query: Mapping[str, object], timeout: float) -> dict[str, Any]:
    trust = ssl.create_default_context(cafile=place.trusted)
    opener = build_opener(HTTPSHandler(context=trust), _NoRedirect())
    address = f"{place.origin}{path}" + (f"?{urlencode(query)}" if query else "")
    request = Request(address, headers={"Authorization": f"Bearer {place.token}"})  # noqa: S310 - http(s) only: `address` has checked it
    with opener.open(request, timeout=timeout) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


class _NoRedirect(HTTPRedirectHandler):
    """Carries the token to no other place."""

    def redirect_request(  # noqa: PLR0917 - as the base class has it
        self,
        req: Request,  # noqa: ARG002 - as the base class has it
        fp: IO[bytes],  # noqa: ARG002 - as the base class has it
        code: int,  # noqa: ARG002 - as the base class has it
        msg: str,  # noqa: ARG002 - as the base class has it
        headers: HTTPMessage,  # noqa: ARG002 - as the base class has it
        newurl: str,  # noqa: ARG002 - as the base class has it
    ) -> None:
        """Follow none: the answer is an `HTTPError` with the status."""
        return
