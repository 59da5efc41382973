"""A request that changes something → its answer, after the commit."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sqlalchemy.orm import Session
from starlette.responses import Response

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.conditional import CACHING, VARY
from tilth.features.api.service.idempotency import REPLAYED
from tilth.features.api.service.jobs import Write, job_for, preferences_at
from tilth.features.api.service.later.work import LONGEST_WAIT_SECONDS, Later
from tilth.features.api.service.media import DOCUMENTS, JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.outcome import Outcome
from tilth.features.api.service.preferences import Preferences, preferences_from
from tilth.features.api.service.rehearsal import rehearsed
from tilth.kernel.store.apply import told
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.unit import Work
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.disconnect import unless_gone
from tilth.runtime.web.problem import request_id_of


async def write_answer(write: Write, address: Address, later: Later) -> Response:
    wanted = _wanted(write, address)
    work = await planned(write, address)
    # Nobody in particular could not ask for the answer: a preference may be passed over.
    if wanted.later and not wanted.dry_run and write.sight.actor.is_signed_in:
        return response_of(await _accepted(write, later, wanted.wait_seconds))
    request, keep = write.request, not wanted.dry_run
    await request.body()
    unit = write.once.run(request, write.sight, write.units, work, keep=keep)
    return response_of(await unless_gone(request, unit))


async def planned(write: Write, address: Address) -> Work[Outcome]:
    """What is done inside the unit of work. Raises ProblemError for what can be told before."""
    wanted = _wanted(write, address)
    is_one = address.place != "batch" and (address.place, write.request.method) not in _OF_MANY
    offered = DOCUMENTS if is_one else (JSON,)
    accept = write.request.headers.get("accept")
    write = replace(write, media_type=negotiate(accept, offered))
    job = await job_for(write, address, wanted)
    backend, request_id = write.backend, request_id_of(write.request.scope)

    def work(session: Session) -> Outcome:
        scope = Scope(session, write.sight, backend.records, backend.outbox, now, uuid7, request_id)
        outcome = told(scope, lambda: job(scope))
        return rehearsed(outcome, scope.seen) if wanted.dry_run else outcome

    return work


_OF_MANY = (("collection", "PATCH"), ("collection", "DELETE"))


def _wanted(write: Write, address: Address) -> Preferences:
    sent = preferences_from(write.request.headers.getlist("prefer"))
    return preferences_at(address, write.request.method, sent)


async def _accepted(write: Write, later: Later, wait_seconds: float) -> Outcome:
    """202, or the answer itself when the client would wait for so long."""
    request, sight = write.request, write.sight
    work = later.accepted(request, await request.body(), sight.actor)
    told = await write.once.run(request, sight, write.units, later.keep(work, write.base))
    if told.headers.get(REPLAYED) is not None:
        return told
    doing = later.start(work.id)
    done, _ = await asyncio.wait([doing], timeout=min(wait_seconds, LONGEST_WAIT_SECONDS))
    answer = doing.result() if done else None
    return told if answer is None else answer


def response_of(outcome: Outcome) -> Response:
    headers = {"cache-control": CACHING, "vary": VARY, **outcome.headers}
    return Response(outcome.body, status_code=outcome.status, headers=headers)
