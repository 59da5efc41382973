"""Mapped objects deleted, with what the mapping cascades to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Table, inspect, update
from sqlalchemy import delete as deletion_from
from sqlalchemy.exc import CircularDependencyError, DBAPIError, IntegrityError
from sqlalchemy.orm import Mapper, RelationshipDirection, Session, class_mapper
from sqlalchemy.orm.exc import StaleDataError

from tilth.kernel.schema.tables import tables_of
from tilth.kernel.store.drivers.failure import broken_rule
from tilth.kernel.store.integrity import (
    FOREIGN_KEY,
    NOT_NULL,
    is_raised_by_a_trigger,
    kind_of,
    not_kept,
    still_referenced,
)
from tilth.kernel.store.passed_over import no_row_passed_over


def delete(session: Session, *gone: Any) -> None:
    """Raises Conflict when other rows refer to one of them, or the database lets one stay."""
    try:
        with no_row_passed_over(session, *{type(entity) for entity in gone}):
            _delete_all(session, gone)
    except DBAPIError as exc:
        # The ORM takes the reference out of rows that need one.
        if isinstance(exc, IntegrityError) and kind_of(exc) in (FOREIGN_KEY, NOT_NULL):
            raise still_referenced() from exc
        if isinstance(exc, IntegrityError) or is_raised_by_a_trigger(exc):
            raise broken_rule() from exc
        raise
    except StaleDataError as exc:
        # Rows of link tables that were to go along.
        raise not_kept("") from exc
    except AssertionError as exc:
        # It refuses to where the reference is part of their key.
        raise still_referenced() from exc


def is_tree(model: type) -> bool:
    """Its rows may refer to each other."""
    return bool(_own_references(class_mapper(model)))


def _delete_all(session: Session, gone: Sequence[Any]) -> None:
    if any(_own_references(class_mapper(type(entity))) for entity in gone):
        _delete_from_a_tree(session, gone)
    else:
        _delete(session, gone)


def _delete(session: Session, gone: Sequence[Any]) -> None:
    for entity in gone:
        session.delete(entity)
    session.flush()


def _delete_from_a_tree(session: Session, gone: Sequence[Any]) -> None:
    """Rows that refer to rows of their own kind."""
    try:
        with session.begin_nested():
            _delete(session, gone)
    except CircularDependencyError:
        # One refers to itself, or two to each other: the ORM finds none to begin with.
        _delete(session, [entity for entity in gone if not _went_untied(session, entity)])


def _went_untied(session: Session, entity: Any) -> bool:
    """Its references to its own kind are taken out first; where they are needed, the row goes whole."""
    mapper, identity = class_mapper(type(entity)), inspect(entity).identity
    columns = _own_references(mapper)
    if all(column.nullable for column in columns):
        for table in dict.fromkeys(column.table for column in columns):
            nothing = {column: None for column in columns if column.table is table}
            session.execute(update(table).where(*_is_row(mapper, table, identity)).values(nothing))
        # Collections that are loaded still have it.
        session.expire_all()
        return False
    session.expunge(entity)
    for table in reversed(tables_of(mapper)):
        if isinstance(table, Table):
            session.execute(deletion_from(table).where(*_is_row(mapper, table, identity)))
    return True


def _own_references(mapper: Mapper[Any]) -> list[Column[Any]]:
    """Columns that lead to rows of the same kind, as far as the mapping knows of it."""
    found: dict[Column[Any], None] = {}
    for relation in mapper.relationships:
        is_own = relation.mapper.base_mapper is mapper.base_mapper
        writes = not relation.viewonly
        if is_own and writes and relation.direction is not RelationshipDirection.MANYTOMANY:
            is_here = relation.direction is RelationshipDirection.MANYTOONE
            columns = relation.local_columns if is_here else relation.remote_side
            found |= dict.fromkeys(each for each in columns if isinstance(each, Column))
    return list(found)


def _is_row(
    mapper: Mapper[Any], table: FromClause, identity: Sequence[Any]
) -> Iterator[ColumnElement[bool]]:
    for column, value in zip(mapper.primary_key, identity, strict=True):
        named = mapper.get_property_by_column(column).columns
        yield from (each == value for each in named if each.table is table)
