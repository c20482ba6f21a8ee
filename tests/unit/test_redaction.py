from __future__ import annotations

import pytest

from providers.redaction import redacted


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "22P02",
            'invalid input syntax for type integer: "secret"',
            'invalid input syntax for type integer: "..."',
        ),
        ("22003", 'value "123456" is out of range', 'value "..." is out of range'),
        ("22P02", 'invalid input: "a" secret "b"', 'invalid input: "..."'),
        ("22P02", 'invalid input: "secret\nsecret"', 'invalid input: "..."'),
        ("22P02", "ungültige Eingabe: »secret«", 'ungültige Eingabe: "..."'),
        ("22P02", "entrée invalide : « secret »", 'entrée invalide : "..."'),
        ("P0001", "no tenant 'secret' here", 'no tenant "..." here'),
        ("P0001", "can't be: isn't", "can't be: isn't"),
        ("XX000", 'cache lookup failed for "secret"', 'cache lookup failed for "..."'),
        ("ZZ999", 'no such "secret"', 'no such "..."'),
        (None, 'no such "secret"', 'no such "..."'),
        ("42601", 'syntax error at or near "secret"', 'syntax error at or near "..."'),
        ("22012", "division by zero", "division by zero"),
    ],
)
def test_values_go(code: str | None, message: str, expected: str) -> None:
    """Quoted values go, in whatever quotes and with whatever inside, unless names alone can be."""
    assert redacted(message, code=code, names=()) == expected


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("42P01", 'relation "users" does not exist'),
        ("42703", 'column "email" does not exist'),
        ("2BP01", 'cannot drop table users because "other" depends on it'),
        ("3D000", 'database "orders" does not exist'),
    ],
)
def test_harmless_codes(code: str, message: str) -> None:
    """Where the code says that only names are quoted, the message stays whole."""
    assert redacted(message, code=code, names=()) == message


@pytest.mark.parametrize(
    "message",
    [
        'null value in column "email" of relation "users" violates not-null constraint',
        "Nullwert in Spalte »email« von Relation »users« verletzt Not-Null-Constraint",
        "une valeur NULL viole la contrainte de la colonne « email »",
    ],
)
def test_names_stay(message: str) -> None:
    """Names of the error's own fields stay where values would go."""
    assert redacted(message, code="23502", names=["email", "users"]) == message


@pytest.mark.parametrize(
    "message",
    ['bad value: "users" secret"', 'bad value: "secret "users" secret"', 'bad: "users\nsecret'],
)
def test_value_that_holds_a_name(message: str) -> None:
    """A value that has a name inside goes as a whole."""
    assert "secret" not in redacted(message, code="22P02", names=["users"])


def test_first_line() -> None:
    """Only the first line is kept, whatever the code."""
    assert redacted("relation is gone\nDETAIL: secret", code="42P01", names=()) == (
        "relation is gone"
    )
