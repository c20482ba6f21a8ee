"""What was found in a plan, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.plan.findings import Finding


def findings_lines(findings: Sequence[Finding], unasked: Sequence[str]) -> Iterator[str]:
    """Yield a line for each finding, and for each linter whose rules were not applied."""
    for finding in findings:
        yield f"warning: {finding} [{finding.rule}]"
    for reason in unasked:
        yield f"warning: {reason}"
