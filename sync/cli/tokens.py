"""Commands about the API's tokens."""

from __future__ import annotations

import os

from sync.cli.door import open_door
from sync.cli.screen import Screen
from sync.cli.views import tokens_table
from sync.model import Role
from sync.runtime import Runtime
from sync.settings import Settings


async def create(settings: Settings, name: str, role: Role, actor: str, screen: Screen) -> int:
    """Create a token and print its key, alone on its line."""
    async with open_door(settings, actor, os.environ) as door:
        key = await door.create_token(name, role)
    screen.tell(key, {"name": name, "role": role, "key": key})
    return 0


async def show(settings: Settings, screen: Screen) -> int:
    """List the tokens."""
    async with Runtime.open_reading(settings) as runtime:
        found = await runtime.tokens()
    screen.show(tokens_table(found), found)
    return 0


async def revoke(settings: Settings, name: str, actor: str, screen: Screen) -> int:
    """Revoke a token."""
    async with open_door(settings, actor, os.environ) as door:
        await door.revoke_token(name)
    screen.tell(f"{name}: revoked", {"name": name, "revoked": True})
    return 0
