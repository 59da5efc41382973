"""A request that changes something → its answer, after the commit."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import PreconditionRequired, bad_parameter
from tilth.feature import Backend
from tilth.features.api.service.addresses import Address
from tilth.features.api.service.bodies import ACCEPTED, json_body
from tilth.features.api.service.conditional import CACHING, VARY
from tilth.features.api.service.etags import row_parts
from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.represented import represent_written
from tilth.features.api.service.idempotency import Once
from tilth.features.api.service.media import DOCUMENTS, HAL_FORMS, JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.outcome import Outcome, outcome_of
from tilth.features.api.service.preferences import Preferences, preferences_from
from tilth.features.api.service.representation import Represent, as_json
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.plan.intent import WriteAction, WriteIntent
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.write import plan_write
from tilth.kernel.store.apply import carry_out
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.unit import Units
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.problem import request_id_of

_ACTIONS: dict[tuple[str, str], WriteAction] = {
    ("collection", "POST"): "create",
    ("related", "POST"): "create",
    ("row", "PUT"): "replace",
    ("row", "PATCH"): "update",
    ("row", "DELETE"): "delete",
    ("link", "PUT"): "link",
    ("link", "DELETE"): "unlink",
}


@dataclass(frozen=True, slots=True)
class Write:
    """What every step of answering needs. base: where the API is, behind any root path.

    once: runs the unit of work, unless its Idempotency-Key was answered before.
    """

    request: Request
    backend: Backend
    units: Units
    once: Once
    sight: Sight
    base: str


async def write_answer(write: Write, address: Address) -> Response:
    request = write.request
    _refuse_parameters(request)
    media_type = negotiate(request.headers.get("accept"), DOCUMENTS)
    wanted = preferences_from(request.headers.getlist("prefer"))
    plan = plan_write(await _intent(write, address), write.sight)
    return _response(await _carried_out(write, plan, wanted, media_type))


def _refuse_parameters(request: Request) -> None:
    if name := next(iter(request.query_params), None):
        detail = f"{request.method} takes no parameters, and {name!r} is one."
        raise bad_parameter(name, "unknown_parameter", detail)


async def _intent(write: Write, address: Address) -> WriteIntent:
    request = write.request
    action = _ACTIONS[address.place, request.method]
    body = await json_body(request) if action in ("create", "replace", "update") else None
    conditions = request.headers.getlist("if-match")
    if not conditions and address.place == "row" and address.resource in write.backend.conditional:
        raise PreconditionRequired(
            "Send If-Match with the ETag that the row was read with, so that no change is lost."
        )
    return WriteIntent(
        action,
        address.resource,
        address.key,
        address.relation,
        address.other,
        body,
        row_parts(conditions) if conditions else None,
    )


async def _carried_out(
    write: Write, plan: WritePlan, wanted: Preferences, media_type: str
) -> Outcome:
    request_id = request_id_of(write.request.scope)

    def work(session: Session) -> Outcome:
        backend = write.backend
        scope = Scope(session, write.sight, backend.records, backend.outbox, now, uuid7, request_id)
        [change] = carry_out(scope, [plan])
        return outcome_of(change, write.base, wanted, _represent(write, scope, media_type))

    keep = not wanted.dry_run
    return await write.once.run(write.request, write.sight.actor, write.units, work, keep=keep)


def _represent(write: Write, scope: Scope, media_type: str) -> Represent:
    if media_type == JSON:
        return as_json
    drawing = Drawing(write.sight, write.base, media_type == HAL_FORMS, writable=True)
    return represent_written(drawing, scope)


def _response(outcome: Outcome) -> Response:
    headers = {"cache-control": CACHING, "vary": VARY, **outcome.headers}
    return Response(outcome.body, status_code=outcome.status, headers=headers)


def accept_headers(methods: tuple[str, ...]) -> dict[str, str]:
    """`Accept-Post` and `Accept-Patch` for OPTIONS: the media types of bodies."""
    kinds = {"POST": "accept-post", "PATCH": "accept-patch"}
    return {kinds[m]: ", ".join(ACCEPTED[m]) for m in methods if m in kinds}
