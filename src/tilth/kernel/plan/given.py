"""`filter(age__gte=18, team=avengers)` → conditions: the lookups of the API with Python values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import class_mapper, object_mapper
from sqlalchemy.orm.exc import UnmappedInstanceError

from tilth.errors import BadRequest, QueryError
from tilth.kernel.plan.conditions import All, Condition, Not
from tilth.kernel.plan.draft import Draft
from tilth.kernel.plan.lookups import parse_lookup
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.where import Wording, comparison
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.given import texts_given
from tilth.kernel.schema.kinds import Kind
from tilth.kernel.schema.resource import Resource, Schema

MOST_VALUES = 20_000
"""Of one list: SQLite takes 32,766 parameters in a statement."""


def conditions_given(
    sight: Sight, draft: Draft, access: Access, lookups: Mapping[str, Any]
) -> Iterator[Condition]:
    """Raises QueryError for a name the actor may not read and a value that does not fit."""
    for name, value in lookups.items():
        try:
            yield _condition(sight, draft, access, name, value)
        except BadRequest as exc:
            raise QueryError(f"{access.resource.title}: {exc.detail}") from exc


def _condition(sight: Sight, draft: Draft, access: Access, name: str, value: Any) -> Condition:
    path, lookup = parse_lookup(name, access.fields)
    if value is None and lookup in ("exact", "ne"):
        return _compared(sight, draft, access, name, path, "isnull", lookup == "exact")
    rows = _rows_of(value, lookup)
    if not rows:
        return _compared(sight, draft, access, name, path, lookup, value)
    found = _one_of(sight, draft, access, path, rows)
    return Not(found) if lookup == "ne" else found


def _rows_of(value: Any, lookup: str) -> list[Any]:
    """Mapped objects that are given in place of their keys."""
    if lookup == "in" and isinstance(value, Iterable) and not isinstance(value, str | bytes):
        values = list(value)
        return values if values and all(map(is_mapped, values)) else []
    return [value] if lookup in ("exact", "ne") and is_mapped(value) else []


def _one_of(
    sight: Sight, draft: Draft, access: Access, path: tuple[str, ...], rows: list[Any]
) -> Condition:
    """By the key: one condition for all rows, or for the parts of the only one's key."""
    keys = [key_given(sight.schema, row) for row in rows]
    names = list(keys[0])
    if len(names) > 1 and len(rows) > 1:
        raise QueryError("Rows with a key of several parts can be given one by one only.")
    parts = [
        _compared(
            sight,
            draft,
            access,
            "__".join(path),
            (*path, name),
            "in",
            [key[name] for key in keys],
        )
        for name in names
    ]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _compared(
    sight: Sight,
    draft: Draft,
    access: Access,
    name: str,
    path: tuple[str, ...],
    lookup: str,
    value: Any,
) -> Condition:
    def texts(kind: Kind | None) -> tuple[str, ...]:
        if kind is None:
            return ("true" if value else "false",)
        return texts_given(kind, lookup, value)

    return comparison(sight, draft, access, Wording(name, path, lookup, texts, MOST_VALUES))


def is_mapped(value: object) -> bool:
    try:
        object_mapper(value)
    except UnmappedInstanceError:
        return False
    return True


def key_given(schema: Schema, row: Any) -> dict[str, Any]:
    """Field → value of a row's key. Raises QueryError for a row that has none yet."""
    resource = resource_of(schema, type(row))
    key = class_mapper(type(row)).primary_key_from_instance(row)
    if any(part is None for part in key):
        raise QueryError(f"This {resource.title} has no key yet: it has not been stored.")
    return dict(zip(resource.key, key, strict=True))


def resource_of(schema: Schema, model: type) -> Resource:
    """Raises QueryError when no such class is exposed."""
    found = exposed_as(schema, model)
    if found is None:
        raise QueryError(
            f"{model.__name__} is not exposed, so no policy says who may see it. "
            f"Expose it, or use scope.session."
        )
    return found


def exposed_as(schema: Schema, model: type) -> Resource | None:
    """The nearest: a subclass that is not exposed is a row of the class that is."""
    by_model = {resource.model: resource for resource in schema.values()}
    return next((by_model[each] for each in model.__mro__ if each in by_model), None)
