"""Which kind a column type has, and what JSON Schema says of it."""

import enum
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    DECIMAL,
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    PickleType,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    Unicode,
    Uuid,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType
from sqlmodel import AutoString
from sqlmodel.sql.sqltypes import UTCDateTime

from tilth.kernel.schema.kinds import kind_of


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Shape(enum.Enum):
    SQUARE = (4, 4)


class Trimmed(TypeDecorator[str]):
    """Changes values on the way in only."""

    impl = String(20)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value and value.strip()


class Secret(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value and value[::-1]


class Dual(TypeDecorator[Any]):
    """Another type in each database."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else pg.JSONB())


class Invented(UserDefinedType[Any]):
    cache_ok = True


NAMES: list[tuple[TypeEngine[Any], str | None, str | None]] = [
    (Boolean(), "boolean", "boolean"),
    (Integer(), "integer", "integer"),
    (SmallInteger(), "integer", "integer"),
    (BigInteger(), "integer", "integer"),
    (Float(), "float", "float"),
    (Double(), "float", "float"),
    (Numeric(10, 2), "decimal", "decimal"),
    (Numeric(asdecimal=False), "float", "float"),
    (DECIMAL(4, 1), "decimal", "decimal"),
    (String(10), "text", "text"),
    (CHAR(3), "text", "text"),
    (Unicode(), "text", "text"),
    (Text(), "text", "text"),
    (LargeBinary(), "bytes", "bytes"),
    (pg.BYTEA(), "bytes", "bytes"),
    (DateTime(), "datetime", "datetime"),
    (pg.TIMESTAMP(timezone=True), "datetime", "datetime"),
    (Date(), "date", "date"),
    (Time(), "time", "time"),
    (Interval(), "interval", "interval"),
    (pg.INTERVAL(), "interval", "interval"),
    (Uuid(), "uuid", "uuid"),
    (pg.UUID(as_uuid=False), "uuid", "uuid"),
    (Enum(Colour), "enum", "enum"),
    (Enum("a", "b", name="ab"), "enum", "enum"),
    (pg.ENUM("a", "b", name="ab"), "enum", "enum"),
    (Enum(Shape), None, None),
    (JSON(), "json", "json"),
    (JSON(none_as_null=True).with_variant(pg.JSONB(), "postgresql"), "json", "json"),
    (Text().with_variant(pg.UUID(), "postgresql"), "text", "uuid"),
    (ARRAY(Integer), None, "array"),
    (pg.ARRAY(Text, dimensions=2), None, "array"),
    (ARRAY(Secret), None, None),
    (JSON().with_variant(pg.ARRAY(Text), "postgresql"), "json", "array"),
    (AutoString(length=5), "text", "text"),
    (UTCDateTime(), "datetime", "datetime"),
    (Trimmed(), "text", "text"),
    (Dual(), "text", "json"),
    (Secret(), None, None),
    (PickleType(), None, None),
    (Invented(), None, None),
    (NullType(), None, None),
    (pg.CITEXT(), "text", "text"),
    (pg.DOMAIN("positive", Integer()), "integer", "integer"),
    *((type_(), "opaque", "opaque") for type_ in (pg.INET, pg.CIDR, pg.MACADDR, pg.MACADDR8)),
    *((type_(), "opaque", "opaque") for type_ in (pg.MONEY, pg.OID, pg.BIT, pg.HSTORE)),
    *((type_(), "opaque", "opaque") for type_ in (pg.TSVECTOR, pg.INT4RANGE, pg.TSTZMULTIRANGE)),
]


@pytest.mark.parametrize(("type_", "on_sqlite", "on_postgresql"), NAMES)
def test_type_has_a_kind_on_each_database(
    type_: TypeEngine[Any], on_sqlite: str | None, on_postgresql: str | None
) -> None:
    kinds = [kind_of(type_, name) for name in ("sqlite", "postgresql")]

    assert [kind and kind.name for kind in kinds] == [on_sqlite, on_postgresql]


SCHEMAS: list[tuple[TypeEngine[Any], dict[str, Any]]] = [
    (Boolean(), {"type": "boolean"}),
    (Integer(), {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}),
    (Float(), {"type": "number"}),
    (Numeric(10, 2), {"type": "string", "pattern": "^-?[0-9]+[.][0-9]{2}$"}),
    (Numeric(10), {"type": "string", "pattern": "^-?[0-9]+$"}),
    (Numeric(), {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"}),
    (LargeBinary(), {"type": "string", "contentEncoding": "base64"}),
    (DateTime(), {"type": "string", "format": "date-time"}),
    (Date(), {"type": "string", "format": "date"}),
    (Uuid(), {"type": "string", "format": "uuid"}),
    (Enum(Colour), {"type": "string", "enum": ["r", "b"]}),
    (Enum(Mixed), {"enum": [1, "two"]}),
    (JSON(), {}),
]


@pytest.mark.parametrize(("type_", "schema"), SCHEMAS)
def test_json_schema_says_exactly_what_is_answered(
    type_: TypeEngine[Any], schema: dict[str, Any]
) -> None:
    kind = kind_of(type_, "postgresql")

    assert kind is not None
    assert kind.json_schema == schema


STORED_FORMS = [
    (Enum(Colour), "RED"),
    (Enum(Colour, values_callable=lambda cls: [member.value for member in cls]), "r"),
]


@pytest.mark.parametrize(("type_", "stored"), STORED_FORMS)
def test_enum_is_answered_by_value_however_it_is_stored(type_: Enum, stored: str) -> None:
    kind = kind_of(type_, "postgresql")

    assert kind is not None
    assert (kind.decode(stored), kind.decode("gone")) == ("r", "gone")
    assert kind.parse("r") is Colour.RED


NOT_SORTABLE = {JSON(): {"isnull"}, LargeBinary(): {"exact", "ne", "in", "isnull"}}


@pytest.mark.parametrize(("type_", "lookups"), NOT_SORTABLE.items())
def test_kinds_without_an_order_cannot_be_sorted(type_: TypeEngine[Any], lookups: set[str]) -> None:
    kind = kind_of(type_, "sqlite")

    assert kind is not None
    assert (kind.sortable, kind.lookups) == (False, lookups)


@pytest.mark.parametrize("dialect_name", ["sqlite", "postgresql"])
def test_text_without_a_length_is_edited_in_lines(dialect_name: str) -> None:
    kinds = [kind_of(type_, dialect_name) for type_ in (Text(), String(20))]

    assert [kind and kind.widget for kind in kinds] == ["textarea", "text"]
