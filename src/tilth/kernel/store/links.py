"""Links of a many-to-many relation: rows of its link table, written one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, insert, literal_column, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.kernel.plan.change import Key
from tilth.kernel.schema.resource import LinkTable


def is_linked(session: Session, links: LinkTable, near: Key, far: Key) -> bool:
    there: Select[Any] = (
        select(literal_column("1")).select_from(links.table).where(_is_link(links, near, far))
    )
    return bool(session.scalar(select(exists(there))))


def linked_keys(session: Session, links: LinkTable, near: Key) -> list[Key]:
    """The keys at the far end of everything that is linked to near."""
    of_near = (column == part for column, part in zip(links.near, near, strict=True))
    rows = session.execute(select(*links.far).where(*of_near).order_by(*links.far))
    return [tuple(row) for row in rows]


def link(session: Session, links: LinkTable, near: Key, far: Key) -> bool:
    """False when it was there already, also when another transaction has made it meanwhile."""
    if is_linked(session, links, near, far):
        return False
    try:
        with session.begin_nested():
            session.execute(insert(links.table).values(dict(_pairs(links, near, far))))
    except IntegrityError:
        if is_linked(session, links, near, far):
            return False
        raise
    return True


def unlink(session: Session, links: LinkTable, near: Key, far: Key) -> bool:
    """False when it was not there. A link that is stored twice goes as a whole."""
    if not is_linked(session, links, near, far):
        return False
    session.execute(delete(links.table).where(_is_link(links, near, far)))
    return True


def _is_link(links: LinkTable, near: Key, far: Key) -> ColumnElement[bool]:
    return and_(*(column == part for column, part in _pairs(links, near, far)))


def _pairs(links: LinkTable, near: Key, far: Key) -> Iterator[tuple[ColumnElement[object], object]]:
    yield from zip(links.near, near, strict=True)
    yield from zip(links.far, far, strict=True)
