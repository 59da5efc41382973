"""Where something may be changed → the operations that change it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.idempotency import LONGEST
from tilth.features.api.service.media import JSON
from tilth.features.api.service.openapi.components import Components, Names, Part, Reference
from tilth.features.api.service.openapi.contents import body_of, new_rows_body, one_or_many
from tilth.features.api.service.openapi.later import GET_WORK, accepted_work
from tilth.features.api.service.openapi.operations import (
    Operations,
    links_from_new_row,
    links_from_row,
    singular,
)
from tilth.features.api.service.openapi.requests import Requests
from tilth.features.api.service.openapi.responses import (
    HYPERMEDIA,
    REHEARSAL,
    Responses,
    changed,
    refused_changes,
)
from tilth.features.api.service.openapi.view import View
from tilth.kernel.plan.merge import unique_sets
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation

Operation = dict[str, Any]

# 409 and 422 may be about the Idempotency-Key as well.
_ALWAYS = (400, 401, 403, 406, 409, 422, 429, 503)
_WITH_BODY = (413, 415)
_OF_A_ROW = (404, 412)

_ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'
_IF_MATCH: Part = {
    "name": "If-Match",
    "in": "header",
    "description": "An ETag that the row was read with; 412 when it has changed since. `*` for any.",
    "schema": {"type": "string", "pattern": _ENTITY_TAGS, "examples": ["*"]},
}
_PREFER: Part = {
    "name": "Prefer",
    "in": "header",
    "description": "`return=minimal` for an answer without the row, `dry-run` to learn what would "
    "happen: nothing is kept. `respond-async` to have it accepted now and done later, `wait=N` to "
    "wait N seconds for it first. What is not known is passed over.",
    "schema": {"type": "string"},
}
_MERGING = "`resolution=merge` to change the row that is there already, if there is one."
_IDEMPOTENCY_KEY: Part = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A new random text for each change. A request that is sent again with the same "
    "key is answered as it was and changes nothing more.",
    "schema": {
        "type": "string",
        "pattern": r'^(?:"(?:[ !#-\[\]-~]|\\["\\])+"|[!#-+\--:<-\[\]-~]+)$',
        "maxLength": LONGEST,
    },
}


@dataclass(frozen=True, slots=True)
class Changing:
    """What every operation that changes rows needs.

    always: the parameters of every change. accepted: the answer to what is done later, where there
    is one. conditional: resources whose rows change with If-Match
    only. anonymous: what nobody in particular may do; None when callers are not told apart.
    schemes: how they sign in.
    """

    view: View
    requests: Requests
    operations: Operations
    responses: Responses
    rehearsal: Reference
    accepted: Reference | None
    get_work: str
    refusals: Mapping[int, Reference]
    names: Names
    if_match: Reference
    always: Sequence[Reference]
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
    get_work = names.fresh(GET_WORK)
    # Nobody in particular could not ask what became of it.
    is_later = anonymous is not None
    return Changing(
        view,
        Requests(view, components),
        operations,
        responses,
        components.add("schemas", "Rehearsal", REHEARSAL),
        accepted_work(components, responses, get_work) if is_later else None,
        get_work,
        refused_changes(components, responses),
        names,
        components.add("parameters", "If-Match", _IF_MATCH),
        [components.add("parameters", p["name"], p) for p in (_PREFER, _IDEMPOTENCY_KEY)],
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
            **shared(changing, address, "POST"),
            "parameters": [*_on(access), *changing.always],
            "requestBody": new_rows_body(changing.requests.creation(resource.name)),
            "responses": rehearsable(
                changing,
                {
                    **_merged(changing, access, row),
                    "201": _created(changing, access, row),
                    **refusals(changing, *_ALWAYS, *_WITH_BODY),
                },
            ),
        },
    )


def _on(access: Access) -> list[Part]:
    """By which rows are told apart when they are merged."""
    sets = [",".join(sorted(names)) for names in unique_sets(access)]
    if not sets:
        return []
    wording = f"Unique fields, with Prefer: {_MERGING}"
    schema = {"type": "string", "enum": sets}
    return [{"name": "on", "in": "query", "description": wording, "schema": schema}]


def _merged(changing: Changing, access: Access, row: Reference | None) -> dict[str, Part]:
    if row is None:
        return {}
    name = _spoken(singular(access.resource))
    content = {JSON: {"schema": one_or_many(row)}, **HYPERMEDIA}
    bare = "The change is made, and the row is not answered, as preferred."
    return {
        "200": changed(changing.responses, f"The {name} that was there, as it is now.", content),
        "204": changed(changing.responses, bare),
    }


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
                **shared(changing, address, method),
                "parameters": [key, _condition(changing, resource.name), *changing.always],
                **({"requestBody": body_of(method, body)} if body else {}),
                "responses": rehearsable(
                    changing, _row_answers(changing, access, row, has_body=body is not None)
                ),
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
    refused = refusals(changing, *_ALWAYS, *_OF_A_ROW, *required, *(_WITH_BODY if has_body else ()))
    if not has_body:
        return {"204": changed(changing.responses, f"The {name} is deleted."), **refused}
    content = {JSON: {"schema": row}, **HYPERMEDIA}
    found = changed(changing.responses, f"The {name} as it is now.", content)
    bare = "The change is made, and the row is not answered: as preferred, or nobody may read it."
    return {
        "200": found | links_from_row(access, changing.operations),
        "204": changed(changing.responses, bare),
        **refused,
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
            **shared(changing, address, "POST"),
            "parameters": [key, *changing.always],
            "requestBody": new_rows_body(changing.requests.creation_below(access, relation)),
            "responses": rehearsable(
                changing,
                {
                    "201": _created(changing, target, row),
                    **refusals(changing, *_ALWAYS, 404, *_WITH_BODY),
                },
            ),
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
                **shared(changing, address, method),
                "parameters": [*parameters, changing.if_match, *changing.always],
                "responses": rehearsable(
                    changing, {"204": done, **refusals(changing, *_ALWAYS, *_OF_A_ROW)}
                ),
            },
        )


def shared(changing: Changing, address: Address, method: str) -> dict[str, Any]:
    """The tag, and who has to sign in."""
    anonymous = changing.anonymous
    is_open = anonymous is None or method in anonymous.methods(address)
    return {"tags": [address.resource], **signing_in(changing, is_open=is_open)}


def signing_in(changing: Changing, *, is_open: bool) -> dict[str, Any]:
    if not changing.schemes:
        return {}
    required: list[dict[str, list[str]]] = [{name: []} for name in changing.schemes]
    return {"security": [{}, *required] if is_open else required}


def _created(changing: Changing, access: Access, row: Reference | None) -> Part:
    name = _spoken(singular(access.resource))
    if row is None:
        return changed(changing.responses, f"The {name} is created. Nobody asked may read it.")
    content = {JSON: {"schema": one_or_many(row)}, **HYPERMEDIA}
    found = changed(changing.responses, f"The {name} as it was created.", content, ["Location"])
    return found | links_from_new_row(access, changing.operations)


def rehearsable(changing: Changing, answers: Mapping[str, Part]) -> dict[str, Part]:
    """The same answers, the 200 of a rehearsal, and the 202 of what is accepted for later."""
    later = {} if changing.accepted is None else {"202": changing.accepted}
    return dict(
        sorted({**answers, "200": _rehearsed(changing, answers.get("200")), **later}.items())
    )


def _rehearsed(changing: Changing, found: Part | None) -> Part:
    schema: Part = changing.rehearsal
    if found is None:
        wording = "What would happen, with `Prefer: dry-run`."
        return changed(changing.responses, wording, {JSON: {"schema": schema}})
    schema = {"anyOf": [found["content"][JSON]["schema"], schema]}
    content = {**found["content"], JSON: {"schema": schema}}
    wording = f"{found['description']} Or what would happen, with `Prefer: dry-run`."
    return {**found, "description": wording, "content": content}


def refusals(changing: Changing, *statuses: int) -> dict[str, Part]:
    return {str(status): changing.refusals[status] for status in sorted(statuses)}


def _spoken(name: str) -> str:
    return name.replace("_", " ")
