"""What is loaded on behalf of a relation: only rows the actor may see, and for many objects at once.

Objects that come out of a query set carry Origin, an option that SQLAlchemy hands on to every load
they cause. Objects that the developer has loaded by other means are left alone, but for one thing:
where nothing can be awaited, a load is an error that says what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal
from weakref import ref

from sqlalchemy import event, inspect, select, tuple_
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import (
    InstanceState,
    Mapper,
    ORMExecuteState,
    Session,
    selectinload,
    sessionmaker,
)
from sqlalchemy.orm.interfaces import ORMOption, UserDefinedOption
from sqlalchemy.util.concurrency import in_greenlet

from tilth.errors import LazyLoad

Fetch = Literal["peers", "one", "raise"]
"""A relation that was not asked for: load it for every object of the same query, for this one, or
raise LazyLoad."""

PEERS_AT_ONCE = 500

Options = Callable[[type], Sequence[ORMOption]]
"""Mapped class → what restricts it to the rows and columns that the actor may see."""


class Origin(UserDefinedOption):
    """Of all objects of one query. peers: the objects, as long as they live."""

    propagate_to_loaders = True

    def __init__(self, options: Options, fetch: Fetch) -> None:
        super().__init__()
        self.options, self.fetch = options, fetch
        self.peers: list[ref[Any]] = []

    def next(self) -> Origin:
        """Of the objects that are loaded on behalf of these."""
        return Origin(self.options, self.fetch)

    def remember(self, objects: Sequence[Any]) -> None:
        self.peers += map(ref, objects)

    def alive(self) -> Iterator[Any]:
        return (found for each in self.peers if (found := each()) is not None)


def watch_loads(sessions: sessionmaker[Session]) -> None:
    event.listen(sessions, "do_orm_execute", _look_at)


def _look_at(execution: ORMExecuteState) -> Any:
    """None lets SQLAlchemy go on; a result is taken instead of its own."""
    if not execution.is_relationship_load:
        return None
    lazy = execution.lazy_loaded_from
    origin = _origin_of(execution)
    if lazy is not None:
        if origin is not None and origin.fetch == "raise":
            raise LazyLoad(_told(execution, lazy, "This scope loads no relation by itself."))
        if execution.session.get_bind().dialect.is_async and not in_greenlet():
            raise LazyLoad(_told(execution, lazy, "Where there is await, touching it cannot."))
        if origin is not None and origin.fetch == "peers":
            found = _loaded_for_peers(execution, lazy, origin)
            if found is not None:
                return found
    if origin is not None and execution.bind_mapper is not None:
        options = origin.options(execution.bind_mapper.class_)
        execution.statement = execution.statement.options(*options)
    return None


def _origin_of(execution: ORMExecuteState) -> Origin | None:
    found = (each for each in execution.user_defined_options if isinstance(each, Origin))
    return next(found, None)


def _relation_of(execution: ORMExecuteState) -> str | None:
    path = execution.loader_strategy_path
    key = None if path is None else getattr(path[-1], "key", None)
    return None if key is None else str(key)


def _loaded_for_peers(execution: ORMExecuteState, state: InstanceState[Any], origin: Origin) -> Any:
    """The value for this object; its peers have theirs afterwards, by two statements for 500."""
    name, mapper = _relation_of(execution), state.mapper
    if name is None:
        return None
    session = execution.session
    peers = [each for each in origin.alive() if _lacks(each, name, mapper, session)]
    if len(peers) < 2:
        return None
    own = state.obj()
    if all(each is not own for each in peers):
        return None
    chunk = _chunk_around(peers, own)
    _load(session, mapper, chunk, name, origin)
    value = state.dict.get(name)
    values = [] if value is None else list(value) if _is_many(mapper, name) else [value]
    return Distinct(SimpleResultMetaData(["value"]), iter([(each,) for each in values]))


class Distinct(IteratorResult[Any]):
    """Of objects that are all different already; a model may have no hash to tell so by."""

    def unique(self, strategy: object = None) -> Distinct:
        return self


def _lacks(each: Any, name: str, mapper: Mapper[Any], session: Session) -> bool:
    state = inspect(each)
    of_kind = state.mapper.isa(mapper) or mapper.isa(state.mapper)
    return of_kind and state.session is session and state.persistent and name not in state.dict


def _chunk_around(peers: list[Any], own: Any) -> list[Any]:
    at = next(place for place, each in enumerate(peers) if each is own)
    start = at - at % PEERS_AT_ONCE
    return peers[start : start + PEERS_AT_ONCE]


def _load(
    session: Session, mapper: Mapper[Any], chunk: list[Any], name: str, origin: Origin
) -> None:
    key = mapper.primary_key
    keys = [mapper.primary_key_from_instance(each) for each in chunk]
    among = key[0].in_([each[0] for each in keys]) if len(key) == 1 else tuple_(*key).in_(keys)
    below = origin.next()
    load = selectinload(mapper.attrs[name].class_attribute)
    asked = select(mapper.class_).where(among).options(load, below)
    with session.no_autoflush:
        session.scalars(asked).all()
    below.remember(list(_found_below(chunk, name)))


def _found_below(chunk: list[Any], name: str) -> Iterator[Any]:
    seen: set[int] = set()
    for each in chunk:
        value = each.__dict__.get(name)
        for found in value if isinstance(value, list | set | tuple) else [value]:
            if found is not None and id(found) not in seen:
                seen.add(id(found))
                yield found


def _is_many(mapper: Mapper[Any], name: str) -> bool:
    return bool(mapper.relationships[name].uselist)


def _told(execution: ORMExecuteState, state: InstanceState[Any], why: str) -> str:
    name = _relation_of(execution) or "relation"
    model = state.class_.__name__
    option = "prefetch" if _is_many(state.mapper, name) else "select_related"
    return (
        f"{model}.{name} was touched at {calling_place()} and has not been loaded. {why} "
        f'Ask for it with the rows: scope.objects({model}).{option}("{name}"), or with a session: '
        f"select({model}).options(selectinload({model}.{name}))."
    )


def calling_place() -> str:
    """ "app.py:12" of the innermost frame that is neither SQLAlchemy's nor Tilth's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in ("sqlalchemy", "tilth", "greenlet"):
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "an unknown place"
