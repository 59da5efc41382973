"""A read without end → chunks of rows, each its own short statement.

No transaction outlives a chunk, however slowly the client reads: a row that changes meanwhile is
answered as it was when its chunk was read (docs/decisions/0005).
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from tilth.kernel.plan.read import continued, not_found
from tilth.kernel.plan.shape import ReadPlan
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.run import Store

CHUNK = 500

Rows = list[dict[str, Any]]


async def exported(
    store: Store, plan: ReadPlan, actor: Actor, *, all_rows: bool
) -> AsyncIterator[Rows]:
    """all_rows: to the end; otherwise the one page that the plan asks for."""
    plan = replace(plan, shape=replace(plan.shape, counting="none"))
    if all_rows:
        plan = replace(plan, limit=CHUNK)
    while True:
        page = await store.read(plan, actor)
        if plan.shape.owner is not None and not page.found:
            raise not_found(plan.shape.owner.access)
        yield page.rows
        if not (all_rows and page.more):
            return
        plan = continued(plan, page.keys[-1], len(page.rows))
