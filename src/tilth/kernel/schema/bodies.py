"""A JSON value of a request body → the Python value that its column takes."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Integer, Numeric, SmallInteger, column, types
from sqlalchemy.types import TypeEngine

from tilth.kernel.schema import parsers
from tilth.kernel.schema.decoders import Json
from tilth.kernel.schema.kinds import KindName
from tilth.kernel.schema.resource import Field
from tilth.kernel.schema.types import ExactDecimal

Accept = Callable[[Field, Json], Any]

_INT16 = range(-(2**15), 2**15)
_INT32 = range(-(2**31), 2**31)
_DATE_LENGTH = 10


def accepted(field: Field, value: Json) -> Any:
    """Numbers with a point arrive as Decimal, so that no digit is lost on the way.

    Raises ValueError with a sentence that says what was expected; a NULL where none may be, and
    what the model itself asks of a value (field.constraint), are refused too.
    """
    if value is None:
        if not field.nullable:
            raise ValueError("Must not be null.")
        return None
    found = _ACCEPT[field.kind.name](field, value)
    if field.constraint is not None:
        field.constraint(found)
    return found


def _boolean(field: Field, value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"Expected true or false, not {_named(value)}.")
    return value


def _integer(field: Field, value: Json) -> int:
    """1.0 is an integer to JSON Schema."""
    number = _number(value, "a whole number")
    if number != int(number):
        raise ValueError(f"Expected a whole number, not {value}.")
    whole, allowed = int(number), integer_range(field.expression.type)
    if whole not in allowed:
        raise ValueError(f"Expected a whole number from {allowed.start} to {allowed.stop - 1}.")
    return whole


def integer_range(type_: TypeEngine[Any]) -> range:
    """What PostgreSQL can store, asked on SQLite too: the same request has the same answer."""
    if isinstance(type_, BigInteger):
        return parsers.INT64
    if isinstance(type_, SmallInteger):
        return _INT16
    return _INT32 if isinstance(type_, Integer) else parsers.INT64


def _float(field: Field, value: Json) -> float:
    number = float(_number(value, "a number"))
    if not math.isfinite(number):
        raise ValueError("Expected a number that a 64-bit float can hold.")
    return number


def _number(value: Json, expected: str) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"Expected {expected}, not {_named(value)}.")
    number = Decimal(value) if isinstance(value, float) else value
    # Before int() or float(), whose time grows with the square of the length.
    if isinstance(number, Decimal) and not -400 < number.adjusted() < 400:
        raise ValueError(f"Expected {expected} of at most 400 digits.")
    return number


def _decimal(field: Field, value: Json) -> Decimal:
    """A text, which is what an answer has, or a number."""
    if isinstance(value, str):
        number = parsers.parse_decimal(value)
    else:
        number = Decimal(_number(value, "a decimal number as text"))
    return _fitted(field.expression.type, number)


def _fitted(type_: TypeEngine[Any], number: Decimal) -> Decimal:
    """Raises ValueError for digits the column would cut off or has no room for."""
    if isinstance(type_, ExactDecimal):
        return type_.fitted(number)
    if isinstance(type_, Numeric) and type_.precision is not None:
        return ExactDecimal(type_.precision, type_.scale or 0).fitted(number)
    return number


def _text(field: Field, value: Json) -> str:
    text = parsers.parse_text(_string(value))
    if field.max_length is not None and len(text) > field.max_length:
        raise ValueError(f"Expected at most {field.max_length} characters, not {len(text)}.")
    return text


def _bytes(field: Field, value: Json) -> bytes:
    data = parsers.parse_bytes(_string(value))
    length = getattr(field.expression.type, "length", None)
    if length is not None and len(data) > length:
        raise ValueError(f"Expected at most {length} bytes, not {len(data)}.")
    return data


def _moment(field: Field, value: Json) -> Any:
    text = _string(value)
    if len(text) <= _DATE_LENGTH:
        raise ValueError("Expected a date and time such as 2026-01-31T23:59:59Z.")
    return field.kind.parse(text)


def _as_in_urls(field: Field, value: Json) -> Any:
    return field.kind.parse(_string(value))


def _enum(field: Field, value: Json) -> Any:
    """By value and type: 1 is not "1", nor is it true."""
    choices = field.kind.json_schema["enum"]
    if not any(type(each) is type(value) and each == value for each in choices):
        listed = ", ".join(map(str, choices))
        raise ValueError(f"Expected one of: {listed}.")
    return field.kind.parse(value if isinstance(value, str) else str(value).lower())


def _json(field: Field, value: Json) -> Json:
    return _plain(value)


def _plain(value: Json) -> Json:
    """With floats for exact numbers, and only text that PostgreSQL can store."""
    if isinstance(value, str):
        return parsers.parse_text(value)
    if isinstance(value, Decimal):
        return float(_number(value, "a number"))
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {parsers.parse_text(name): _plain(each) for name, each in value.items()}
    return value


def _array(field: Field, value: Json) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"Expected a list, not {_named(value)}.")
    type_, item = field.expression.type, field.kind.item
    if not isinstance(type_, types.ARRAY) or item is None:
        raise ValueError("This list cannot be written.")
    # An item is accepted as the value of a column of its own would be.
    one = Field(field.name, column("item", type_.item_type), item, nullable=True)
    return [
        _array(field, each) if isinstance(each, list) else accepted(one, each) for each in value
    ]


def _string(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Expected text, not {_named(value)}.")
    return value


def _named(value: Json) -> str:
    """What kind of JSON value it is, as people call it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


_ACCEPT: Mapping[KindName, Accept] = MappingProxyType(
    {
        "boolean": _boolean,
        "integer": _integer,
        "float": _float,
        "decimal": _decimal,
        "text": _text,
        "bytes": _bytes,
        "datetime": _moment,
        "date": _as_in_urls,
        "time": _as_in_urls,
        "interval": _as_in_urls,
        "uuid": _as_in_urls,
        "enum": _enum,
        "json": _json,
        "array": _array,
        "opaque": _text,
    }
)
