"""Mapped objects: made, given values and flushed, with what goes wrong told by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from typing import Any

from sqlalchemy import Column, inspect, null
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session, class_mapper
from sqlalchemy.orm.attributes import flag_modified, set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from tilth.errors import Fault, Invalid, invalid
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.plan.merge_patch import merge_patch
from tilth.kernel.schema.bodies import accepted
from tilth.kernel.schema.fields import has_default, has_other_null
from tilth.kernel.store.integrity import (
    broken_rule,
    is_raised_by_a_trigger,
    not_kept,
    violation,
)
from tilth.kernel.store.record import Record


def new(plan: WritePlan, values: Mapping[str, Any]) -> Any:
    """An object of the model, made the way the developer's code would make it."""
    entity = _made(plan, values)
    for name in _nulls(entity, values):
        # The ORM takes None for the lack of a value, and would store the column's default.
        inspect(entity).dict[name] = null()
    return entity


def settle(entity: Any, values: Mapping[str, Any]) -> None:
    """After the flush: what was stored as NULL is None, and need not be read again."""
    held = inspect(entity).dict
    for name, column in _columns(entity):
        is_given = name in values and values[name] is None
        is_null = is_given or (has_other_null(column) and not has_default(column))
        if is_null and name not in held:
            set_committed_value(entity, name, None)


def _nulls(entity: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """What is None and to become neither the default of its column nor the null of JSON."""
    held = inspect(entity).dict
    for name, column in _columns(entity):
        is_given = name in values and values[name] is None
        is_default = is_given and column.nullable and has_default(column)
        is_json = has_other_null(column) and (name in held or not has_default(column))
        if held.get(name) is None and (is_default or is_json):
            yield name


def _columns(entity: Any) -> Iterator[tuple[str, Column[Any]]]:
    for prop in inspect(entity).mapper.column_attrs:
        if isinstance(prop.columns[0], Column):
            yield prop.key, prop.columns[0]


def _made(plan: WritePlan, values: Mapping[str, Any]) -> Any:
    model = plan.resource.model
    made = signature(model)
    taken = {name: value for name, value in values.items() if _takes(made, name)}
    if _binds(made, taken):
        try:
            entity = model(**taken)
        except (ValueError, AssertionError) as exc:
            if not _binds(made, {}):
                raise invalid([Fault(plan.pointer, "bad_value", str(exc))]) from exc
        else:
            # Such as what the server keeps, of which a constructor need not know.
            return _with(entity, {n: v for n, v in values.items() if n not in taken}, plan.pointer)
    # Value by value, so that each one that is refused is told.
    is_free = _binds(made, {})
    entity = model() if is_free else class_mapper(model).class_manager.new_instance()
    return _with(entity, values, plan.pointer)


def _with(entity: Any, values: Mapping[str, Any], pointer: str) -> Any:
    faults = list(_set(entity, values, pointer))
    if faults:
        raise invalid(faults)
    return entity


def _takes(made: Signature, name: str) -> bool:
    """A parameter of that name, or one that takes any."""
    kinds = {each.kind for each in made.parameters.values()}
    return name in made.parameters or Parameter.VAR_KEYWORD in kinds


def _binds(made: Signature, values: Mapping[str, Any]) -> bool:
    try:
        made.bind(**values)
    except TypeError:
        return False
    return True


def change(plan: WritePlan, row: Record, pointer: str = "") -> frozenset[str]:
    """What the plan writes, as far as it differs; the names of that. Raises Invalid."""
    merged: dict[str, Any] = {}
    for name in plan.patches:
        # The JSON: a type of the developer's own may make something else of it.
        merged[name] = merge_patch(row.values.get(name), plan.values[name])
        constraint = plan.resource.fields[name].constraint
        try:
            if constraint is not None:
                constraint(merged[name])
        except ValueError as exc:
            raise invalid([Fault(pointer + member(name), "bad_value", str(exc))]) from exc
    values = {**plan.values, **merged}
    held = {name: getattr(row.entity, name) for name in values}
    changed = {
        name: value
        for name, value in values.items()
        if _differ(held[name], value) and not _is_answered(plan, row, name, value)
    }
    _assign(row.entity, held, changed, pointer)
    return frozenset(changed)


def assign(entity: Any, values: Mapping[str, Any]) -> None:
    """Only what differs."""
    held = {name: getattr(entity, name) for name in values}
    _assign(entity, held, {n: value for n, value in values.items() if _differ(held[n], value)}, "")


def _assign(entity: Any, held: Mapping[str, Any], changed: Mapping[str, Any], pointer: str) -> None:
    _with(entity, changed, pointer)
    for name, value in changed.items():
        if held[name] == value:
            # The ORM, too, compares as Python does.
            flag_modified(entity, name)
        elif value is None and _is_other_null(entity, name):
            inspect(entity).dict[name] = null()


def _is_other_null(entity: Any, name: str) -> bool:
    prop = inspect(entity).mapper.column_attrs.get(name)
    return prop is not None and has_other_null(prop.columns[0])


def _is_answered(plan: WritePlan, row: Record, name: str, value: Any) -> bool:
    """Whether the row says so already: drivers make objects of their own of some types' values,
    such as of addresses and ranges, and 32-bit numbers of others.
    """
    stored = row.values.get(name)
    if stored is None:
        return False
    try:
        return not _differ(accepted(plan.resource.fields[name], stored), value)
    except ValueError:
        # What is stored could not be sent today.
        return False


def _differ(one: Any, other: Any) -> bool:
    """As JSON tells them apart: 1 and true are one value to Python only."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(_differ(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(map(_differ, one, other))
    is_alike = {type(one), type(other)} not in ({bool, int}, {bool, float})
    return bool(one != other) if is_alike else True


def _set(entity: Any, values: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    """The model's own validators may refuse a value, by ValueError or a failed assert."""
    for name, value in values.items():
        try:
            setattr(entity, name, value)
        except (ValueError, AssertionError) as exc:
            yield Fault(pointer + member(name), "bad_value", str(exc) or "Not valid.")


def flush(session: Session, plan: WritePlan) -> None:
    """Raises Conflict or Invalid, naming the fields."""
    with refusals_told(plan):
        session.flush()


@contextmanager
def refusals_told(plan: WritePlan) -> Iterator[None]:
    """Raises Conflict or Invalid, naming the fields."""
    try:
        yield
    except Invalid as exc:
        raise _below(exc, plan.pointer) from exc
    except IntegrityError as exc:
        raise violation(exc, plan.rights.access, plan.pointer) from exc
    except DBAPIError as exc:
        if is_raised_by_a_trigger(exc):
            raise broken_rule(plan.pointer) from exc
        raise
    except StaleDataError as exc:
        raise not_kept(plan.pointer) from exc
    except StatementError as exc:
        # A column type of the developer's own refuses a value while it is bound.
        detail = str(exc.orig) if isinstance(exc.orig, ValueError) else "Does not fit its column."
        raise invalid([Fault(plan.pointer, "bad_value", detail)]) from exc


def _below(exc: Invalid, pointer: str) -> Invalid:
    return invalid([Fault(pointer + each.pointer, each.code, each.detail) for each in exc.faults])
