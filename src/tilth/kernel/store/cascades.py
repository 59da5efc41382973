"""A row that will be deleted → the rows that the mapping deletes with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import class_mapper

from tilth.kernel.schema.resource import Resource, Schema
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope


def taken_along(scope: Scope, entity: Any) -> list[Record]:
    """Those of resources, as they are now, each before the row it belongs to.

    One statement each. What the database itself cascades to (ON DELETE CASCADE with
    passive_deletes) is not known here. Leaves everything marked for deletion.
    """
    already = set(map(id, scope.session.deleted))
    scope.session.delete(entity)
    new = [each for each in scope.session.deleted if id(each) not in already]
    return list(_records(scope, (each for each in reversed(new) if each is not entity)))


def _records(scope: Scope, entities: Iterator[Any]) -> Iterator[Record]:
    for each in entities:
        resource = _resource_of(type(each), scope.sight.schema)
        if resource is None:
            continue
        key = tuple(class_mapper(type(each)).primary_key_from_instance(each))
        wish = Wish(scope.sight.rights(resource.name), ())
        found = scope.records.look(scope.session, wish, key, scope.sight.actor)
        if found is not None:
            yield found


def _resource_of(cls: type, schema: Schema) -> Resource | None:
    """The nearest: a subclass that is not exposed is a row of the class that is."""
    by_model = {resource.model: resource for resource in schema.values()}
    return next((by_model[each] for each in cls.__mro__ if each in by_model), None)
