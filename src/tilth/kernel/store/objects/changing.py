"""Query + values → changes: planned, judged and told of like those of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.orm import class_mapper

from tilth.errors import BadRequest, QueryError
from tilth.kernel.plan.change import Row, WritePlan
from tilth.kernel.plan.given import is_mapped, key_given
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.many import intents_of, plan_rows
from tilth.kernel.plan.merge import plan_merge, unique_fields
from tilth.kernel.plan.write import permitted, plan_update, plan_write
from tilth.kernel.schema.given import json_given
from tilth.kernel.store.apply import Change, apply
from tilth.kernel.store.many import change_in_parts, create_many
from tilth.kernel.store.merge import merge
from tilth.kernel.store.objects.query import Query
from tilth.kernel.store.objects.selection import keys_selected, selection_of
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sessions.flushes import by_plan
from tilth.kernel.store.sessions.loads import seal
from tilth.kernel.store.sessions.sessions import check_writes

M = TypeVar("M")

Values = Mapping[str, Any]

ROWS_AT_ONCE = 500


def created(scope: Scope, query: Query[M], values: Values) -> M:
    """Raises what POST would be answered with: Invalid, Forbidden, Conflict …"""
    _check_free(query, "create")
    with _acting(scope, query):
        plan = plan_write(_intent(query, "create", values), scope.sight)
        return _object(query, apply(scope, plan, mapped=True))


def all_created(scope: Scope, query: Query[M], rows: Sequence[Values]) -> list[M]:
    """All or none. Faults point at the place in the list: "/3/name"."""
    _check_free(query, "create")
    made: list[M] = []
    with _acting(scope, query):
        for start in range(0, len(rows), ROWS_AT_ONCE):
            bodies = [_body(query, each) for each in rows[start : start + ROWS_AT_ONCE]]
            intents = intents_of(_intent(query, "create", {}), bodies)
            placed = [replace(each, pointer=f"/{start + at}") for at, each in enumerate(intents)]
            changes = create_many(scope, plan_rows(placed, scope.sight), mapped=True)
            made += [_object(query, each) for each in changes]
    return made


def merged(scope: Scope, query: Query[M], values: Values, on: Sequence[str]) -> M:
    """The row with the same values of the unique fields is changed, or there is a new one."""
    _check_free(query, "upsert")
    with _acting(scope, query):
        name = query.access.resource.name
        try:
            fields = unique_fields(scope.sight, name, on)
        except BadRequest as exc:
            raise QueryError(f"{query.model.__name__}: {exc.detail}") from exc
        intent = _intent(query, "create", values)
        plan = plan_merge(plan_write(intent, scope.sight), intent, fields)
        found = _object(query, merge(scope, plan, mapped=True))
        seal(found)
        return found


def updated(scope: Scope, query: Query[Any], values: Values) -> int:
    """Of every row that matches, or none. Answers how many match."""
    with _acting(scope, query):
        rights = scope.sight.rights(query.access.resource.name)
        permitted(scope.sight, rights, "update")
        each = plan_update(_intent(query, "update", values), scope.sight, Row(rights, ()))
        return _changed(scope, query, each)


def deleted(scope: Scope, query: Query[Any]) -> int:
    """Every row that matches, or none. Answers how many."""
    with _acting(scope, query):
        rights = scope.sight.rights(query.access.resource.name)
        permitted(scope.sight, rights, "delete")
        return _changed(scope, query, WritePlan("delete", rights))


def _changed(scope: Scope, query: Query[Any], each: WritePlan) -> int:
    def keys() -> list[tuple[Any, ...]]:
        chosen = selection_of(query, scope.records.dialect)
        return [tuple(row) for row in scope.session.execute(keys_selected(chosen))]

    return change_in_parts(scope, each, keys, lambda changed: _seal(scope, query, changed))


def _seal(scope: Scope, query: Query[Any], changed: Sequence[Change]) -> None:
    """Objects that a query set has handed out were loaded whole, to be changed."""
    mapper = class_mapper(query.model)
    for each in changed:
        entity = scope.session.identity_map.get(mapper.identity_key_from_primary_key(each.plan.key))
        if entity is not None:
            seal(entity)


@contextmanager
def _acting(scope: Scope, query: Query[Any]) -> Iterator[None]:
    """With the rights that the query set was made with, all or nothing.

    A change that is refused halfway leaves nothing behind, whether or not the error is caught.
    """
    check_writes(scope.session)
    scope.session.flush()
    session, outside = scope.session, (scope.sight, scope.reason)
    scope.sight, scope.reason = query.sight, query.reason
    try:
        with session.begin_nested(), session.no_autoflush, by_plan(session):
            yield
    finally:
        scope.sight, scope.reason = outside


def _check_free(query: Query[Any], doing: str) -> None:
    if query.where or query.is_sliced:
        raise QueryError(
            f"{doing} makes new rows, whatever a filter says: "
            f"scope.objects({query.model.__name__}).{doing}(…)."
        )


def _intent(query: Query[Any], action: Any, values: Values) -> WriteIntent:
    return WriteIntent(action, query.access.resource.name, body=_body(query, values))


def _body(query: Query[Any], values: Values) -> dict[str, Any]:
    """As a request would carry it. Raises QueryError."""

    def key_of(row: Any) -> Any:
        return json_given(key_given(query.sight.schema, row)) if is_mapped(row) else None

    try:
        return {name: json_given(value, key_of) for name, value in values.items()}
    except ValueError as exc:
        raise QueryError(f"{query.model.__name__}: {exc}") from exc


def _object(query: Query[M], change: Change) -> M:
    assert isinstance(change.entity, query.model)  # creations and changes leave a row behind
    return change.entity
