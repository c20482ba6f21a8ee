"""Files that hold a secret."""

from __future__ import annotations

import os
from pathlib import Path

from providers.errors import ConfigError


def write_private(file: Path, text: str) -> None:
    """Write *text* to *file*, readable for its owner alone.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened_file:
            os.fchmod(descriptor, 0o600)
            opened_file.write(text)
    except OSError as error:
        raise ConfigError(
            f"token file {file}: {(error.strerror or 'cannot be written').lower()}; "
            "set token_file of [control]"
        ) from None
