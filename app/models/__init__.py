"""Every model is imported here: autogenerate compares what this package knows."""

from app.models.conversation import Conversation
from app.models.user import User

__all__ = ["User", "Conversation"]  # noqa: RUF022 - the order of the quick reference
