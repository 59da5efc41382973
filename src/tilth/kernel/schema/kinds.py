"""Column type → how its values look in JSON, in a URL and on a form: one table."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from sqlalchemy import Dialect, make_url, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.schema import decoders, parsers
from tilth.kernel.schema.decoders import Carrier, Json
from tilth.kernel.schema.types import ExactDecimal, MixedText

KindName = Literal[
    "boolean", "integer", "float", "decimal", "text", "bytes", "datetime", "date", "time",
    "interval", "uuid", "enum", "json", "array", "opaque",
]  # fmt: skip

EQUALITY = frozenset({"exact", "ne", "in", "isnull"})
ORDER = frozenset({"lt", "lte", "gt", "gte", "range"})
TEXT = frozenset(
    {"iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"}
)
_PRESENCE = frozenset({"isnull"})


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """How the values of one column are read, filtered, shown and edited.

    json_schema: JSON Schema 2020-12 of the JSON value, without null.
    lookups: the filter operators that make sense.
    parse: text from a URL → Python value for the column's SQLAlchemy type, datetimes in UTC;
        ValueError with a sentence that says what was expected.
    decode: carrier → JSON value, never raises: a value that does not fit (SQLite allows any)
        is answered as the text or number that is stored. Carriers, the same on both databases:
        integer int · boolean bool or 0/1 · float float or its text · decimal text · text str ·
        bytes hexadecimal text · datetime "2026-01-31 23:59:59[.ffffff][+00]" · date "2026-01-31" ·
        time "23:59:59[.ffffff]" · interval ISO 8601 text or the datetime text SQLAlchemy stores ·
        uuid with or without dashes · enum the stored text · json JSON text ·
        array JSON text of an array of item texts · opaque text.
    item: the kind of an array's items.
    digits: how many a decimal in a URL may have before and after the point; None for any number.
    """

    name: KindName
    json_schema: Mapping[str, Any]
    lookups: frozenset[str]
    widget: str
    parse: Callable[[str], Any]
    decode: Callable[[Carrier], Json]
    sortable: bool = True
    item: "Kind | None" = None
    digits: tuple[int, int] | None = None


_STRING = {"type": "string"}
_INT64 = {
    "type": "integer",
    "format": "int64",
    "minimum": parsers.INT64.start,
    "maximum": parsers.INT64.stop - 1,
}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_MOMENT = {"type": "string", "format": "date-time"}
# JSON Schema's format "time" demands an offset, its "duration" knows no sign and no fraction.
_CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{6})?$"}
_DURATION = {
    "type": "string",
    "pattern": "^-?P(-?[0-9]+[YMD])*(T(-?[0-9]+([.][0-9]+)?[HMS])+)?$",
}
_ANY = EQUALITY | ORDER

# fmt: off
BOOLEAN = Kind("boolean", {"type": "boolean"}, EQUALITY, "checkbox",
               parsers.parse_boolean, decoders.decode_boolean)
INTEGER = Kind("integer", _INT64, _ANY, "number",
               parsers.parse_integer, decoders.decode_stored)
FLOAT = Kind("float", {"type": "number"}, _ANY, "number",
             parsers.parse_float, decoders.decode_float)
LINE = Kind("text", _STRING, _ANY | TEXT, "text",
            parsers.parse_text, decoders.decode_stored)
PROSE = replace(LINE, widget="textarea")
MIXED = replace(PROSE, json_schema={})
BYTES = Kind("bytes", _BASE64, EQUALITY, "file",
             parsers.parse_bytes, decoders.decode_bytes, sortable=False)
MOMENT = Kind("datetime", _MOMENT, _ANY, "datetime",
              parsers.parse_moment, decoders.decode_datetime)
NAIVE_MOMENT = replace(MOMENT, parse=parsers.parse_naive_moment)
DATE = Kind("date", {"type": "string", "format": "date"}, _ANY, "date",
            parsers.parse_date, decoders.decode_date)
TIME = Kind("time", _CLOCK, _ANY, "time",
            parsers.parse_time, decoders.decode_time)
OFFSET_TIME = Kind("time", {"type": "string", "format": "time"}, _ANY, "time",
                   parsers.parse_time_with_offset, decoders.decode_time_with_offset)
INTERVAL = Kind("interval", _DURATION, _ANY, "text",
                parsers.parse_interval, decoders.decode_interval)
UUID = Kind("uuid", {"type": "string", "format": "uuid"}, _ANY, "text",
            parsers.parse_uuid, decoders.decode_uuid)
UUID_TEXT = replace(UUID, parse=parsers.parse_uuid_text)
JSON = Kind("json", {}, _PRESENCE, "json",
            parsers.parse_nothing, decoders.decode_json, sortable=False)
OPAQUE = Kind("opaque", _STRING, _PRESENCE, "text",
              parsers.parse_nothing, decoders.decode_stored, sortable=False)
# fmt: on


def decimal_kind(scale: int | None) -> Kind:
    """scale: digits after the point, always that many; None for as many as the value has."""
    fraction = "([.][0-9]+)?" if scale is None else f"[.][0-9]{{{scale}}}" if scale > 0 else ""
    return Kind(
        "decimal",
        {"type": "string", "pattern": f"^-?[0-9]+{fraction}$"},
        _ANY,
        "number",
        parsers.parse_decimal,
        decoders.decimal_decoder(scale),
    )


_SIMPLE = (
    BOOLEAN, INTEGER, FLOAT, decimal_kind(None), LINE, BYTES, MOMENT, DATE, TIME, INTERVAL, UUID,
    JSON, OPAQUE,
)  # fmt: skip
NAMED: Mapping[str, Kind] = {kind.name: kind for kind in _SIMPLE}
"""What `info={"tilth_kind": name}` on a column may say."""


def _numeric_kind(type_: types.Numeric[Any]) -> Kind:
    # Numeric(12) means no digits after the point to PostgreSQL, Numeric() any number of them.
    scale = 0 if type_.precision is not None and type_.scale is None else type_.scale
    return decimal_kind(scale) if type_.asdecimal else FLOAT


def _exact_kind(type_: ExactDecimal, dialect_name: str) -> Kind:
    plain = decimal_kind(type_.scale)
    stored = type_.decode_stored if dialect_name == "sqlite" else plain.decode
    digits = (type_.precision - type_.scale, type_.scale)
    return replace(plain, parse=type_.parse, decode=stored, digits=digits)


def _enum_kind(type_: types.Enum) -> Kind | None:
    """By value of the member, whatever the column stores; None when JSON has no such value."""
    members = _members(type_)
    values: dict[str, Any] = {
        text: member.value if isinstance(member, enum.Enum) else member
        for text, member in members.items()
    }
    if not all(isinstance(value, str | int | float) for value in values.values()):
        return None
    choices = {_url_text(values[text]): member for text, member in members.items()}
    return Kind(
        "enum",
        _enum_schema(list(values.values())),
        EQUALITY,
        "select",
        parsers.enum_parser(choices),
        decoders.enum_decoder(values),
    )


def _members(type_: types.Enum) -> dict[str, enum.Enum | str]:
    """Stored text → member; a type made of texts alone has those as its members."""
    if type_.enum_class is None:
        return {text: text for text in type_.enums}
    named = type_.enum_class.__members__
    once = [member for name, member in named.items() if member.name == name]
    # The type stores aliases as well if it was told not to omit them.
    members = once if len(once) == len(type_.enums) else list(named.values())
    return dict(zip(type_.enums, members, strict=True))


def _url_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _enum_schema(values: list[Any]) -> dict[str, Any]:
    if all(isinstance(value, str) for value in values):
        return {"type": "string", "enum": values}
    return {"enum": values}


_ITEM_TEXTS: Mapping[str, Callable[[Json], Json]] = {
    "integer": decoders.decode_integer_text,
    "boolean": decoders.decode_boolean_text,
    "bytes": decoders.decode_bytes_text,
}


def _array_kind(type_: types.ARRAY[Any], dialect_name: str) -> Kind | None:
    item = kind_of(type_.item_type, dialect_name)
    if item is None or dialect_name != "postgresql":
        return None
    # PostgreSQL does not enforce the number of dimensions a column declares.
    items = {"anyOf": [item.json_schema, {"type": "null"}, {"type": "array"}]}
    return Kind(
        "array",
        {"type": "array", "items": items},
        _PRESENCE,
        "list",
        parsers.parse_nothing,
        decoders.array_decoder(_ITEM_TEXTS.get(item.name, item.decode)),
        sortable=False,
        item=item,
    )


_POSTGRESQL_TEXTS = (
    postgresql.INET, postgresql.CIDR, postgresql.MACADDR, postgresql.MACADDR8, postgresql.MONEY,
    postgresql.OID, postgresql.REGCLASS, postgresql.REGCONFIG, postgresql.BIT, postgresql.HSTORE,
    postgresql.TSVECTOR, postgresql.TSQUERY,
    postgresql.ranges.AbstractRange,
)  # fmt: skip

# The first row that fits decides: Enum is a String to SQLAlchemy, Float was a Numeric in 2.0.
_TABLE: tuple[tuple[tuple[type, ...], Callable[[Any, str], Kind | None]], ...] = (
    ((ExactDecimal,), _exact_kind),
    ((types.Boolean,), lambda type_, _: BOOLEAN),
    ((types.Integer,), lambda type_, _: INTEGER),
    ((types.Float,), lambda type_, _: decimal_kind(None) if type_.asdecimal else FLOAT),
    ((types.Numeric,), lambda type_, _: _numeric_kind(type_)),
    ((types.Enum,), lambda type_, _: _enum_kind(type_)),
    ((MixedText,), lambda type_, _: MIXED),
    ((types.Text,), lambda type_, _: PROSE),
    ((types.String,), lambda type_, _: LINE),
    ((types.LargeBinary, types.BINARY, types.VARBINARY), lambda type_, _: BYTES),
    ((types.DateTime,), lambda type_, _: MOMENT if type_.timezone else NAIVE_MOMENT),
    ((types.Date,), lambda type_, _: DATE),
    ((types.Time,), lambda type_, _: OFFSET_TIME if type_.timezone else TIME),
    ((types.Interval, postgresql.INTERVAL), lambda type_, _: INTERVAL),
    ((types.Uuid,), lambda type_, _: UUID if type_.as_uuid else UUID_TEXT),
    ((types.JSON,), lambda type_, _: JSON),
    ((types.ARRAY,), _array_kind),
    ((postgresql.DOMAIN,), lambda type_, dialect_name: kind_of(type_.data_type, dialect_name)),
    (_POSTGRESQL_TEXTS, lambda type_, _: OPAQUE),
)


def kind_of(type_: TypeEngine[Any], dialect_name: str) -> Kind | None:
    """None when nothing says how the values look in JSON: an unknown type, a TypeDecorator that
    changes values on the way out, enum values JSON has not, arrays outside PostgreSQL.
    """
    resolved = type_.dialect_impl(_dialect(dialect_name))
    for column_types, kind in _TABLE:
        if isinstance(resolved, column_types):
            found = kind(resolved, dialect_name)
            # The types that PostgreSQL's drivers put in its place do not tell Text from String.
            return PROSE if found is LINE and isinstance(type_, types.Text) else found
    if isinstance(resolved, TypeDecorator) and not _changes_values(resolved):
        return kind_of(resolved.impl_instance, dialect_name)
    return None


@cache
def _dialect(name: str) -> Dialect:
    return make_url(f"{name}://").get_dialect()()


def _changes_values(decorator: TypeDecorator[Any]) -> bool:
    cls = type(decorator)
    # SQLModel's UTCDateTime only attaches the offset that decode_datetime takes for granted.
    if cls.__module__.startswith("sqlmodel."):
        return False
    return (
        cls.process_result_value is not TypeDecorator.process_result_value
        or cls.result_processor is not TypeDecorator.result_processor
    )
