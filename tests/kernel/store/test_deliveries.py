"""A delivery is taken by one at a time, and comes back from whoever dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event
from tilth.kernel.store.deliveries import (
    Delivery,
    given_back,
    made,
    put_off,
    take,
    waiting_subscribers,
)
from tilth.kernel.store.outbox import DELIVERIES, OWN, Outbox, write_events
from tilth.kernel.store.sync import create_missing_tables, sync_engine

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEASE_END = NOON + timedelta(minutes=1)
OUTBOX = Outbox({"hero.created": ("mail", "audit")})


def event(number: int, type_: str = "hero.created") -> Event:
    return Event(
        UUID(int=number), type_, "heroes", (str(number),), "ann", NOON, None, {"id": number}
    )


def write(engine: Engine, *events: Event, outbox: Outbox = OUTBOX) -> None:
    with Session(engine) as session, session.begin():
        write_events(session, outbox, events)


def taken(engine: Engine, now: datetime, until: datetime = LEASE_END) -> list[Delivery]:
    with Session(engine) as session, session.begin():
        return take(session, "mail", now, until)


def numbers(deliveries: list[Delivery]) -> list[tuple[int, int]]:
    """(event, attempt)."""
    return [(each.event.id.int, each.attempt) for each in deliveries]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = sync_engine(database_url)
    create_missing_tables(made, [OWN])
    yield made
    made.dispose()


def test_event_arrives_as_it_was_written(engine: Engine) -> None:
    write(engine, event(1))

    assert taken(engine, NOON) == [Delivery(event(1), "mail", 1)]


def test_what_is_taken_is_free_again_when_its_time_is_over(engine: Engine) -> None:
    write(engine, event(2), event(1))

    assert numbers(taken(engine, NOON)) == [(1, 1), (2, 1)]
    assert taken(engine, LEASE_END - timedelta(microseconds=1)) == []
    assert numbers(taken(engine, LEASE_END, LEASE_END)) == [(1, 2)]


def test_what_was_taken_before_is_taken_alone(engine: Engine) -> None:
    write(engine, event(1), event(2))
    later = LEASE_END + timedelta(minutes=1)
    taken(engine, NOON)
    write(engine, event(3))

    rounds = [numbers(taken(engine, LEASE_END, later)) for _ in range(4)]

    assert rounds == [[(1, 2)], [(2, 2)], [(3, 1)], []]


def test_event_that_commits_late_is_not_passed_over(engine: Engine) -> None:
    write(engine, event(2))
    taken(engine, NOON)

    write(engine, event(1))

    assert numbers(taken(engine, NOON)) == [(1, 1)]


def test_what_is_given_back_is_free_at_once_and_fresh(engine: Engine) -> None:
    write(engine, event(1), event(2))

    with Session(engine) as session, session.begin():
        given_back(session, take(session, "mail", NOON, LEASE_END), NOON)

    assert numbers(taken(engine, NOON)) == [(1, 1), (2, 1)]


def test_what_is_made_is_over_for_this_subscriber_only(engine: Engine) -> None:
    write(engine, event(1))

    with Session(engine) as session, session.begin():
        made(session, take(session, "mail", NOON, LEASE_END))

    with Session(engine) as session:
        assert waiting_subscribers(session, ["mail", "audit"], LEASE_END) == ["audit"]


def test_what_is_given_up_is_kept_with_its_failure(engine: Engine) -> None:
    write(engine, event(1))

    with Session(engine) as session, session.begin():
        [delivery] = take(session, "mail", NOON, LEASE_END)
        put_off(session, delivery, None, "no")

    assert taken(engine, LEASE_END) == []
    with engine.connect() as connection:
        kept = select(DELIVERIES.c.failure).where(DELIVERIES.c.due_at.is_(None))
        assert connection.scalars(kept).all() == ["no"]


def test_failure_of_an_attempt_that_came_too_late_does_not_count(engine: Engine) -> None:
    write(engine, event(1))
    [late] = taken(engine, NOON)
    [current] = taken(engine, LEASE_END, LEASE_END + timedelta(hours=1))

    with Session(engine) as session, session.begin():
        put_off(session, late, None, "too late")
        given_back(session, [late], NOON)

    assert numbers([current]) == [(1, 2)]
    assert taken(engine, LEASE_END) == []
    assert numbers(taken(engine, LEASE_END + timedelta(hours=1))) == [(1, 3)]


def test_event_nobody_subscribes_to_is_kept_and_waits_for_nobody(engine: Engine) -> None:
    woken: list[frozenset[str]] = []

    write(engine, event(1, "hero.deleted"), outbox=Outbox(OUTBOX.subscribers, woken.append))
    write(engine, event(2), outbox=Outbox(OUTBOX.subscribers, woken.append))

    assert woken == [frozenset({"mail", "audit"})]
    assert numbers(taken(engine, NOON)) == [(2, 1)]


def test_what_another_transaction_is_taking_is_passed_over(postgres_url: str) -> None:
    engine = sync_engine(postgres_url)
    create_missing_tables(engine, [OWN])
    write(engine, event(1))

    with Session(engine) as first, Session(engine) as second:
        assert len(take(first, "mail", NOON, LEASE_END)) == 1
        assert take(second, "mail", NOON, LEASE_END) == []
    engine.dispose()
