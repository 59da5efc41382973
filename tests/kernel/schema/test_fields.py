"""Columns of every way to map → fields."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ColumnClause,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    composite,
    deferred,
    mapped_column,
    registry,
    relationship,
    synonym,
)
from sqlalchemy.types import NullType, TypeDecorator
from sqlmodel import Field as SqlModelField
from sqlmodel import SQLModel

from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Field, Resource
from tilth.kernel.schema.rewrite import rewritten


class Base(DeclarativeBase):
    pass


class Size(enum.Enum):
    SMALL = "s"


class Scrambled(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value and value[::-1]


class Product(Base):
    """What is sold."""

    __tablename__ = "Products for sale"
    __table_args__ = (
        UniqueConstraint("ean"),
        UniqueConstraint("name", "size"),
        Index("one_slug", "slug", unique=True),
        Index("one_cheap_slug", "cheap_slug", unique=True, sqlite_where=text("price < 1")),
        Index("one_lower_name", func.lower("name"), unique=True),
        CheckConstraint("price >= 0"),
    )
    id: Mapped[int] = mapped_column("Product Id", Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), comment="as printed")
    größe: Mapped[Size] = mapped_column("size")
    ean: Mapped[str | None] = mapped_column(String(13))
    slug: Mapped[str] = mapped_column(default="")
    cheap_slug: Mapped[str]
    price: Mapped[Decimal] = mapped_column("select", server_default="0", type_=Integer)
    double: Mapped[int] = mapped_column(Computed('"select" * 2'))
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    notes: Mapped[str | None] = deferred(mapped_column(Text))
    code: Mapped[str | None] = mapped_column(Scrambled(), info={"tilth_kind": "text"})

    title = synonym("name")

    @hybrid_property
    def is_small(self) -> bool:
        return self.größe is Size.SMALL


def resource_of(model: type, dialect_name: str = "postgresql", **options: Any) -> Resource:
    schema, findings = schema_from([Exposure(model, **options)], dialect_name)
    assert findings == []
    (resource,) = schema.values()
    return resource


def _facts(field: Field) -> str:
    flags = ("nullable", "computed", "has_default", "unique")
    return " ".join([field.kind.name, *(flag for flag in flags if getattr(field, flag))])


def test_declared_columns_become_fields_in_table_order() -> None:
    fields = resource_of(Product).fields

    assert {name: _facts(field) for name, field in fields.items()} == {
        "id": "integer computed has_default unique",
        "name": "text",
        "größe": "enum",
        "ean": "text nullable unique",
        "slug": "text has_default unique",
        "cheap_slug": "text",
        "price": "integer has_default",
        "double": "integer computed has_default",
        "made_at": "datetime has_default",
        "notes": "text nullable",
        "code": "text nullable",
    }


def test_resource_says_what_the_class_says() -> None:
    resource = resource_of(Product, search=("name",))

    assert resource.name == "products"
    assert resource.title == "Product"
    assert resource.key == ("id",)
    assert resource.search == ("name",)
    assert resource.description == "What is sold."
    assert (resource.fields["name"].max_length, resource.fields["name"].description) == (
        80,
        "as printed",
    )


def test_sqlmodel_table_is_read_with_its_field_descriptions() -> None:
    class Planet(SQLModel, table=True):
        id: int | None = SqlModelField(default=None, primary_key=True)
        name: str = SqlModelField(max_length=40, unique=True, description="as on the map")
        mass: Decimal | None = SqlModelField(default=None, max_digits=10, decimal_places=2)
        tags: list[str] = SqlModelField(default_factory=list, sa_type=JSON)
        seen_at: datetime | None = None

    fields = resource_of(Planet, "sqlite").fields

    assert {name: _facts(field) for name, field in fields.items()} == {
        "id": "integer has_default unique",
        "name": "text unique",
        "mass": "decimal nullable",
        "tags": "json has_default",
        "seen_at": "datetime nullable",
    }
    assert (fields["name"].max_length, fields["name"].description) == (40, "as on the map")


def test_imperative_mapping_uses_attribute_names() -> None:
    class Stop:
        pass

    mappings = registry()
    columns = (
        Column("line", String, primary_key=True),
        Column("order", Integer, primary_key=True),
        Column("Stop name", String, key="stop_name"),
    )
    table = Table("stop", mappings.metadata, *columns)
    mappings.map_imperatively(Stop, table, properties={"position": table.c.order})

    resource = resource_of(Stop)

    assert tuple(resource.fields) == ("line", "position", "stop_name")
    assert resource.key == ("line", "position")
    assert resource.fields["position"].expression is table.c.order


def test_classic_columns_and_composites_become_fields() -> None:
    class Point:
        def __init__(self, x: int, y: int) -> None:
            self.x, self.y = x, y

    class Spot(Base):
        __tablename__ = "spot"
        id = Column(Integer, primary_key=True)
        x = Column(Integer)
        y = Column(Integer)
        point = composite(Point, x, y)

    assert tuple(resource_of(Spot).fields) == ("id", "x", "y")


def test_view_or_table_without_key_has_no_key() -> None:
    class Total(Base):
        __table__ = Table(
            "total",
            Base.metadata,
            Column("day", String, unique=True),
            Column("amount", Integer),
            info={"tilth_no_key": True},
        )
        __mapper_args__ = {"primary_key": [__table__.c.day, __table__.c.amount]}  # noqa: RUF012

    resource = resource_of(Total, reflected=True)

    assert resource.key == ()
    assert not resource.fields["day"].unique


def test_unknown_types_of_an_existing_database_are_opaque() -> None:
    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        shape = Column(NullType)

    assert resource_of(Thing, reflected=True).fields["shape"].kind.name == "opaque"


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list["Child"]] = relationship()


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))


_COUNT = select(func.count(Child.id)).where(Child.parent_id == Parent.id)
Parent.twice = column_property(Parent.id * 2)
Parent.counted = column_property(_COUNT.scalar_subquery())
Parent.counted_except = column_property(_COUNT.correlate_except(Child).scalar_subquery())
Parent.counted_named = column_property(_COUNT.correlate(Parent).scalar_subquery())


@pytest.mark.parametrize("name", ["twice", "counted", "counted_except", "counted_named"])
def test_column_property_is_computed_from_whatever_stands_for_the_table(name: str) -> None:
    resource = resource_of(Parent, "sqlite")
    field, alias = resource.fields[name], resource.tables[0].alias()

    def over_alias(part: Any) -> Any:
        here = isinstance(part, ColumnClause) and part.table is resource.tables[0]
        return alias.columns[part.key] if here else None

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine, tables=[Parent.__table__, Child.__table__])
    with engine.begin() as connection:
        connection.execute(Parent.__table__.insert(), [{"id": 1}, {"id": 2}])
        children = [{"id": child, "parent_id": 1} for child in (1, 2)]
        connection.execute(Child.__table__.insert(), children)
        query = select(rewritten(field.expression, over_alias)).select_from(alias)
        values = connection.scalars(query.order_by(alias.c.id)).all()
    engine.dispose()

    assert _facts(field) == "integer nullable computed"
    assert values == ([2, 4] if name == "twice" else [2, 0])
