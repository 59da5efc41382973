"""One Access for all actors whom the rules treat alike."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Rulebook, chapter_from, role_slots
from tilth.kernel.policy.rules import me, owner, public, role, signed_in
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


class Doc(Base):
    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author: Mapped[str]
    wage: Mapped[int]


SCHEMA, _ = schema_from([Exposure(Doc)], "sqlite")

BOB, EVE = Actor("bob"), Actor("eve")
STAFF, EDITOR = Actor("sue", roles=frozenset({"staff"})), Actor("ed", roles=frozenset({"editor"}))


def book(policy: Policy) -> Rulebook:
    return Rulebook({"docs": chapter_from(SCHEMA["docs"], policy)})


ROWS = [
    (Policy(), ["none", "none", "none"]),
    (Policy(read=public), ["all", "all", "all"]),
    (Policy(read=signed_in), ["none", "all", "all"]),
    (Policy(read=role("staff")), ["none", "none", "all"]),
    (Policy(read=owner("author")), ["some", "some", "some"]),
    (Policy(read=owner("author") | role("staff")), ["some", "some", "all"]),
    (Policy(read=owner("author") & role("staff")), ["none", "none", "some"]),
    (Policy(read=~signed_in), ["all", "none", "none"]),
    (Policy(write=public), ["none", "none", "none"]),
]


@pytest.mark.parametrize(("policy", "rows"), ROWS)
def test_which_rows(policy: Policy, rows: list[str]) -> None:
    rulebook = book(policy)

    assert [rulebook.access("docs", who).rows for who in (ANONYMOUS, BOB, STAFF)] == rows


def test_actors_treated_alike_share_one_access() -> None:
    rulebook = book(Policy(read=owner("author") | role("staff")))

    accesses = [rulebook.access("docs", who) for who in (ANONYMOUS, BOB, EVE, EDITOR)]

    assert all(access is accesses[0] for access in accesses)
    assert rulebook.access("docs", STAFF) is not accesses[0]


def test_nothing_is_remembered_of_who_asked() -> None:
    rulebook = book(Policy(read=owner("author")))

    for number in range(1000):
        rulebook.access("docs", Actor(str(number), tenant=str(number)))

    assert len({id(rulebook.access("docs", Actor(str(n)))) for n in range(1000)}) == 1


ROLE_SLOTS = {0: 0, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 16}


@pytest.mark.parametrize("roles", ROLE_SLOTS)
def test_roles_are_padded_to_a_power_of_two(roles: int) -> None:
    actor = Actor("a", roles=frozenset(map(str, range(roles))))

    assert role_slots(actor) == ROLE_SLOTS[roles]


def test_number_of_roles_matters_only_where_rules_ask_for_roles() -> None:
    three, four = (Actor("a", roles=frozenset(map(str, range(n)))) for n in (3, 5))

    asking, not_asking = book(Policy(read=Doc.title.in_(me.roles))), book(Policy(read=public))

    assert asking.access("docs", three) is not asking.access("docs", four)
    assert asking.access("docs", three).role_slots == 4
    assert not_asking.access("docs", three) is not_asking.access("docs", four)


FIELDS = [
    (Policy(read=public), ["id", "title", "author", "wage"], []),
    (Policy(read=public, hidden=("wage", "title")), ["id", "author"], []),
    (Policy(read=public, fields={"wage": role("staff")}), ["id", "title", "author"], []),
    (Policy(read=public, fields={"wage": owner("author")}), [*SCHEMA["docs"].fields], ["wage"]),
    (Policy(read=public, fields={"wage": public}), [*SCHEMA["docs"].fields], []),
    (
        Policy(read=public, fields={"wage": owner("author") & role("staff")}),
        ["id", "title", "author"],
        [],
    ),
    (
        Policy(read=public, hidden=("wage",), fields={"wage": owner("author")}),
        ["id", "title", "author"],
        [],
    ),
]


@pytest.mark.parametrize(("policy", "fields", "masked"), FIELDS)
def test_which_fields(policy: Policy, fields: list[str], masked: list[str]) -> None:
    access = book(policy).access("docs", BOB)

    assert (list(access.fields), list(access.masked)) == (fields, masked)


def test_owner_is_a_comparison_with_the_actor() -> None:
    predicate = book(Policy(read=owner("author"))).access("docs", BOB).predicate

    assert str(predicate) == "doc.author = :me_id"


ACTIONS = [
    (Policy(), [False, False, False, False]),
    (Policy(read=public), [True, False, False, False]),
    (Policy(write=public), [False, True, True, True]),
    (Policy(write=public, delete=signed_in), [False, True, True, True]),
    (Policy(create=public), [False, True, False, False]),
]


@pytest.mark.parametrize(("policy", "allowed"), ACTIONS)
def test_write_stands_for_the_actions_that_change(policy: Policy, allowed: list[bool]) -> None:
    named = [
        policy.rule("read") is not None,
        policy.rule("create") is not None,
        policy.rule("update") is not None,
        policy.rule("delete") is not None,
    ]

    assert named == allowed


def test_action_named_wins_over_write() -> None:
    assert Policy(write=public, delete=signed_in).rule("delete") is signed_in
