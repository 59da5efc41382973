"""A JSON value of a request body → the Python value that its column takes."""

import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Float, Integer, Numeric, SmallInteger, column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.schema import parsers
from tilth.kernel.schema.decoders import Json
from tilth.kernel.schema.kinds import KindName
from tilth.kernel.schema.resource import Field
from tilth.kernel.schema.types import ExactDecimal, is_short_float

Accept = Callable[[Field, Json], Any]

_INT16 = range(-(2**15), 2**15)
_INT32 = range(-(2**31), 2**31)
_UUID_LENGTH = 36
_DIGITS = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
# RFC 3339: without an offset nobody knows which moment is meant.
_OFFSET = r"(?:[Zz]|[-+]\d\d:\d\d)"
_CLOCK = rf"\d\d:\d\d:\d\d(?:\.\d+)?{_OFFSET}"
_MOMENT = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt]{_CLOCK}", re.ASCII)
_OFFSET_TIME = re.compile(_CLOCK, re.ASCII)
LONGEST_EXPONENT = 400
LARGEST_SHORT_FLOAT = 3.4028234663852886e38
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
MOST_DIMENSIONS = 6
"""Of a PostgreSQL array."""


def accepted(field: Field, value: Json) -> Any:
    """Numbers with a point arrive as Decimal, so that no digit is lost on the way.

    What inputs.input_schema says of the field is taken; texts only as an answer would write them.
    Raises ValueError with a sentence that says what was expected; a NULL where none may be, and
    what the model itself asks of a value (field.constraint), are refused too.
    """
    if value is None:
        if not field.takes_null:
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
    if number == 0 and value:
        raise ValueError("Expected a whole number, not one that is close to 0.")
    if number != int(number):
        raise ValueError(f"Expected a whole number, not {value}.")
    whole, allowed = int(number), integer_range(field.expression.type)
    if whole not in allowed:
        raise ValueError(f"Expected a whole number from {allowed.start} to {allowed.stop - 1}.")
    return whole


def integer_range(type_: TypeEngine[Any]) -> range:
    """What PostgreSQL can store, asked on SQLite too: the same request has the same answer."""
    type_ = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    if isinstance(type_, BigInteger):
        return parsers.INT64
    if isinstance(type_, SmallInteger):
        return _INT16
    return _INT32 if isinstance(type_, Integer) else parsers.INT64


def _float(field: Field, value: Json) -> float:
    exact = _number(value, "a number")
    if decimal_digits(field.expression.type) is not None:
        _fitted(field.expression.type, Decimal(exact))
    number, short = _as_float(exact), is_short_float(field.expression.type)
    if not math.isfinite(number) or (short and abs(number) > LARGEST_SHORT_FLOAT):
        raise ValueError(f"Expected a number that a {32 if short else 64}-bit float can hold.")
    # PostgreSQL refuses what is too small for four bytes; JSON calls it a number like any other.
    return 0.0 if short and struct.unpack("f", struct.pack("f", number)) == (0.0,) else number


def _as_float(exact: int | Decimal) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf


def _number(value: Json, expected: str) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"Expected {expected}, not {_named(value)}.")
    number = Decimal(value) if isinstance(value, float) else value
    if isinstance(number, Decimal) and number.adjusted() <= -LONGEST_EXPONENT:
        return Decimal(0)  # As small as no float and no column holds.
    # Before int() or float(), whose time grows with the square of the length.
    is_long = (
        number.adjusted() >= LONGEST_EXPONENT
        if isinstance(number, Decimal)
        else number.bit_length() > LONGEST_EXPONENT * 3
    )
    if is_long:
        raise ValueError(f"Expected {expected} of at most {LONGEST_EXPONENT} digits.")
    return number


def _decimal(field: Field, value: Json) -> Decimal:
    """A text, which is what an answer has, or a number."""
    if isinstance(value, str):
        if len(value) > parsers.LONGEST_NUMBER or not _DIGITS.fullmatch(value):
            raise ValueError("Expected a decimal number as text, such as 12.50.")
        number = Decimal(value)
    else:
        number = Decimal(_number(value, "a decimal number as text"))
    return _fitted(field.expression.type, number)


