"""Mapped objects: made, given values and flushed, with what goes wrong told by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session, class_mapper

from tilth.errors import Fault, Invalid, invalid
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.store.integrity import violation


def new(plan: WritePlan, values: Mapping[str, Any]) -> Any:
    """An object of the model, made the way the developer's code would make it."""
    model = plan.resource.model
    made = signature(model)
    if _binds(made, values):
        try:
            return model(**values)
        except (ValueError, AssertionError) as exc:
            if not _binds(made, {}):
                raise invalid([Fault(plan.pointer, "bad_value", str(exc))]) from exc
    # Value by value, so that each one that is refused is told.
    is_free = _binds(made, {})
    entity = model() if is_free else class_mapper(model).class_manager.new_instance()
    faults = list(_set(entity, values, plan.pointer))
    if faults:
        raise invalid(faults)
    return entity


def _binds(made: Any, values: Mapping[str, Any]) -> bool:
    try:
        made.bind(**values)
    except TypeError:
        return False
    return True


def assign(entity: Any, values: Mapping[str, Any], pointer: str = "") -> bool:
    """Only what differs. False when nothing does."""
    changed = {name: value for name, value in values.items() if getattr(entity, name) != value}
    faults = list(_set(entity, changed, pointer))
    if faults:
        raise invalid(faults)
    return bool(changed)


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
    except DBAPIError:
        raise
    except StatementError as exc:
        # A column type of the developer's own refuses a value while it is bound.
        detail = str(exc.orig) if isinstance(exc.orig, ValueError) else "Does not fit its column."
        raise invalid([Fault(plan.pointer, "bad_value", detail)]) from exc


def _below(exc: Invalid, pointer: str) -> Invalid:
    return invalid([Fault(pointer + each.pointer, each.code, each.detail) for each in exc.faults])
