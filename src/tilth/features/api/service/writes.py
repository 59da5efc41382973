"""A request that changes something → its answer, after the commit."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session
from starlette.responses import Response

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.conditional import CACHING, VARY
from tilth.features.api.service.jobs import Write, job_for, preferences_at
from tilth.features.api.service.media import DOCUMENTS, JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.outcome import Job, Outcome
from tilth.features.api.service.preferences import preferences_from
from tilth.features.api.service.rehearsal import rehearsed
from tilth.kernel.store.apply import told
from tilth.kernel.store.scope import Scope
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.problem import request_id_of


async def write_answer(write: Write, address: Address) -> Response:
    request = write.request
    sent = preferences_from(request.headers.getlist("prefer"))
    wanted = preferences_at(address, request.method, sent)
    is_one = address.place != "batch" and (address.place, request.method) not in _OF_MANY
    offered = DOCUMENTS if is_one else (JSON,)
    write = replace(write, media_type=negotiate(request.headers.get("accept"), offered))
    job = await job_for(write, address, wanted)
    return _response(await _carried_out(write, job, keep=not wanted.dry_run))


_OF_MANY = (("collection", "PATCH"), ("collection", "DELETE"))


async def _carried_out(write: Write, job: Job, *, keep: bool) -> Outcome:
    """The one place where a unit is given its work, whatever the request asks for."""
    request_id = request_id_of(write.request.scope)

    def work(session: Session) -> Outcome:
        backend = write.backend
        scope = Scope(session, write.sight, backend.records, backend.outbox, now, uuid7, request_id)
        outcome = told(scope, lambda: job(scope))
        return outcome if keep else rehearsed(outcome, scope.seen)

    return await write.once.run(write.request, write.sight.actor, write.units, work, keep=keep)


def _response(outcome: Outcome) -> Response:
    headers = {"cache-control": CACHING, "vary": VARY, **outcome.headers}
    return Response(outcome.body, status_code=outcome.status, headers=headers)
