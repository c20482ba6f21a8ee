"""The start of a command: what it needs is being imported, and nothing has been done yet."""

from __future__ import annotations

import gc
import os
import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def begin() -> None:
    """Let Ctrl-C end the process at once, and let nothing hold the imports up.

    An exception in the middle of an import comes out as another one, or not at all. And imports
    leave no garbage: to look for it among all that they make takes a tenth of a short command.
    """
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # nohup ignores it
        signal.signal(signal.SIGINT, _leave)


def end() -> None:
    """Do as Python does from now on: what was begun has to be ended in order.

    What was imported stays as long as the process: nobody looks for garbage among it.
    """
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"levelhead: interrupted\n")
    os._exit(INTERRUPTED)
