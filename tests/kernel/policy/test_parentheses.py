"""`&`, `|` and `~` bind tighter than comparisons: what is compared by mistake is told before serving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth.kernel.policy.checks import policy_findings
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import me, owner, public, role
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    age: Mapped[int]
    owner_id: Mapped[str | None]
    open: Mapped[bool]
    secret: Mapped[bool]


SCHEMA, _ = schema_from([Exposure(Hero)], "sqlite")

Rule = Callable[[], Any]

COMBINED: list[Rule] = [
    lambda: Hero.open | Hero.age >= 18,
    lambda: Hero.open & Hero.secret == False,  # noqa: E712
    lambda: role("x") | Hero.owner_id == me.id,
    lambda: public >= 1,  # type: ignore[operator, unused-ignore]
    lambda: owner("owner_id") | Hero.age >= 18,
    lambda: ~Hero.age >= 18,
    lambda: role("x") & (Hero.open | Hero.age >= 18),
]


def codes(policy: Policy) -> list[str]:
    return [each.code for each in policy_findings(SCHEMA["heroes"], policy)]


@pytest.mark.parametrize("rule", COMBINED)
def test_a_combination_that_is_compared_keeps_the_application_from_starting(rule: Rule) -> None:
    assert codes(Policy(read=rule())) == ["policy.parentheses"]
    assert codes(Policy(read=public, fields={"age": rule()})) == ["policy.parentheses"]


MEANT: list[Rule] = [
    lambda: Hero.open | (Hero.age >= 18),
    lambda: ~(Hero.age >= 18) & ~Hero.open,
    lambda: (Hero.open | Hero.secret) == (Hero.open & Hero.secret),
    lambda: Hero.open == Hero.secret,
    lambda: (Hero.owner_id == me.id) | role("x") | owner("owner_id"),
]


@pytest.mark.parametrize("rule", MEANT)
def test_what_stands_in_parentheses_is_taken_as_it_is(rule: Rule) -> None:
    assert codes(Policy(read=rule())) == []
