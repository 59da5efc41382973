"""What stands in for a database while a test runs."""

from __future__ import annotations

from dataclasses import dataclass

from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.sessions.engines import Engines
from tilth.kernel.store.unit import Units


@dataclass(frozen=True, slots=True)
class Parts:
    """database: for generated reads. units: for generated changes. engines: for sessions."""

    database: Database
    units: Units
    engines: Engines
