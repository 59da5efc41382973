"""New rows without mapped objects, of models in which no code of the developer's would notice.

The unit of work of the ORM exists so that constructors, validators, listeners and cascades run. A
model that has none of them gets the same INSERT from SQLAlchemy Core at a third of the cost;
tests/properties/test_insertion.py compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from sqlalchemy import JSON, Column, Insert, Table, TypeDecorator, insert, null
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import ColumnProperty, Mapper, Session, class_mapper

from tilth.errors import Fault, invalid
from tilth.kernel.plan.change import Key
from tilth.kernel.schema.fields import has_other_null
from tilth.kernel.store.bulk import Bulk, bulk_for
from tilth.kernel.store.validation import faults_from

Values = Mapping[str, Any]

MOST_BULKS = 100
"""Statements kept for one model: rows of a request have the same columns, and of all requests a few."""

_HEARD_BY_THE_MAPPER = ("before_insert", "after_insert")
_HEARD_BY_THE_CLASS = ("init_failure", "refresh_flush")
_HEARD_BY_A_VALUE = ("set", "init_scalar", "modified")
_HEARD_BY_THE_SESSION = (
    *("after_flush", "after_flush_postexec", "before_attach", "after_attach"),
    *("transient_to_pending", "pending_to_persistent"),
)

# SQLAlchemy itself listens to objects being made, and Tilth to flushes (kernel.store.validation),
# whose work `complete` does here.
_OWN_LISTENERS = 1


@dataclass(frozen=True, slots=True)
class Insertion:
    """How rows of one model are inserted.

    columns: attribute → its column. json: attributes for which None would be the null of JSON.
    complete: values → those that the model makes of them; raises Invalid.
    """

    mapper: Mapper[Any]
    statement: Insert
    columns: Mapping[str, Column[Any]]
    json: frozenset[str]
    complete: Callable[[Values], Values]
    _bulks: dict[tuple[str, ...], Bulk | None] = field(default_factory=dict, init=False)

    def bulk(self, names: tuple[str, ...], dialect: Dialect) -> Bulk | None:
        """names: keys of the columns that rows have. None where each row has to be its own."""
        if names not in self._bulks:
            if len(self._bulks) >= MOST_BULKS:
                self._bulks.clear()
            table = cast("Table", self.mapper.local_table)
            self._bulks[names] = bulk_for(table, list(table.primary_key), names, dialect)
        return self._bulks[names]

    def parameters(self, values: Values) -> dict[str, Any] | None:
        """By key of the column; None when a value is of something that is no plain column.

        A None that was given is NULL and not the column's default; one that the model has made up
        is the lack of a value.
        """
        whole = self.complete(values)
        if not self.columns.keys() >= whole.keys():
            return None
        sent: dict[str, Any] = {}
        for name, value in whole.items():
            column = self.columns[name]
            if value is not None:
                sent[column.key] = value
            elif name in self.json:
                sent[column.key] = null()
            elif has_other_null(column) and isinstance(column.type, TypeDecorator):
                return None
            elif name in values if column.nullable else column.type.should_evaluate_none:
                sent[column.key] = None
        return sent

    def is_heard_by_nobody(self, session: Session) -> bool:
        """Asked each time, since listeners may come at any time."""
        manager = self.mapper.class_manager
        heard = [getattr(self.mapper.dispatch, name) for name in _HEARD_BY_THE_MAPPER]
        heard += [getattr(manager.dispatch, name) for name in _HEARD_BY_THE_CLASS]
        heard += [getattr(session.dispatch, name) for name in _HEARD_BY_THE_SESSION]
        shared = (manager.dispatch.init, session.dispatch.before_flush)
        if any(heard) or any(len(each) > _OWN_LISTENERS for each in shared):
            return False
        dispatches = [manager[name].dispatch for name in self.columns]
        return not any(getattr(each, name) for each in dispatches for name in _HEARD_BY_A_VALUE)


class Insertions:
    """That of every model, found out once."""

    def __init__(self) -> None:
        self._known: dict[type, Insertion | None] = {}

    def find(self, model: type, session: Session) -> Insertion | None:
        """None when the model's rows have to be made as mapped objects."""
        if model not in self._known:
            self._known[model] = _insertion_of(model, session.get_bind().dialect)
        found = self._known[model]
        return found if found is not None and found.is_heard_by_nobody(session) else None


