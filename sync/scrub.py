"""Takes known secrets out of texts that leave the service: the last line of defence."""

from __future__ import annotations

import logging
from collections.abc import Collection

HIDDEN = "***"


def scrub(text: str, secrets: Collection[str]) -> str:
    """Return *text* with every secret replaced, longer ones first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


class ScrubbingFormatter(logging.Formatter):
    """Formats log records, tracebacks of surprises included, without the known secrets."""

    def __init__(self, style: str, secrets: Collection[str]) -> None:
        super().__init__(style)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return scrub(super().format(record), self._secrets)