def _fitted(type_: TypeEngine[Any], number: Decimal) -> Decimal:
    """Raises ValueError for digits the column would cut off or has no room for."""
    digits = decimal_digits(type_)
    return number if digits is None else ExactDecimal(sum(digits), digits[1]).fitted(number)


def decimal_digits(type_: TypeEngine[Any]) -> tuple[int, int] | None:
    """How many the column holds before and after the point; None when it does not say."""
    if isinstance(type_, ExactDecimal):
        return type_.precision - type_.scale, type_.scale
    impl = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    if not isinstance(impl, Numeric) or isinstance(impl, Float) or impl.precision is None:
        return None
    scale = impl.scale or 0
    # PostgreSQL also knows negative scales and scales beyond the precision: it has the last word.
    return (impl.precision - scale, scale) if 0 <= scale <= impl.precision else None


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
    if not _MOMENT.fullmatch(text):
        raise ValueError("Expected a date and time with its offset, such as 2026-01-31T23:59:59Z.")
    return field.kind.parse(text)


def _time(field: Field, value: Json) -> Any:
    text = _string(value)
    if "format" in field.kind.json_schema and not _OFFSET_TIME.fullmatch(text):
        raise ValueError("Expected a time with its offset, such as 23:59:59Z.")
    return field.kind.parse(text)


def _uuid(field: Field, value: Json) -> Any:
    text = _string(value)
    if len(text) != _UUID_LENGTH:
        raise ValueError("Expected a UUID with dashes.")
    return field.kind.parse(text)


def _as_in_urls(field: Field, value: Json) -> Any:
    return field.kind.parse(_string(value))


def _enum(field: Field, value: Json) -> Any:
    """By value and type: 1 is not "1", nor is it true; it is 1.0, as everywhere in JSON."""
    given = float(value) if isinstance(value, Decimal) else value
    choices = field.kind.json_schema["enum"]
    for each in choices:
        if each == given and _json_type(each) is _json_type(given):
            return field.kind.parse(str(each).lower() if isinstance(each, bool) else str(each))
    raise ValueError(f"Expected one of: {', '.join(map(str, choices))}.")


def _json_type(value: Json) -> type:
    return float if type(value) is int else type(value)


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
    one = item_field(field)
    if one is None:
        raise ValueError("This list cannot be written.")
    shapes = set(_shapes(value))
    if len(shapes) > 1 or any(len(shape) > MOST_DIMENSIONS for shape in shapes):
        raise ValueError("Expected lists inside the list to be as long as each other, or none.")
    return _items(one, value)


def item_field(field: Field) -> Field | None:
    """An item of a list as a column of its own would be; None for what is no list."""
    type_, item = array_type(field.expression.type), field.kind.item
    if type_ is None or item is None:
        return None
    length = getattr(type_.item_type, "length", None) if item.name == "text" else None
    return Field(field.name, column("item", type_.item_type), item, True, max_length=length)


def array_type(type_: TypeEngine[Any]) -> types.ARRAY[Any] | None:
    """Also of a type that is one on PostgreSQL only, the one database that has any."""
    found = type_ if isinstance(type_, types.ARRAY) else type_.dialect_impl(_POSTGRESQL)
    return found if isinstance(found, types.ARRAY) else None


def _items(one: Field, value: list[Json]) -> list[Any]:
    return [_items(one, each) if isinstance(each, list) else accepted(one, each) for each in value]


def _shapes(value: list[Json]) -> Iterator[tuple[int, ...]]:
    """Of every item, the lengths of the lists around it: PostgreSQL wants them to be the same."""
    for each in value:
        below = _shapes(each) if isinstance(each, list) else iter([()])
        yield from ((len(value), *shape) for shape in below)
    if not value:
        yield (0,)


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
        "time": _time,
        "interval": _as_in_urls,
        "uuid": _uuid,
        "enum": _enum,
        "json": _json,
        "array": _array,
        "opaque": _text,
    }
)
