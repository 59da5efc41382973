"""Where something may be changed → the operations that change it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.bodies import ACCEPTED
from tilth.features.api.service.media import JSON
from tilth.features.api.service.openapi.components import Components, Names, Part, Reference
from tilth.features.api.service.openapi.many import (
    ON,
    batch_operation,
    matching_changes,
    new_rows_answer,
    new_rows_body,
)
from tilth.features.api.service.openapi.operations import (
    Operations,
    links_from_new_row,
    links_from_row,
    plural,
    singular,
)
from tilth.features.api.service.openapi.requests import Requests
from tilth.features.api.service.openapi.responses import Responses, changed, refused_changes
from tilth.features.api.service.openapi.view import View
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation

Operation = dict[str, Any]

_ALWAYS = (400, 401, 403, 406, 409, 429, 503)
_WITH_BODY = (413, 415, 422)
_OF_A_ROW = (404, 412)

_IF_MATCH: Part = {
    "name": "If-Match",
    "in": "header",
    "description": "An ETag that the row was read with; 412 when it has changed since. `*` for any.",
    "schema": {"type": "string"},
}
_ONCE: Part = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A text in quotes, new for each change: sent again with the same request, the "
    "change is not made twice, and the first answer is repeated.",
    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$', "examples": [f'"{"0" * 32}"']},
}
_PREFER: Part = {
    "name": "Prefer",
    "in": "header",
    "description": "`return=minimal` for an answer without the row, `dry-run` for an answer as if "
    "the change were made, of which nothing is kept. What is not known is passed over.",
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Changing:
    """What every operation that changes rows needs.

    conditional: resources whose rows change with If-Match only. anonymous: what nobody in
    particular may do; None when callers are not told apart. schemes: how they sign in.
    """

    view: View
    requests: Requests
    operations: Operations
    responses: Responses
    refusals: Mapping[int, Reference]
    names: Names
    if_match: Reference
    once: Reference
    prefer: Reference
    conditional: frozenset[str]
    anonymous: View | None
    schemes: Sequence[str]


def changing(
    view: View,
    components: Components,
    operations: Operations,
    responses: Responses,
    names: Names,
    *,
    conditional: frozenset[str],
    anonymous: View | None,
    schemes: Sequence[str],
) -> Changing | None:
    """None when nothing can be changed: then the document does not speak of it."""
    if not view.writable:
        return None
    return Changing(
        view,
        Requests(view, components),
        operations,
        responses,
        refused_changes(components, responses),
        names,
        components.add("parameters", "If-Match", _IF_MATCH),
        components.add("parameters", "Idempotency-Key", _ONCE),
        components.add("parameters", "Prefer", _PREFER),
        conditional,
        anonymous,
        schemes,
    )


def collection_changes(
    changing: Changing, access: Access, row: Reference | None
) -> Iterator[tuple[str, Operation]]:
    """POST. row: how a row is answered; None where the caller may not read any."""
    resource = access.resource
    address = Address("collection", resource.name)
    if "POST" not in changing.view.methods(address):
        return
    name = singular(resource)
    yield (
        "post",
        {
            "operationId": changing.names.fresh(f"create_{name}"),
            "summary": f"Create a {_spoken(name)}",
            **_shared(changing, address, "POST"),
            "parameters": [ON, changing.once, changing.prefer],
            "requestBody": new_rows_body(changing.requests.creation(resource.name)),
            "responses": {
                "200": _created(changing, access, row, "merged with one that was there"),
                "201": _created(changing, access, row),
                "204": changed(changing.responses, "Merged, and not answered, as preferred."),
                **_refusals(changing, *_ALWAYS, *_WITH_BODY),
            },
        },
    )


def collection_of_matching(
    changing: Changing, access: Access, parameters: Sequence[Part]
) -> Iterator[tuple[str, Operation]]:
    """PATCH and DELETE of every row that matches. parameters: that choose rows."""
    address = Address("collection", access.resource.name)
    conditional = (428,) if access.resource.name in changing.conditional else ()
    for method, operation in matching_changes(
        changing.requests,
        changing.responses,
        address,
        changing.view.methods(address),
        [*parameters, changing.once],
        plural(access.resource),
        _refusals(changing, *_ALWAYS, 404, *conditional, *_WITH_BODY),
    ):
        yield method, {**_shared(changing, address, method.upper()), **operation}


def batch(changing: Changing) -> Operation:
    """What is done in it, each operation's own policy decides."""
    refusals = _refusals(changing, *_ALWAYS, 404, 405, 412, *_WITH_BODY, 428)
    return batch_operation(changing.responses, [changing.once, changing.prefer], refusals)


