"""Settings that environment variables put over those of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from sync.settings.model import Api, Approval, Control, Schedule
from sync.settings.sources import PREFIX


class _Overrides(BaseSettings):
    """What environment variables may set: ``LEVELHEAD_API__PORT`` is ``port`` of ``[api]``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")

    control: Control
    schedule: Schedule
    api: Api
    approval: Approval


class _Environ(EnvSettingsSource):
    """Reads the mapping it is given, not the process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(_Overrides)

    def _load_env_vars(self) -> Mapping[str, str]:
        return self._environ

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401, ARG002 - the base class's signature
        """Leave texts alone: nothing in the environment is JSON here."""
        return value


def overrides_in(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return table -> key -> text for what *environ* sets."""
    return _Environ(environ)()
