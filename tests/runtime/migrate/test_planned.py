"""What `plan` shows is what `up` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, event

from tilth.runtime.migrate.databases import migration_engine
from tilth.runtime.migrate.run import Run, make_steps, steps_up
from tilth.runtime.migrate.trying.planning import PlannedRevision, plan_of, table_in

Trying = Callable[..., Any]
WRITES = ("CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER")


def hero(*more: Column[Any]) -> MetaData:
    metadata = MetaData()
    Table("hero", metadata, Column("id", Integer, primary_key=True), *more)
    return metadata


def with_a_filled_column(tried: Any) -> Any:
    """A project whose second change fills a required column of a table with two rows."""
    tried.new()
    tried.up()
    tried.run("INSERT INTO hero (id) VALUES (1)", "INSERT INTO hero (id) VALUES (2)")
    wanted = tried.with_models(hero(Column("kind", String, nullable=False, index=True)))
    wanted.new(fills={"hero.kind": "plain"})
    return wanted


def statements_of(planned: list[PlannedRevision]) -> list[str]:
    return [each.sql for revision in planned for each in revision.statements]


def written_by_up(tried: Any) -> list[str]:
    """Every statement that changes something, but what is written down about the revisions."""
    seen: list[str] = []
    engine = migration_engine(tried.project.url)
    event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    try:
        run = Run(tried.project, tried.history, engine, say=lambda _: None)
        make_steps(run, lambda heads: steps_up(run, heads, "heads"))
    finally:
        engine.dispose()
    plain = [" ".join(each.split()) for each in seen]
    own = tried.project.own_tables
    return [each for each in plain if each.startswith(WRITES) and table_in(each) not in own]


def test_a_rebuilt_table_and_its_backfill_are_shown(sqlite_url: str, trying: Trying) -> None:
    """Only SQLite rebuilds tables."""
    tried = with_a_filled_column(trying(sqlite_url, hero()))

    planned = plan_of(tried.project, tried.history, "heads")

    assert statements_of(planned) == written_by_up(tried)
    told = {each.sql.split(" (")[0]: each for each in planned[0].statements}
    assert told['INSERT INTO "tilth_new_hero"'].rows == 2
    assert told['INSERT INTO "tilth_new_hero"'].rewrites
    assert any(each.startswith("UPDATE hero SET kind") for each in told)


def test_a_backfill_in_batches_is_shown_with_its_rows(postgres_url: str, trying: Trying) -> None:
    """Only PostgreSQL fills in batches, in a revision of its own."""
    tried = with_a_filled_column(trying(postgres_url, hero()))

    planned = plan_of(tried.project, tried.history, "heads")

    [batches] = [each for each in planned if each.phase == "backfill"]
    [update] = batches.statements
    assert update.sql == (
        "UPDATE hero SET kind = 'plain' WHERE (kind IS NULL)"
        " AND (id) > (:tilth_a0) AND (id) <= (:tilth_b0)"
    )
    assert (update.table, update.rows) == ("hero", 2)
    assert update.lock == "ROW EXCLUSIVE, 1,000 rows at a time"


def test_what_a_revision_does_with_its_connection_is_shown(
    database_url: str, trying: Trying
) -> None:
    tried = trying(database_url, hero(Column("kind", String)))
    tried.new()
    tried.write("op.get_bind().exec_driver_sql(\"UPDATE hero SET kind = 'a'\")")

    planned = plan_of(tried.project, tried.history, "heads")

    assert [each.sql for each in planned[1].statements] == ["UPDATE hero SET kind = 'a'"]


def test_an_index_that_new_makes_concurrently_is_not_refused(
    postgres_url: str, trying: Trying
) -> None:
    """Only PostgreSQL makes any so."""
    tried = trying(postgres_url, hero(Column("kind", String)))
    tried.new()
    tried.up()
    wanted = tried.with_models(hero(Column("kind", String, index=True)))
    wanted.new()

    planned = plan_of(wanted.project, wanted.history, "heads")

    assert "CONCURRENTLY" in statements_of(planned)[0]
    assert [finding for each in planned for finding in each.findings] == []
