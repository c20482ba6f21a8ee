from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from providers.types import Target
from sync import pool
from sync.pool import Providers

DRIVER = """
import threading

from providers.memory import MemoryProvider

IMPORTED_BY = threading.current_thread()


class SlowProvider(MemoryProvider):
    pass
"""


async def test_drivers_are_imported_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that takes long to import does not hold up the loop; all get one provider."""
    (tmp_path / "slow_driver.py").write_text(DRIVER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pool, "known_providers", lambda: {"slow": "slow_driver:SlowProvider"})
    providers = Providers()
    target = Target(name="orders", history="app", dialect="slow", url="slow://")
    first, second = await asyncio.gather(providers.of(target), providers.of(target))
    assert first is second
    assert sys.modules["slow_driver"].IMPORTED_BY is not threading.main_thread()
    await providers.aclose()
