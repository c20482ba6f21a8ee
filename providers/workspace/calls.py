"""Calls that block, and may never return, for callers who will not wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def begin(call: Callable[[], Result]) -> Future[Result]:
    """Begin *call* in a thread of its own, which does not hold up the end of the process.

    Cancelling what is returned does nothing; the call goes on until it ends by itself.
    """
    ended: Future[Result] = Future()
    ended.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            ended.set_exception(error)
        else:
            ended.set_result(result)

    threading.Thread(target=run, name="workspace", daemon=True).start()
    return ended
