"""What is told of a database before it is served."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public
from tilth.cli.opening import create_tables
from tilth.kernel.store.sync import sync_engine


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    age: Mapped[int | None]


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)


def opened(url: str, statement: str) -> list[str]:
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    app = Tilth(url)
    for model in (Hero, Team):
        app.expose(model, Policy(read=public))
    return create_tables(app.freeze())


def test_column_that_a_table_lacks_is_told(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = opened(database_url, "CREATE TABLE hero (id integer PRIMARY KEY)")

    said = capsys.readouterr().err
    assert made == ["team"]
    assert "warning[database.missing_column]" in said
    assert "has no column hero.age" in said
    assert "To keep its rows, let migrations change it" in said
    assert ("delete " in said) == database_url.startswith("sqlite")
    assert said.find("delete ", said.index("tilth migrate baseline")) == said.find("delete ")


def test_nothing_is_told_of_tables_that_have_every_column(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(database_url, "CREATE TABLE hero (id integer PRIMARY KEY, age integer, more text)")

    assert capsys.readouterr().err == ""
