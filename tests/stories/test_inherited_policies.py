"""Rows of a class are rows of the class it inherits from: where both are exposed, it is told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public, role


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012


class Cat(Animal):
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012


class Kitten(Cat):
    """In a table of its own."""

    __tablename__ = "kitten"
    id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "kitten"}  # noqa: RUF012


OPEN, CLOSED = Policy(read=public), Policy(read=role("admin"))
EXPOSED: dict[str, tuple[list[tuple[Any, Policy]], list[str]]] = {
    "a policy of its own": ([(Animal, OPEN), (Cat, CLOSED)], ["Cat"]),
    "two levels": ([(Kitten, CLOSED), (Animal, OPEN), (Cat, CLOSED)], ["Kitten", "Cat"]),
    "the same policy": ([(Animal, OPEN), (Cat, OPEN)], []),
    "one of the two": ([(Cat, CLOSED)], []),
}


@pytest.mark.parametrize("case", EXPOSED)
def test_policy_that_another_overrules_is_a_warning(database_url: str, case: str) -> None:
    exposed, subjects = EXPOSED[case]
    app = Tilth(database_url)
    for model, policy in exposed:
        app.expose(model, policy)

    found = [each for each in app.check() if each.code == "policy.inherited"]

    assert [each.subject for each in found] == subjects
    assert {each.level for each in found} <= {"warning"}
    assert all("animals" in each.reason for each in found)
