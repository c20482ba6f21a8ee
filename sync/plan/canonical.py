"""The one way in which a plan is written as bytes, and its digest.

The digest is the sha256 of JSON with sorted keys, no blanks and UTF-8, over all that would
be sent: dialect, heads, steps, statements and their boundaries. No clock, path, URL or
host is in it, so equal paths have equal digests. Of a catalog step the fingerprint counts
too: on another major version of a server it is another one. So does what of a script is not sent,
and what there is to know of the rest: whoever approves a plan has read that. Of a live step nobody
knows beforehand what it sends: its script stands for it, and env.py with the modules that scripts
import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from providers.types import Heads
from sync.plan.model import (
    Block,
    KnownType,
    NotedDirective,
    Plan,
    SkippedDirective,
    Step,
    StepClass,
)


def plan_of(
    history: str,
    dialect: str,
    before: Heads,
    steps: Sequence[Step],
    *,
    prologue: Sequence[str] = (),
    sources: str = "",
) -> Plan:
    """Put a plan together, and sign it with its digest."""
    after = steps[-1].after if steps else before
    unsigned = Plan(
        history, dialect, before, after, tuple(steps), "", tuple(prologue), sources=sources
    )
    return replace(unsigned, digest=digest(unsigned))


def digest(plan: Plan) -> str:
    """Return the sha256 of what *plan* would send, hexadecimal."""
    body: dict[str, Any] = {
        "dialect": plan.dialect,
        "before": sorted(plan.before),
        "prologue": list(plan.prologue),
        "steps": [sent(step) for step in plan.steps],
    }
    if any(step.kind is StepClass.LIVE for step in plan.steps):
        body["sources"] = plan.sources
    return hashlib.sha256(text_of(body).encode()).hexdigest()


def text_of(value: Mapping[str, Any]) -> str:
    """Return *value* as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sent(step: Step) -> dict[str, Any]:
    """Return what a step would send, as the digest sees it."""
    facts: dict[str, Any] = plain(step)
    del facts["script"]
    if step.kind is StepClass.LIVE:
        return {**facts, "script": step.script, "known": plain_types(step)}
    facts |= {"blocks": [plain_block(b) for b in step.blocks], "class": step.kind}
    facts |= {name: sorted(told) for name, told in plain_remarks(step).items() if told}
    return {**facts, "fingerprint": step.fingerprint} if step.fingerprint else facts


def plain(step: Step) -> dict[str, Any]:
    """Return a step's place on the path, as events have it."""
    return {
        "revision": step.revision,
        "before": sorted(step.before),
        "after": sorted(step.after),
        "script": step.script,
    }


def plain_block(block: Block) -> dict[str, Any]:
    """Return a block as JSON has it."""
    return {"statements": list(block.statements), "transactional": block.transactional}


def plain_remarks(step: Step) -> dict[str, list[list[str]]]:
    """Return what is skipped of a step's script, and what is noted, as JSON has them."""
    return {
        "skips": [[skip.directive, skip.detail] for skip in step.skips],
        "notes": [[note.directive, note.detail] for note in step.notes],
    }


def plain_types(step: Step) -> list[list[str | None]]:
    """Return the types that a step's script takes to exist as JSON has them."""
    return [[known.kind, known.within, known.name] for known in step.known]


def plan_to_text(plan: Plan) -> str:
    """Return all of *plan* as canonical JSON, to be stored and read back."""
    return text_of(
        {
            "history": plan.history,
            "dialect": plan.dialect,
            "before": sorted(plan.before),
            "prologue": list(plan.prologue),
            "steps": [whole(step) for step in plan.steps],
            "sources": plan.sources,
        }
    )


def whole(step: Step) -> dict[str, Any]:
    """Return all of a step as JSON has it."""
    return {
        **plain(step),
        "class": step.kind,
        "why": list(step.why),
        "blocks": [plain_block(block) for block in step.blocks],
        "fingerprint": step.fingerprint,
        **plain_remarks(step),
        "known": plain_types(step),
    }


def plan_from_text(text: str) -> Plan:
    """Return the plan that `plan_to_text` has written; its digest is computed anew."""
    said = json.loads(text)
    steps = [step_from(each) for each in said["steps"]]
    before = frozenset(said["before"])
    return plan_of(
        said["history"],
        said["dialect"],
        before,
        steps,
        prologue=said["prologue"],
        sources=said["sources"],
    )


def step_from(said: Mapping[str, Any]) -> Step:
    """Return the step that `whole` has written."""
    return Step(
        revision=said["revision"],
        before=frozenset(said["before"]),
        after=frozenset(said["after"]),
        script=said["script"],
        kind=StepClass(said["class"]),
        why=tuple(said["why"]),
        blocks=tuple(Block(tuple(b["statements"]), b["transactional"]) for b in said["blocks"]),
        fingerprint=said["fingerprint"],
        skips=tuple(SkippedDirective(*skip) for skip in said["skips"]),
        notes=tuple(NotedDirective(*note) for note in said.get("notes", ())),
        known=tuple(KnownType(*known) for known in said["known"]),
    )
