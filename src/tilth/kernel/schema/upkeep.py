"""Columns that the server keeps by itself: when a row was made, changed and deleted, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, and_

from tilth.errors import Finding
from tilth.kernel.schema.exposure import Upkeep
from tilth.kernel.schema.kinds import KindName
from tilth.kernel.schema.resource import Field
from tilth.kit.text import suggest


def names_of(upkeep: Upkeep) -> Iterator[tuple[str, str, KindName]]:
    """(option, field, kind it must have), of those that are given."""
    for option in ("created_at", "updated_at", "version", "deleted_at"):
        name = getattr(upkeep, option)
        if name is not None:
            yield option, name, "integer" if option == "version" else "datetime"


def upkeep_findings(
    title: str, upkeep: Upkeep, fields: Mapping[str, Field], where: str | None
) -> Iterator[Finding]:
    for option, name, kind in names_of(upkeep):
        subject, found = f"{title}.{name}", fields.get(name)
        if found is None:
            close = suggest(name, fields)
            hint = f"Did you mean {close!r}?" if close else f"Fields: {', '.join(fields)}."
            reason = f"is named by upkeep's {option} and is not a field of {title}."
            yield Finding("schema.unknown_upkeep_field", subject, reason, hint, where=where)
        elif found.kind.name != kind or found.computed:
            reason = f"upkeep's {option} needs a column of kind {kind} that can be written."
            yield Finding("schema.upkeep_kind", subject, reason, "Name another.", where=where)
        elif option == "deleted_at" and not found.nullable:
            reason = "a row that is not deleted has no deleted_at, and the column takes no NULL."
            yield Finding("schema.upkeep_kind", subject, reason, "Make it nullable.", where=where)


def kept_by_server(fields: Mapping[str, Field], upkeep: Upkeep) -> dict[str, Field]:
    """The same fields, those of the upkeep never written by a client."""
    kept = {name for _, name, _ in names_of(upkeep)}
    return {n: replace(f, computed=True) if n in kept else f for n, f in fields.items()}


def without_deleted(
    criterion: ColumnElement[bool] | None, fields: Mapping[str, Field], upkeep: Upkeep
) -> ColumnElement[bool] | None:
    """criterion: which rows are of the class, or None for all."""
    field = fields.get(upkeep.deleted_at or "")
    if field is None:
        return criterion
    there = field.expression.is_(None)
    return there if criterion is None else and_(criterion, there)


def values_at_creation(
    fields: Mapping[str, Field], upkeep: Upkeep, now: datetime
) -> dict[str, Any]:
    moments = {
        name: _as_stored(fields[name], now)
        for name in (upkeep.created_at, upkeep.updated_at)
        if name is not None
    }
    return moments | ({upkeep.version: 1} if upkeep.version is not None else {})


def values_at_change(
    fields: Mapping[str, Field], upkeep: Upkeep, now: datetime, held: Any
) -> dict[str, Any]:
    """held: the mapped object, with the version it has."""
    values: dict[str, Any] = {}
    if upkeep.updated_at is not None:
        values[upkeep.updated_at] = _as_stored(fields[upkeep.updated_at], now)
    if upkeep.version is not None:
        values[upkeep.version] = (getattr(held, upkeep.version) or 0) + 1
    return values


def values_at_deletion(
    fields: Mapping[str, Field], upkeep: Upkeep, now: datetime, held: Any
) -> dict[str, Any]:
    """Empty where rows are really deleted."""
    if upkeep.deleted_at is None:
        return {}
    gone = {upkeep.deleted_at: _as_stored(fields[upkeep.deleted_at], now)}
    return values_at_change(fields, upkeep, now, held) | gone


def _as_stored(field: Field, moment: datetime) -> datetime:
    """A column without a time zone holds UTC without saying so."""
    type_ = field.expression.type
    is_naive = isinstance(type_, DateTime) and not type_.timezone
    return moment.replace(tzinfo=None) if is_naive else moment
