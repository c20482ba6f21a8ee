"""Every kind of event, as ``noun.past_participle``."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an event says happened."""

    SERVICE_STARTED = "service.started"
    SERVICE_STOPPED = "service.stopped"

    HISTORY_CHANGED = "history.changed"  #: another head or other scripts on disk
    HISTORY_FAILED = "history.failed"  #: its scripts or env.py cannot be loaded
    HISTORY_EDITED = "history.edited"  #: the file of an applied revision is another one now

    PLAN_COMPILED = "plan.compiled"  #: a new plan: its SQL was taken down on a shadow
    PLAN_PROPOSED = "plan.proposed"  #: a run ended with it: it needs an approval first
    PLAN_APPROVED = "plan.approved"
    PLAN_REJECTED = "plan.rejected"

    TENANTS_FAILED = "tenants.failed"  #: who they are could not be asked; they stay who they were
    TENANTS_RECOVERED = "tenants.recovered"
    TENANTS_SKIPPED = "tenants.skipped"  #: some of what was found is no target

    TARGET_FOUND = "target.found"  #: a pattern of tenants has one more
    TARGET_VANISHED = "target.vanished"  #: it is no tenant of its pattern any more

    CANARY_CHOSEN = "canary.chosen"  #: a target runs a plan's scripts before others replay it
    CANARY_PASSED = "canary.passed"  #: they left the schema that the plan gives on a shadow
    CANARY_FAILED = "canary.failed"  #: they left another one
    CANARY_RELEASED = "canary.released"  #: it came to no end that proves anything

    TARGET_RENAMED = "target.renamed"  #: its database was a target by another name before
    TARGET_CHANGED = "target.changed"  #: heads moved, and no run of ours moved them
    TARGET_DRIFTED = "target.drifted"  #: its schema is not the one that was recorded
    TARGET_RESTORED = "target.restored"  #: it is again
    TARGET_UNREACHABLE = "target.unreachable"
    TARGET_RECOVERED = "target.recovered"
    TARGET_HELD = "target.held"
    TARGET_RELEASED = "target.released"

    RUN_REQUESTED = "run.requested"
    RUN_DELAYED = "run.delayed"  #: its target is starting, and it waits for that
    RUN_CONTINUED = "run.continued"
    RUN_STARTED = "run.started"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_INTERRUPTED = "run.interrupted"
    RUN_RESOLVED = "run.resolved"

    STEP_STARTED = "step.started"
    STEP_RETRIED = "step.retried"  #: another session was in the way; it is applied again
    STEP_SUCCEEDED = "step.succeeded"
    STEP_FAILED = "step.failed"
    STEP_INTERRUPTED = "step.interrupted"
    STEP_RESOLVED = "step.resolved"

    TRANSACTION_STARTED = "transaction.started"  #: COMMIT is about to be sent
    TRANSACTION_SUCCEEDED = "transaction.succeeded"
    TRANSACTION_FAILED = "transaction.failed"
    TRANSACTION_INTERRUPTED = "transaction.interrupted"
    TRANSACTION_RESOLVED = "transaction.resolved"

    STATEMENT_STARTED = "statement.started"
    STATEMENT_SUCCEEDED = "statement.succeeded"
    STATEMENT_FAILED = "statement.failed"
    STATEMENT_INTERRUPTED = "statement.interrupted"
    STATEMENT_RESOLVED = "statement.resolved"

    STAMP_STARTED = "stamp.started"
    STAMP_SUCCEEDED = "stamp.succeeded"
    STAMP_FAILED = "stamp.failed"
    STAMP_INTERRUPTED = "stamp.interrupted"
    STAMP_RESOLVED = "stamp.resolved"

    DIRECTIVE_SKIPPED = "directive.skipped"  #: it has no counterpart on the target's database
    DIRECTIVE_NOTED = "directive.noted"  #: it asks more of the target's clients, or the like

    IMAGES_RECORDED = "images.recorded"  #: the versions of tables, before the run touched them
    WAREHOUSE_USED = "warehouse.used"  #: seconds of sessions, by a run or by a look at targets

    FINGERPRINT_FAILED = "fingerprint.failed"  #: what a run left could not be recorded

    LEASE_LOST = "lease.lost"

    TOKEN_CREATED = "token.created"  # noqa: S105 - the name of an event, not a password
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an event, not a password

    OPERATOR_SETTLED = "operator.settled"
