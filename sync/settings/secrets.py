"""Which texts of the configuration must never be seen anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from sync.settings.sources import Document
from sync.settings.values import parse_url

_PARAMETERS = ("password", "sslpassword", "token", "access_token")
_AS_WRITTEN = re.compile(r"://[^/@:]*:([^@]*)@")


def find_secrets(document: Document, urls: Iterable[SecretStr]) -> frozenset[str]:
    """Return the passwords in *urls*, and what references put into a history's values."""
    found = {text for url in urls for text in secrets_in(url.get_secret_value())}
    for key, texts in document.inserted.items():
        if key[0] == "history" and {"env", "attributes"}.intersection(key):
            found |= texts
            found |= {line.strip() for text in texts for line in text.splitlines()}
            found |= {secret for text in texts for secret in secrets_in(text)}
    return frozenset(found - {""})


def secrets_in(text: str) -> Iterator[str]:
    """Yield each password of a URL as it is, as it is written, and as others encode it."""
    try:
        url = parse_url(text)
    except ValueError:
        return
    yield from _AS_WRITTEN.findall(text)
    parameters = (value for name in _PARAMETERS for value in url.normalized_query.get(name, ()))
    for password in (str(url.password or ""), *parameters):
        yield password
        yield password.strip()  # as they go on who take the line end off that a file had
        yield quote(password, safe="")
        yield quote_plus(password)
        yield quote(password, safe=" +")  # as SQLAlchemy writes it
