"""Tilth's own table of answers: each kept in the transaction of the change that it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from tilth.errors import Conflict, Invalid
from tilth.kernel.store.outbox import OWN

KEPT = timedelta(hours=24)
"""How long an answer is repeated."""

LATE = timedelta(hours=1)
"""Expired answers are deleted once one of them has been expired for so long: rarely, many at once."""

FORGOTTEN_AT_ONCE = 500
"""Rows of one clearing, so that no request is slow because of those before it."""

ANSWERS = Table(
    "tilth_idempotency",
    OWN,
    # SHA-256 of who asks, where and with which key: the key itself may be as long as it likes and
    # an index entry may not. Nothing refers to these rows, so they have no other key.
    Column("claim", LargeBinary(32), primary_key=True),
    # SHA-256 of what was asked.
    Column("request", LargeBinary(32), nullable=False),
    # Empty only inside the transaction that makes it.
    Column("answer", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
Index(None, ANSWERS.c.expires_at)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to be the one that makes a change. id, request: digests, see the table."""

    id: bytes
    request: bytes


def kept_answer(session: Session, claim: Claim, now: datetime) -> bytes | None:
    """The answer to this request, made before; None when the claim is this unit's to answer.

    One statement when it is. Waits while another transaction has the claim.
    Raises Conflict when that takes too long, Invalid when the answer is to another request.
    """
    taken = _taken(session, claim, now)
    if taken is None:
        return _known(session, claim)
    [is_time_to_clear] = taken
    if is_time_to_clear:
        _clear(session, now)
    return None


def _clear(session: Session, now: datetime) -> None:
    if session.get_bind().dialect.name != "mariadb":
        session.execute(_CLEAR, {"now": now})
        return
    # It takes no LIMIT inside IN.
    expired = session.scalars(_EXPIRED, {"now": now}).all()
    session.execute(delete(ANSWERS).where(ANSWERS.c.claim.in_(expired)))


def keep_answer(session: Session, claim: Claim, answer: bytes) -> None:
    """In the transaction that has the claim. answer: what kept_answer gives back, not empty."""
    session.execute(_KEEP, {"which": claim.id, "given": answer})


def still_running() -> Conflict:
    return Conflict(
        "The first request with this Idempotency-Key is still running. Wait, and send it again: "
        "then its answer is repeated.",
        code="idempotency_running",
        headers={"Retry-After": "1"},
    )


def _taken(session: Session, claim: Claim, now: datetime) -> Any:
    """A row that says whether it is time to clear; None when the claim has an answer."""
    values = {
        "claim": claim.id,
        "request": claim.request,
        "expires_at": now + KEPT,
        "now": now,
        "late": now - LATE,
    }
    dialect = session.get_bind().dialect.name
    try:
        if dialect == "mariadb":
            return _taken_in_steps(session, values)
        return session.execute(_TAKE[dialect], values).one_or_none()
    except DBAPIError as exc:
        # lock_not_available: the transaction that has the claim took longer than lock_timeout.
        if getattr(exc.orig, "sqlstate", None) == "55P03" or _waited_too_long(exc.orig):
            raise still_running() from exc
        raise


def _taken_in_steps(session: Session, values: dict[str, Any]) -> Any:
    """For MariaDB, whose upsert has no WHERE. A second insertion waits for the first all the same."""
    session.execute(_FREE, values)
    row = {name: values[name] for name in ("claim", "request", "expires_at")}
    try:
        with session.begin_nested():
            session.execute(insert(ANSWERS), [{**row, "answer": b""}])
    except IntegrityError:
        return None
    return session.execute(_IS_LATE, values).one()


def _waited_too_long(orig: BaseException | None) -> bool:
    """MariaDB's number for it."""
    return orig is not None and orig.args[:1] == (1205,)


def _known(session: Session, claim: Claim) -> bytes:
    request, answer = session.execute(_KNOWN, {"which": claim.id}).one()
    if request != claim.request:
        raise Invalid(
            "This Idempotency-Key was sent before with another request. Use a new key for each "
            "change, and repeat a request exactly as it was.",
            code="idempotency_key_reused",
        )
    known: bytes = answer
    return known


def _take(dialect: Any) -> ReturningInsert[tuple[bool]]:
    """Takes a claim that is new or has expired, and says whether it is time to clear.

    DO UPDATE makes a second claim wait for the first on both databases; WHERE leaves it untouched
    while it is to be repeated, and then no row is returned.
    """
    row = dialect.insert(ANSWERS).values(
        claim=bindparam("claim"),
        request=bindparam("request"),
        answer=b"",
        expires_at=bindparam("expires_at"),
    )
    old = ANSWERS.alias("old")
    fresh = {name: row.excluded[name] for name in ("request", "answer", "expires_at")}
    taken: ReturningInsert[tuple[bool]] = row.on_conflict_do_update(
        index_elements=[ANSWERS.c.claim],
        set_=fresh,
        where=ANSWERS.c.expires_at <= _NOW,
    ).returning(exists(select(literal_column("1")).where(old.c.expires_at <= bindparam("late"))))
    return taken


_FREE = delete(ANSWERS).where(
    ANSWERS.c.claim == bindparam("claim"), ANSWERS.c.expires_at <= bindparam("now")
)
_IS_LATE = select(
    exists(select(literal_column("1")).where(ANSWERS.c.expires_at <= bindparam("late")))
)
_NOW = bindparam("now", type_=ANSWERS.c.expires_at.type)
_TAKE = MappingProxyType({"sqlite": _take(sqlite), "postgresql": _take(postgresql)})
_IS_CLAIM = ANSWERS.c.claim == bindparam("which")
_KNOWN = select(ANSWERS.c.request, ANSWERS.c.answer).where(_IS_CLAIM)
_KEEP = update(ANSWERS).where(_IS_CLAIM).values(answer=bindparam("given"))
# Those that another transaction is clearing or taking at the moment are left to it.
_EXPIRED = (
    select(ANSWERS.c.claim)
    .where(ANSWERS.c.expires_at <= _NOW)
    .order_by(ANSWERS.c.expires_at)
    .limit(FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True)
)
_CLEAR = delete(ANSWERS).where(ANSWERS.c.claim.in_(_EXPIRED))
