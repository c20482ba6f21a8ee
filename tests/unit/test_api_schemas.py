from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from api import plan_schemas, questions, schemas, tenant_schemas
from sync import model
from sync.approval import PlanDetails, StatementLock
from sync.events.chain import Draft, Event, seal
from sync.events.kinds import Kind
from sync.history import Revision
from sync.plan.model import Block, KnownType, Plan, Preview, SkippedDirective, Step

NOON = datetime(2031, 5, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (schemas.Target, model.TargetStatus),
        (tenant_schemas.Tenants, model.TenantsStatus),
        (schemas.Hold, model.Hold),
        (schemas.OrderAnswer, model.Order),
        (schemas.Run, model.Run),
        (schemas.Rollout, model.Rollout),
        (schemas.Skip, model.Skip),
        (schemas.Token, model.Token),
        (schemas.Event, Event),
        (plan_schemas.Preview, Preview),
        (plan_schemas.Plan, Plan),
        (plan_schemas.Step, Step),
        (plan_schemas.Block, Block),
        (plan_schemas.SkippedDirective, SkippedDirective),
        (plan_schemas.KnownType, KnownType),
        (plan_schemas.Decision, model.Decision),
        (plan_schemas.Proposal, model.Proposal),
        (plan_schemas.PlanRecord, model.PlanRecord),
        (plan_schemas.PlanFilter, model.PlanQuery),
        (plan_schemas.PlanDetails, PlanDetails),
        (plan_schemas.StatementLock, StatementLock),
        (schemas.Revision, Revision),
        (questions.EventFilter, model.EventQuery),
        (questions.RunFilter, model.RunQuery),
    ],
)
def test_schemas_and_values_have_the_same_fields(answer: type[BaseModel], value: type) -> None:
    """Nothing the engine says is left out of an answer, and nothing is made up."""
    assert set(answer.model_fields) == {field.name for field in fields(value)}


def test_event_is_shown_as_it_was_hashed() -> None:
    """A moment has the text that went into the hash, to the microsecond."""
    event = seal(
        Draft(kind=Kind.RUN_STARTED, actor="clock"), sequence=1, id="e", at=NOON, previous=""
    )
    assert (
        '"at":"2031-05-06T12:00:00.000000Z"'
        in schemas.Event.model_validate(event).model_dump_json()
    )


def test_event_with_broken_text_is_still_shown() -> None:
    """Half a surrogate pair in an event does not make the log unreadable."""
    draft = Draft(kind=Kind.RUN_FAILED, actor="clock", data={"message": ["a\ud800b"]})
    event = seal(draft, sequence=1, id="e", at=NOON, previous="")
    assert '"message":["a?b"]' in schemas.Event.model_validate(event).model_dump_json()


@pytest.mark.parametrize("label", ["region", "=eu", "="])
def test_labels_are_pairs(label: str) -> None:
    """A label in a query is name=value; the value may hold more signs of equality."""
    assert questions.TargetFilter(label=["a=b=c"]).labels() == {"a": "b=c"}
    with pytest.raises(ValidationError, match="must be name=value"):
        questions.TargetFilter(label=[label])


@pytest.mark.parametrize("question", [questions.SyncOne, questions.SyncMany, questions.Stamp])
def test_unknown_keys_are_refused(question: type[questions.Question]) -> None:
    """A misspelled key is a mistake, not a wish for the default."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        question.model_validate({"to": "head", "dryrun": True})
