"""Sets of more rows than are held in memory at once: changed all or none, each judged and told of."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakSet

import pytest
from sqlalchemy import ForeignKey, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from tests.scopes.league import ADA

from tilth import Policy, Tilth, public
from tilth.errors import Forbidden
from tilth.kernel.store.many import ROWS_OF_A_PART
from tilth.kernel.store.outbox import EVENTS, OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings, StoreSettings

COUNT = 4 * ROWS_OF_A_PART + 200
LOCKED_FROM = COUNT - 10
"""The last rows may be seen, and not changed where `guarded` says so."""


class Base(DeclarativeBase):
    pass


class Step(Base):
    """Each leads to the one before it."""

    __tablename__ = "step"

    id: Mapped[int] = mapped_column(primary_key=True)
    is_done: Mapped[bool] = mapped_column(default=False)
    previous_id: Mapped[int | None]
    previous: Mapped[Step | None] = relationship(
        primaryjoin="foreign(Step.previous_id) == remote(Step.id)", viewonly=True
    )


class Leaf(Base):
    """All hang on the first."""

    __tablename__ = "leaf"

    id: Mapped[int] = mapped_column(primary_key=True)
    above_id: Mapped[int | None] = mapped_column(ForeignKey("leaf.id"))
    above: Mapped[Leaf | None] = relationship(remote_side=[id])


def opened(url: str, *, guarded: bool = False) -> Tilth:
    engine = sync_engine(url)
    create_missing_tables(engine, [Base.metadata, OWN])
    with Session(engine) as session, session.begin():
        numbers = range(1, COUNT + 1)
        session.add_all(Step(id=each, previous_id=each - 1 or None) for each in numbers)
        session.add(Leaf(id=1))
        session.flush()
        session.add_all(Leaf(id=each, above_id=1) for each in numbers[1:])
    engine.dispose()
    change = Step.id < LOCKED_FROM if guarded else public
    # Collecting garbage after each part takes its time where other tests have left much behind.
    patient = Settings(store=replace(StoreSettings(), statement_seconds=120))
    app = Tilth(url, settings=patient)
    app.expose(Step, Policy(read=public, update=change, delete=change))
    app.expose(Leaf, Policy(read=public, write=public))
    return app


def told(app: Tilth) -> dict[str, int]:
    """How many events of each type there are."""
    with app.scope(ADA) as scope:
        asked = select(EVENTS.c.type, func.count()).group_by(EVENTS.c.type)
        return {row[0]: row[1] for row in scope.session.execute(asked)}


@pytest.fixture
def alive() -> Iterator[list[int]]:
    """How many steps there were in memory, whenever some had been changed."""
    steps: WeakSet[Step] = WeakSet()
    counts: list[int] = []

    def loaded(step: Step, context: object) -> None:
        steps.add(step)

    def flushed(session: Session, context: object) -> None:
        # Some are in circles, which only the collector finds.
        gc.collect()
        counts.append(len(steps))

    event.listen(Step, "load", loaded)
    event.listen(Session, "after_flush", flushed)
    # What is there already need not be looked through each time.
    gc.freeze()
    yield counts
    gc.unfreeze()
    event.remove(Step, "load", loaded)
    event.remove(Session, "after_flush", flushed)


def test_what_is_changed_does_not_decide_which_rows_are(database_url: str) -> None:
    """All but the first follow one that is not done, until the part before theirs is."""
    app = opened(database_url)

    with app.scope(ADA) as scope:
        changed = scope.objects(Step).filter(previous__is_done=False).update(is_done=True)
        done = scope.objects(Step).filter(is_done=True).count()

    assert (changed, done) == (COUNT - 1, COUNT - 1)
    assert told(app) == {"step.updated": COUNT - 1}


def test_rows_of_one_part_are_in_memory_at_once(database_url: str, alive: list[int]) -> None:
    app = opened(database_url)
    alive.clear()

    with app.scope(ADA) as scope:
        scope.objects(Step).update(is_done=True)
        assert scope.objects(Step).delete() == COUNT

    # The last part may be let go only when the next one is there.
    assert len(alive) >= 2 * COUNT // ROWS_OF_A_PART
    assert 0 < max(alive) <= 2 * ROWS_OF_A_PART
    assert told(app) == {"step.updated": COUNT, "step.deleted": COUNT}


@pytest.mark.parametrize("way", ["update", "delete"])
def test_a_refusal_in_the_last_part_leaves_nothing_behind(database_url: str, way: str) -> None:
    app = opened(database_url, guarded=True)

    with app.scope(ADA) as scope:
        scope.objects(Leaf).filter(id=COUNT).update(above=None)
        steps = scope.objects(Step)
        with pytest.raises(Forbidden):
            steps.update(is_done=True) if way == "update" else steps.delete()

    with app.scope(ADA) as scope:
        assert scope.objects(Step).filter(is_done=False).count() == COUNT
    assert told(app) == {"leaf.updated": 1}


def test_a_tree_is_deleted_whole(database_url: str) -> None:
    """The first row is in the first part, and those of the last refer to it."""
    app = opened(database_url)

    with app.scope(ADA) as scope:
        assert scope.objects(Leaf).delete() == COUNT

    assert told(app) == {"leaf.deleted": COUNT}
