"""An intent becomes a plan in which every name is known and every value is in a slot."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship

from tilth.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from tilth.kernel.plan.conditions import All, Either, Not, Related
from tilth.kernel.plan.conditions import Test as FieldTest
from tilth.kernel.plan.cursor import Signer
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import continued, plan_read
from tilth.kernel.plan.shape import Node, ReadPlan, ReadShape, Window
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.policy.rules import me, owner, public, role, signed_in
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    wage: Mapped[int]
    photo: Mapped[bytes | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    vaults: Mapped[list[Vault]] = relationship(back_populates="hero")


class Vault(Base):
    __tablename__ = "vault"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"))
    hero: Mapped[Hero] = relationship(back_populates="vaults")


views = MetaData()
totals = Table(
    "totals", views, Column("wage", Integer), Column("n", Integer), info={"tilth_no_key": True}
)


class Total:
    pass


registry(metadata=views).map_imperatively(Total, totals, primary_key=[totals.c.wage])

SCHEMA, _ = schema_from(
    [Exposure(Team), Exposure(Hero, search=("name",)), Exposure(Vault), Exposure(Total)], "sqlite"
)
POLICIES = {
    "teams": Policy(read=public),
    "heroes": Policy(read=public, fields={"wage": owner("name") | role("boss")}),
    "vaults": Policy(read=role("boss")),
    "totals": Policy(read=signed_in),
}
RULEBOOK = Rulebook({name: chapter_from(SCHEMA[name], POLICIES[name]) for name in SCHEMA})
SIGNER = Signer(b"secret")
BOSS = Actor("max", roles=frozenset({"boss"}))
BOB = Actor("bob")


def planned(intent: Intent, actor: Actor = ANONYMOUS) -> ReadPlan:
    return plan_read(intent, Sight(SCHEMA, RULEBOOK, actor), SIGNER)


def names(node: Node) -> dict[str, Any]:
    """The tree as nested names."""
    return {
        "fields": node.fields,
        **{branch.relation.name: names(branch.node) for branch in node.branches},
    }


TEAM = ("id", "name")
HERO = ("id", "name", "age", "wage", "photo", "team_id")

TREES: list[tuple[Intent, dict[str, Any]]] = [
    (Intent("teams"), {"fields": TEAM}),
    (Intent("teams", fields=("name",)), {"fields": ("name",)}),
    (Intent("teams", fields=("name", "id", "name")), {"fields": ("name", "id")}),
    (Intent("teams", expand=("heroes",)), {"fields": TEAM, "heroes": {"fields": HERO}}),
    (
        Intent("heroes", expand=("team.heroes", "team"), fields=("id", "team.heroes.name")),
        {"fields": ("id",), "team": {"fields": TEAM, "heroes": {"fields": ("name",)}}},
    ),
    (
        Intent("heroes", expand=("team",), fields=("id", "team")),
        {"fields": ("id",), "team": {"fields": TEAM}},
    ),
    (
        Intent("teams", key=("1",), relation="heroes", expand=("team",), fields=("team.id",)),
        {"fields": HERO, "team": {"fields": ("id",)}},
    ),
]


@pytest.mark.parametrize(("intent", "tree"), TREES)
def test_tree(intent: Intent, tree: dict[str, Any]) -> None:
    assert names(planned(intent).shape.root) == tree


def test_one_row_is_read_whole_whatever_part_is_answered() -> None:
    plan = planned(Intent("heroes", key=("7",), fields=("name",)))

    assert (plan.fields, plan.shape.root.fields) == (("name",), HERO)
    assert (plan.values, plan.shape.key_slots, plan.limit) == ((7,), (0,), 1)


def order(plan: ReadPlan) -> list[tuple[str, bool, bool]]:
    return [
        (
            ".".join([*(hop.relation.name for hop in key.hops), key.field]),
            key.descending,
            key.nullable,
        )
        for key in plan.shape.order
    ]


ORDERS: list[tuple[Intent, list[tuple[str, bool, bool]]]] = [
    (Intent("heroes"), [("id", False, False)]),
    (Intent("heroes", sort=("-id",)), [("id", True, False)]),
    (Intent("heroes", sort=("age",)), [("age", False, True), ("id", False, False)]),
    (Intent("heroes", sort=("-name",)), [("name", True, False), ("id", False, False)]),
    (
        Intent("heroes", sort=("name", "-name", "id", "age")),
        [("name", False, False), ("id", False, False), ("age", False, True)],
    ),
    # what is masked, or at the end of a relation, may be null
    (Intent("heroes", sort=("wage",)), [("wage", False, True), ("id", False, False)]),
    (Intent("heroes", sort=("team.name",)), [("team.name", False, True), ("id", False, False)]),
    (Intent("heroes", sort=("team__id",)), [("team.id", False, True), ("id", False, False)]),
]


@pytest.mark.parametrize(("intent", "keys"), ORDERS)
def test_order_ends_in_the_identity_of_the_row(
    intent: Intent, keys: list[tuple[str, bool, bool]]
) -> None:
    assert order(planned(intent)) == keys


def test_key_of_several_parts_breaks_ties_with_all_of_them() -> None:
    keys = order(planned(Intent("vaults", sort=("-number",)), BOSS))

    assert keys == [("number", True, False), ("row", False, False)]


def test_rows_without_a_key_are_told_apart_by_every_field() -> None:
    assert [key for key, *_ in order(planned(Intent("totals", sort=("n",)), BOB))] == ["n", "wage"]


def test_who_reads_a_field_always_sorts_it_without_null() -> None:
    assert order(planned(Intent("heroes", sort=("wage",)), BOSS))[0] == ("wage", False, False)


WHERES: list[tuple[Intent, tuple[Any, ...]]] = [
    (Intent("heroes"), ()),
    (Intent("heroes", lookups=(("age", "7"),)), (7,)),
    (Intent("heroes", lookups=(("age__in", "7,8,9"),)), (7, 8, 9, 9)),
    (Intent("heroes", lookups=(("age__range", "1,9"), ("name", "x"))), (1, 9, "x")),
    (Intent("heroes", lookups=(("age__isnull", "true"),)), ()),
    (Intent("heroes", lookups=(("name__contains", ""),)), ()),
    (Intent("heroes", filter='age > 3 or not any(team, name = "x")'), (3, "x")),
    (Intent("heroes", q="a  b"), ("a", "b")),
    (Intent("teams", key=("5",), relation="heroes", lookups=(("age", "7"),)), (5, 7)),
]


@pytest.mark.parametrize(("intent", "values"), WHERES)
def test_values_are_put_aside_in_the_order_they_are_asked_for(
    intent: Intent, values: tuple[Any, ...]
) -> None:
    assert planned(intent).values == values


def test_condition_keeps_the_form_of_the_filter() -> None:
    asked = 'not (age = 1 and name = "x") or any(team) or team.name = "y"'

    where = planned(Intent("heroes", filter=asked)).shape.where

    assert isinstance(where, Either)
    negated, existing, related = where.parts
    assert isinstance(negated, Not)
    assert isinstance(negated.part, All)
    assert isinstance(existing, Related)
    assert existing.inner is None
    assert isinstance(related, Related)
    assert isinstance(related.inner, FieldTest)
    assert (related.access.resource.name, related.inner.field) == ("teams", "name")


ALIKE = [
    (Intent("heroes", lookups=(("age", "7"),)), Intent("heroes", lookups=(("age", "8"),))),
    (
        Intent("heroes", lookups=(("age__in", "1,2,3"),)),
        Intent("heroes", lookups=(("age__in", "4,5,6,7"),)),
    ),
    (Intent("heroes", limit=1), Intent("heroes", limit=200)),
    (Intent("heroes", offset=1), Intent("heroes", offset=2)),
    (Intent("heroes", key=("1",)), Intent("heroes", key=("2",))),
    (Intent("heroes", q="a"), Intent("heroes", q="b")),
    (
        Intent("heroes", filter='name = "a" or age = 1'),
        Intent("heroes", filter='name = "b" or age = 2'),
    ),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_reads_that_differ_in_values_have_equal_shapes(one: Intent, other: Intent) -> None:
    shapes: list[ReadShape] = [planned(one).shape, planned(other, BOB).shape]

    assert shapes[0] == shapes[1]
    assert hash(shapes[0]) == hash(shapes[1])


UNLIKE = [
    (Intent("heroes", lookups=(("age", "7"),)), Intent("heroes", lookups=(("age__ne", "7"),))),
    (Intent("heroes", sort=("age",)), Intent("heroes", sort=("-age",))),
    (Intent("heroes"), Intent("heroes", offset=0)),
    (Intent("heroes"), Intent("heroes", count="exact")),
    (Intent("heroes", fields=("id",)), Intent("heroes", fields=("name",))),
]


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_reads_that_differ_otherwise_have_other_shapes(one: Intent, other: Intent) -> None:
    assert planned(one).shape != planned(other).shape


def test_actors_who_see_different_rows_have_other_shapes() -> None:
    assert planned(Intent("heroes")).shape != planned(Intent("heroes"), BOSS).shape


def test_cursor_holds_its_keys_behind_the_values_of_the_read() -> None:
    first = planned(Intent("heroes", lookups=(("age", "7"),), sort=("-age",)))
    cursor = SIGNER.seal(first.binding, "before", (None, 4))

    plan = planned(Intent("heroes", lookups=(("age", "7"),), sort=("-age",), cursor=cursor))

    assert plan.shape.window == Window("before", (True, False), (1, 2))
    assert (plan.values, plan.own_values) == ((7, None, 4), 1)


def test_export_goes_on_after_the_last_row_of_each_chunk() -> None:
    plan = planned(Intent("heroes", lookups=(("age", "7"),), sort=("name",)))

    second = continued(continued(plan, ("a", 1), 500), ("b", 2), 500)

    assert second.shape.window == Window("after", (False, False), (1, 2))
    assert second.values == (7, "b", 2)


def test_export_of_rows_without_a_key_counts_them_off() -> None:
    plan = planned(Intent("totals"), BOB)

    second = continued(continued(plan, (1,), 500), (2,), 500)

    assert (second.shape.window, second.offset) == (Window("offset"), 1000)


ERRORS: list[tuple[Intent, Actor, type[Exception]]] = [
    (Intent("nothing"), BOSS, NotFound),
    (Intent("vaults"), ANONYMOUS, Unauthenticated),
    (Intent("vaults"), BOB, Forbidden),
    (Intent("vaults", key=("a", "1")), BOB, Forbidden),
    (Intent("heroes", key=("1",), relation="vaults"), BOB, NotFound),
    (Intent("heroes", key=("1",), relation="team"), BOB, NotFound),
    (Intent("heroes", key=("x",)), BOB, NotFound),
    (Intent("heroes", key=()), BOB, NotFound),
    (Intent("heroes", key=("1", "2")), BOB, NotFound),
    (Intent("vaults", key=("a",)), BOSS, NotFound),
    (Intent("totals", key=("1",)), BOB, NotFound),
    (Intent("heroes", expand=("vaults",)), BOB, BadRequest),
    (Intent("heroes", sort=("photo",)), BOB, BadRequest),
    (Intent("heroes", sort=("vaults.row",)), BOSS, BadRequest),
    (Intent("heroes", cursor="x", offset=1), BOB, BadRequest),
    (Intent("teams", q="x"), BOB, BadRequest),
    (Intent("heroes", limit=0), BOB, BadRequest),
]


@pytest.mark.parametrize(("intent", "actor", "error"), ERRORS)
def test_errors(intent: Intent, actor: Actor, error: type[Exception]) -> None:
    with pytest.raises(error):
        planned(intent, actor)


def test_rule_of_a_related_resource_travels_with_the_plan() -> None:
    policies = {**POLICIES, "teams": Policy(read=Team.name == me.id)}
    rulebook = Rulebook({n: chapter_from(SCHEMA[n], policies[n]) for n in SCHEMA})
    intent = Intent("heroes", expand=("team",), sort=("team.name",), lookups=(("team__id", "1"),))

    shape = plan_read(intent, Sight(SCHEMA, rulebook, BOB), SIGNER).shape

    accesses = [
        shape.root.branches[0].node.access,
        shape.order[0].access,
        shape.where.access if isinstance(shape.where, Related) else None,
    ]
    assert {access.rows if access else None for access in accesses} == {"some"}


def asks(parameter: str) -> Intent:
    return Intent("heroes", lookups=((parameter, "1"),))


SAID: list[tuple[Intent, str]] = [
    (asks("age__gt_"), "Field 'age' has no lookup 'gt_'. Did you mean 'gt'? Lookups: exact, ne, "),
    (asks("name__like"), "Field 'name' has no lookup 'like'. Lookups: exact, "),
    (asks("team__name__gt_"), "Field 'name' has no lookup 'gt_'. Did you mean 'gt'?"),
    (asks("photo__size"), "Field 'photo' has no lookup 'size'."),
    (Intent("heroes", filter="age.gt = 1"), "'age' is a field, not a relation"),
    (Intent("heroes", fields=("team.name",)), "'team.name' is answered when it is expanded: add "
     "expand=team."),
    (Intent("heroes", fields=("team",)), "'team' is answered when it is expanded: add expand=team."),
    (
        Intent("heroes", fields=("team.heroes.name",), expand=("team",)),
        "'team.heroes.name' is answered when it is expanded: add expand=team.heroes.",
    ),
    (Intent("teams", sort=("heroes",)), "'heroes' is a relation; name one of its fields"),
    (Intent("heros"), "There is no resource 'heros' here. Did you mean 'heroes'?"),
    (Intent("teams", ("1",), "Heros"), "teams has no collection 'Heros'. Did you mean 'heroes'?"),
]  # fmt: skip


@pytest.mark.parametrize(("intent", "said"), SAID, ids=[said for _, said in SAID])
def test_a_mistake_is_told_with_what_was_meant(intent: Intent, said: str) -> None:
    with pytest.raises((BadRequest, NotFound)) as refused:
        planned(intent)

    assert said in refused.value.detail


UNSEEN = [
    asks("wage__gt_"),
    Intent("vault"),
    Intent("heroes", ("1",), "vault"),
    Intent("heroes", fields=("vaults.row",)),
    Intent("heroes", sort=("vaults",)),
]


@pytest.mark.parametrize("intent", UNSEEN)
def test_a_mistake_is_told_without_what_is_hidden(intent: Intent) -> None:
    told = POLICIES | {"heroes": Policy(read=public, fields={"wage": role("boss")})}
    rulebook = Rulebook({name: chapter_from(SCHEMA[name], told[name]) for name in SCHEMA})

    with pytest.raises((BadRequest, NotFound)) as refused:
        plan_read(intent, Sight(SCHEMA, rulebook, ANONYMOUS), SIGNER)

    assert refused.value.detail.startswith(("Unknown", "There is no", "heroes has no"))
    assert "Did you mean" not in refused.value.detail
