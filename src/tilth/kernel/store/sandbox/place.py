"""An application's database → everything it does there is done in a sandbox, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.engine import refuse_mariadb
from tilth.kernel.store.run import Store
from tilth.kernel.store.sandbox.parts import Parts
from tilth.kernel.store.sandbox.sqlite import copy_of
from tilth.kernel.store.sessions.sessions import Sessions
from tilth.kernel.store.unit import Units
from tilth.settings import StoreSettings


@contextmanager
def diverted(
    store: Store, units: Units | None, sessions: Sessions, settings: StoreSettings
) -> Iterator[None]:
    """Nothing may be under way when it begins or ends. Raises what connecting raises."""
    outside = store.database, sessions.engines
    with _opened(store.database, settings) as parts:
        store.database, sessions.engines = parts.database, parts.engines
        if units is not None:
            units.elsewhere = parts.units
        try:
            yield
        finally:
            store.database, sessions.engines = outside
            if units is not None:
                units.elsewhere = None
            parts.engines.dispose()
            parts.units.dismiss()


def _opened(database: Database, settings: StoreSettings) -> AbstractContextManager[Parts]:
    refuse_mariadb(database.url, "Sandboxes for tests are")
    if database.url.drivername == "sqlite":
        return copy_of(database, settings)
    # Imported here, like every driver: nobody needs the one of the other database.
    from tilth.kernel.store.sandbox.postgres import transaction_on

    return transaction_on(database, settings)
