"""Fixtures for tests against real databases; they live in `tests.support`."""

from __future__ import annotations

from tests.support.control import clock, control_url, log, store
from tests.support.engine import scripts, url

__all__ = ["clock", "control_url", "log", "scripts", "store", "url"]
