"""Three ways in which rows go when the row they belong to goes."""

from __future__ import annotations

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    metadata = MetaData()


class Album(Base):
    """The ORM loads the photographs and deletes each: their own listeners and cascades run."""

    __tablename__ = "album"

    id: Mapped[int] = mapped_column(primary_key=True)
    photographs: Mapped[list[Photograph]] = relationship(cascade="all, delete-orphan")


class Photograph(Base):
    __tablename__ = "photograph"

    id: Mapped[int] = mapped_column(primary_key=True)
    album_id: Mapped[int] = mapped_column(ForeignKey("album.id"))


class Newspaper(Base):
    """The database deletes the articles, whoever deletes the newspaper; the ORM knows no relation."""

    __tablename__ = "newspaper"

    id: Mapped[int] = mapped_column(primary_key=True)


class Article(Base):
    __tablename__ = "article"

    id: Mapped[int] = mapped_column(primary_key=True)
    newspaper_id: Mapped[int] = mapped_column(ForeignKey("newspaper.id", ondelete="CASCADE"))


class Archive(Base):
    """passive_deletes: the ORM knows the relation and leaves the deleting to the database."""

    __tablename__ = "archive"

    id: Mapped[int] = mapped_column(primary_key=True)
    files: Mapped[list[File]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class File(Base):
    __tablename__ = "file"

    id: Mapped[int] = mapped_column(primary_key=True)
    archive_id: Mapped[int] = mapped_column(ForeignKey("archive.id", ondelete="CASCADE"))
