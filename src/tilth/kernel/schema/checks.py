"""What is wrong with exposed models, beyond single columns and relationships."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from sqlalchemy import Column, Float, Numeric, Table, Time, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import UnmappedClassError

from tilth.errors import Finding
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.naming import resource_name
from tilth.kernel.schema.place import place_of, placed
from tilth.kernel.schema.resource import Field

PARAMETERS = frozenset(
    ["limit", "offset", "sort", "filter", "q", "fields", "expand", "cursor", "count"]
)
"""Query parameters of every collection."""

RESERVED = frozenset({"batch", "work"})
"""Addresses below /api that are no resources."""

SQLITE_DIGITS = 15
"""A REAL, which is how SQLite keeps NUMERIC, holds this many decimal digits."""

_ADDRESS = re.compile(r"[\w-]+")

Mapped = tuple[Exposure, Mapper[Any]]


def mapped_exposures(exposures: Iterable[Exposure]) -> tuple[list[Mapped], list[Finding]]:
    """The exposures that can become resources, each with its name, and why the others cannot."""
    mapped: dict[str, Mapped] = {}
    findings: list[Finding] = []
    for exposure in exposures:
        found = _named(exposure, mapped)
        if isinstance(found, Finding):
            findings.append(placed(found, exposure.where, place_of(exposure.model)))
        else:
            mapped[str(found[0].name)] = found
    return list(mapped.values()), findings


def _named(exposure: Exposure, taken: dict[str, Mapped]) -> Mapped | Finding:
    mapper = _mapper_of(exposure.model)
    if isinstance(mapper, Finding):
        return mapper
    named = replace(exposure, name=exposure.name or resource_name(exposure.model.__name__))
    return _name_problem(named, taken) or (named, mapper)


def _mapper_of(model: object) -> Mapper[Any] | Finding:
    title = getattr(model, "__name__", repr(model))
    try:
        mapper: object = inspect(model, raiseerr=False)
    except UnmappedClassError as exc:
        remedy = "Expose its subclasses, or finish the mapping first."
        return Finding("schema.not_mapped", title, str(exc), remedy)
    if isinstance(mapper, Mapper):
        return mapper
    return Finding("schema.not_mapped", title, *_why_unmapped(model, title))


def _why_unmapped(model: object, title: str) -> tuple[str, str]:
    if hasattr(model, "__sqlmodel_relationships__"):
        return "the class has no table.", f"Write class {title}(..., table=True)."
    if getattr(model, "__abstract__", False):
        return "the class is abstract, so it has no table.", "Expose its subclasses instead."
    if not isinstance(model, type):
        return "it is not a class.", "Expose a SQLAlchemy or SQLModel class with a table."
    return "it is not a mapped class.", "Expose a SQLAlchemy or SQLModel class with a table."


def _name_problem(exposure: Exposure, taken: dict[str, Mapped]) -> Finding | None:
    title, name = exposure.model.__name__, str(exposure.name)
    if exposure.model in (other.model for other, _ in taken.values()):
        reason, remedy = "it is exposed twice.", "Keep one expose() for each model."
        return Finding("schema.exposed_twice", title, reason, remedy)
    if name in taken:
        reason = f'the name "{name}" is taken by {taken[name][0].model.__name__}.'
        remedy = "Give one of them another: expose(..., name=...)."
        return Finding("schema.duplicate_name", title, reason, remedy)
    if name in RESERVED:
        reason = f'"{name}" is an address of the API itself.'
        remedy = "Give it another: expose(..., name=...)."
        return Finding("schema.reserved_name", title, reason, remedy)
    if not _ADDRESS.fullmatch(name) or name != name.lower():
        reason = f'"{name}" cannot be part of an address.'
        remedy = f'Use lower-case letters, digits and hyphens, such as "{resource_name(name)}".'
        return Finding("schema.bad_name", title, reason, remedy)
    return None


def table_findings(mapper: Mapper[Any]) -> Iterator[Finding]:
    """Mappings whose rows do not come from tables that can be joined."""
    subclasses = [each for each in mapper.self_and_descendants if each is not mapper]
    polymorphic = mapper.with_polymorphic is not None or not isinstance(mapper.local_table, Table)
    if polymorphic and any(each.concrete for each in subclasses):
        names = ", ".join(sorted(each.class_.__name__ for each in subclasses))
        yield Finding(
            "schema.polymorphic_union",
            mapper.class_.__name__,
            "its rows are a union of the tables of its subclasses.",
            f"Expose the subclasses instead: {names}.",
        )
    elif not isinstance(mapper.local_table, Table):
        yield Finding(
            "schema.not_a_table",
            mapper.class_.__name__,
            "it is mapped to a query or a join instead of a table.",
            "Map it to a view of the database, or expose the tables and relate them.",
        )


def search_findings(
    exposure: Exposure, fields: dict[str, Field], known: Sequence[str]
) -> Iterator[Finding]:
    for name in exposure.search:
        subject = f"{exposure.model.__name__}.{name}"
        if name not in known:
            reason = "search names a field that does not exist."
            remedy = f"Fields: {', '.join(known)}."
            yield Finding(
                "schema.unknown_search_field", subject, reason, remedy, where=exposure.where
            )
        elif name in fields and fields[name].kind.name != "text":
            reason = f"search looks into text, and this field is of kind {fields[name].kind.name}."
            remedy = "Leave it out of search."
            yield Finding("schema.search_not_text", subject, reason, remedy, where=exposure.where)


def name_warnings(title: str, names: Iterable[str]) -> Iterator[Finding]:
    """Names that the short form of a query, ?name=value, cannot reach."""
    for name in names:
        subject = f"{title}.{name}"
        if name in PARAMETERS:
            reason = f"?{name}= is a parameter of every list."
            remedy = f"Filter by it with ?{name}__exact=, or name the attribute otherwise."
            yield Finding("schema.name_is_parameter", subject, reason, remedy, "warning")
        elif "__" in name or "," in name or "." in name:
            reason = "the name holds a separator of the query language."
            remedy = (
                f"In paths use ?filter= with backquotes, `{name}`, or name the attribute otherwise."
            )
            yield Finding("schema.name_has_separator", subject, reason, remedy, "warning")


def storage_findings(title: str, fields: Iterable[Field], dialect_name: str) -> Iterator[Finding]:
    """Declared values that SQLite would change without a word."""
    if dialect_name != "sqlite":
        return
    for field in fields:
        type_ = field.expression.type
        if isinstance(type_, Time) and type_.timezone:
            reason = "SQLite keeps no offset of a time of day: 23:00+05:30 becomes 23:00Z."
            remedy = "Use Time() and agree on an offset, DateTime(timezone=True), or PostgreSQL."
            yield Finding("schema.lost_offset", f"{title}.{field.name}", reason, remedy, "warning")
        if not isinstance(field.expression, Column) or not _is_decimal(type_):
            continue
        subject, precision = f"{title}.{field.name}", type_.precision
        if precision is None:
            reason = f"SQLite keeps only the first {SQLITE_DIGITS} digits of a decimal."
            remedy = "Declare how many are needed: tilth.ExactDecimal(precision, scale)."
            yield Finding("schema.inexact_decimal", subject, reason, remedy, "warning")
        elif precision > SQLITE_DIGITS:
            reason = f"SQLite keeps {SQLITE_DIGITS} digits of a decimal, not {precision}."
            remedy = f"Use tilth.ExactDecimal({precision}, {type_.scale or 0}), or PostgreSQL."
            yield Finding("schema.inexact_decimal", subject, reason, remedy)


def _is_decimal(type_: Any) -> TypeGuard[Numeric[Any]]:
    # Float was a Numeric until SQLAlchemy 2.1.
    return isinstance(type_, Numeric) and not isinstance(type_, Float) and bool(type_.asdecimal)
