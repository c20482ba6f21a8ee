"""What was found in a plan, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.cli.words import NOTHING, count
from sync.plan.findings import Finding, counts


def findings_text(findings: Sequence[Finding], unasked: Sequence[str]) -> str:
    """Return in one line how much was found, by which rules, and which were not applied."""
    rules = (f"{rule} ({n})" if n > 1 else rule for rule, n in counts(findings).items())
    found = f"{count(len(findings), 'finding')}: {', '.join(rules)}" if findings else ""
    return "; ".join(filter(None, (found, *unasked))) or NOTHING


def findings_lines(findings: Sequence[Finding], unasked: Sequence[str]) -> Iterator[str]:
    """Yield a line for each finding, and for each linter whose rules were not applied."""
    for finding in findings:
        yield f"warning: {finding} [{finding.rule}]"
    for reason in unasked:
        yield f"warning: {reason}"
