"""Every command with its options, by what it is for."""

from __future__ import annotations

# Imported for what they add to it.
from sync.cli.commands import looking, orders, plans, running, tokens
from sync.cli.commands.root import app

__all__ = ["app", "looking", "orders", "plans", "running", "tokens"]
