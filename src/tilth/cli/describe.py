"""A resource of a frozen application → everything that can be said of it, as one document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from sqlalchemy import ColumnElement

from tilth.errors import CommandError, Forbidden, Unauthenticated
from tilth.feature import Backend
from tilth.features.api.routes import PREFIX
from tilth.features.api.service.addresses import Address
from tilth.features.api.service.allowed import declared_methods
from tilth.features.api.service.links import collection_path, related_path
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.lookups import LOOKUPS
from tilth.kernel.plan.read import plan_read
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import ANONYMOUS
from tilth.kernel.policy.policy import Action, Policy
from tilth.kernel.policy.wording import wording
from tilth.kernel.schema.place import place_of
from tilth.kernel.schema.resource import Field, Relation, Resource, Schema
from tilth.kit.text import sentence_list, suggest


def resource_named(schema: Schema, name: str) -> Resource:
    """By its name in URLs or its class, in any case. Raises CommandError with what was meant."""
    for resource in schema.values():
        if name.casefold() in (resource.name.casefold(), resource.title.casefold()):
            return resource
    names = [*schema, *(resource.title for resource in schema.values())]
    close = suggest(name, names)
    hint = f"Did you mean {close}?" if close else f"Resources: {sentence_list(schema)}."
    raise CommandError(f"There is no resource {name}.", hint)


def resource_document(backend: Backend, resource: Resource) -> dict[str, Any]:
    policy = backend.rulebook.chapters[resource.name].policy
    return {
        "name": resource.name,
        "model": resource.title,
        "where": place_of(resource.model),
        "description": resource.description,
        "key": list(resource.key),
        "search": list(resource.search),
        "fields": [_field(field) for field in resource.fields.values()],
        "relations": [_relation(each) for each in resource.relations.values()],
        "routes": list(_routes(backend, resource)),
        "policy": policy_document(resource, policy),
    }


def list_statement(backend: Backend, resource: Resource) -> str | None:
    """The SQL of the plain list for somebody who is not signed in; None when they may see no row."""
    sight = Sight(backend.schema, backend.rulebook, ANONYMOUS)
    try:
        plan = plan_read(Intent(resource.name), sight, backend.signer)
    except (Unauthenticated, Forbidden):
        return None
    return backend.store.statement(plan.shape).sql


def policy_document(resource: Resource, policy: Policy) -> dict[str, Any]:
    """Rules by action, None for what is denied to everyone; then what is said of fields."""
    actions = {action: _worded(resource, policy.rule(action)) for action in get_args(Action)}
    return {
        **actions,
        "fields": {name: _worded(resource, rule) for name, rule in policy.fields.items()},
        "hidden": list(policy.hidden),
        "read_only": list(policy.read_only),
        "write_once": list(policy.write_once),
        "preset": {name: _preset(resource, value) for name, value in policy.preset.items()},
    }


def _worded(resource: Resource, rule: Any) -> str | None:
    return None if rule is None else wording(rule, resource.tables)


def _preset(resource: Resource, value: Any) -> str:
    return wording(value, resource.tables) if isinstance(value, ColumnElement) else repr(value)


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind.name,
        "nullable": field.nullable,
        "lookups": [lookup for lookup in LOOKUPS if lookup in field.kind.lookups],
        "unique": field.unique,
        "computed": field.computed,
        "has_default": field.has_default,
        "max_length": field.max_length,
        "description": field.description,
    }


def _relation(relation: Relation) -> dict[str, Any]:
    return {
        "name": relation.name,
        "target": relation.target,
        "many": relation.many,
        "description": relation.description,
    }


def _routes(backend: Backend, resource: Resource) -> Iterator[dict[str, Any]]:
    """Every address, with the methods that some rule of the policies is for."""
    sight = Sight(backend.schema, backend.rulebook, ANONYMOUS)
    for path, address in _addresses(resource):
        methods = declared_methods(sight, address, writable=backend.units is not None)
        yield {"path": path, "methods": list(methods)}


def _addresses(resource: Resource) -> Iterator[tuple[str, Address]]:
    name, collection = resource.name, collection_path(PREFIX, resource.name)
    yield collection, Address("collection", name)
    if not resource.key:
        return
    item = f"{collection}/{{key}}"
    yield item, Address("row", name)
    for relation in resource.relations.values():
        if relation.many:
            related = related_path(item, relation.name)
            yield related, Address("related", name, relation=relation.name)
            if relation.linkable is not None:
                yield f"{related}/{{other}}", Address("link", name, relation=relation.name)
