"""How much is remembered of reads, and of which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Policy, Tilth, me, public, signed_in
from tilth.features.api.service.readings import QUERY_BYTES, Reading, Readings, reading_from
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import plan_read
from tilth.kernel.plan.sight import Sight


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]


Find = Callable[..., bool]


@pytest.fixture
def read() -> Find:
    """read(readings, query, actor) → whether the reading was known; afterwards it is."""
    app = Tilth("sqlite://")
    app.expose(Note, Policy(read=(Note.owner == me.id) | ~signed_in, write=public))
    backend = app.freeze()

    def read(readings: Readings, query: bytes = b"", actor: Actor | None = None) -> bool:
        scope: dict[str, Any] = {"path": "/api/notes", "raw_path": b"/api/notes"}
        scope |= {"query_string": query, "root_path": "", "headers": []}
        sight = Sight(backend.schema, backend.rulebook, actor or Actor())

        def make(seen: Sight) -> Reading:
            intent = Intent("notes")
            plan = plan_read(intent, seen, backend.signer)
            return reading_from(scope, intent, plan, "/api", ())

        if readings.find(scope, sight) is not None:
            return True
        readings.planned(scope, sight, make)
        return False

    return read


def test_reading_is_known_to_those_who_see_the_same(read: Find) -> None:
    readings = Readings()

    known = [read(readings, actor=actor) for actor in (None, Actor("a"), Actor("b"), None)]

    assert known == [False, False, True, True]


def test_never_more_readings_than_room(read: Find) -> None:
    readings = Readings(size=5)

    known = [read(readings, b"limit=%d" % number) for number in range(50)]

    assert (any(known), len(readings)) == (False, 5)


def test_long_query_is_not_kept(read: Find) -> None:
    readings = Readings()

    known = [read(readings, b"q=" + b"x" * QUERY_BYTES) for _ in range(2)]

    assert (known, len(readings)) == ([False, False], 0)
