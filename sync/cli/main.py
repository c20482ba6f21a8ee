"""The command `levelhead`, from the start of its process to the end."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from sync.cli import starting


def run() -> NoReturn:
    """Run the command that this process was started with, and end the process."""
    starting.begin()
    # Late: whoever presses Ctrl-C meanwhile shall see no traceback.
    from sync.cli.dispatch import main  # noqa: PLC0415 - see above

    sys.exit(main(sys.argv[1:], os.environ))
