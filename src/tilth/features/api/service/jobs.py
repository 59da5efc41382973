"""A writing request → its job: what is done inside the unit of work, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from tilth.errors import BadRequest, bad_parameter
from tilth.feature import Backend
from tilth.features.api.service.addresses import Address
from tilth.features.api.service.batch.job import batch_job
from tilth.features.api.service.batch.operations import operations_from
from tilth.features.api.service.bodies import json_body, new_rows
from tilth.features.api.service.changes import (
    UNCONDITIONAL,
    Conditions,
    change_intent,
    conditions_of,
)
from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.represented import represent_written
from tilth.features.api.service.idempotency import Once
from tilth.features.api.service.intents import COLLECTION, intent_from
from tilth.features.api.service.media import HAL_FORMS, JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.outcome import (
    Job,
    Outcome,
    affected_outcome,
    outcome_of,
    rows_outcome,
)
from tilth.features.api.service.preferences import Preferences, without
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.many import intents_of, plan_many, plan_rows
from tilth.kernel.plan.merge import plan_merge, unique_fields
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.size import MOST_ROWS, Size
from tilth.kernel.plan.write import plan_write
from tilth.kernel.schema.resource import Field
from tilth.kernel.store.apply import Change, apply
from tilth.kernel.store.many import change_many, create_many
from tilth.kernel.store.merge import merge, merge_many
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.unit import Units
from tilth.runtime.web.json import JsonLimits


@dataclass(frozen=True, slots=True)
class Write:
    """What every step of answering needs. base: where the API is, behind any root path.

    once: runs the unit of work, unless its Idempotency-Key was answered before.
    media_type: of the answer.
    """

    request: Request
    backend: Backend
    units: Units
    once: Once
    sight: Sight
    base: str
    media_type: str = JSON


_OF_ONE_ROW = "If-Match is about one row that is there: change rows one by one, or in a batch."


async def job_for(write: Write, address: Address, wanted: Preferences) -> Job:
    """Everything that can be planned before the unit begins, is. Raises ProblemError."""
    request = write.request
    if address.place == "batch":
        _refuse_parameters(request)
        body = await json_body(request, "batch")
        operations = operations_from(body, write.base)
        backend = write.backend
        limits = backend.settings.web
        return batch_job(operations, backend.conditional, write.base, wanted, limits)
    if address.place == "collection" and request.method != "POST":
        return await _collection_job(write, address, wanted)
    if request.method == "POST":
        return await _creation(write, address, wanted)
    _refuse_parameters(request)
    has_body = request.method != "DELETE" and address.place != "link"
    body = await json_body(request, address.place) if has_body else None
    return _one(write, _intent(write, address, body, conditions_of(request.headers)), wanted)


def _intent(
    write: Write, address: Address, body: Any, conditions: Conditions = UNCONDITIONAL
) -> WriteIntent:
    method, conditional = write.request.method, write.backend.conditional
    intent = change_intent(method, address, body, conditions, conditional)
    return replace(intent, size=Size())


def _one(write: Write, intent: WriteIntent, wanted: Preferences) -> Job:
    plan = plan_write(intent, write.sight)
    return lambda scope: _answered(write, scope, apply(scope, plan), wanted)


def _answered(write: Write, scope: Scope, change: Change, wanted: Preferences) -> Outcome:
    if write.media_type == JSON:
        return outcome_of(change, write.base, wanted)
    forms = write.media_type == HAL_FORMS
    drawing = Drawing(write.sight, write.base, forms, writable=True)
    return outcome_of(change, write.base, wanted, represent_written(drawing, scope))


async def _creation(write: Write, address: Address, wanted: Preferences) -> Job:
    """Of one row or many, as new ones or merged with those that are there."""
    request, sight = write.request, write.sight
    on = _told_apart_by(write, address) if wanted.merge else ()
    _refuse_parameters(request, *(["on"] if wanted.merge else []))
    web = write.backend.settings.web
    limits = JsonLimits(depth=web.json_depth, digits=web.json_digits)
    body = await new_rows(request, address.place, limits, lambda: _fields(sight, address))
    conditions = _conditions_of_creation(write, body, wanted)
    intent = _intent(write, address, body, conditions)
    if not wanted.merge and not isinstance(body, list):
        return _one(write, intent, wanted)
    if isinstance(body, list):
        # Many rows have one representation.
        negotiate(request.headers.get("accept"), (JSON,))
    intents = intents_of(intent, body) if isinstance(body, list) else [intent]
    plans = plan_rows(intents, sight)
    if not wanted.merge:
        return lambda scope: rows_outcome(create_many(scope, plans), wanted)
    is_conditional = address.resource in write.backend.conditional
    pairs = zip(plans, intents, strict=True)
    merges = [plan_merge(*each, on, conditional=is_conditional) for each in pairs]
    if isinstance(body, list):
        return lambda scope: rows_outcome(merge_many(scope, merges), wanted)
    return lambda scope: _answered(write, scope, merge(scope, merges[0]), wanted)


def _conditions_of_creation(write: Write, body: Any, wanted: Preferences) -> Conditions:
    """Only one row that may be there already can be met with conditions. Raises BadRequest."""
    conditions = conditions_of(write.request.headers)
    if wanted.merge and not isinstance(body, list):
        return conditions
    if conditions.if_match:
        raise BadRequest(_OF_ONE_ROW)
    return UNCONDITIONAL


def _told_apart_by(write: Write, address: Address) -> tuple[str, ...]:
    """`?on=team_id,name`. Raises BadRequest."""
    given = write.request.query_params.getlist("on")
    if address.place != "collection" or len(given) != 1 or not given[0]:
        raise bad_parameter(
            "on",
            "required",
            f"resolution=merge goes with ?on= and the unique fields that rows are told apart by, "
            f"once, at {write.base}/{address.resource} itself.",
        )
    return unique_fields(write.sight, address.resource, given[0].split(","))


def _fields(sight: Sight, address: Address) -> Mapping[str, Field]:
    """Of the rows that are created at an address."""
    access = sight.access(address.resource)
    if address.relation is None:
        return access.fields
    return sight.access(access.resource.relations[address.relation].target).fields


async def _collection_job(write: Write, address: Address, wanted: Preferences) -> Job:
    """A change of every row that matches."""
    request = write.request
    asked = intent_from(address.resource, None, None, request.scope["query_string"])
    for name in request.query_params:
        if name in COLLECTION - {"filter", "q"}:
            raise _no_parameter(request, name)
    if request.headers.getlist("if-match"):
        raise BadRequest(_OF_ONE_ROW)
    most = wanted.max_affected
    if most is None or most > MOST_ROWS:
        raise BadRequest(
            f"Say how many rows may be affected, such as Prefer: max-affected=10; at most "
            f"{MOST_ROWS:,}. When more match, none is.",
            code="max_affected_required",
        )
    body = await json_body(request, address.place) if request.method == "PATCH" else None
    intent = _intent(write, address, body)
    plan = plan_many(intent, asked, most, write.sight)
    return lambda scope: affected_outcome(len(change_many(scope, plan)), wanted)


def _refuse_parameters(request: Request, *known: str) -> None:
    if name := next((name for name in request.query_params if name not in known), None):
        raise _no_parameter(request, name)


def _no_parameter(request: Request, name: str) -> BadRequest:
    detail = f"{request.method} does not take the parameter {name[:80]!r} here."
    return bad_parameter(name, "unknown_parameter", detail)


def preferences_at(address: Address, method: str, sent: Preferences) -> Preferences:
    """Without those that have no meaning there: what is answered as applied, was.

    Raises BadRequest when the client wants them met or nothing done.
    """
    creates = method == "POST" and address.place != "batch"
    changes_many = method != "POST" and address.place == "collection"
    has_no_row = method == "DELETE" or changes_many or address.place == "link"
    unmet: dict[str, str] = {}
    if not creates:
        unmet["merge"] = "resolution=merge"
    if not changes_many:
        unmet["max_affected"] = f"max-affected={sent.max_affected}"
    if has_no_row:
        unmet["representation"] = "return=representation"
    wanted = without(sent, **unmet)
    if wanted.strict and wanted.unmet:
        listed = ", ".join(wanted.unmet)
        detail = f"These preferences cannot be met here: {listed}."
        raise BadRequest(detail, code="preference_unmet")
    return wanted
