"""What `levelhead.toml` says, read once, checked as a whole, and frozen."""

from __future__ import annotations

from sync.settings.load import load_settings
from sync.settings.model import Api, Control, History, Schedule, Settings

__all__ = ["Api", "Control", "History", "Schedule", "Settings", "load_settings"]
