"""The parameters of a statement: where each value comes from and how the driver wants it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Numeric,
    String,
    bindparam,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from tilth.kernel.plan.shape import ReadPlan
from tilth.kernel.policy.actor import Actor, actor_value
from tilth.kernel.schema.kinds import Kind

# SQLAlchemy's own false() takes along the terms beside it, and with them how tables are joined.
NOTHING: ColumnElement[bool] = literal_column("1") == literal_column("0")
"""True of no row."""

Convert = Callable[[Any], Any]
Origin = Literal["id", "tenant", "role"]
From = Literal["slot", "limit", "offset", "constant"] | Origin


@dataclass(frozen=True, slots=True)
class Parameter:
    """origin "slot": plan.values[index]; "role": the index-th role of the actor; "constant": value."""

    origin: From
    index: int = 0
    value: Any = None
    convert: Convert | None = None


class Binds:
    """Hands out bind parameters while a statement is built and remembers what each stands for."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._parameters: dict[str, Parameter] = {}

    def slot(
        self, index: int, type_: TypeEngine[Any], convert: Convert | None = None
    ) -> BindParameter[Any]:
        """convert: replaces the type's own conversion for the driver."""
        ready = convert or self._processor(type_)
        return self._new(type_, Parameter("slot", index, convert=ready))

    def window(self, origin: Literal["limit", "offset"]) -> BindParameter[int]:
        return self._new(Integer(), Parameter(origin))

    def me(self, origin: Origin, type_: TypeEngine[Any], index: int = 0) -> BindParameter[Any]:
        processor = self._processor(type_)

        def convert(text: str | None) -> Any:
            value = actor_value(text, type_)
            return processor(value) if processor else value

        return self._new(type_, Parameter(origin, index, convert=convert))

    def parameters(self, compiled: SQLCompiler) -> tuple[Parameter, ...]:
        """In the order of the placeholders in the SQL text."""
        return tuple(self._parameter(compiled, name) for name in compiled.positiontup or ())

    def _parameter(self, compiled: SQLCompiler, name: str) -> Parameter:
        if name in self._parameters:
            return self._parameters[name]
        bind = compiled.binds[name]
        processor = self._processor(bind.type)
        value = bind.effective_value
        return Parameter("constant", value=processor(value) if processor else value)

    def _new(self, type_: TypeEngine[Any], parameter: Parameter) -> BindParameter[Any]:
        name = f"p{len(self._parameters)}"
        self._parameters[name] = parameter
        return bindparam(name, None, type_=type_)

    def _processor(self, type_: TypeEngine[Any]) -> Convert | None:
        return type_.dialect_impl(self.dialect).bind_processor(self.dialect)


def bind_type(kind: Kind, column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type a value is sent as: wide enough that it is not cut to the column's own size."""
    is_plain = type(column_type).__module__ == "sqlalchemy.sql.sqltypes"
    return _WIDE[kind.name] if is_plain and kind.name in _WIDE else column_type


_WIDE: Mapping[str, TypeEngine[Any]] = MappingProxyType(
    {"integer": BigInteger(), "decimal": Numeric(), "text": String()}
)


def arguments(parameters: Sequence[Parameter], plan: ReadPlan, actor: Actor) -> list[Any]:
    """The values of one execution, ready for the driver."""
    roles = sorted(actor.roles)
    return [_argument(parameter, plan, actor, roles) for parameter in parameters]


def _argument(parameter: Parameter, plan: ReadPlan, actor: Actor, roles: Sequence[str]) -> Any:
    value: Any
    match parameter.origin:
        case "slot":
            value = plan.values[parameter.index]
        case "limit":
            return plan.limit + 1
        case "offset":
            return plan.offset
        case "id":
            value = actor.id
        case "tenant":
            value = actor.tenant
        case "role":
            value = roles[min(parameter.index, len(roles) - 1)]
        case "constant":
            return parameter.value
    return parameter.convert(value) if parameter.convert else value
