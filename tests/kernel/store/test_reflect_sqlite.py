"""SQLite files as other programs leave them, reflected."""

import sqlite3
from collections.abc import Callable

import pytest
from sqlalchemy import Table, Text

from tilth.kernel.store.reflect import Reflected, reflect_database
from tilth.kernel.store.sync import sync_engine

Reflect = Callable[..., Reflected]


@pytest.fixture
def reflect(sqlite_url: str) -> Reflect:
    def reflect(*statements: str) -> Reflected:
        connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        engine = sync_engine(sqlite_url, read_only=True)
        try:
            return reflect_database(engine)
        finally:
            engine.dispose()

    return reflect


def references(table: Table) -> list[tuple[str, str]]:
    return sorted((each.parent.name, str(each.column)) for each in table.foreign_keys)


def test_keys_keep_the_order_they_are_declared_in(reflect: Reflect) -> None:
    reflected = reflect("CREATE TABLE t (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (b, a))")

    assert reflected.metadata.tables["t"].primary_key.columns.keys() == ["b", "a"]


def test_foreign_key_without_columns_refers_to_the_primary_key(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE parent (x TEXT NOT NULL, y TEXT NOT NULL, PRIMARY KEY (y, x))",
        "CREATE TABLE child (a TEXT, b TEXT, FOREIGN KEY (a, b) REFERENCES parent)",
    )

    assert references(reflected.metadata.tables["child"]) == [("a", "parent.y"), ("b", "parent.x")]


def test_names_in_references_may_be_in_another_case(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY)",
        "CREATE TABLE Album (artist INTEGER REFERENCES ARTIST (artistid))",
    )

    assert references(reflected.metadata.tables["Album"]) == [("artist", "Artist.ArtistId")]


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        ("REFERENCES missing (id)", "there is no table 'missing'"),
        ("REFERENCES parent (label)", "what it refers to in 'parent' is not unique"),
        ("REFERENCES parent (gone)", "it does not fit the columns of 'parent'"),
        ("REFERENCES seen (id)", "what it refers to in 'seen' is not unique"),
    ],
)
def test_foreign_keys_that_lead_nowhere_are_noted(
    reflect: Reflect, declaration: str, reason: str
) -> None:
    reflected = reflect(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, label TEXT)",
        "CREATE VIEW seen AS SELECT id FROM parent",
        f"CREATE TABLE child (parent_id INTEGER {declaration})",
    )

    assert references(reflected.metadata.tables["child"]) == []
    assert reflected.notes == (f"child.parent_id: the foreign key is left out: {reason}.",)


def test_unique_indexes_count_unless_they_are_partial_or_of_expressions(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT, d TEXT)",
        "CREATE UNIQUE INDEX bc ON t (b, c)",
        "CREATE UNIQUE INDEX partly ON t (c) WHERE c > ''",
        "CREATE UNIQUE INDEX lowered ON t (lower(d))",
    )
    unique = [
        tuple(each.columns.keys())
        for each in reflected.metadata.tables["t"].constraints
        if type(each).__name__ == "UniqueConstraint"
    ]

    assert sorted(unique) == [("a",), ("b", "c")]


def test_broken_views_are_left_out_with_the_reason(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE VIEW gone AS SELECT * FROM nowhere",
        "CREATE VIEW odd AS SELECT undefined_function(1) AS x",
        "CREATE TABLE fine (id INTEGER PRIMARY KEY)",
    )

    assert list(reflected.metadata.tables) == ["fine"]
    assert reflected.notes == (
        "view 'gone' is left out: no such table: main.nowhere.",
        "view 'odd' is left out: no such function: undefined_function.",
    )


def test_types_of_view_columns_come_from_their_values(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO t VALUES (1, 'x')",
        "CREATE VIEW v AS SELECT id + 1 AS n, name || '!' AS loud, 1.5 AS real, NULL AS nil FROM t",
    )
    types = [repr(column.type) for column in reflected.metadata.tables["v"].columns]

    assert types == ["BigInteger()", "Text()", "Float()", "NullType()"]


def test_shadow_tables_and_own_tables_are_hidden(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE VIRTUAL TABLE pages USING fts5(title)",
        "CREATE TABLE tilth_events (id INTEGER PRIMARY KEY)",
        "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)",
    )

    assert sorted(reflected.metadata.tables) == ["counted", "pages"]


def test_null_in_a_primary_key_makes_rows_unaddressable(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (code TEXT PRIMARY KEY)", "INSERT INTO t VALUES (NULL), (NULL), ('a')"
    )
    table = reflected.metadata.tables["t"]

    assert table.info["tilth_no_key"]
    assert table.columns["code"].nullable


def test_tables_without_rowid_are_sampled_too(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (code TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID",
        "INSERT INTO t VALUES ('a', 'text')",
    )

    assert repr(reflected.metadata.tables["t"].columns["n"].type) == "Text()"
    assert reflected.notes == ("t.n is declared INTEGER and holds other values: it is text.",)


def test_generated_columns_are_seen(reflect: Reflect) -> None:
    reflected = reflect("CREATE TABLE t (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2))")

    assert reflected.metadata.tables["t"].columns["b"].computed is not None


def test_the_last_rows_are_looked_at_as_well_as_the_first(reflect: Reflect) -> None:
    numbers = ", ".join(f"({place})" for place in range(2000))
    reflected = reflect("CREATE TABLE t (n INTEGER)", f"INSERT INTO t VALUES {numbers}, ('last')")

    assert repr(reflected.metadata.tables["t"].columns["n"].type) == "MixedText()"


def test_text_that_is_not_utf8_is_text(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (body TEXT)", "INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))"
    )

    assert repr(reflected.metadata.tables["t"].columns["body"].type) == "Text()"


@pytest.mark.parametrize("name", ["true", "False", "null", "current_date", "default"])
def test_columns_named_like_values_are_read(reflect: Reflect, name: str) -> None:
    reflected = reflect(
        f'CREATE TABLE t (id INTEGER PRIMARY KEY, "{name}" INTEGER)',
        f'CREATE TABLE k ("{name}" TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID',
        "INSERT INTO t VALUES (1, 'text')",
    )

    assert set(reflected.metadata.tables) == {"k", "t"}
    assert isinstance(reflected.metadata.tables["t"].columns[name].type, Text)


def test_key_that_only_looks_like_the_rowid_may_hold_text(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, v TEXT)",
        "INSERT INTO t VALUES ('x', 1)",
    )

    table = reflected.metadata.tables["t"]
    assert isinstance(table.columns["id"].type, Text)
    assert table.autoincrement_column is None


def test_key_that_only_looks_like_the_rowid_may_hold_null(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (id INTEGER PRIMARY KEY DESC)",
        "INSERT INTO t VALUES (NULL), (NULL)",
    )

    assert reflected.metadata.tables["t"].info["tilth_no_key"] is True
