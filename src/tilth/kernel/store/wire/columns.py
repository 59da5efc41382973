"""Columns of an object's statement → the attributes they become."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Mapper, class_mapper, lazyload, undefer

from tilth.kernel.schema.resource import Resource
from tilth.kernel.store.wire.secrets import is_secret


@dataclass(frozen=True, slots=True)
class Column:
    """name: as the database says it. attribute: None for an expression whose name is made up.

    stored: the type, in the database's words.
    """

    name: str
    attribute: str | None
    stored: str
    is_secret: bool


def object_statement(resource: Resource, key: Sequence[Any]) -> Select[Any]:
    """The one row, with all of its own columns and nothing of other rows."""
    expressions = [resource.fields[name].expression for name in resource.key]
    terms = [expression == value for expression, value in zip(expressions, key, strict=True)]
    return select(resource.model).where(*terms).options(lazyload("*"), undefer("*"))


def columns_from(
    model: type, names: Sequence[str], stored: Sequence[str], hidden: Collection[str]
) -> tuple[Column, ...]:
    """names, stored: of the result, in its order. hidden: attributes that are secret in any case.

    What no attribute is known of counts as secret.
    """
    mapper: Mapper[Any] = class_mapper(model)
    found = _attributes(mapper)

    def column(name: str, kind: str) -> Column:
        attribute = found.get(name)
        if attribute is None:
            return Column(name, None, kind, is_secret=True)
        expression = mapper.column_attrs[attribute].columns[0]
        return Column(
            name, attribute, kind, attribute in hidden or is_secret(attribute, expression)
        )

    return tuple(column(name, kind) for name, kind in zip(names, stored, strict=True))


def _attributes(mapper: Mapper[Any]) -> Mapping[str, str]:
    names = [(getattr(c, "name", None), p.key) for p in mapper.column_attrs for c in p.columns]
    return {str(name): key for name, key in reversed(names) if name is not None}