def insert_one(session: Session, insertion: Insertion, parameters: Mapping[str, Any]) -> Key:
    """Empty when a trigger has kept the row out."""
    done = session.connection().execute(insertion.statement, dict(parameters))
    # Without RETURNING, SQLite has a key all the same: that of the row before.
    if done.rowcount == 0 and not done.returns_rows:
        return ()
    return tuple(done.inserted_primary_key or ())


def insert_many(
    session: Session, insertion: Insertion, rows: Sequence[Mapping[str, Any]]
) -> list[Key]:
    """rows: all with the same columns. Keys in their order, fewer when triggers keep rows out."""
    keys = insertion.mapper.primary_key
    connection = session.connection()
    bulk = insertion.bulk(tuple(rows[0]), connection.dialect)
    if bulk is not None:
        return bulk.insert(connection, rows)
    statement = insertion.statement.returning(*keys, sort_by_parameter_order=True)
    return [tuple(row) for row in connection.execute(statement, list(rows))]


def _insertion_of(model: type, dialect: Dialect) -> Insertion | None:
    mapper: Mapper[Any] = class_mapper(model)
    table = mapper.local_table
    if not isinstance(table, Table) or not _is_plain(mapper):
        return None
    complete = _completion(model, mapper)
    if complete is None:
        return None
    columns = {
        each.key: column for each in mapper.column_attrs for column in _plain_column(each, table)
    }
    json = frozenset(
        name
        for name, column in columns.items()
        if has_other_null(column) and isinstance(column.type.dialect_impl(dialect), JSON)
    )
    return Insertion(mapper, insert(table), columns, json, complete)


def _is_plain(mapper: Mapper[Any]) -> bool:
    """One table, no inheritance, no version of the ORM's, no validators."""
    is_alone = mapper.inherits is None and mapper.polymorphic_on is None
    return is_alone and mapper.version_id_col is None and not mapper.validators


def _plain_column(prop: ColumnProperty[Any], table: Table) -> Iterator[Column[Any]]:
    [first, *others] = prop.columns
    if isinstance(first, Column) and first.table is table and not others:
        yield first


def _completion(model: type, mapper: Mapper[Any]) -> Callable[[Values], Values] | None:
    """What making an object of the model would do to the values; None when that is not known."""
    made_by = mapper.class_manager.original_init
    author = (getattr(made_by, "__module__", None) or "").partition(".")[0]
    if issubclass(model, BaseModel):
        is_plain = author == "sqlmodel" and _has_no_code_of_its_own(model)
        return _validation_by(model) if is_plain else None
    # SQLAlchemy's constructor sets each value and no other; a dataclass has defaults of its own.
    is_plain = (made_by is object.__init__ or author == "sqlalchemy") and not is_dataclass(model)
    return _as_they_are if is_plain else None


def _as_they_are(values: Values) -> Values:
    return values


def _has_no_code_of_its_own(model: type[BaseModel]) -> bool:
    """Nothing but fields, their defaults and their constraints."""
    decorators = model.__pydantic_decorators__
    asked = (
        decorators.validators,
        decorators.field_validators,
        decorators.root_validators,
        decorators.model_validators,
    )
    has_aliases = any(field.alias for field in model.model_fields.values())
    is_watched = model.__pydantic_post_init__ is not None
    return not (any(asked) or has_aliases or is_watched)


def _validation_by(model: type[BaseModel]) -> Callable[[Values], Values]:
    """As SQLModel fills in defaults, and as kernel.store.validation validates before a flush."""
    optional = {n: field for n, field in model.model_fields.items() if not field.is_required()}

    def complete(values: Values) -> Values:
        defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in optional.items()
            if name not in values
        }
        held = {**defaults, **values}
        # Not an object of the ORM: pydantic fills in the instance, and nothing listens to it.
        bare = model.__new__(model)
        try:
            model.__pydantic_validator__.validate_python(held, self_instance=bare)
        except ValidationError as exc:
            faults: list[Fault] = list(faults_from(exc, model, is_stored=False))
            if faults:
                raise invalid(faults) from exc
            return held
        return {n: _as_made(value, bare.__dict__.get(n, value)) for n, value in held.items()}

    return complete


def _as_made(given: Any, made: Any) -> Any:
    return made if made is not given and made != given else given
