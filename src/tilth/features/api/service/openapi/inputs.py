"""Field → JSON Schema of the values that a request body may give it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tilth.features.api.service.openapi.rows import nullable
from tilth.kernel.schema.bodies import (
    LARGEST_SHORT_FLOAT,
    array_type,
    decimal_digits,
    integer_range,
    item_field,
)
from tilth.kernel.schema.parsers import LONGEST_NUMBER
from tilth.kernel.schema.resource import Field
from tilth.kernel.schema.types import is_short_float

Schema = dict[str, Any]

_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_CLOCK = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?$"
# No longer than SQLite holds, which counts from 1970 and ends with the year 9999.
_INTERVAL = (
    r"^[-+]?P(?!$)(?:[-+]?[0-9]{1,3}Y)?(?:[-+]?[0-9]{1,4}W)?(?:[-+]?[0-9]{1,5}D)?"
    r"(?:T(?!$)(?:[-+]?[0-9]{1,6}H)?(?:[-+]?[0-9]{1,7}M)?(?:[-+]?[0-9]{1,9}(?:[.,][0-9]{1,9})?S)?)?$"
)
# What RFC 3339 allows and no column holds: the year 0, leap seconds, and on the first and the last
# day there is an offset that leads out of the calendar.
_NO_MOMENT = r"^0000|:60|^0001-01-01.*\+(?!00:00)|^9999-12-31.*[0-9]-(?!00:00)[0-9]{2}:[0-9]{2}$"


def input_schema(field: Field) -> Schema:
    """What `accepted` (kernel/schema/bodies.py) takes, as far as JSON Schema can tell.

    It cannot tell that a decimal given as text is in a range, nor what the model's own functions
    refuse. An interval may be longer and a time on the first and last day of the calendar may have
    an offset, where the database holds it.
    """
    schema = _BY_KIND[field.kind.name](field)
    if field.description:
        schema = schema | {"description": field.description}
    return nullable(schema) if field.takes_null else schema


def _as_answered(field: Field) -> Schema:
    return dict(field.kind.json_schema)


def _integer(field: Field) -> Schema:
    allowed, limits = integer_range(field.expression.type), field.limits
    return {
        "type": "integer",
        **limits,
        "minimum": max(allowed.start, limits.get("minimum", allowed.start)),
        "maximum": min(allowed.stop - 1, limits.get("maximum", allowed.stop - 1)),
    }


def _float(field: Field) -> Schema:
    digits = decimal_digits(field.expression.type)
    if digits is not None:
        return {**_number(*digits), **field.limits}
    if is_short_float(field.expression.type):
        short = {"minimum": -LARGEST_SHORT_FLOAT, "maximum": LARGEST_SHORT_FLOAT}
        return {"type": "number", **short, **field.limits}
    return {"type": "number", **field.limits}


def _decimal(field: Field) -> Schema:
    """As text, which is what an answer has, or as a number."""
    digits = decimal_digits(field.expression.type)
    text = {
        "type": "string",
        "pattern": _decimal_text(digits),
        "maxLength": LONGEST_NUMBER,
        "examples": [_decimal_example(digits)],
    }
    number: Schema = {"type": "number"} if digits is None else _number(*digits)
    return {"anyOf": [text, {**number, **field.limits}]}


def _decimal_text(digits: tuple[int, int] | None) -> str:
    """Zeros in front, and behind what the column holds, change nothing."""
    if digits is None:
        return r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$"
    before, after = digits
    whole = f"0*[0-9]{{1,{before}}}" if before else "0+"
    behind, alone = (
        f"[0-9]{{{least},{after}}}0*" if after else f"0{{{least},}}" for least in (0, 1)
    )
    return rf"^[-+]?(?:{whole}(?:\.{behind})?|\.{alone})$"


def _decimal_example(digits: tuple[int, int] | None) -> str:
    before, after = digits or (1, 2)
    return f"{'1' if before else '0'}.{'5'.ljust(after, '0')}" if after else "1"


def _number(before: int, after: int) -> Schema:
    within = {"exclusiveMinimum": -(10**before), "exclusiveMaximum": 10**before}
    if not after:
        return {"type": "integer", **within}
    return {"type": "number", **within, "multipleOf": float(f"1e-{after}")}


def _text(field: Field) -> Schema:
    lengths = [each for each in (field.max_length, field.limits.get("maxLength")) if each]
    longest = {"maxLength": min(lengths)} if lengths else {}
    # The type is named again: a pattern says nothing about null, and its negation would refuse it.
    no_nul = {"not": {"type": "string", "pattern": r"\u0000"}}
    return {"type": "string", **field.limits, **longest, **no_nul}


def _bytes(field: Field) -> Schema:
    """Length is of the text: the last of it may stand for up to two bytes less."""
    length = getattr(field.expression.type, "length", None)
    longest = {"maxLength": -(-length // 3) * 4} if length else {}
    return {**field.kind.json_schema, "pattern": _BASE64, **longest, "examples": ["AA=="]}


def _moment(field: Field) -> Schema:
    return {**field.kind.json_schema, "not": {"type": "string", "pattern": _NO_MOMENT}}


def _date(field: Field) -> Schema:
    return {**field.kind.json_schema, "not": {"type": "string", "pattern": "^0000"}}


def _time(field: Field) -> Schema:
    if "format" in field.kind.json_schema:
        return {**field.kind.json_schema, "not": {"type": "string", "pattern": ":60"}}
    return {"type": "string", "pattern": _CLOCK, "examples": ["23:59:59"]}


def _interval(field: Field) -> Schema:
    return {"type": "string", "pattern": _INTERVAL, "examples": ["P1DT2H30M"]}


def _json(field: Field) -> Schema:
    """Anything; null is no value but the absence of one."""
    if field.takes_null:
        return {}
    return {"type": ["object", "array", "string", "number", "boolean"]}


def _array(field: Field) -> Schema:
    type_, one = array_type(field.expression.type), item_field(field)
    if type_ is None or one is None:
        return {"not": {}}
    schema = input_schema(one)
    for _ in range(type_.dimensions or 1):
        schema = {"type": "array", "items": schema}
    return schema


_BY_KIND: Mapping[str, Callable[[Field], Schema]] = MappingProxyType(
    {
        "boolean": _as_answered,
        "integer": _integer,
        "float": _float,
        "decimal": _decimal,
        "text": _text,
        "bytes": _bytes,
        "datetime": _moment,
        "date": _date,
        "time": _time,
        "interval": _interval,
        "uuid": _as_answered,
        "enum": _as_answered,
        "json": _json,
        "array": _array,
        "opaque": _text,
    }
)
