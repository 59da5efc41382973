"""Work that no policy lets anyone do is done by name, and what it changed says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tilth.errors import Forbidden, Invalid
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.sight import Sight
from tilth.kernel.plan.write import plan_write
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.policy.rules import role
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.store.apply import carry_out
from tilth.kernel.store.outbox import EVENTS, OWN, Outbox
from tilth.kernel.store.record import Records
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.kit.clock import now
from tilth.kit.ids import uuid7


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
    secret: Mapped[str | None]


POLICY = Policy(read=role("clerk"), read_only=("total",), hidden=("secret",))


@pytest.fixture
def scope(database_url: str) -> Iterator[Scope]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    schema, _ = schema_from([Exposure(Invoice)], engine.dialect.name)
    rulebook = Rulebook({"invoices": chapter_from(schema["invoices"], POLICY)})
    sight = Sight(schema, rulebook, Actor("billing"))
    with Session(engine) as session:
        yield Scope(session, sight, Records(engine.dialect), Outbox(), now, uuid7)
    engine.dispose()


def create(scope: Scope, **body: object) -> None:
    carry_out(scope, [plan_write(WriteIntent("create", "invoices", body=body), scope.sight)])


def test_change_without_policy_is_kept_with_its_actor_and_reason(scope: Scope) -> None:
    with scope.unrestricted("nightly billing"):
        create(scope, total=5)
        create(scope, total=6)

    told = select(EVENTS.c.actor, EVENTS.c.reason, EVENTS.c.after).order_by(EVENTS.c.id)
    assert sorted(scope.session.execute(told).all(), key=str) == [
        ("billing", "nightly billing", {"id": 1, "total": 5}),
        ("billing", "nightly billing", {"id": 2, "total": 6}),
    ]


def test_policy_is_asked_again_afterwards(scope: Scope) -> None:
    with pytest.raises(RuntimeError), scope.unrestricted("nightly billing"):
        raise RuntimeError

    assert scope.reason is None
    with pytest.raises(Forbidden):
        create(scope, total=5)


def test_what_is_hidden_from_everyone_stays_hidden(scope: Scope) -> None:
    with pytest.raises(Invalid), scope.unrestricted("nightly billing"):
        create(scope, total=5, secret="x")


def test_reason_is_not_left_out(scope: Scope) -> None:
    with pytest.raises(ValueError, match="Say why"), scope.unrestricted(" "):
        pass
