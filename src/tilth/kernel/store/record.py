"""One stored row as a change needs to know it: what it holds, and what the actor may do with it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    case,
    exists,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session, lazyload, undefer
from sqlalchemy.types import NullType, TypeEngine

from tilth.kernel.plan.change import Key, Reference
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.policy.actor import Actor, actor_value
from tilth.kernel.policy.fold import Folded
from tilth.kernel.schema.resource import Field, Resource
from tilth.kernel.store.binds import Binds, Convert, Origin, bind_type
from tilth.kernel.store.carrier import carrier
from tilth.kernel.store.insertion import Insertions
from tilth.kernel.store.sessions.watch import BATCH
from tilth.kernel.store.source import flag, joined, stored_rows

Sql = ColumnElement[Any]

QUESTIONS = 1000

ROWS_AT_ONCE = 200

_YES: Sql = literal_column("1")
_NO: Sql = literal_column("0")


@dataclass(frozen=True, slots=True)
class Record:
    """A stored row.

    entity: the mapped object, when it was asked for. values: field → JSON value, of every field
    that the policy does not hide from everyone. granted: what was asked of the row → the answer.
    masked: fields the actor may not read on this row. dangling: references that lead to no row the
    actor may read.
    """

    rights: Rights
    entity: Any
    values: Mapping[str, Any]
    granted: Mapping[str, bool]
    masked: frozenset[str]
    dangling: tuple[Reference, ...]

    @property
    def shown(self) -> dict[str, Any]:
        """As the actor may read it, the same as a GET answers."""
        return {
            name: None if name in self.masked else self.values[name]
            for name in self.rights.access.fields
        }

    @property
    def tag(self) -> str:
        return row_tag(self.shown, self.rights.access.fields)

    @property
    def key(self) -> tuple[str, ...]:
        """The texts that the row's address is made of."""
        return tuple(_text(self.values[name]) for name in self.rights.access.resource.key)


def row_tag(row: Mapping[str, Any], fields: Iterable[str]) -> str:
    """Version of a stored row as one caller may read it, whatever part of it is answered."""
    content = orjson.dumps([row[name] for name in fields])
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ask of a row, or of many.

    rules: a name for each question, and the rule that answers it.
    entity: the mapped object too, locked. lock: against other writers, until the transaction ends.
    """

    rights: Rights
    rules: tuple[tuple[str, Folded], ...]
    references: tuple[Reference, ...] = ()
    entity: bool = False
    many: bool = False
    lock: bool = False

    @property
    def identity(self) -> tuple[object, ...]:
        """Expressions have no equality of their own; the schema's are made once."""
        rules = tuple(
            (name, rule if isinstance(rule, bool) else id(rule)) for name, rule in self.rules
        )
        chosen = tuple((id(each.to_one), *map(id, each.targets)) for each in self.references)
        return (id(self.rights), rules, chosen, self.entity, self.many, self.lock)


