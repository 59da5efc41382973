"""Mapped attribute → Field, or the Finding that says why not."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, types
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
        expression = column_of(mapper, prop)
        kind = _kind(expression, dialect_name, reflected)
        if isinstance(kind, Refusal):
            subject = f"{mapper.class_.__name__}.{prop.key}"
            findings.append(Finding("schema.unknown_type", subject, kind.reason, kind.remedy))
        else:
            fields[prop.key] = _field(mapper, prop.key, expression, kind)
    return fields, findings


def column_of(mapper: Mapper[Any], prop: ColumnProperty[Any]) -> ColumnElement[Any]:
    """A property of joined inheritance has the same key in several tables: the most general one."""
    keys = [column for column in prop.columns if column in mapper.primary_key]
    return plain((keys or prop.columns)[0])


def _kind(column: ColumnElement[Any], dialect_name: str, reflected: bool) -> Kind | Refusal:
    declared = column.info.get("tilth_kind") if isinstance(column, Column) else None
    if declared is not None:
        return NAMED.get(declared) or Refusal(
            f'info names the kind "{declared}", which does not exist.',
            f"Use one of: {', '.join(NAMED)}.",
        )
    kind = kind_of(column.type, dialect_name)
    if kind is None and reflected:
        return OPAQUE
    return kind or _refusal(column.type, dialect_name)


def _refusal(type_: TypeEngine[Any], dialect_name: str) -> Refusal:
    match type_:
        case types.ARRAY() if dialect_name == "sqlite":
            return Refusal(
                "SQLite has no arrays.",
                'Use JSON, or JSON().with_variant(ARRAY(...), "postgresql").',
            )
        case types.Enum():
            return Refusal(
                "the values of its members are neither text nor numbers, so JSON has no word for them.",
                "Give the members str or int values.",
            )
        case TypeDecorator():
            return Refusal(
                f"{type(type_).__name__} changes values in Python, which the read path does not run.",
                'Say what is stored with info={"tilth_kind": "text"} on the column, '
                "or hide the column from the mapping.",
            )
    return Refusal(
        f"the type {type(type_).__name__} is not known.",
        'Say what is stored with info={"tilth_kind": "text"} on the column.',
    )


def _field(mapper: Mapper[Any], key: str, column: ColumnElement[Any], kind: Kind) -> Field:
    if not isinstance(column, Column):
        return Field(key, column, kind, nullable=True, computed=True)
    documented = getattr(mapper.class_, "model_fields", {}).get(key)
    return Field(
        key,
        column,
        kind,
        nullable=bool(column.nullable),
        computed=_is_computed(column),
        has_default=_has_default(column),
        unique=frozenset({column.key}) in unique_sets(column.table),
        max_length=_max_length(column.type, kind),
        description=column.comment or getattr(documented, "description", None),
    )


def _is_computed(column: Column[Any]) -> bool:
    always = column.identity is not None and column.identity.always
    return column.computed is not None or bool(always)


def _has_default(column: Column[Any]) -> bool:
    return (
        column.default is not None
        or column.server_default is not None
        or column is getattr(column.table, "autoincrement_column", None)
    )


def _max_length(type_: TypeEngine[Any], kind: Kind) -> int | None:
    return getattr(type_, "length", None) if kind.name == "text" else None
