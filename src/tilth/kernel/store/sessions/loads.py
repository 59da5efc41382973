"""What is loaded on behalf of a relation: only rows the actor may see, and for many objects at once.

Objects that come out of a query set carry Origin, an option that SQLAlchemy hands on to every load
they cause. Objects that the developer has loaded by other means are left alone, but for one thing:
where nothing can be awaited, a load is an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from weakref import ref

from sqlalchemy import event, inspect, select, tuple_
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import (
    InstanceState,
    Mapper,
    ORMExecuteState,
    RelationshipProperty,
    Session,
    defaultload,
    defer,
    selectinload,
    sessionmaker,
)
from sqlalchemy.orm.interfaces import ORMOption, UserDefinedOption
from sqlalchemy.util.concurrency import in_greenlet

from tilth.errors import LazyLoad, QueryError
from tilth.kernel.store.sessions.flushes import is_own_work
from tilth.kernel.store.sessions.places import calling_place
from tilth.kernel.store.sessions.watch import BATCH, RELATION

Fetch = Literal["peers", "one", "raise"]
"""A relation that was not asked for: load it for every object of the same query, for this one, or
raise LazyLoad."""

PEERS_AT_ONCE = 500

ENDPOINT = "tilth_endpoint"
"""In a session's info: which endpoint it was opened for, if it was for one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the actor may see of one mapped class.

    rows: options that restrict a statement to those rows. hidden: attributes of columns.
    """

    rows: tuple[ORMOption, ...] = ()
    hidden: frozenset[str] = frozenset()


LimitsOf = Callable[[type[Any]], Limits]


class Origin(UserDefinedOption):
    """Of all objects of one query. peers: the objects, as long as they live."""

    propagate_to_loaders = True

    def __init__(self, limits_of: LimitsOf, fetch: Fetch) -> None:
        super().__init__()
        self._limits_of, self.fetch = limits_of, fetch
        self._known: dict[type[Any], Limits] = {}
        self.peers: list[ref[Any]] = []

    def __reduce__(self) -> tuple[Callable[[], Origin], tuple[()]]:
        """Who asked stays behind when an object is pickled."""
        return _origin_unknown, ()

    def next(self) -> Origin:
        """Of the objects that are loaded on behalf of these."""
        return Origin(self._limits_of, self.fetch)

    def limits_of(self, model: type[Any]) -> Limits:
        if model not in self._known:
            self._known[model] = self._limits_of(model)
        return self._known[model]

    def remember(self, objects: Sequence[Any]) -> None:
        self.peers += map(ref, objects)

    def alive(self) -> Iterator[Any]:
        return (found for each in self.peers if (found := each()) is not None)


def _origin_unknown() -> Origin:
    return Origin(_refuse, "raise")


def _refuse(model: type) -> Limits:
    raise QueryError(
        f"A {model.__name__} that was pickled loads nothing more, since nobody knows who asks. "
        f"Read it again in a scope."
    )


def watch_loads(sessions: sessionmaker[Any]) -> None:
    event.listen(sessions, "do_orm_execute", _look_at)
    event.listen(sessions, "loaded_as_persistent", _look_at_loaded)


def _look_at(execution: ORMExecuteState) -> Any:
    """None lets SQLAlchemy go on; a result is taken instead of its own."""
    if execution.is_column_load:
        return _look_at_columns(execution)
    if execution.is_relationship_load:
        return _look_at_relation(execution)
    return None


def _look_at_loaded(session: Session, entity: Any) -> None:
    seal(entity)


def seal(entity: Any) -> None:
    """Columns that the policy hides are not in the object, and cannot be loaded by touching them.

    An option of the statement is not enough: it ends with the first rollback, and a row of a class
    may be of a more derived one, whose policy hides more.
    """
    state = inspect(entity)
    origin = next((each for each in state.load_options if isinstance(each, Origin)), None)
    if origin is None:
        return
    for name in origin.limits_of(state.class_).hidden:
        state.dict.pop(name, None)
        state.expired_attributes.discard(name)
        if not state.callables:
            state.callables = {}
        state.callables[name] = partial(_refuse_column, name)


def _refuse_column(name: str, state: InstanceState[Any], passive: object) -> Any:
    model = state.class_.__name__
    raise QueryError(
        f"{model}.{name} was not loaded: whoever asks here may not read it, or not on every row. "
        f'values("{name}") shows it where they may; '
        f'scope.session.refresh(row, ["{name}"]) reads it whoever asks.'
    )


def _look_at_relation(execution: ORMExecuteState) -> Any:
    if is_own_work(execution.session):
        # What is deleted or kept along with a row does not depend on who may see it.
        return None
    lazy, origin = execution.lazy_loaded_from, _origin_of(execution)
    if lazy is not None:
        if origin is not None and origin.fetch == "raise":
            raise LazyLoad(_untold(execution, lazy, "This scope loads no relation by itself."))
        if _cannot_wait(execution):
            raise LazyLoad(_untold(execution, lazy, "Where there is await, touching it cannot."))
        if origin is not None and origin.fetch == "peers":
            found = _loaded_for_peers(execution, lazy, origin)
            if found is not None:
                return found
        execution.update_execution_options(**{RELATION: _named(execution, lazy)})
    else:
        # Whole, also beside rows that are read in parts: early SQLAlchemy 2.0 would fail.
        execution.update_execution_options(**{BATCH: True}, yield_per=None)
    if origin is not None and execution.bind_mapper is not None:
        model = execution.bind_mapper.class_
        limits = origin.limits_of(model)
        columns = _left_out(execution, model, limits.hidden)
        execution.statement = execution.statement.options(*limits.rows, *columns)
    return None


def deferred(model: type, names: Iterable[str]) -> Iterator[Any]:
    """Options that leave out columns of the class that is selected."""
    return (defer(getattr(model, name), raiseload=True) for name in names)


def _left_out(execution: ORMExecuteState, model: type, names: Iterable[str]) -> Iterator[Any]:
    """The same for what relations lead to: options count from where the first query began."""
    path: Any = execution.loader_strategy_path
    steps = [each.class_attribute for each in path if isinstance(each, RelationshipProperty)]
    for name in names:
        load: Any = defaultload(steps[0])
        for step in steps[1:]:
            load = load.defaultload(step)
        yield load.defer(getattr(model, name), raiseload=True)


def _cannot_wait(execution: ORMExecuteState) -> bool:
    return execution.session.get_bind().dialect.is_async and not in_greenlet()


def _look_at_columns(execution: ORMExecuteState) -> None:
    """Of an object whose values were given up, by a rollback for example, or were never loaded."""
    asked = _columns_of(execution)
    if asked and execution.bind_mapper is not None and _cannot_wait(execution):
        raise LazyLoad(_unloaded(execution, execution.bind_mapper.class_, asked))


def _columns_of(execution: ORMExecuteState) -> frozenset[str]:
    """The attributes, all of them together for an object that is expired."""
    options = getattr(execution.statement, "_compile_options", None)
    return getattr(options, "_only_load_props", None) or frozenset()


def give_up_restricted(entity: Any) -> None:
    """Relations that were loaded as the actor may see them are loaded anew, whole, when needed."""
    state = inspect(entity)
    if not state.persistent or not any(isinstance(each, Origin) for each in state.load_options):
        return
    for relation in state.mapper.relationships:
        loaded = relation.key in state.dict
        if loaded and not state.attrs[relation.key].history.has_changes():
            state.session.expire(entity, [relation.key])


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
    columns = deferred(mapper.class_, origin.limits_of(mapper.class_).hidden)
    asked = select(mapper.class_).where(among).options(load, below, *columns)
    asked = asked.execution_options(**{BATCH: True})
    with session.no_autoflush:
        session.scalars(asked).all()
    for each in chunk:
        seal(each)
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


def _named(execution: ORMExecuteState, state: InstanceState[Any]) -> str:
    return f"{state.class_.__name__}.{_relation_of(execution)}"


def _untold(execution: ORMExecuteState, state: InstanceState[Any], why: str) -> str:
    """Which relation, where, and how to ask for it."""
    name = _relation_of(execution) or "relation"
    model = state.class_.__name__
    option = "prefetch" if _is_many(state.mapper, name) else "select_related"
    return (
        f"{model}.{name} was touched {_where(execution)} and has not been loaded. {why} "
        f'Ask for it with the rows: scope.objects({model}).{option}("{name}"), or with a session: '
        f"select({model}).options(selectinload({model}.{name}))."
    )


def _unloaded(execution: ORMExecuteState, model: type, asked: frozenset[str]) -> str:
    """Which columns, where, and how to ask for them."""
    names = ", ".join(sorted(asked))
    return (
        f"{model.__name__} ({names}) was touched {_where(execution)} and is not loaded: it was "
        f"deferred, or a rollback or expire() gave up what was known of the object. Where there is "
        f"await, touching it cannot load it. Read it again: await scope.session.refresh(row), or "
        f"ask for the columns with the rows: .options(undefer({model.__name__}.{min(asked)}))."
    )


def _where(execution: ORMExecuteState) -> str:
    place = calling_place()
    if place is not None:
        return f"at {place}"
    endpoint = execution.session.info.get(ENDPOINT)
    return f"while the answer of {endpoint} was made" if endpoint else "by a library"
