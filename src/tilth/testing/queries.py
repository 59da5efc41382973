"""How many statements a piece of code takes, as a claim of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from tilth.app import Application
from tilth.kernel.store.sessions.watch import Watch, began, end


@contextmanager
def max_queries(most: int, app: Application | None = None) -> Iterator[Watch]:
    """Fails when more statements are run inside, and lists them with their places.

    Counted are those of every SQLAlchemy engine of the process, without BEGIN and the like; with
    app, also what its generated routes read.
    """
    with watching(app) as watch:
        yield watch
    if len(watch.asked) > most:
        listed = "\n".join(f"  {at}. {each}" for at, each in enumerate(watch.asked, 1))
        raise AssertionError(
            f"{len(watch.asked)} statements were run, at most {most} were expected:\n{listed}"
        )


@contextmanager
def assert_no_n_plus_one(app: Application | None = None) -> Iterator[Watch]:
    """Fails when one line runs one statement three times or more, with other values each time."""
    with watching(app) as watch:
        yield watch
    found = [each.text for each in watch.remarks() if each.code == "n_plus_one"]
    if found:
        raise AssertionError("\n".join(found))


@contextmanager
def watching(app: Application | None) -> Iterator[Watch]:
    watch = Watch()

    def begun(connection: Any, *_: object) -> None:
        began(connection)

    def ended(connection: Any, _: Any, statement: str, values: Any, context: Any, __: Any) -> None:
        end(watch, connection, statement, values, context)

    store = None if app is None else app.freeze().store
    outside = None if store is None else store.watching
    event.listen(Engine, "before_cursor_execute", begun)
    event.listen(Engine, "after_cursor_execute", ended)
    if store is not None:
        store.watching = lambda: watch
    try:
        yield watch
    finally:
        event.remove(Engine, "before_cursor_execute", begun)
        event.remove(Engine, "after_cursor_execute", ended)
        if store is not None:
            store.watching = outside
