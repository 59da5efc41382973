"""ReadPlan → Page: the only I/O of a read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import orjson

from tilth.errors import BadRequest
from tilth.kernel.plan.shape import Granted, ReadPlan, ReadShape
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.binds import arguments
from tilth.kernel.store.decode import decoded, granted
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.drivers.failure import UNREADABLE_ROWS, unavailable
from tilth.kernel.store.page import NOTHING, Page
from tilth.kernel.store.sessions.watch import Watch
from tilth.kernel.store.statement import COUNTED_ROWS, Statement, estimate_for, statement_for
from tilth.kit.recent import Recent

STATEMENTS = 1000

Rows = Sequence[tuple[Any, ...]]


class Store:
    """A database, and the statements compiled for it: the 1,000 shapes used last.

    watching: asked, when set, whether somebody wants to know of a statement.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.watching: Callable[[], Watch | None] | None = None
        self._statements: Recent[ReadShape, Statement] = Recent(STATEMENTS)

    def statement(self, shape: ReadShape) -> Statement:
        known = self._statements.get(shape)
        if known is None:
            known = statement_for(shape, self.database.dialect)
            self._statements.keep(shape, known)
        return known

    async def read(self, plan: ReadPlan, actor: Actor) -> Page:
        """One statement, and a second only for an estimate of more than 10,000 rows.

        Raises Unavailable, and BadRequest for a value that does not fit its column.
        """
        statement = self.statement(plan.shape)
        page = _page_from(statement, plan, await self._fetch(statement, plan, actor))
        if plan.shape.counting == "estimated" and (page.total or 0) > COUNTED_ROWS:
            return await self._estimated(page, plan, actor)
        return page

    async def _estimated(self, page: Page, plan: ReadPlan, actor: Actor) -> Page:
        if self.database.dialect.name != "postgresql":
            return page
        statement = estimate_for(plan.shape, self.database.dialect)
        [(explained,)] = await self._fetch(statement, plan, actor)
        guess = int(orjson.loads(explained)[0]["Plan"]["Plan Rows"])
        return replace(page, total=max(guess, COUNTED_ROWS + 1))

    async def _fetch(self, statement: Statement, plan: ReadPlan, actor: Actor) -> Rows:
        values = arguments(statement.parameters, plan, actor)
        began = perf_counter()
        try:
            return await self.database.fetch(statement.sql, values)
        except BadRequest as exc:
            if plan.values:
                raise
            # The request brought no value, so it is one in the database that does not fit.
            raise unavailable(UNREADABLE_ROWS, self.database.label) from exc
        finally:
            if self.watching is not None and (watch := self.watching()) is not None:
                watch.add(statement.sql, values, (perf_counter() - began) * 1000, {})


def _page_from(statement: Statement, plan: ReadPlan, rows: Rows) -> Page:
    found, total, of_owner = True, None, NOTHING
    if statement.head:
        found, total, of_owner = bool(rows[0][0]), rows[0][1], _of_owner(statement, rows[0])
        there = 2 + (len(statement.owner.asked) if statement.owner else 0)
        rows = [row[there + 1 :] for row in rows if row[there] is not None]
    more = len(rows) > plan.limit
    rows = rows[: plan.limit]
    if plan.shape.window.kind == "before":
        rows = rows[::-1]
    ends = (rows[0], rows[-1]) if rows and statement.keys else ()
    keys = [tuple(row[len(row) - statement.keys :]) for row in ends]
    return Page(decoded(statement.decoder, rows), keys, more, total, found, of_owner)


def _of_owner(statement: Statement, row: tuple[Any, ...]) -> Granted:
    return NOTHING if statement.owner is None else granted(statement.owner, row)
