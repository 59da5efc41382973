"""Accepted work: carried out soon by the process that accepted it, or else by another, exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request

from tilth.errors import NotFound, ProblemError, TilthError, Unavailable
from tilth.feature import Backend
from tilth.features.api.service.idempotency import packed, unpacked
from tilth.features.api.service.later.kept import (
    actor_from,
    kept_request,
    may_know,
    owner_of,
)
from tilth.features.api.service.media import JSON
from tilth.features.api.service.outcome import TOLD, Outcome
from tilth.features.api.service.problems import problem_outcome
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.accepted import (
    Accepted,
    accept,
    asked_for,
    carried_out,
    forget,
    left_by_others,
    to_do,
    work_to_find,
)
from tilth.kernel.store.unit import Units, Work
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.problem import request_id_of
from tilth.scopes import Opening

AT_ONCE = 4
"""Units of accepted work of one process, so that whoever waits for an answer goes first."""

MOST_WAITING = 1_000
"""Accepted by one process and not begun; then it says that it is busy."""

LONGEST_WAIT_SECONDS = 20.0

LOOK_SECONDS = 60.0
"""Between two looks for what others have left."""

DRAIN_SECONDS = 3.0

logger = logging.getLogger("tilth.api")

Plan = Callable[[Accepted], Awaitable[Work[Outcome]]]
"""What was accepted → its unit, planned with the policies of now. Raises ProblemError."""

FAILED = "The server failed to carry this request out. Report it with its request_id."


class Later:
    """Owns the tasks that carry accepted work out."""

    def __init__(self, backend: Backend, units: Units, plan: Plan) -> None:
        self._backend, self._units, self._plan = backend, units, plan
        self._tasks: dict[UUID, asyncio.Task[Outcome | None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._is_stopping = False

    def accepted(self, request: Request, body: bytes, actor: Actor) -> Accepted:
        """Raises Unavailable when too much waits already."""
        if len(self._tasks) >= MOST_WAITING or self._is_stopping:
            detail = f"More than {MOST_WAITING:,} accepted requests wait. Try again later."
            raise Unavailable(detail, code="too_much_waits", headers={"Retry-After": "5"})
        kept = kept_request(request, actor, request_id_of(request.scope))
        return Accepted(uuid7(), owner_of(actor), kept, body, now())

    def keep(self, work: Accepted, base: str) -> Callable[[Session], Outcome]:
        """The unit that accepts it, and what that comes to."""

        def unit(session: Session) -> Outcome:
            accept(session, work)
            headers = {
                "location": "/".join([base, "work", str(work.id)]),
                "preference-applied": "respond-async",
                "retry-after": "1",
            }
            told = {"id": str(work.id), **_waiting(work.accepted_at)}
            return _told(told, headers, 202)

        return unit

    def start(self, work_id: UUID) -> asyncio.Task[Outcome | None]:
        """By its number: its body is in the database, and not in memory for as long as it waits."""
        task = asyncio.get_running_loop().create_task(self._in_turn(work_id))
        self._tasks[work_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(work_id, None))
        return task

    async def status(self, work_id: str, actor: Actor) -> Outcome:
        """Raises NotFound for what was accepted from somebody else, or never."""
        try:
            asked = asked_for(UUID(work_id), owner_of(actor))
        except ValueError:
            raise _not_found() from None
        async with Opening(self._backend, actor, writes=False) as scope:
            found = (await scope.session.execute(asked)).one_or_none()
        if found is None or not may_know(actor, actor_from(found.request)):
            raise _not_found()
        if found.answer is None:
            return _told({"id": work_id, **_waiting(found.accepted_at)}, {"retry-after": "1"})
        return _told(
            {
                "id": work_id,
                "status": "done",
                "accepted_at": found.accepted_at,
                "finished_at": found.finished_at,
                "response": _shown(unpacked(found.answer)),
            }
        )

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """While the application serves: what others have left is looked for."""
        looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield
        finally:
            self._is_stopping = True
            looking.cancel()
            running = [looking, *self._tasks.values()]
            _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            try:
                await self._found()
            except (TilthError, SQLAlchemyError) as exc:
                logger.warning("Accepted work cannot be looked for: %s", exc)
            await asyncio.sleep(LOOK_SECONDS)

    async def _found(self) -> None:
        database = self._backend.store.database
        [(is_left, is_old)] = await database.fetch(work_to_find(database.dialect, now()), ())
        if is_old:
            await self._units.run(partial(forget, now=now()))
        for work_id in await self._units.run(partial(left_by_others, now=now())) if is_left else ():
            if work_id not in self._tasks:
                self.start(work_id)

    async def _in_turn(self, work_id: UUID) -> Outcome | None:
        """None when another process has done it, or it has to be tried again later."""
        async with self._turns:
            if self._is_stopping:
                return None
            try:
                work = await self._units.run(partial(to_do, work_id=work_id))
                return None if work is None else await self._done(work)
            except (Unavailable, SQLAlchemyError) as exc:
                logger.warning("Accepted work %s waits: %s", work_id, exc)
                return None

    async def _done(self, work: Accepted) -> Outcome | None:
        try:
            return await self._carried_out(work, await self._planned(work))
        except (Unavailable, SQLAlchemyError):
            raise
        except Exception:
            # It would fail again in the same way: whoever asks for the answer is told.
            logger.exception("Accepted work %s failed", work.id)
            return await self._carried_out(work, partial(_refused, ProblemError(FAILED)))

    async def _planned(self, work: Accepted) -> Work[Outcome]:
        try:
            return await self._plan(work)
        except Unavailable:
            raise
        except ProblemError as exc:
            return partial(_refused, exc)

    async def _carried_out(self, work: Accepted, unit: Work[Outcome]) -> Outcome | None:
        request_id = work.request["request_id"]
        answer = await self._units.run(
            partial(
                carried_out,
                work_id=work.id,
                now=now(),
                do=lambda session: packed(unit(session)),
                refuse=lambda exc: packed(problem_outcome(exc, request_id)),
            )
        )
        return None if answer is None else unpacked(answer)


def _refused(error: ProblemError, session: Session) -> Outcome:
    raise error


def _not_found() -> NotFound:
    return NotFound(
        "No work of this number was accepted from you, or it was longer ago than a day."
    )


def _waiting(accepted_at: datetime) -> dict[str, object]:
    return {"status": "waiting", "accepted_at": accepted_at}


def _shown(outcome: Outcome) -> dict[str, object]:
    return {
        "status": outcome.status,
        "headers": {name: outcome.headers[name] for name in TOLD if name in outcome.headers},
        "body": orjson.Fragment(outcome.body) if outcome.body else None,
    }


def _told(
    document: dict[str, Any], headers: Mapping[str, str] | None = None, status: int = 200
) -> Outcome:
    body = orjson.dumps(document, option=orjson.OPT_UTC_Z)
    return Outcome(status, {"content-type": JSON, **(headers or {})}, body)
