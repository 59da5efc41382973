"""Mapped attribute → Field, or why it cannot be one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Label, types
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.errors import Finding
from tilth.kernel.schema.expressions import plain
from tilth.kernel.schema.kinds import NAMED, OPAQUE, Kind, kind_of
from tilth.kernel.schema.resource import Field
from tilth.kernel.schema.tables import unique_sets


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a column cannot be a field, and what to do."""

    reason: str
    remedy: str


def fields_of(
    mapper: Mapper[Any], dialect_name: str, *, reflected: bool
) -> tuple[dict[str, Field], list[Finding]]:
    """Every column and column_property, in mapping order. reflected: unknown types are opaque."""
    fields: dict[str, Field] = {}
    findings: list[Finding] = []
    for prop in mapper.column_attrs:
        kind = _kind(prop, dialect_name, reflected)
        if isinstance(kind, Refusal):
            subject = f"{mapper.class_.__name__}.{prop.key}"
            findings.append(Finding("schema.unknown_type", subject, kind.reason, kind.remedy))
        else:
            fields[prop.key] = _field(mapper, prop, kind)
    return fields, findings


def _kind(prop: ColumnProperty[Any], dialect_name: str, reflected: bool) -> Kind | Refusal:
    declared = prop.info.get("tilth_kind")
    if declared is not None:
        return NAMED.get(declared) or Refusal(
            f'info names the kind "{declared}", which does not exist.',
            f"Use one of: {', '.join(NAMED)}.",
        )
    type_ = prop.columns[0].type
    kind = kind_of(type_, dialect_name)
    if kind is None and reflected:
        return OPAQUE
    return kind or _refusal(type_, dialect_name)


def _refusal(type_: TypeEngine[Any], dialect_name: str) -> Refusal:
    match type_:
        case types.ARRAY() if dialect_name == "sqlite":
            return Refusal(
                "SQLite has no arrays.",
                'Use JSON, or JSON().with_variant(ARRAY(...), "postgresql").',
            )
        case types.Enum():
            return Refusal(
                "its members have values that are neither text nor numbers.",
                "Give the members str or int values.",
            )
        case TypeDecorator():
            return Refusal(
                f"{type(type_).__name__} changes values in Python, after they have left SQL.",
                'Say what the database holds: info={"tilth_kind": "text"} on the column.',
            )
        case types.NullType():
            return Refusal(
                "it has no type.",
                "Give the column one; an expression gets it by type_coerce(expression, Integer).",
            )
    return Refusal(
        f"the type {type(type_).__name__} is not known.",
        'Say what the database holds: info={"tilth_kind": "text"} on the column.',
    )


def _field(mapper: Mapper[Any], prop: ColumnProperty[Any], kind: Kind) -> Field:
    column = _expression(mapper, prop)
    documented = getattr(mapper.class_, "model_fields", {}).get(prop.key)
    description = prop.doc or getattr(documented, "description", None)
    if not isinstance(column, Column):
        return Field(prop.key, column, kind, nullable=True, computed=True, description=description)
    return Field(
        prop.key,
        column,
        kind,
        nullable=bool(column.nullable),
        computed=_is_computed(column),
        has_default=_has_default(column),
        unique=frozenset({column.key}) in unique_sets(column.table),
        max_length=getattr(column.type, "length", None) if kind.name == "text" else None,
        description=column.comment or description,
    )


def _expression(mapper: Mapper[Any], prop: ColumnProperty[Any]) -> ColumnElement[Any]:
    """Joined inheritance has the key under one name in several tables: the mapper's is taken."""
    keys = [column for column in prop.columns if column in mapper.primary_key]
    column = plain((keys or prop.columns)[0])
    return column.element if isinstance(column, Label) else column


def _is_computed(column: Column[Any]) -> bool:
    return column.computed is not None or bool(column.identity and column.identity.always)


def _has_default(column: Column[Any]) -> bool:
    return (
        column.default is not None
        or column.server_default is not None
        or column is getattr(column.table, "autoincrement_column", None)
    )
