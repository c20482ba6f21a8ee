"""The table `[[tenants]]`: targets that are found, not named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from providers.types import Target
from sync.settings.targets import TargetKeys
from sync.settings.values import NAME, Like, Name, PositiveDuration, TargetUrl, quote


class Over(StrEnum):
    """What the tenants of a pattern are, each."""

    SCHEMA = "schema"  #: one of a database
    DATABASE = "database"  #: one of a server


#: What a pattern asks for -> what its tenants are. Just one of these keys is given.
QUESTIONS = {
    "schemas": Over.SCHEMA,
    "schemas_query": Over.SCHEMA,
    "databases": Over.DATABASE,
    "databases_query": Over.DATABASE,
}


class TenantsTable(TargetKeys):
    """As many targets as there are schemas of a database, or databases of a server, that fit."""

    name: Name = Field(
        description="The pattern's, unique among patterns and targets. It selects all of its "
        "targets."
    )
    url: TargetUrl = Field(
        description="SQLAlchemy URL of the database that is asked; that of a target in another "
        "database differs from it in the database alone. Never logged or shown."
    )
    schemas: Like | None = Field(
        default=None, description="The schemas of that database whose names are LIKE this."
    )
    schemas_query: str | None = Field(
        default=None,
        min_length=1,
        description="The schemas that this SQL query gives: one column of text.",
    )
    databases: Like | None = Field(
        default=None, description="The databases of that server whose names are LIKE this."
    )
    databases_query: str | None = Field(
        default=None,
        min_length=1,
        description="The databases that this SQL query gives: one column of text.",
    )
    schema_: str | None = Field(
        default=None,
        alias="schema",
        min_length=1,
        description="Schema the scripts work in, in each database. Only where databases are "
        "looked for.",
    )
    target: str | None = Field(
        default=None,
        description="How its targets are named, with `{schema}` or `{database}` in it. Without "
        "it: the pattern's name, a dash, and that.",
    )
    list_timeout: PositiveDuration = Field(
        default=timedelta(seconds=30), description="Patience for the answer who the tenants are."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        asked = [key for key in QUESTIONS if getattr(self, key) is not None]
        if not asked:
            raise ValueError(f"needs one of {', '.join(QUESTIONS)}: there is nothing to look for")
        if len(asked) > 1:
            raise ValueError(f"{' and '.join(asked)} exclude each other; keep one")
        if self.over is Over.SCHEMA and self.schema_ is not None:
            raise ValueError(f"schema and {asked[0]} exclude each other; take schema out")
        self._need_place(self.naming)
        return self

    @property
    def over(self) -> Over:
        """What its tenants are."""
        return next(over for key, over in QUESTIONS.items() if getattr(self, key) is not None)

    @property
    def naming(self) -> str:
        """How its targets are named."""
        return self.target or f"{self.name}-{{{self.over}}}"

    def _need_place(self, naming: str) -> None:
        place = f"{{{self.over}}}"
        if place not in naming or not NAME.fullmatch(naming.replace(place, "x")):
            raise ValueError(
                f"target must be {place} among letters, digits, _ . -, found {quote(naming)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """A pattern: it stands for a target for each schema, or each database, that fits it."""

    name: str
    over: Over
    like: str | None  #: None: `query` is asked
    query: str | None  #: None: `like` is matched
    naming: str  #: how its targets are named, such as ``"shop-{schema}"``
    patience: timedelta  #: for the answer
    model: Target  #: what its targets have in common; its name is the pattern's

    @property
    def asked(self) -> Target:
        """What is opened to ask who the tenants are."""
        return replace(self.model, schema=None)

    def name_of(self, tenant: str) -> str:
        """Return how the target of a schema or database is named; it may be no fit name."""
        return self.naming.replace(f"{{{self.over}}}", tenant)
