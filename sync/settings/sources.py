"""Where settings come from: the file, the environment, and files it names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote as percent_encode

from providers.errors import ConfigError

FILE_NAME = "levelhead.toml"
FILE_VARIABLE = "LEVELHEAD_CONFIG"

#: So the variables begin that stand for settings, and some that do not.
PREFIX = "LEVELHEAD_"
_OTHERS = frozenset({FILE_VARIABLE, "LEVELHEAD_DEBUG", "LEVELHEAD_TOKEN"})

#: Where a value stands in the file: ``("target", 2, "url")``.
Key: TypeAlias = tuple[str | int, ...]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_FILE = "file:"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with the configuration; the text repeats no value that may be secret."""

    key: Key
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The file's tables with references replaced."""

    tables: Mapping[str, Any]
    mistakes: tuple[Mistake, ...]  #: a value with a bad reference is left as it is written
    inserted: Mapping[Key, frozenset[str]] = field(repr=False)  #: what references became
    overridden: frozenset[Key]  #: values that came from LEVELHEAD_... variables


def find_file(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the absolute path of the configuration file; it may not exist."""
    return cwd / (path or environ.get(FILE_VARIABLE) or FILE_NAME)


def read_document(file: Path, environ: Mapping[str, str]) -> Document:
    """Read *file*, put the environment's overrides over it, and replace references.

    Raises:
        ConfigError: There is no such file, or it is not TOML.
    """
    overrides = _overrides(environ)
    tables = _overlay(_read_toml(file), overrides)
    resolver = _Resolver(environ, file.parent)
    return Document(
        tables={name: resolver.resolve(value, (name,)) for name, value in tables.items()},
        mistakes=tuple(resolver.mistakes),
        inserted={key: frozenset(texts) for key, texts in resolver.inserted.items()},
        overridden=frozenset(_keys(overrides)),
    )


def _overrides(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what environment variables set, table by table."""
    if all(name.upper() in _OTHERS for name in environ if name.upper().startswith(PREFIX)):
        return {}
    # Late: most commands run without such a variable, and the library is slow to import.
    from sync.settings.environ import overrides_in  # noqa: PLC0415 - see above

    return overrides_in(environ)


def _overlay(tables: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return *tables* with *overrides* over them, one level down."""
    laid = dict(tables)
    for name, values in overrides.items():
        below = tables.get(name, {})
        both_tables = isinstance(below, dict) and isinstance(values, dict)
        laid[name] = {**below, **values} if both_tables else values
    return laid


def _keys(overrides: Mapping[str, Any]) -> Iterator[Key]:
    for name, values in overrides.items():
        if isinstance(values, dict):
            yield from ((name, key) for key in values)
        else:
            yield (name,)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {file}; write one, or name another with --config or {FILE_VARIABLE}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from None


class _Resolver:
    """Replaces ``${VAR}`` and ``file:``, and takes down what it did."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.mistakes: list[Mistake] = []
        self.inserted: dict[Key, set[str]] = {}
        self._environ = environ
        self._folder = folder

    def resolve(self, value: Any, key: Key) -> Any:  # noqa: ANN401 - TOML holds anything
        """Return *value* with every string in it resolved."""
        if isinstance(value, dict):
            return {name: self.resolve(item, (*key, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*key, place)) for place, item in enumerate(value)]
        return self._resolve_text(value, key) if isinstance(value, str) else value

    def _resolve_text(self, text: str, key: Key) -> str:
        try:
            plain = "".join(self._pieces(text, key))
            return self._read(plain, key) if text.startswith(_FILE) else plain
        except ValueError as error:
            self.mistakes.append(Mistake(key, str(error)))
            return text

    def _pieces(self, text: str, key: Key) -> Iterator[str]:
        place = 0
        for match in _REFERENCE.finditer(text):
            yield text[place : match.start()]
            place = match.end()
            if match[0] == "$${":
                yield "${"
                continue
            value = self._variable(match[1])
            self.inserted.setdefault(key, set()).add(value)
            literal = _is_url(key) and _in_user_info(text, match)
            yield percent_encode(value, safe="") if literal else value
        yield text[place:]

    def _variable(self, name: str | None) -> str:
        if name is None or not _VARIABLE.fullmatch(name):
            raise ValueError("${ must be followed by a variable's name and }; $${ stands for ${")
        if name not in self._environ:
            raise ValueError(f"environment variable {name} is not set")
        return self._environ[name]

    def _read(self, text: str, key: Key) -> str:
        path = self._folder / text.removeprefix(_FILE)
        try:
            content = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"cannot read {path}: not UTF-8 text") from None
        self.inserted.setdefault(key, set()).add(content)
        return content


def _is_url(key: Key) -> bool:
    return key[-1] == "url" or (key[0] == "history" and "shadow" in key[2:3])


def _in_user_info(text: str, match: re.Match[str]) -> bool:
    """Tell whether a reference stands where a URL has its user and password."""
    before, after = text[: match.start()], text[match.end() :]
    return bool(re.search(r"://[^/@]*$", before) and re.match(r"[^/@]*@", after))
