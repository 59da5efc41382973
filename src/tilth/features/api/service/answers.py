"""Plan → page → HTTP response: one row, a page of rows, or a stream of them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import StreamingResponse

from tilth.errors import BadRequest
from tilth.features.api.service import media
from tilth.features.api.service.answer import Answer
from tilth.features.api.service.ask import Ask
from tilth.features.api.service.conditional import tagged
from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.exports import exported
from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.represented import represent_page, represent_row
from tilth.features.api.service.links import link_header
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.representation import Representation
from tilth.kernel.plan.linked import linked
from tilth.kernel.plan.read import not_found
from tilth.kernel.plan.shape import Node, ReadPlan
from tilth.kernel.store.page import Page
from tilth.kernel.store.record import row_tag
from tilth.runtime.web.media import header
from tilth.runtime.web.middleware.timing import timing

STREAMED = (media.CSV, media.NDJSON)
LISTS = (media.JSON, *STREAMED, *media.DOCUMENTS[1:])


async def row_answer(ask: Ask) -> Answer:
    plan, access = ask.plan, ask.plan.shape.root.access
    media_type = negotiate(_accept(ask), media.DOCUMENTS)
    drawing = _drawing(ask, media_type)
    page = await _read(ask, _known(plan, drawing))
    if not page.rows:
        raise not_found(access)
    row = page.rows[0]
    shown = _row_as_json(plan, row) if drawing is None else represent_row(drawing, _node(plan), row)
    etag = strong(row_tag(row, access.fields), body_tag(shown.body))
    return _answered(ask, shown, etag, ask.reading.link)


def _accept(ask: Ask) -> str | None:
    """The first field of that name counts, as Starlette has it."""
    sent = header(ask.request.scope, b"accept")
    return None if sent is None else sent.decode("latin-1")


def _row_as_json(plan: ReadPlan, row: Mapping[str, Any]) -> Representation:
    if len(plan.fields) == len(plan.shape.root.fields):
        return Representation(orjson.dumps(row))
    expanded = [branch.relation.name for branch in plan.shape.root.branches]
    return Representation(orjson.dumps({name: row[name] for name in (*plan.fields, *expanded)}))


def _node(plan: ReadPlan) -> Node:
    """The root with the fields that were asked for; one row is read whole."""
    return replace(plan.shape.root, fields=plan.fields)


async def rows_answer(ask: Ask) -> Answer | StreamingResponse:
    plan = ask.plan
    media_type = negotiate(_accept(ask), LISTS)
    if media_type in STREAMED:
        return await _streamed(ask, plan, media_type)
    drawing = _drawing(ask, media_type)
    page = await _read(ask, _known(plan, drawing))
    if not page.found:
        raise not_found(ask.sight.access(ask.reading.intent.resource))
    links = dict(_page_links(ask, plan, page))
    shown = (
        _page_as_json(plan, page, links)
        if drawing is None
        else represent_page(ask, drawing, plan, page, links)
    )
    told = link_header((address, relation) for relation, address in links.items())
    link = f"{told}, {ask.reading.link}" if told else ask.reading.link
    return _answered(ask, shown, strong(body_tag(shown.body)), link)


def _page_as_json(plan: ReadPlan, page: Page, links: Mapping[str, str]) -> Representation:
    body: dict[str, Any] = {
        "items": page.rows,
        "next": links.get("next"),
        "prev": links.get("prev"),
    }
    if plan.shape.counting != "none":
        body["total"] = page.total
    return Representation(orjson.dumps(body))


def _known(plan: ReadPlan, drawing: Drawing | None) -> ReadPlan:
    """The plan that reads what the answer is made of."""
    return plan if drawing is None else linked(plan, drawing.sight, grants=drawing.grants)


def _drawing(ask: Ask, media_type: str) -> Drawing | None:
    """None for plain JSON, which has no links to draw."""
    if media_type == media.JSON:
        return None
    forms = media_type == media.HAL_FORMS
    return Drawing(ask.sight, ask.reading.base, forms, writable=ask.backend.units is not None)


async def _read(ask: Ask, plan: ReadPlan) -> Page:
    started = perf_counter()
    page = await ask.backend.store.read(plan, ask.sight.actor)
    timing(ask.request.scope).add("db", (perf_counter() - started) * 1000)
    return page


def _page_links(ask: Ask, plan: ReadPlan, page: Page) -> Iterator[tuple[str, str]]:
    """relation → address. Rows without identity, and those asked for by offset, are counted off."""
    if plan.shape.window.kind == "offset" or not plan.shape.root.access.resource.key:
        if page.more:
            yield "next", ask.reading.address("offset", str(plan.offset + plan.limit))
        if plan.offset:
            yield "prev", ask.reading.address("offset", str(max(0, plan.offset - plan.limit)))
        return
    kind = plan.shape.window.kind
    if page.rows and (page.more or kind == "before"):
        yield "next", _next_address(ask, plan, page)
    if page.rows and (page.more if kind == "before" else kind == "after"):
        # A value too long for a cursor leaves no way back; the way on is what must not end here.
        with suppress(BadRequest):
            sealed = ask.backend.signer.seal(plan.binding, "before", page.keys[0])
            yield "prev", ask.reading.address("cursor", sealed)


def _next_address(ask: Ask, plan: ReadPlan, page: Page) -> str:
    """After a first page also by offset, where a value sorted by is too long for a cursor."""
    try:
        sealed = ask.backend.signer.seal(plan.binding, "after", page.keys[-1])
    except BadRequest:
        if plan.shape.window.kind != "first":
            raise
        return ask.reading.address("offset", str(plan.limit))
    return ask.reading.address("cursor", sealed)


def _answered(ask: Ask, shown: Representation, etag: str, link: str) -> Answer:
    more = [(name.encode(), value.encode("latin-1")) for name, value in shown.headers.items()]
    headers = (*ask.reading.headers, (b"link", link.encode("latin-1")), *more)
    return tagged(ask.request.scope, shown.body, etag, headers, shown.media_type)


async def _streamed(ask: Ask, plan: ReadPlan, media_type: str) -> StreamingResponse:
    intent = ask.reading.intent
    all_rows = intent.limit is None and plan.shape.window.kind != "before"
    chunks = exported(ask.backend.store, plan, ask.sight.actor, all_rows=all_rows)
    rows = await media.begun(chunks)
    headers = {name.decode(): value.decode("latin-1") for name, value in ask.reading.headers}
    headers["link"] = ask.reading.link
    if media_type == media.CSV:
        columns = media.columns_of(plan.shape.root, plan.fields)
        name = quote(f"{intent.resource}.csv", safe="")
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{name}"
        return StreamingResponse(
            media.csv_lines(rows, columns), media_type=media_type, headers=headers
        )
    return StreamingResponse(media.ndjson_lines(rows), media_type=media_type, headers=headers)
