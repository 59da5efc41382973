"""Whether a rule can hold for somebody who has not signed in, whatever the row."""

from __future__ import annotations

import pytest
from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import me
from tilth.kernel.policy.fold import Folded
from tilth.kernel.policy.nobody import can_hold_for_nobody


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None]
    tenant: Mapped[str | None]
    is_open: Mapped[bool]


mine: ColumnElement[bool] = Note.owner == me.id
another: ColumnElement[bool] = me.id != Note.owner

CANNOT: dict[str, Folded] = {
    "false": False,
    "mine": mine,
    "another's": another,
    "not mine": ~mine,
    "mine and open": mine & Note.is_open,
    "mine or another's": mine | another,
    "not (mine or open)": ~(mine | Note.is_open),
    "after me": Note.owner > me.id,
}
CAN: dict[str, Folded] = {
    "true": True,
    "open": Note.is_open,
    "mine or open": mine | Note.is_open,
    "not (mine and open)": ~(mine & Note.is_open),
    "whoever": true() | mine,
    "nobody's": Note.owner.is_not_distinct_from(me.id),
    "of a place": Note.tenant == me.tenant,
}


@pytest.mark.parametrize(("rules", "can"), [(CANNOT, False), (CAN, True)], ids=["cannot", "can"])
def test_nobody(rules: dict[str, Folded], can: bool) -> None:
    assert {name: can_hold_for_nobody(rule) for name, rule in rules.items()} == dict.fromkeys(
        rules, can
    )
