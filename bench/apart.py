"""Measurements in a process of their own, which has nothing else to do and has done nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


async def apart(measure: Callable[[Given], Coroutine[Any, Any, Found]], given: Given) -> Found:
    """Return what *measure* returns for *given* in a new process.

    The process imports the module of *measure*, and what that imports.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, _run, measure, given)


def _run(measure: Callable[[Given], Coroutine[Any, Any, Found]], given: Given) -> Found:
    return asyncio.run(measure(given))
