"""A shape of a read becomes one statement, in which no value of a request is ever text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.kernel.plan.cursor import Signer
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import plan_read
from tilth.kernel.plan.shape import ReadPlan
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.policy.rules import me, owner, public, role
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.store.binds import arguments
from tilth.kernel.store.engine import open_database
from tilth.kernel.store.run import STATEMENTS, Store
from tilth.kernel.store.statement import Statement, statement_for
from tilth.settings import StoreSettings


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tenant: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")


OPEN = {"teams": Policy(read=public), "heroes": Policy(read=public)}
TENANTS = {
    "teams": Policy(read=Team.tenant == me.tenant),
    "heroes": Policy(read=public, fields={"age": owner("name")}),
}
SIGNER = Signer(b"secret")
URLS = {"sqlite": "sqlite:///never-opened.db", "postgresql": "postgresql://nobody@nowhere/nothing"}


@pytest.fixture(params=list(URLS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return open_database(URLS[request.param], StoreSettings()).dialect


Compiled = Callable[..., tuple[ReadPlan, Statement]]


@pytest.fixture
def compiled(dialect: Dialect) -> Compiled:
    """compiled(intent, policies) by an actor of tenant "red"."""
    schema, _ = schema_from([Exposure(Team), Exposure(Hero, search=("name",))], dialect.name)

    def compile_(intent: Intent, policies: dict[str, Policy] = OPEN) -> tuple[ReadPlan, Statement]:
        book = Rulebook({name: chapter_from(schema[name], policies[name]) for name in schema})
        plan = plan_read(intent, Sight(schema, book, ACTOR), SIGNER)
        return plan, statement_for(plan.shape, dialect)

    return compile_


ACTOR = Actor("SECRET-ID", tenant="SECRET-TENANT", roles=frozenset({"SECRET-ROLE"}))

READS = [
    Intent("heroes"),
    Intent("heroes", lookups=(("name", "SECRET-1"), ("age__in", "77771,77772,77773"))),
    Intent("heroes", filter='name contains "SECRET-2" and any(team, name = "SECRET-3")'),
    Intent("heroes", q="SECRET-4", sort=("-age", "team.name"), limit=177, offset=7777),
    Intent(
        "heroes", expand=("team.heroes",), count="exact", lookups=(("name__iexact", "SECRET-5"),)
    ),
    Intent("heroes", key=("77774",), expand=("team",)),
    Intent("teams", key=("77775",), relation="heroes", count="exact"),
]


@pytest.mark.parametrize("policies", [OPEN, TENANTS], ids=["open", "tenants"])
@pytest.mark.parametrize("intent", READS, ids=str)
def test_no_value_is_in_the_text(
    compiled: Compiled, intent: Intent, policies: dict[str, Policy]
) -> None:
    plan, statement = compiled(intent, policies)

    assert "SECRET" not in statement.sql
    assert "7777" not in statement.sql
    assert "177" not in statement.sql
    sent = arguments(statement.parameters, plan, ACTOR)
    placeholders = re.findall(r"\?|\$\d+", statement.sql)
    assert len(placeholders) == len(sent)
    assert set(map(str, plan.values)) <= set(map(str, sent))


def test_relation_in_a_filter_is_an_exists_and_never_a_join(compiled: Compiled) -> None:
    _, statement = compiled(Intent("teams", lookups=(("heroes__age__gte", "7"),)))

    assert statement.sql.count("EXISTS") == 1
    assert "JOIN" not in statement.sql


def test_relation_to_one_is_joined_once_however_often_it_is_asked_for(compiled: Compiled) -> None:
    _, statement = compiled(Intent("heroes", expand=("team",), sort=("team.name", "team.tenant")))

    assert statement.sql.count("JOIN") == 1


def test_relation_to_many_is_collected_outside_the_page(compiled: Compiled) -> None:
    """So only for the rows that are answered."""
    _, statement = compiled(Intent("teams", expand=("heroes",)))

    outer, page = statement.sql.rsplit("FROM (SELECT", 1)
    assert "hero" in outer
    assert "hero" not in page
    assert "LIMIT" in page


@pytest.mark.parametrize(
    "intent",
    [
        Intent("teams"),
        Intent("teams", key=("1",)),
        Intent("heroes", expand=("team",)),
        Intent("heroes", sort=("team.name",)),
        Intent("heroes", lookups=(("team__name", "x"),)),
        Intent("heroes", lookups=(("team__isnull", "true"),)),
        Intent("heroes", filter="any(team.heroes)"),
        Intent("teams", key=("1",), relation="heroes"),
    ],
    ids=str,
)
def test_rule_of_a_resource_is_asked_wherever_it_stands(compiled: Compiled, intent: Intent) -> None:
    _, statement = compiled(intent, TENANTS)

    teams = len(re.findall(r"(?:FROM|JOIN) team\b", statement.sql))
    asked = [parameter for parameter in statement.parameters if parameter.origin == "tenant"]
    assert len(asked) == teams >= 1


def test_masked_field_is_a_case_in_every_use(compiled: Compiled) -> None:
    sorted_, filtered, shown = (
        compiled(intent, TENANTS)[1].sql
        for intent in (
            Intent("heroes", sort=("age",), fields=("id",)),
            Intent("heroes", lookups=(("age", "7"),), fields=("id",)),
            Intent("heroes", fields=("age",)),
        )
    )

    for text in (sorted_, filtered, shown):
        assert text.count("CASE WHEN") == 1
        # Inside the view made for the policy age is c2 as it is stored, and v0 as it may be read.
        assert ("anon_1.v0" in text, "anon_1.c2" in text) == (True, False)


def test_only_asked_for_totals_are_counted(compiled: Compiled) -> None:
    plain, counted = (
        compiled(intent)[1] for intent in (Intent("heroes"), Intent("heroes", count="exact"))
    )

    assert ("count" in plain.sql, plain.head) == (False, False)
    assert (counted.sql.count("count(*)"), counted.head) == (1, True)


WINDOWS = [
    (("name",), "after", ("a", 1), "({0}, {1}) > ("),
    (("name",), "before", ("a", 1), "({0}, {1}) < ("),
    (("-name", "-id"), "after", ("a", 1), "({0}, {1}) < ("),
    (("-name",), "after", ("a", 1), "{0} < "),
    (("age",), "after", (None, 1), "{0} IS NULL"),
]


@pytest.mark.parametrize(("sort", "direction", "keys", "condition"), WINDOWS)
def test_cursor_becomes_a_comparison(
    compiled: Compiled, sort: tuple[str, ...], direction: Any, keys: Any, condition: str
) -> None:
    binding = compiled(Intent("heroes", sort=sort))[0].binding
    cursor = SIGNER.seal(binding, direction, keys)

    sql = compiled(Intent("heroes", sort=sort, cursor=cursor))[1].sql

    first = sort[0].removeprefix("-")
    assert condition.format(f"hero_1.{first}", "hero_1.id") in sql.replace("anon_1", "hero_1")


def test_parameters_that_only_differ_in_value_share_a_statement() -> None:
    store = Store(open_database(URLS["sqlite"], StoreSettings()))
    schema, _ = schema_from([Exposure(Team), Exposure(Hero)], "sqlite")
    sight = Sight(schema, Rulebook({n: chapter_from(schema[n], OPEN[n]) for n in schema}), ACTOR)

    def statement(age: int) -> Statement:
        intent = Intent("heroes", lookups=(("age", str(age)),), limit=age)
        return store.statement(plan_read(intent, sight, SIGNER).shape)

    assert statement(1) is statement(2)


def test_store_forgets_the_shapes_used_longest_ago() -> None:
    store = Store(open_database(URLS["sqlite"], StoreSettings()))
    schema, _ = schema_from([Exposure(Team), Exposure(Hero)], "sqlite")
    sight = Sight(schema, Rulebook({n: chapter_from(schema[n], OPEN[n]) for n in schema}), ACTOR)

    def statement(parts: int) -> Statement:
        text = " or ".join(["id = 1"] * parts)
        return store.statement(plan_read(Intent("teams", filter=text), sight, SIGNER).shape)

    first, second = statement(1), statement(2)
    for parts in range(3, 42):
        for again in (1, parts):
            statement(again)

    assert STATEMENTS >= 42
    assert (statement(1) is first, statement(2) is second) == (True, True)


def test_role_policy_decides_without_asking_the_database(compiled: Compiled) -> None:
    policies = {**OPEN, "heroes": Policy(read=role("SECRET-ROLE"))}

    assert "WHERE" not in compiled(Intent("heroes"), policies)[1].sql