class Records:
    """Looks rows up. Remembers the 1,000 questions asked last, since making one costs more than asking."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.insertions = Insertions()
        # The wish is kept beside its question: an id is only unique while its object lives.
        # Resource → what refers to its rows; see cascades.
        self.references: dict[str, Any] = {}
        # Tables for which constraints wait for the commit, once known; see deferred.
        self.deferred: frozenset[Any] | None = None
        self._known: OrderedDict[tuple[object, ...], tuple[Wish, Question]] = OrderedDict()

    def look(self, session: Session, wish: Wish, key: Key, actor: Actor) -> Record | None:
        """One statement. None when there is no such row; whether the actor may know is in granted."""
        question = self._question(wish)
        row = session.execute(question.statement, question.values(key, actor)).one_or_none()
        return None if row is None else question.answer(wish, row)

    def look_many(
        self, session: Session, wish: Wish, keys: Sequence[Key], actor: Actor
    ) -> dict[Key, Record]:
        """A statement for every 200 rows. A key that leads to no row is left out."""
        asked = replace(wish, many=True)
        question, found = self._question(asked), {}
        for start in range(0, len(keys), ROWS_AT_ONCE):
            values = question.values_of(keys[start : start + ROWS_AT_ONCE], actor)
            for row in session.execute(question.statement, values):
                key = tuple(row[: question.keys])
                found[key] = question.answer(asked, row[question.keys :])
        return found

    def lock_many(self, session: Session, rights: Rights, keys: Sequence[Key]) -> set[Key]:
        """Against other writers, until the transaction ends. Answers those that are there."""
        access = rights.access
        columns = [access.resource.fields[name].expression for name in access.resource.key]
        asked = (
            select(*columns)
            .select_from(stored_rows(access).rows)
            .where(_is_one_of(columns))
            .order_by(*columns)
            .with_for_update(of=list(access.resource.tables))
            .execution_options(**{BATCH: True})
        )
        locked: set[Key] = set()
        for start in range(0, len(keys), ROWS_AT_ONCE):
            part = keys[start : start + ROWS_AT_ONCE]
            listed = [key[0] for key in part] if len(columns) == 1 else list(part)
            locked.update(tuple(row) for row in session.execute(asked, {"keys": listed}))
        return locked

    def _question(self, wish: Wish) -> Question:
        identity = wish.identity
        if identity in self._known:
            self._known.move_to_end(identity)
            return self._known[identity][1]
        made = question_for(wish, self.dialect)
        self._known[identity] = (wish, made)
        if len(self._known) > QUESTIONS:
            self._known.popitem(last=False)
        return made


class NamedBinds(Binds):
    """Parameters of a statement that SQLAlchemy executes itself: it converts their values."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self._asked: dict[str, tuple[Origin, TypeEngine[Any], int]] = {}
        self._slots: dict[str, tuple[int, Convert | None]] = {}

    def slot(
        self, index: int, type_: TypeEngine[Any], convert: Convert | None = None
    ) -> BindParameter[Any]:
        bind = super().slot(index, type_, convert)
        self._slots[bind.key] = (index, convert)
        return bind

    def me(self, origin: Origin, type_: TypeEngine[Any], index: int = 0) -> BindParameter[Any]:
        bind = super().me(origin, type_, index)
        self._asked[bind.key] = (origin, type_, index)
        return bind

    def values_for(self, actor: Actor) -> dict[str, Any]:
        roles = sorted(actor.roles)
        return {
            name: actor_value(_part(actor, origin, index, roles), type_)
            for name, (origin, type_, index) in self._asked.items()
        }

    def values_in(self, slots: Sequence[Any]) -> dict[str, Any]:
        return {
            name: convert(slots[index]) if convert else slots[index]
            for name, (index, convert) in self._slots.items()
        }


class ValueBinds(Binds):
    """Parameters of a statement that SQLAlchemy executes itself, with their values in them."""

    def __init__(self, dialect: Dialect, actor: Actor, values: Sequence[Any] = ()) -> None:
        super().__init__(dialect)
        self._actor, self._values, self._roles = actor, values, sorted(actor.roles)

    def slot(
        self, index: int, type_: TypeEngine[Any], convert: Convert | None = None
    ) -> BindParameter[Any]:
        value = self._values[index]
        return bindparam(None, convert(value) if convert else value, type_=type_)

    def me(self, origin: Origin, type_: TypeEngine[Any], index: int = 0) -> BindParameter[Any]:
        value = actor_value(_part(self._actor, origin, index, self._roles), type_)
        return bindparam(None, value, type_=type_)


def _part(actor: Actor, origin: Origin, index: int, roles: list[str]) -> str | None:
    match origin:
        case "id":
            return actor.id
        case "tenant":
            return actor.tenant
        case _:
            return roles[min(index, len(roles) - 1)]


