"""Who waits to migrate holds nobody up.

On PostgreSQL alone: on SQLite there is no lock but that of the file.
"""

from __future__ import annotations

from threading import Event, Thread

from sqlalchemy import text

from tilth.kernel.store.sync import sync_engine
from tilth.runtime.migrate.lock import run_lock

SECONDS = 20


def test_an_index_is_made_concurrently_while_another_process_waits(postgres_url: str) -> None:
    """CREATE INDEX CONCURRENTLY waits for every transaction that may still see the table without it."""
    engine = sync_engine(postgres_url)
    is_waiting, is_over = Event(), Event()

    def wait_for_it() -> None:
        with run_lock(engine, "alembic_version", SECONDS, lambda _: is_waiting.set()):
            is_over.set()

    waiter = Thread(target=wait_for_it)
    with run_lock(engine, "alembic_version", SECONDS, lambda _: None):
        waiter.start()
        assert is_waiting.wait(SECONDS)
        alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.connect() as connection:
            connection.execute(text(f"SET statement_timeout = '{SECONDS // 2}s'"))
            connection.execute(text("CREATE TABLE hero (id int)"))
            connection.execute(text("CREATE INDEX CONCURRENTLY hero_id ON hero (id)"))
        assert not is_over.is_set()
    waiter.join(SECONDS)
    assert is_over.is_set()
    engine.dispose()
