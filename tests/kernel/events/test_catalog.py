"""What can happen follows from the schema."""

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.kernel.events.catalog import catalog_from, matching
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


line_tag = Table(
    "line_tag",
    Base.metadata,
    Column("line_id", ForeignKey("line.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)


class InvoiceLine(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[Tag]] = relationship(secondary=line_tag)


CATALOG = catalog_from(schema_from([Exposure(Tag), Exposure(InvoiceLine)], "sqlite")[0])


def test_rows_come_change_and_go_and_links_where_there_are_any() -> None:
    assert set(CATALOG) == {
        *("tag.created", "tag.updated", "tag.deleted"),
        *("invoice-line.created", "invoice-line.updated", "invoice-line.deleted"),
        *("invoice-line.linked", "invoice-line.unlinked"),
    }


def test_pattern_means_one_event_or_all_of_one_model() -> None:
    assert matching("tag.*", CATALOG) == ("tag.created", "tag.updated", "tag.deleted")
    assert matching("tag.deleted", CATALOG) == ("tag.deleted",)
    assert [matching(each, CATALOG) for each in ("tag", "ta.*", "*", ".*", "tag.linked")] == [
        ()
    ] * 5
