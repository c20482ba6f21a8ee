"""The engine's branches of the error tree; its root is in `providers.errors`.

PlanError                      the history cannot give the path that was asked for
  ScriptError       .history   a script or env.py failed: mend it
    RunnerTimeoutError         a script ran longer than it may: mend it or raise the limit
  UnknownRevisionError         no such revision in the history, or an ambiguous one
  MultipleHeadsError           the history has several heads: merge them, or say which
  PlanStaleError               the target moved since the plan was made: plan again
  PlanChangedError             the scripts changed in the middle of it: put it right by hand
  PlanRefusedError             a rule found what the settings refuse: change the scripts
  UnknownPlanError             no plan has this digest: have it compiled first
RunError                       the run cannot go on
  LeaseLostError               another service has taken the target over: leave it alone
  StatementInDoubtError        nobody can tell what a statement did: a person must look
    StatementRunningError      it has not ended yet: the clock asks again
  TargetHeldError              a person put the target on hold: release it first
  TargetBusyError              a run that does something else is under way: wait for it
  ApprovalNeededError  .plan   its plan waits for an approval: have somebody read it
    PlanRejectedError          somebody rejected its plan: change the scripts
    CanaryNeededError          no canary has tried its plan: wait for one, or approve the plan
      CanaryFailedError        its plan came out different on the canary: read how, then approve
  CanaryPendingError           another target tries its plan first: it waits for that
  OwnRequestError              who asks for a plan does not approve it: find somebody else
  UnknownTicketError           nothing of this ticket is in doubt: see the events of the run
  RunnerLostError              the runner ended without a word: its outcome is unknown
AuditError                     the control database cannot be trusted or used
  ChainBrokenError  .sequence  an event is missing or was altered
  ControlDatabaseError         the control database refused: nothing was done
  ControlDatabaseBusyError     another service holds this control database
"""

from __future__ import annotations

from providers.errors import LevelheadError


class PlanError(LevelheadError):
    """The history cannot give the path that was asked for."""

    exit_code = 4


class ScriptError(PlanError):
    """A migration script or env.py failed by itself, before or beside any database error.

    The message names the exception, the file and the line; it holds no row data.
    """

    def __init__(self, message: str, *, history: str) -> None:
        super().__init__(f"history {history}: {message}")
        self.history = history


class RunnerTimeoutError(ScriptError):
    """A runner was ended because it took longer than the settings allow."""


class UnknownRevisionError(PlanError):
    """The history has no such revision, or the name fits several."""


class MultipleHeadsError(PlanError):
    """The history has several heads where one was needed."""


class PlanStaleError(PlanError):
    """The target is no longer where the plan starts from."""


class PlanChangedError(PlanError):
    """What would be sent is no longer what was sent, or approved, before."""


class PlanRefusedError(PlanError):
    """A rule found something in the plan that the settings refuse; nothing was done."""


class UnknownPlanError(PlanError):
    """No plan has this digest, or several begin so."""


class RunError(LevelheadError):
    """A run cannot start or go on."""

    exit_code = 5


class LeaseLostError(RunError):
    """Another service holds the target now; nothing more may be done to it here."""


class StatementInDoubtError(RunError):
    """Nobody can tell what became of a statement; a person must look at the target."""


class StatementRunningError(StatementInDoubtError):
    """A statement of an earlier run still runs at the target; the clock asks again later."""


class TargetHeldError(RunError):
    """The target is on hold until `levelhead release`."""


class TargetBusyError(RunError):
    """A run that does something else is under way on the target."""


class ApprovalNeededError(RunError):
    """The target's policy asks for an approval of this very plan; nothing was done."""

    def __init__(self, message: str, *, plan: str) -> None:
        super().__init__(message)
        self.plan = plan


class PlanRejectedError(ApprovalNeededError):
    """Somebody rejected this very plan; nothing was done."""


class CanaryNeededError(ApprovalNeededError):
    """No canary has tried this very plan, and none is under way here; nothing was done."""


class CanaryFailedError(CanaryNeededError):
    """A canary's scripts left another schema than this very plan does; nothing was done."""


class CanaryPendingError(RunError):
    """Another target may try the plan first; the run goes on when that has ended."""

    def __init__(self, message: str, *, plan: str, canary: str) -> None:
        super().__init__(message)
        self.plan = plan
        self.canary = canary


class OwnRequestError(RunError):
    """Who asked for a plan is not who approves it."""


class UnknownTicketError(RunError):
    """No act in doubt has this ticket, or a person cannot settle it so."""


class RunnerLostError(RunError):
    """The runner ended without a word; the version table tells how far it came."""


class AuditError(LevelheadError):
    """The control database cannot be used, or its audit log does not hold."""

    exit_code = 6


class ChainBrokenError(AuditError):
    """An event is missing, out of order, or not the one that was written."""

    def __init__(self, message: str, *, sequence: int) -> None:
        super().__init__(f"audit log broken at event {sequence}: {message}")
        self.sequence = sequence


class ControlDatabaseError(AuditError):
    """The control database refused to read or write; whatever was intended was not done."""


class ControlDatabaseBusyError(AuditError):
    """Another service holds this SQLite control database."""
