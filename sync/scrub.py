"""Takes known secrets out of texts that leave the service: the last line of defence."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

HIDDEN = "***"

#: Shorter texts stand in any word: a flag such as "1" in a script's environment, a password "t".
SHORT = 4


def scrub(text: str, secrets: Collection[str]) -> str:
    """Return *text* with every secret replaced, longer ones first.

    One shorter than `SHORT` is replaced only where a URL, a driver or SQL is told a password.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = _scrub_one(text, secret)
    return text


def _scrub_one(text: str, secret: str) -> str:
    if len(secret) >= SHORT:
        return text.replace(secret, HIDDEN)
    found = re.escape(secret)
    place = rf"(:){found}(?=@)|(password[\s='\"]+){found}(?!\w)"
    return re.sub(place, rf"\1\2{HIDDEN}", text, flags=re.IGNORECASE)


class ScrubbingFormatter(logging.Formatter):
    """Formats log records, tracebacks of surprises included, without the known secrets."""

    def __init__(self, style: str, secrets: Collection[str]) -> None:
        super().__init__(style)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return scrub(super().format(record), self._secrets)
