"""Table properties, and the protocol that they ask of readers and writers.

Pages "delta/feature-compatibility", "delta/column-mapping", "delta/type-widening",
"delta/default-columns" and "delta/table-properties".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.databricks.warehouse import errors
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.model import Definition, Properties

_MODE = "delta.columnMapping.mode"
_WIDENING = "delta.enableTypeWidening"
_FEATURE = "delta.feature."
_READER = "delta.minReaderVersion"
_WRITER = "delta.minWriterVersion"
_ON = {"supported", "enabled"}

#: Features that old protocol versions have by themselves: (reader, writer).
_BUILT_IN = {
    "columnMapping": (2, 5),
    "checkConstraints": (1, 3),
    "generatedColumns": (1, 4),
    "identityColumns": (1, 6),
}
#: Features that only table features can name, and whether readers must know them.
_READERS_TOO = {
    "typeWidening": True,
    "timestampNtz": True,
    "variantType": True,
    "allowColumnDefaults": False,
    "clustering": False,
}
_WITH_FEATURES = 7


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a client must understand."""

    reader: int
    writer: int
    features: tuple[str, ...]  #: in order; empty below writer version 7


def with_properties(definition: Definition, given: Properties) -> Definition:
    """Return *definition* with the properties *given*; they replace those of the same key.

    Raises:
        SqlError: A column mapping mode that cannot be reached from here, or a protocol version
            that is no number.
    """
    _check_mode(definition, dict(given).get(_MODE))
    _check_protocol(dict(given))
    merged = {**dict(definition.properties), **dict(given)}
    return replace(definition, properties=tuple(sorted(merged.items())))


def without_properties(definition: Definition, keys: tuple[str, ...]) -> Definition:
    """Return *definition* without the properties *keys*, whether it has them or not."""
    kept = tuple(pair for pair in definition.properties if pair[0] not in keys)
    return replace(definition, properties=kept)


def allows_defaults(definition: Definition) -> bool:
    """Tell whether columns may have a default."""
    return definition.property(f"{_FEATURE}allowColumnDefaults") in _ON


def allows_widening(definition: Definition) -> bool:
    """Tell whether columns may change to a wider type."""
    return (definition.property(_WIDENING) or "").lower() == "true"


def holds_zoneless(definition: Definition) -> bool:
    """Tell whether columns may be TIMESTAMP_NTZ; a table that was made with one may have more.

    Page "sql/language-manual/data-types/timestamp-ntz-type".
    """
    has_one = any("TIMESTAMP_NTZ" in column.datatype for column in definition.columns)
    return has_one or definition.property(f"{_FEATURE}timestampNtz") in _ON


def protocol(definition: Definition) -> Protocol:
    """Return the protocol of a table: the least that has all features in use."""
    features = _features(definition)
    asked_reader = int(definition.property(_READER) or 1)
    asked_writer = int(definition.property(_WRITER) or 2)
    built_in = [_BUILT_IN[each] for each in features if each in _BUILT_IN]
    reader = max([asked_reader, *(pair[0] for pair in built_in)])
    writer = max([asked_writer, *(pair[1] for pair in built_in)])
    if writer < _WITH_FEATURES and not features & _READERS_TOO.keys():
        return Protocol(reader, writer, ())
    for_readers = any(_READERS_TOO.get(each) for each in features)
    return Protocol(3 if for_readers else reader, _WITH_FEATURES, tuple(sorted(features)))


def _features(definition: Definition) -> set[str]:
    declared = {
        key.removeprefix(_FEATURE)
        for key, value in definition.properties
        if key.startswith(_FEATURE) and value in _ON
    }
    used = {
        "columnMapping": (definition.property(_MODE) or "none") != "none",
        "typeWidening": allows_widening(definition),
        "timestampNtz": holds_zoneless(definition),
        "variantType": any("VARIANT" in column.datatype for column in definition.columns),
        "checkConstraints": bool(definition.checks),
        "identityColumns": any(column.identity for column in definition.columns),
        "generatedColumns": any(column.generated is not None for column in definition.columns),
        "clustering": bool(definition.cluster_by),
    }
    return declared | {feature for feature, is_used in used.items() if is_used}


def _check_mode(definition: Definition, wanted: str | None) -> None:
    now = definition.property(_MODE) or "none"
    is_new = not definition.columns
    if wanted is None or wanted == now or is_new:
        return
    if (now, wanted) not in {("none", "name"), ("name", "none"), ("id", "none")}:
        raise SqlError(
            errors.NO_MAPPING_CHANGE,
            f"Changing column mapping mode from '{now}' to '{wanted}' is not supported.",
        )


def _check_protocol(given: dict[str, str]) -> None:
    """Asking for less than a table has is no error: older scripts say "at least" that way."""
    for key in (_READER, _WRITER):
        if not given.get(key, "1").isdigit():
            raise SqlError(
                errors.PROTOCOL_DOWNGRADE, f"{key} must be a version number, not '{given[key]}'."
            )
