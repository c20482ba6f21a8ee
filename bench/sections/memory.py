"""The memory of a service with very many targets."""

from __future__ import annotations

from bench.fleet import Fleet, served
from bench.question import Question
from bench.schemas import running_schemas
from bench.service import peak_memory
from bench.table import Bound, Findings, Limit, Row

_SWEEPS = 2
_LIMIT = Limit(Bound.AT_MOST, 250)


async def measure(question: Question) -> Findings:
    """Serve as many targets as there are schemas, and look at the process after two sweeps."""
    count = question.tenants
    async with running_schemas(count) as (url, schemas):
        schedule = 'every = "1s", jitter = "0s"'
        with served([url] * count, schedule, schemas) as (config, api):
            fleet = Fleet(urls=(url,), config=config, api=api, postgres=0)
            memory = await peak_memory(fleet, sweeps=_SWEEPS)
    work = f"process memory, {count} targets configured"
    return Findings(
        title=f"memory: `levelhead serve` of {count} targets at head, after {_SWEEPS} sweeps",
        lines=(f"{memory:.0f} MiB, the peak of the process",),
        rows=(Row(work=work, figure=memory, unit="MiB", limit=_LIMIT),),
    )
