"""A row or a page that was read, or a row that was written → its HAL or HAL-FORMS representation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tilth.features.api.service.ask import Ask
from tilth.features.api.service.hypermedia.documents import (
    Row,
    named,
    pattern_of,
    row_document,
)
from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.templates import Forms, Templates, allow, bare
from tilth.features.api.service.links import (
    collection_path,
    key_of,
    member_path,
    with_parameters,
)
from tilth.features.api.service.media import HAL, HAL_FORMS
from tilth.features.api.service.representation import Represent, Representation
from tilth.kernel.plan.read import key_values
from tilth.kernel.plan.shape import Granted, Node, ReadPlan
from tilth.kernel.store.decode import GRANTED
from tilth.kernel.store.page import Page
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope


def represent_row(drawing: Drawing, node: Node, row: Row) -> Representation:
    """node: as it was asked for, whatever more of the row was read."""
    pattern = pattern_of(drawing, node.access, node.fields, node.branches)
    document = row_document(pattern, row)
    collection = collection_path(drawing.base, node.access.resource.name)
    document["_links"]["collection"] = {"href": collection}
    return _represented(drawing, document)


def represent_page(
    ask: Ask, drawing: Drawing, plan: ReadPlan, page: Page, links: Mapping[str, str]
) -> Representation:
    """links: relation → address, of the pages next to this one."""
    root = plan.shape.root
    pattern = pattern_of(drawing, root.access, plan.fields, root.branches)
    query = ask.request.scope["query_string"]
    places = {"self": with_parameters(ask.reading.path, query, {}), **links}
    members = _Members(ask.reading.path, drawing, plan, page.of_owner)
    document: dict[str, Any] = {
        "_links": {relation: {"href": href} for relation, href in places.items()},
        "_embedded": {"item": [row_document(pattern, row, members.unlink) for row in page.rows]},
    }
    if plan.shape.counting != "none":
        document["total"] = page.total
    if drawing.forms:
        document["_templates"] = named(members.create())
    return _represented(drawing, document)


def represent_written(drawing: Drawing, scope: Scope) -> Represent:
    """Inside the unit that writes: what may be done to a row is asked of it as it is now."""

    def represent(record: Record) -> Representation:
        access = record.rights.access
        row = {**record.shown}
        if drawing.grants:
            row[GRANTED] = _granted(scope, record)
        return represent_row(drawing, Node(access, tuple(access.fields)), row)

    return represent


class _Members:
    """What may be done in the collection itself, and to its members as members."""

    def __init__(self, path: str, drawing: Drawing, plan: ReadPlan, of_owner: Granted) -> None:
        self._path, self._drawing, self._of_owner = path, drawing, of_owner
        self._owner, self._access = plan.shape.owner, plan.shape.root.access
        self._key = self._access.resource.key

    def create(self) -> Templates:
        rights = self._drawing.sight.rights(self._access.resource.name)
        if not (self._drawing.writable and self._key and rights.may("create")):
            return {}
        forms = Forms(self._drawing, rights)
        if self._owner is None:
            return forms.of_collection(self._path)
        relation = self._owner.relation
        if (relation.many and relation.remote) or self._may_link():
            return forms.of_collection(self._path, relation.remote)
        return {}

    def unlink(self, row: Row) -> Templates:
        if not self._may_link() or self._rule() not in row[GRANTED]:
            return {}
        return {"unlink": bare("unlink", member_path(self._path, key_of(row, self._key)))}

    def _may_link(self) -> bool:
        """As far as the owner's own row decides."""
        return self._owner is not None and ("update", "") in self._of_owner

    def _rule(self) -> tuple[str, str]:
        """What decides at the far end."""
        assert self._owner is not None
        near = self._drawing.sight.rights(self._owner.access.resource.name)
        name = self._owner.relation.name
        return ("unlink", name) if name in near.links else ("update", "")


def _granted(scope: Scope, record: Record) -> Granted:
    rights = record.rights
    rules = (("update", rights.rules["update"]), ("delete", rights.rules["delete"]))
    key = tuple(key_values(rights.access, record.key))
    now = scope.records.look(scope.session, Wish(rights, rules), key, scope.sight.actor)
    if now is None:
        return frozenset()
    readable = (name for name in rights.access.masked if name not in now.masked)
    done: Granted = frozenset((doing, "") for doing in ("update", "delete") if now.granted[doing])
    return done.union(("read", name) for name in readable)


def _represented(drawing: Drawing, document: Mapping[str, Any]) -> Representation:
    body = orjson.dumps(document)
    if not drawing.forms:
        return Representation(body, HAL)
    return Representation(body, HAL_FORMS, {"allow": allow(document["_templates"])})
