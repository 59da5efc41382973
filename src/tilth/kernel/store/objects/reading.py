"""Query → its objects, their number, their fields: what a query set runs in a session."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from tilth.errors import QueryError, SeveralRows
from tilth.kernel.plan.read import not_found
from tilth.kernel.store.objects.plans import Explain
from tilth.kernel.store.objects.query import Query, sliced
from tilth.kernel.store.objects.selection import (
    Selection,
    aggregated,
    counted,
    looked_for,
    objects_selected,
    origin_of,
    selection_of,
    values_selected,
)
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kernel.store.sessions.places import calling_place
from tilth.kernel.store.sessions.watch import CURRENT
from tilth.kernel.store.sessions.watch import MANY_ROWS as UNBOUNDED_ROWS

M = TypeVar("M")

MANY_ROWS = 10_000

logger = logging.getLogger("tilth.query")


def rows_of(session: Session, query: Query[M], fetch: Fetch) -> list[M]:
    """All of them, in memory."""
    chosen = _chosen(session, query)
    origin = origin_of(query, chosen.binds.dialect, fetch)
    # A mapping, or an option of the developer's, may join a collection.
    found = list(session.scalars(objects_selected(chosen, origin)).unique())
    origin.remember(found)
    if len(found) > MANY_ROWS:
        _warn_of_many(query, len(found))
    watch = CURRENT.get()
    if watch is not None and not query.is_sliced and len(found) > UNBOUNDED_ROWS:
        watch.many.append((calling_place(), query.model.__name__, len(found)))
    return found


def _warn_of_many(query: Query[Any], count: int) -> None:
    logger.warning(
        "%s: %s %s objects were read into memory at once; take a slice, or go through them with "
        "iterator(), which holds 1,000 at a time.",
        calling_place() or "somewhere",
        f"{count:,}",
        query.model.__name__,
    )


def rows_in_chunks(
    session: Session, query: Query[M], fetch: Fetch, size: int
) -> Iterator[Sequence[M]]:
    """size: rows in memory at once, as far as nobody else holds them. Raises QueryError."""
    if size < 1:
        raise QueryError(f"iterator(chunk={size}): read one row at a time at least.")
    chosen = _chosen(session, query)
    origin = origin_of(query, chosen.binds.dialect, fetch)
    asked = objects_selected(chosen, origin).execution_options(yield_per=size)
    try:
        for part in session.scalars(asked).partitions(size):
            origin.peers.clear()
            origin.remember(part)
            yield part
    except InvalidRequestError as exc:
        raise QueryError(
            f"{query.model.__name__} objects cannot be read in parts: {exc} A collection that is "
            f"loaded by a join is one reason; load it with prefetch() or selectinload."
        ) from exc


def only_row(session: Session, query: Query[M], fetch: Fetch) -> M:
    """Raises NotFound and SeveralRows."""
    found = rows_of(session, sliced(query, slice(0, 2)), fetch)
    if not found:
        raise not_found(query.access)
    if len(found) > 1:
        raise SeveralRows(f"More than one {query.model.__name__} matches; get() is for one.")
    return found[0]


def number_of_rows(session: Session, query: Query[Any]) -> int:
    return int(session.execute(counted(_chosen(session, query))).scalar_one())


def any_row(session: Session, query: Query[Any]) -> bool:
    return bool(session.execute(looked_for(_chosen(session, query))).scalar_one())


def field_values(session: Session, query: Query[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    if not names:
        raise QueryError("Name the fields: values('id', 'name').")
    asked = values_selected(_chosen(session, query), names)
    return [dict(row._mapping) for row in session.execute(asked)]


def aggregate(
    session: Session, query: Query[Any], expressions: Mapping[str, ColumnElement[Any]]
) -> dict[str, Any]:
    if not expressions:
        raise QueryError("Name what to compute: aggregate(oldest=func.max(Hero.age)).")
    asked = aggregated(_chosen(session, query), expressions)
    return dict(session.execute(asked).one()._mapping)


def explained(session: Session, query: Query[Any], *, analyze: bool) -> str:
    """The database's own plan for the rows. analyze: run it, to tell what it really took."""
    if analyze and session.get_bind().dialect.name == "sqlite":
        raise QueryError("SQLite explains without running the query: leave analyze out.")
    chosen = _chosen(session, query)
    asked = objects_selected(chosen, origin_of(query, chosen.binds.dialect, "one"))
    found = session.connection().execute(Explain(asked, analyze=analyze))
    # The last column is the text of a step on both databases.
    return "\n".join(str(row[-1]) for row in found)


def _chosen(session: Session, query: Query[Any]) -> Selection:
    return selection_of(query, session.get_bind().dialect)
