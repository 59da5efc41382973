"""SQLModel table classes are validated before they are flushed, whoever made or changed them.

SQLModel itself takes any value for a `table=True` class. What is loaded is never validated: a row
that was stored can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine, Null, event, inspect
from sqlalchemy.orm import Session, class_mapper, sessionmaker

from tilth.errors import Fault, invalid
from tilth.kernel.schema.constraints import sentence_of

POINTERS = "tilth_pointers"


def validating_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions that flush when told to and keep what they have loaded after the commit."""
    sessions = sessionmaker(engine, autoflush=False, expire_on_commit=False)
    validate_flushes(sessions)
    return sessions


def validate_flushes(sessions: sessionmaker[Any] | Session) -> None:
    event.listen(sessions, "before_flush", _validate_changed)


@contextmanager
def found_at(session: Session, pointers: Mapping[int, str]) -> Iterator[None]:
    """Inside, the faults of an object are told at its place in the request. pointers: by its id()."""
    session.info[POINTERS] = pointers
    try:
        yield
    finally:
        del session.info[POINTERS]


def _validate_changed(session: Session, context: object, instances: object) -> None:
    """Raises Invalid with every fault of every object."""
    pointers: Mapping[int, str] = session.info.get(POINTERS, {})
    changed = [*session.new, *(each for each in session.dirty if session.is_modified(each))]
    faults = [
        replace(fault, pointer=pointers.get(id(each), "") + fault.pointer)
        for each in changed
        for fault in faults_of(each)
    ]
    if faults:
        # Many rows that are changed by one body have one place in the request.
        raise invalid(list(dict.fromkeys(faults)))


def faults_of(entity: Any) -> Iterator[Fault]:
    """What a validator makes of a value (its lower case, say) is what will be stored."""
    cls = type(entity)
    if not (issubclass(cls, BaseModel) and cls.model_config.get("table")):
        return
    fields = cls.model_fields
    held = {
        name: None if isinstance(value, Null) else value
        for name, value in entity.__dict__.items()
        if name in fields
    }
    try:
        validated = _validated(cls, held)
    except ValidationError as exc:
        yield from faults_from(exc, cls, is_stored=inspect(entity).persistent)
        return
    for name, value in held.items():
        made = validated[name]
        if made is not value and made != value:
            setattr(entity, name, made)


def _validated(cls: type[BaseModel], held: dict[str, Any]) -> Mapping[str, Any]:
    """SQLModel itself would make a mapped object of it, which takes five times as long.

    Where the model looks at itself as a whole, it has to be one.
    """
    if cls.__pydantic_decorators__.model_validators or cls.__pydantic_post_init__ is not None:
        return cls.model_validate(held).__dict__
    bare = object.__new__(cls)
    cls.__pydantic_validator__.validate_python(held, self_instance=bare)
    return bare.__dict__


def faults_from(exc: ValidationError, model: type, *, is_stored: bool) -> Iterator[Fault]:
    """Not of what the database will fill in, nor of what has not been loaded."""
    columns = dict(class_mapper(model).columns)
    for mistake in exc.errors():
        name = str(mistake["loc"][0]) if mistake["loc"] else ""
        if mistake["type"] == "missing" and (is_stored or _comes_later(columns.get(name))):
            continue
        code = "required" if mistake["type"] == "missing" else "bad_value"
        yield Fault(f"/{name}" if name else "", code, sentence_of(mistake["msg"]))


def _comes_later(column: Any) -> bool:
    return column is not None and (column.server_default is not None or column.default is not None)