@dataclass(frozen=True, slots=True)
class Question:
    """One statement. decode: field → how its carrier becomes JSON, in column order.

    keys: when it is over many rows, how many columns with the key come first.
    """

    statement: Select[Any]
    binds: NamedBinds
    decode: tuple[tuple[str, Callable[[Any], Any]], ...]
    masks: tuple[str, ...]
    keys: int

    def values(self, key: Key, actor: Actor) -> dict[str, Any]:
        keys = {f"key_{place}": part for place, part in enumerate(key)}
        return {**keys, **self.binds.values_for(actor)}

    def values_of(self, keys: Sequence[Key], actor: Actor) -> dict[str, Any]:
        listed = [key[0] for key in keys] if self.keys == 1 else list(keys)
        return {"keys": listed, **self.binds.values_for(actor)}

    def answer(self, wish: Wish, row: Any) -> Record:
        cells = iter(row)
        entity = next(cells) if wish.entity else None
        values = {name: decode(next(cells)) for name, decode in self.decode}
        granted = {name: bool(next(cells)) for name, _ in wish.rules}
        masked = frozenset(name for name in self.masks if not next(cells))
        dangling = tuple(each for each in wish.references if not next(cells))
        return Record(wish.rights, entity, values, granted, masked, dangling)


def question_for(wish: Wish, dialect: Dialect) -> Question:
    """Over the tables themselves: a rule means here what it means in the developer's own queries."""
    access, binds = wish.rights.access, NamedBinds(dialect)
    resource = access.resource
    fields = list(told_fields(wish.rights))
    columns: list[Sql] = [
        type_coerce(carrier(dialect.name, field.kind, field.expression, nested=False), NullType())
        for _, field in fields
    ]
    columns += [flag(rule, access, binds) for _, rule in wish.rules]
    columns += [flag(mask, access, binds) for mask in access.masked.values()]
    columns += [_leads_somewhere(each, access, binds) for each in wish.references]
    labelled = [column.label(f"c{place}") for place, column in enumerate(columns)]
    keys = [resource.fields[name].expression for name in resource.key] if wish.many else []
    asked = _selected(wish, keys, labelled)
    asked = (
        asked.where(_is_one_of(keys)).order_by(*keys) if keys else asked.where(*_is_row(resource))
    )
    decode = tuple((name, field.kind.decode) for name, field in fields)
    if wish.many:
        asked = asked.execution_options(**{BATCH: True})
    return Question(asked, binds, decode, tuple(access.masked), len(keys))


def told_fields(rights: Rights) -> Iterator[tuple[str, Field]]:
    """The fields that someone may read."""
    for name, field in rights.access.resource.fields.items():
        if name not in rights.policy.hidden:
            yield name, field


def _selected(wish: Wish, keys: list[Any], columns: list[Any]) -> Select[Any]:
    access = wish.rights.access
    of_class = () if access.resource.criterion is None else (access.resource.criterion,)
    if not wish.entity:
        rows = stored_rows(access).rows
        asked = select(*keys, *columns).select_from(rows).where(*of_class)
        return asked.with_for_update(of=list(access.resource.tables)) if wish.lock else asked
    entity = select(*keys, access.resource.model, *columns)
    # A deferred column may be one that refuses to be loaded later.
    entity = entity.options(lazyload("*"), undefer("*")).where(*of_class)
    # What the session has loaded before may be older than the row that is now locked.
    entity = entity.execution_options(populate_existing=True)
    return entity.with_for_update(of=list(access.resource.tables))


def _is_row(resource: Resource) -> Iterator[Sql]:
    for place, name in enumerate(resource.key):
        field = resource.fields[name]
        type_ = bind_type(field.kind, field.expression.type)
        yield field.expression == bindparam(f"key_{place}", type_=type_)


def _is_one_of(keys: list[Any]) -> Sql:
    """In the order of the key, so that two who lock the same rows do not lock each other out."""
    listed: BindParameter[Any] = bindparam("keys", expanding=True)
    return keys[0].in_(listed) if len(keys) == 1 else tuple_(*keys).in_(listed)


def _leads_somewhere(reference: Reference, access: Access, binds: Binds) -> Sql:
    """No row chosen is as good as a row that is there."""
    fields, near = access.resource.fields, stored_rows(access).find
    ways = zip(reference.to_one.ways, reference.targets, strict=True)
    there = [joined(way, target, near, binds) for way, target in ways]
    found = or_(
        *(exists(select(literal_column("1")).select_from(*e.rows).where(e.on)) for e in there)
    )
    unset = [(fields[name].expression.is_(None), _YES) for name in reference.to_one.local]
    return case((found, _YES), *unset, else_=_NO)