def row_changes(
    changing: Changing, access: Access, row: Reference, key: Reference
) -> Iterator[tuple[str, Operation]]:
    """PUT, PATCH and DELETE."""
    resource = access.resource
    address = Address("row", resource.name)
    bodies = {"PUT": changing.requests.replacement, "PATCH": changing.requests.patch}
    verbs = {"PUT": "Replace", "PATCH": "Change", "DELETE": "Delete"}
    for method in changing.view.methods(address):
        if method not in verbs:
            continue
        body = bodies[method](resource.name) if method in bodies else None
        yield (
            method.lower(),
            {
                "operationId": changing.operations.changes[resource.name, method],
                "summary": f"{verbs[method]} one {_spoken(singular(resource))}",
                **_shared(changing, address, method),
                "parameters": [
                    key,
                    _condition(changing, resource.name),
                    changing.once,
                    changing.prefer,
                ],
                **({"requestBody": _body(method, body)} if body else {}),
                "responses": _row_answers(changing, access, row, has_body=body is not None),
            },
        )


def _condition(changing: Changing, resource_name: str) -> Part:
    if resource_name in changing.conditional:
        return {**_IF_MATCH, "required": True}
    return changing.if_match


def _row_answers(
    changing: Changing, access: Access, row: Reference, *, has_body: bool
) -> dict[str, Part]:
    name = _spoken(singular(access.resource))
    required = (428,) if access.resource.name in changing.conditional else ()
    refusals = _refusals(
        changing, *_ALWAYS, *_OF_A_ROW, *required, *(_WITH_BODY if has_body else ())
    )
    if not has_body:
        return {"204": changed(changing.responses, f"The {name} is deleted."), **refusals}
    found = changed(changing.responses, f"The {name} as it is now.", {JSON: {"schema": row}})
    bare = "The change is made, and the row is not answered: as preferred, or nobody may read it."
    return {
        "200": found | links_from_row(access, changing.operations),
        "204": changed(changing.responses, bare),
        **refusals,
    }


def related_changes(
    changing: Changing,
    access: Access,
    key: Reference,
    relation: Relation,
    target: Access,
    row: Reference,
    stem: str,
) -> Iterator[tuple[str, Operation]]:
    """POST: a row below another, or at the other end of a link. row: how it is answered."""
    address = Address("related", access.resource.name, relation=relation.name)
    if "POST" not in changing.view.methods(address):
        return
    spoken, owner = _spoken(singular(target.resource)), _spoken(singular(access.resource))
    yield (
        "post",
        {
            "operationId": changing.names.fresh(f"create_{stem}"),
            "summary": f"Create a {spoken} of one {owner}",
            **_shared(changing, address, "POST"),
            "parameters": [key, changing.once, changing.prefer],
            "requestBody": new_rows_body(changing.requests.creation_below(access, relation)),
            "responses": {
                "201": _created(changing, target, row),
                **_refusals(changing, *_ALWAYS, 404, *_WITH_BODY),
            },
        },
    )


def link_changes(
    changing: Changing, access: Access, relation: Relation, parameters: Sequence[Part], stem: str
) -> Iterator[tuple[str, Operation]]:
    """PUT and DELETE. parameters: the keys of both ends."""
    address = Address("link", access.resource.name, relation=relation.name)
    verbs = {"PUT": ("link", "Link", "linked"), "DELETE": ("unlink", "Unlink", "not linked")}
    for method in changing.view.methods(address):
        if method not in verbs:
            continue
        verb, spoken, state = verbs[method]
        done = changed(changing.responses, f"They are {state}, whatever was before.")
        yield (
            method.lower(),
            {
                "operationId": changing.names.fresh(f"{verb}_{stem}"),
                "summary": f"{spoken} one {_spoken(singular(access.resource))} "
                f"and one of its {_spoken(relation.name)}",
                **_shared(changing, address, method),
                "parameters": [*parameters, changing.if_match, changing.once, changing.prefer],
                "responses": {"204": done, **_refusals(changing, *_ALWAYS, *_OF_A_ROW)},
            },
        )


def _shared(changing: Changing, address: Address, method: str) -> dict[str, Any]:
    """The tag, and who has to sign in."""
    tagged: dict[str, Any] = {"tags": [address.resource]}
    if not changing.schemes:
        return tagged
    anonymous = changing.anonymous
    is_open = anonymous is None or method in anonymous.methods(address)
    required: list[dict[str, list[str]]] = [{name: []} for name in changing.schemes]
    return {**tagged, "security": [{}, *required] if is_open else required}


def _created(
    changing: Changing, access: Access, row: Reference | None, how: str = "created"
) -> Part:
    name = _spoken(singular(access.resource))
    if row is None:
        return changed(changing.responses, f"The {name} is {how}. Nobody asked may read it.")
    content = {JSON: {"schema": new_rows_answer(row)}}
    found = changed(changing.responses, f"The {name} is {how}.", content, ["Location"])
    return found | links_from_new_row(access, changing.operations)


def _body(method: str, schema: Reference) -> Part:
    content = {media_type: {"schema": schema} for media_type in ACCEPTED[method]}
    return {"required": True, "content": content}


def _refusals(changing: Changing, *statuses: int) -> dict[str, Part]:
    return {str(status): changing.refusals[status] for status in sorted(statuses)}


def _spoken(name: str) -> str:
    return name.replace("_", " ")
