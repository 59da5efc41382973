"""Mapped attribute → Field, or why it cannot be one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnClause, ColumnElement, FromClause, Label, types
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.types import TypeDecorator

from tilth.errors import Finding
from tilth.kernel.schema.constraints import constraint_from, limits_from, refuses_null
from tilth.kernel.schema.expressions import open_to_aliases
from tilth.kernel.schema.kinds import NAMED, OPAQUE, Kind, kind_of
from tilth.kernel.schema.resource import Field
from tilth.kernel.schema.rewrite import plain
from tilth.kernel.schema.tables import declared, tables_of, unique_sets


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a column cannot be a field, and what to do."""

    reason: str
    remedy: str


def fields_of(
    mapper: Mapper[Any], dialect_name: str, *, reflected: bool
) -> tuple[dict[str, Field], list[Finding]]:
    """Columns in the order of their tables, then expressions. reflected: unknown types are opaque."""
    fields: dict[str, Field] = {}
    findings: list[Finding] = []
    for prop, expression in _expressions(mapper):
        kind = _kind(prop, dialect_name, reflected)
        if isinstance(kind, Refusal):
            subject = f"{mapper.class_.__name__}.{prop.key}"
            findings.append(Finding("schema.unknown_type", subject, kind.reason, kind.remedy))
        elif isinstance(expression, Column):
            fields[plain_name(prop.key)] = _column_field(mapper, prop, expression, kind)
        else:
            fields[plain_name(prop.key)] = Field(
                plain_name(prop.key),
                expression,
                kind,
                nullable=True,
                computed=True,
                description=prop.doc,
            )
    return fields, findings


def _expressions(mapper: Mapper[Any]) -> list[tuple[ColumnProperty[Any], ColumnElement[Any]]]:
    tables = tables_of(mapper)
    places: dict[ColumnElement[Any], int] = {
        column: place for place, column in enumerate(c for t in tables for c in t.columns)
    }
    found = [(prop, _expression(mapper, prop, tables)) for prop in declared(mapper, ColumnProperty)]
    # Concrete subclasses also get the discriminator of their base's polymorphic union.
    own = [(p, e) for p, e in found if e in places or not isinstance(e, ColumnClause)]
    return sorted(own, key=lambda pair: places.get(pair[1], len(places)))


def _expression(
    mapper: Mapper[Any], prop: ColumnProperty[Any], tables: tuple[FromClause, ...]
) -> ColumnElement[Any]:
    """Joined inheritance has the key under one name in several tables: the mapper's is taken."""
    keys = [column for column in prop.columns if column in mapper.primary_key]
    column: ColumnElement[Any] = plain((keys or prop.columns)[0])
    if isinstance(column, Label):
        column = column.element
    return column if isinstance(column, ColumnClause) else open_to_aliases(column, tables)


def _kind(prop: ColumnProperty[Any], dialect_name: str, reflected: bool) -> Kind | Refusal:
    column = prop.columns[0]
    declared = {**getattr(column, "info", {}), **prop.info}.get("tilth_kind")
    if declared is not None:
        return NAMED.get(declared) or Refusal(
            f'info names the kind "{declared}", which does not exist.',
            f"Use one of: {', '.join(NAMED)}.",
        )
    kind = kind_of(column.type, dialect_name)
    if kind is None and reflected:
        return OPAQUE
    return kind or _refusal(column, dialect_name)


def _refusal(column: ColumnElement[Any], dialect_name: str) -> Refusal:
    match column.type:
        case types.ARRAY() if dialect_name != "postgresql":
            return Refusal(
                "only PostgreSQL has arrays.",
                'Use JSON, or JSON().with_variant(ARRAY(...), "postgresql").',
            )
        case types.Enum():
            return Refusal(
                "its members have values that are neither text nor numbers.",
                "Give the members str or int values.",
            )
        case TypeDecorator():
            return Refusal(
                f"{type(column.type).__name__} changes values in Python, after they have left SQL.",
                'Say what the database holds: info={"tilth_kind": "text"} on the column.',
            )
        case types.NullType() if column.foreign_keys:
            return Refusal(
                "its foreign key leads to a column that is not there.",
                "Name table and column in ForeignKey() as the database does.",
            )
        case types.NullType():
            return Refusal(
                "it has no type.",
                "Give the column one; an expression gets it by type_coerce(expression, Integer).",
            )
    return Refusal(
        f"the type {type(column.type).__name__} is not known.",
        'Say what the database holds: info={"tilth_kind": "text"} on the column.',
    )


def plain_name(key: str) -> str:
    """SQLAlchemy's quoted_name is a text that orjson does not take for one."""
    return str(key)


def _column_field(
    mapper: Mapper[Any], prop: ColumnProperty[Any], column: Column[Any], kind: Kind
) -> Field:
    documented = getattr(mapper.class_, "model_fields", {}).get(prop.key)
    return Field(
        plain_name(prop.key),
        column,
        kind,
        nullable=bool(column.nullable),
        computed=_is_computed(mapper, column),
        has_default=has_default(column) or _has_default_of_its_own(documented),
        default=_plain_default(column, documented),
        is_asked=documented is not None and documented.is_required(),
        refuses_null=refuses_null(documented),
        unique=frozenset({column.key}) in unique_sets(column.table),
        max_length=getattr(column.type, "length", None) if kind.name == "text" else None,
        description=column.comment or prop.doc or getattr(documented, "description", None),
        constraint=constraint_from(documented),
        limits=limits_from(documented),
    )


def _is_computed(mapper: Mapper[Any], column: Column[Any]) -> bool:
    """By the database, or by the ORM: a version counter, the discriminator of an inheritance."""
    by_orm = column is mapper.version_id_col or column is mapper.polymorphic_on
    return by_orm or column.computed is not None or bool(column.identity and column.identity.always)


def _has_default_of_its_own(documented: Any) -> bool:
    """A field of a SQLModel class whose column was made by hand: it knows what the column does not."""
    if documented is None or documented.is_required():
        return False
    return documented.default_factory is not None or documented.default is not None


def _plain_default(column: Column[Any], documented: Any) -> Any:
    """None for a default that is made anew each time, by a function or by the database."""
    made: Any = column.default
    if made is not None:
        return made.arg if made.is_scalar else None
    if column.server_default is None and _has_default_of_its_own(documented):
        return documented.default if documented.default_factory is None else None
    return None


def has_default(column: Column[Any]) -> bool:
    """A value is made for it when none is given."""
    return (
        column.default is not None
        or column.server_default is not None
        or column is getattr(column.table, "autoincrement_column", None)
    )


def has_other_null(column: Column[Any]) -> bool:
    """None would be the null of JSON where it may be NULL, which is what null means everywhere else."""
    inner = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return bool(column.nullable) and inner.should_evaluate_none
