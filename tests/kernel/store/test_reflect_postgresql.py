"""PostgreSQL schemas as other programs leave them, reflected."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.engine import make_url

from tilth.kernel.store.reflect import Reflected, reflect_database
from tilth.kernel.store.sync import sync_engine

Reflect = Callable[..., Reflected]


@pytest.fixture
def reflect(postgres_url: str) -> Reflect:
    def reflect(
        *statements: str, schema: str | None = None, role: tuple[str, str] | None = None
    ) -> Reflected:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        url = make_url(postgres_url)
        if role is not None:
            url = url.set(username=role[0], password=role[1])
        engine = sync_engine(url, read_only=True)
        try:
            return reflect_database(engine, schema)
        finally:
            engine.dispose()

    return reflect


def test_views_and_partitioned_tables_are_read_and_partitions_are_not(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE readings (at date PRIMARY KEY) PARTITION BY RANGE (at)",
        "CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "CREATE VIEW seen AS SELECT * FROM readings",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM readings",
    )
    views = {name for name, table in reflected.metadata.tables.items() if table.info["tilth_view"]}

    assert sorted(reflected.metadata.tables) == ["kept", "readings", "seen"]
    assert views == {"kept", "seen"}


def test_materialized_view_that_was_never_filled_is_left_out(reflect: Reflect) -> None:
    reflected = reflect("CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a WITH NO DATA")

    assert list(reflected.metadata.tables) == []
    assert reflected.notes == (
        "materialized view 'kept' is left out: "
        "it has not been filled, which REFRESH MATERIALIZED VIEW does.",
    )


def test_domains_are_read_as_what_they_are_made_of(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE DOMAIN small AS positive CHECK (VALUE < 10)",
        "CREATE TABLE t (id small PRIMARY KEY, many positive[])",
    )
    types = [repr(column.type) for column in reflected.metadata.tables["t"].columns]

    assert types == ["INTEGER()", "ARRAY(INTEGER())"]


def test_enums_keep_their_values(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE TABLE t (mood mood PRIMARY KEY)"
    )
    type_ = reflected.metadata.tables["t"].columns["mood"].type

    assert isinstance(type_, ENUM)
    assert type_.enums == ["sad", "ok"]


def test_identity_generated_and_default_columns_are_told_apart(reflect: Reflect) -> None:
    reflected = reflect(
        """CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer DEFAULT 5,
        doubled integer GENERATED ALWAYS AS (n * 2) STORED)"""
    )
    identity, default, generated = reflected.metadata.tables["t"].columns

    assert identity.identity is not None
    assert default.server_default is not None
    assert generated.computed is not None


def test_unknown_types_are_noted_with_their_table(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TYPE address AS (street text)",
        "CREATE TABLE people (id integer PRIMARY KEY, home address)",
    )

    assert reflected.notes == (
        "people.home has a type that is not known: its values are shown as text.",
    )


def test_references_to_another_schema_are_noted(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.a (id integer PRIMARY KEY)",
        "CREATE TABLE b (a_id integer REFERENCES elsewhere.a)",
    )

    assert reflected.notes == (
        "b.a_id: the foreign key is left out: there is no table 'elsewhere.a'.",
    )


def test_another_schema_can_be_named(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.a (id integer PRIMARY KEY)",
        "CREATE TABLE elsewhere.b (a_id integer REFERENCES elsewhere.a)",
        "CREATE TABLE public_table (id integer PRIMARY KEY)",
        schema="elsewhere",
    )

    assert sorted(reflected.metadata.tables) == ["elsewhere.a", "elsewhere.b"]
    assert len(reflected.metadata.tables["elsewhere.b"].foreign_keys) == 1


def test_tables_the_role_may_not_read_are_left_out(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE ROLE reader LOGIN PASSWORD 'secret'",
        "CREATE TABLE shown (id integer PRIMARY KEY)",
        "CREATE TABLE secrets (id integer PRIMARY KEY)",
        "GRANT SELECT ON shown TO reader",
        role=("reader", "secret"),
    )

    assert list(reflected.metadata.tables) == ["shown"]
    assert reflected.notes == ("table 'secrets' is left out: no right to read it.",)


def test_comments_are_kept(reflect: Reflect) -> None:
    reflected = reflect(
        "CREATE TABLE t (id integer PRIMARY KEY)",
        "COMMENT ON TABLE t IS 'A table.'",
        "COMMENT ON COLUMN t.id IS 'Its key.'",
    )
    table = reflected.metadata.tables["t"]

    assert (table.comment, table.columns["id"].comment) == ("A table.", "Its key.")
