"""Expressions without the ORM's annotations mean what they meant with them."""

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.kernel.schema.rewrite import plain


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int]
    mentor_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    mentor: Mapped["Person"] = relationship(remote_side=[id], back_populates="pupils")
    pupils: Mapped[list["Person"]] = relationship(back_populates="mentor")


def test_a_relation_inside_a_relation_to_the_same_table_starts_from_the_inner_one() -> None:
    for rule in (
        Person.mentor.has(Person.mentor.has(Person.rank > 1)),
        Person.pupils.any(Person.pupils.any(Person.rank > 1)),
        Person.mentor.has(Person.pupils.any(~Person.mentor.has())),
    ):
        bare = select(Person.__table__.c.id)

        assert str(bare.where(plain(rule))) == str(bare.where(rule))
