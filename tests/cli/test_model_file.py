"""The model file of an existing database: it imports, it maps, and its names are those served."""

import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session, configure_mappers

from tilth.cli.models import write_models
from tilth.errors import CommandError

MUSIC = (
    "CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT)",
    """CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT NOT NULL,
    ArtistId INTEGER NOT NULL REFERENCES Artist)""",
    "CREATE TABLE Employee (EmployeeId INTEGER PRIMARY KEY, ReportsTo INTEGER REFERENCES Employee)",
    "CREATE TABLE Badge (EmployeeId INTEGER PRIMARY KEY REFERENCES Employee, Colour TEXT)",
    """CREATE TABLE AlbumEmployee (AlbumId INTEGER NOT NULL REFERENCES Album,
    EmployeeId INTEGER NOT NULL REFERENCES Employee, PRIMARY KEY (AlbumId, EmployeeId))""",
)
ODD = (
    """CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "a b" TEXT DEFAULT 'x:y', metadata TEXT,
    registry TEXT, __init__ TEXT, "1" INTEGER, "class" TEXT, at DATETIME,
    twice INTEGER GENERATED ALWAYS AS ("1" * 2), "text" TEXT)""",
    """INSERT INTO "select" ("from", at) VALUES (1, '2026-01-31T10:00:00Z')""",
    "CREATE TABLE keyless (a, b)",
    "CREATE VIEW seen AS SELECT * FROM keyless",
)


def models_of(url: str, statements: tuple[str, ...]) -> ModuleType:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    module = ModuleType("written_models")
    # SQLAlchemy looks annotations up in the module of their class.
    sys.modules[module.__name__] = module
    exec(compile(write_models(url), "models.py", "exec"), module.__dict__)
    configure_mappers()
    return module


@pytest.fixture(autouse=True)
def forgotten_module() -> Any:
    yield
    sys.modules.pop("written_models", None)


def relations(model: Any) -> set[str]:
    return set(model.__mapper__.relationships.keys())


def test_relations_are_called_as_they_are_served(sqlite_url: str) -> None:
    module = models_of(sqlite_url, MUSIC)

    assert relations(module.Artist) == {"Albums"}
    assert relations(module.Album) == {"Artist", "Employees"}
    assert relations(module.Badge) == {"Employee"}
    assert relations(module.Employee) == {"ReportsToEmployee", "Employees", "Badge", "Albums"}


def test_relations_lead_to_their_tables(sqlite_url: str) -> None:
    module = models_of(sqlite_url, MUSIC)
    ways = module.Employee.__mapper__.relationships

    assert ways["ReportsToEmployee"].direction.name == "MANYTOONE"
    assert ways["Employees"].direction.name == "ONETOMANY"
    assert ways["Badge"].uselist is False
    assert ways["Albums"].secondary is module.Base.metadata.tables["AlbumEmployee"]


def test_names_python_cannot_write_are_changed_and_columns_keep_theirs(sqlite_url: str) -> None:
    module = models_of(sqlite_url, ODD)
    columns = {each.key: each.columns[0].name for each in module.Select.__mapper__.column_attrs}

    assert set(columns.values()) == {
        *("from", "a b", "metadata", "registry", "__init__", "1", "class", "at", "twice", "text")
    }
    assert columns["from_"] == "from"
    assert columns["metadata_"] == "metadata"


def test_generated_columns_keep_their_expression(sqlite_url: str) -> None:
    module = models_of(sqlite_url, ODD)

    assert str(module.Select.__table__.c.twice.computed.sqltext) == '"1" * 2'


def test_tables_without_a_key_are_tables(sqlite_url: str) -> None:
    module = models_of(sqlite_url, ODD)

    assert {"keyless", "seen"} <= set(module.Base.metadata.tables)


def test_an_empty_database_is_told_in_a_sentence(sqlite_url: str) -> None:
    with pytest.raises(CommandError) as caught:
        models_of(sqlite_url, ("CREATE TABLE t (a)", "DROP TABLE t"))

    assert caught.value.message == "There are no tables in the database."


SHOP = (
    "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT, city TEXT)",
    "INSERT INTO shop (name, city) VALUES ('A', 'B')",
    "CREATE INDEX shop_name ON shop (name)",
    "CREATE INDEX shop_place ON shop (city, name)",
    "CREATE INDEX shop_low ON shop (lower(name))",
    "CREATE INDEX shop_here ON shop (name) WHERE city = 'B'",
)


def test_rows_of_a_new_file_are_numbered(sqlite_url: str, tmp_path: Path) -> None:
    module = models_of(sqlite_url, SHOP)
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    module.Base.metadata.create_all(engine)

    with Session(engine) as session:
        session.add(module.Shop(name="C"))
        session.flush()
        assert session.scalars(select(module.Shop.id)).all() == [1]
    engine.dispose()


def test_indexes_are_kept_and_those_that_cannot_be_are_told(sqlite_url: str) -> None:
    module = models_of(sqlite_url, SHOP)
    indexes = {each.name: list(each.columns.keys()) for each in module.Shop.__table__.indexes}

    assert indexes == {"shop_name": ["name"], "shop_place": ["city", "name"]}
    told = [line for line in write_models(sqlite_url).splitlines() if line.startswith("# ")]
    assert ["shop_low" in line or "shop_here" in line for line in told] == [True, True]


def test_postgres_indexes_are_kept(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shop (id serial PRIMARY KEY, name text UNIQUE)"))
        connection.execute(text("CREATE INDEX shop_name ON shop (name)"))
        connection.execute(text("CREATE INDEX shop_low ON shop (lower(name))"))
    engine.dispose()

    source = write_models(postgres_url)

    assert "Index('shop_name', 'name')" in source
    assert [line for line in source.splitlines() if line.startswith("# ")] == [
        "# shop: the index 'shop_low' is left out: more than columns."
    ]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="names no database file"):
        write_models(url)
