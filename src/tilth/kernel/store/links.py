"""Links of a many-to-many relation: rows of its link table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Column, ColumnElement, Insert, delete, insert, select, tuple_
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from tilth.kernel.plan.change import Key
from tilth.kernel.schema.resource import LinkTable
from tilth.kernel.schema.tables import unique_sets
from tilth.kernel.store.integrity import not_kept

Pair = tuple[Key, Key]
"""The keys at the near and at the far end."""

PAIRS_AT_ONCE = 400


def linked_to(session: Session, links: LinkTable, near: Iterable[Key]) -> list[Pair]:
    """Everything that these are linked to, in the order of the keys."""
    columns = (*links.near, *links.far)
    found: list[Pair] = []
    for part in _parts(near):
        asked = select(*columns).where(_one_of(links.near, part)).order_by(*columns)
        found += (_pair(links, row) for row in session.execute(asked))
    return found


def link(session: Session, links: LinkTable, pairs: Iterable[Pair]) -> list[Pair]:
    """Those that were not linked before, also not by another transaction meanwhile.

    Raises Conflict when a trigger passes over one.
    """
    made: list[Pair] = []
    for part in _parts(pairs):
        there = _there(session, links, part)
        missing = [pair for pair in part if pair not in there]
        if missing:
            made += _inserted(session, links, missing)
    return made


def unlink(session: Session, links: LinkTable, pairs: Iterable[Pair]) -> list[Pair]:
    """Those that were linked. A link that is stored twice goes as a whole.

    Raises Conflict when a trigger passes over one.
    """
    gone: list[Pair] = []
    for part in _parts(pairs):
        there = [pair for pair in part if pair in _there(session, links, part)]
        if there:
            gone_from = delete(links.table).where(_are_links(links, there))
            if session.connection().execute(gone_from).rowcount < len(there):
                raise not_kept("")
        gone += there
    return gone


def _inserted(session: Session, links: LinkTable, missing: Sequence[Pair]) -> list[Pair]:
    columns = (*links.near, *links.far)
    rows = [
        {str(column.key): part for column, part in zip(columns, (*near, *far), strict=True)}
        for near, far in missing
    ]
    statement = _insert(session, links).returning(*columns)
    told = {_pair(links, row) for row in session.execute(statement, rows)}
    if len(told) < len(missing) and len(told | _there(session, links, missing)) < len(missing):
        raise not_kept("")
    # A column may give a key back in another spelling than it was given.
    return list(missing) if len(told) == len(missing) else [e for e in missing if e in told]


def _insert(session: Session, links: LinkTable) -> Insert:
    """One that passes over a link that another transaction has made, and over nothing else."""
    pair = [*links.near, *links.far]
    keys = {str(column.key) for column in pair if isinstance(column, Column)}
    if keys not in map(set, unique_sets(links.table)):
        return insert(links.table)
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(links.table).on_conflict_do_nothing(index_elements=pair)
    if session.get_bind().dialect.name == "mariadb":
        # Not INSERT IGNORE, which would pass over every other mistake as well.
        same = {column.name: column for column in pair}
        return mysql.insert(links.table).on_duplicate_key_update(same)
    return postgresql.insert(links.table).on_conflict_do_nothing(index_elements=pair)


def _there(session: Session, links: LinkTable, pairs: Sequence[Pair]) -> set[Pair]:
    asked = select(*links.near, *links.far).where(_are_links(links, pairs))
    return {_pair(links, row) for row in session.execute(asked)}


def _are_links(links: LinkTable, pairs: Sequence[Pair]) -> ColumnElement[bool]:
    return _one_of((*links.near, *links.far), [(*near, *far) for near, far in pairs])


def _one_of(columns: Sequence[ColumnElement[Any]], keys: Sequence[Key]) -> ColumnElement[bool]:
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def _pair(links: LinkTable, row: Sequence[Any]) -> Pair:
    ends = len(links.near)
    return tuple(row[:ends]), tuple(row[ends:])


def _parts(keys: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(dict.fromkeys(keys))
    while part := list(islice(left, PAIRS_AT_ONCE)):
        yield part
