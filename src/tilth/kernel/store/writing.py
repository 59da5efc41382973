"""A database → units of work on it. Nothing is connected to until the first unit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tilth.errors import SetupError, TilthError
from tilth.kernel.store.drivers.failure import (
    broken_rule,
    no_connection_free,
    unavailable,
    unfit_body,
)
from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.kernel.store.drivers.sqlite_writer import (
    is_sqlite_conflict,
    is_transaction_open,
    sqlite_write_engine,
)
from tilth.kernel.store.engine import missing_driver
from tilth.kernel.store.integrity import RAISED_BY_A_TRIGGER
from tilth.kernel.store.sessions.engines import Engines
from tilth.kernel.store.sessions.sessions import Sessions
from tilth.kernel.store.sessions.sqlite import sqlite_engines
from tilth.kernel.store.sessions.turns import Turns
from tilth.kernel.store.sync import chain_of, failure_of
from tilth.kernel.store.unit import Units
from tilth.settings import StoreSettings

UNFIT = ("22", "54")
"""Classes of SQLSTATE: not a value of the type; too large for an index, or of too many parts."""


def open_units(url: URL, label: str, settings: StoreSettings) -> Units:
    """url: of a database that is open for reading, with the plain name of its dialect.

    Raises SetupError when the driver for writing is not installed.
    """
    explain = explainer(url, label, settings)
    if url.drivername == "sqlite":
        file = sqlite_file_from(url)
        engine = partial(sqlite_write_engine, file, settings)
        return Units(
            engine,
            explain,
            is_sqlite_conflict,
            settings,
            threads=1,
            label=label,
            is_open=is_transaction_open,
        )
    if url.drivername == "mariadb":
        return _mariadb_units(url, label, settings)
    try:
        from tilth.kernel.store.drivers.postgres_writer import (
            is_postgres_conflict,
            postgres_write_engine,
        )
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "psycopg")) from exc
    return Units(
        partial(postgres_write_engine, url, settings),
        explain,
        is_postgres_conflict,
        settings,
        threads=settings.pool_size,
        label=label,
    )


def _mariadb_units(url: URL, label: str, settings: StoreSettings) -> Units:
    try:
        from tilth.kernel.store.drivers.mariadb_failure import is_mariadb_conflict
        from tilth.kernel.store.drivers.mariadb_writer import mariadb_write_engine
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "pymysql")) from exc
    return Units(
        partial(mariadb_write_engine, url, settings),
        explainer(url, label, settings),
        is_mariadb_conflict,
        settings,
        threads=settings.pool_size,
        label=label,
    )


def open_sessions(
    url: URL,
    label: str,
    settings: StoreSettings,
    units: Units | None,
    *,
    read_only: bool = False,
) -> Sessions:
    """units: whose turns these sessions wait for; others are made when there are none.

    Raises SetupError when the driver is not installed.
    """
    explain = explainer(url, label, settings)
    if url.drivername == "sqlite":
        units = units or open_units(url, label, settings)
        turns = Turns(units.submit, settings.pool_wait_seconds, label)
        engines = sqlite_engines(sqlite_file_from(url, read_only=read_only), settings, turns)
    elif url.drivername == "mariadb":
        engines = _mariadb_engines(url, settings)
    else:
        engines = _postgres_engines(url, settings)
    return Sessions(engines, explain, read_only=read_only)


def _postgres_engines(url: URL, settings: StoreSettings) -> Engines:
    try:
        from tilth.kernel.store.sessions.postgres import postgres_engines
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "psycopg")) from exc
    return postgres_engines(url, settings)


def _mariadb_engines(url: URL, settings: StoreSettings) -> Engines:
    try:
        from tilth.kernel.store.sessions.mariadb import mariadb_engines
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "aiomysql")) from exc
    return mariadb_engines(url, settings)


def explainer(
    url: URL, label: str, settings: StoreSettings
) -> Callable[[BaseException], TilthError | None]:
    """What tells an error of the driver as a client may read it; None for what is a bug."""
    return partial(_explained, url=url, label=label, settings=settings)


def _explained(
    exc: BaseException, *, url: URL, label: str, settings: StoreSettings
) -> TilthError | None:
    """None: a mistake in the statement, which is a bug and no fault of the request."""
    if isinstance(exc, PoolTimeout):
        return unavailable(no_connection_free(settings.pool_wait_seconds), label)
    if isinstance(exc, IntegrityError):
        return broken_rule()
    for each in chain_of(exc):
        state = getattr(each, "sqlstate", None) or ""
        # psycopg itself refuses some values, and then there is no state.
        if state[:2] in UNFIT or isinstance(each, DataError):
            return unfit_body()
        if state == RAISED_BY_A_TRIGGER:
            return broken_rule()
        failure = failure_of(each, url, seconds=settings.statement_seconds)
        if failure is not None:
            return unavailable(failure, label)
    return None
