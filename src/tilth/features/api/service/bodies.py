"""The body of a writing request → its JSON value, or the JSON values of its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from tilth.errors import BadRequest, Fault, UnsupportedMedia
from tilth.features.api.service.addresses import Place
from tilth.features.api.service.cells import rows_from_csv
from tilth.features.api.service.media import CSV, JSON, NDJSON
from tilth.kernel.schema.resource import Field
from tilth.kit.text import sentence_list
from tilth.runtime.web.json import JsonLimits, parse_json

MERGE_PATCH = "application/merge-patch+json"

ACCEPTED = {"POST": (JSON, NDJSON, CSV), "PUT": (JSON,), "PATCH": (MERGE_PATCH, JSON)}


def accepted_types(method: str, place: Place) -> tuple[str, ...]:
    return (JSON,) if place == "batch" else ACCEPTED[method]


def accept_headers(methods: tuple[str, ...], place: Place) -> dict[str, str]:
    """`Accept-Post` and `Accept-Patch` for OPTIONS: the media types of bodies."""
    kinds = {"POST": "accept-post", "PATCH": "accept-patch"}
    return {kinds[m]: ", ".join(accepted_types(m, place)) for m in methods if m in kinds}


def media_type_of(request: Request, place: Place) -> str:
    """Raises UnsupportedMedia for a body of a type that is not read here."""
    accepted = accepted_types(request.method, place)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent in accepted:
        return sent
    named = f"not {sent!r}" if sent else "and the request does not say what it is"
    raise UnsupportedMedia(
        f"A {request.method} here takes {sentence_list(accepted)}, {named}.",
        headers={f"Accept-{'Patch' if request.method == 'PATCH' else 'Post'}": ", ".join(accepted)},
    )


async def json_body(request: Request, place: Place) -> Any:
    """With Decimal for every number that has a point, so that no digit is lost on the way.

    What is wrong with it as JSON, the middleware has said before (runtime/web/json).
    Raises UnsupportedMedia and BadRequest.
    """
    media_type_of(request, place)
    try:
        return json.loads(await request.body(), parse_float=Decimal)
    except ValueError as exc:
        detail = "The body is empty or no JSON. Send a JSON object."
        raise BadRequest(
            detail, code="json_invalid", faults=[Fault("", "json_invalid", detail)]
        ) from exc


async def new_rows(
    request: Request, place: Place, limits: JsonLimits, fields: Callable[[], Mapping[str, Field]]
) -> Any:
    """One JSON value for one row, a list for many: of a JSON array, lines of JSON, or CSV.

    fields: those of the rows, for the cells of CSV.
    """
    match media_type_of(request, place):
        case media_type if media_type == NDJSON:
            return list(_lines(await request.body(), limits))
        case media_type if media_type == CSV:
            return rows_from_csv(await request.body(), fields(), limits)
        case _:
            return await json_body(request, place)


def _lines(body: bytes, limits: JsonLimits) -> Iterator[Any]:
    """Empty lines do not count."""
    lines = (line for line in body.split(b"\n") if line.strip())
    for place, line in enumerate(lines):
        try:
            parse_json(line, limits)
        except BadRequest as exc:
            detail = f"Row {place}: {exc.detail}"
            fault = Fault(f"/{place}", exc.code, exc.detail)
            raise BadRequest(detail, code=exc.code, faults=[fault]) from exc
        yield json.loads(line, parse_float=Decimal)
