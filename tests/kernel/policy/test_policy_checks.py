"""Mistakes in policies are found before serving, all of them, each with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Table, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.kernel.policy.checks import missing_policy, policy_findings
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import me, owner, public, role
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    lead: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


hero_badge = Table(
    "hero_badge",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("badge_id", ForeignKey("badge.id"), primary_key=True),
)


class Badge(Base):
    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[str]


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[str]
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team] = relationship(back_populates="heroes")
    badges: Mapped[list[Badge]] = relationship(secondary=hero_badge)


SCHEMA, _ = schema_from([Exposure(Team), Exposure(Hero), Exposure(Badge)], "sqlite")


def found(policy: Policy) -> list[tuple[str, str]]:
    findings = list(policy_findings(SCHEMA["heroes"], policy, "app.py:7"))
    assert all(finding.where == "app.py:7" and finding.remedy for finding in findings)
    mistakes = [finding for finding in findings if finding.level == "error"]
    return [(finding.code, finding.subject) for finding in mistakes]


def not_a_rule(value: Any) -> Any:
    return value


MISTAKES: list[tuple[Policy, list[tuple[str, str]]]] = [
    (Policy(hidden=("nmae",)), [("policy.unknown_field", "Hero.nmae")]),
    (Policy(read_only=("x",)), [("policy.unknown_field", "Hero.x")]),
    (Policy(write_once=("x",)), [("policy.unknown_field", "Hero.x")]),
    (Policy(preset={"x": me.id}), [("policy.unknown_field", "Hero.x")]),
    (Policy(fields={"x": public}), [("policy.unknown_field", "Hero.x")]),
    (Policy(hidden=("team",)), [("policy.unknown_field", "Hero.team")]),
    (Policy(read=owner("owner")), [("policy.unknown_field", "Hero.owner")]),
    (Policy(read=role("a") | ~owner("owner")), [("policy.unknown_field", "Hero.owner")]),
    (Policy(hidden=("id",)), [("policy.hidden_key", "Hero.id")]),
    (Policy(fields={"id": role("a")}), [("policy.hidden_key", "Hero.id")]),
    (Policy(read=not_a_rule(True)), [("policy.not_a_rule", "Hero.read")]),
    (Policy(read=not_a_rule("public")), [("policy.not_a_rule", "Hero.read")]),
    (Policy(update=not_a_rule(lambda row: True)), [("policy.not_a_rule", "Hero.update")]),
    (Policy(fields={"name": not_a_rule(1)}), [("policy.not_a_rule", "Hero.fields['name']")]),
    (Policy(read=Team.lead == me.id), [("policy.stray_table", "Hero.read")]),
    (
        Policy(read=(Team.lead == me.id) & (Hero.team_id == Team.id)),
        [("policy.stray_table", "Hero.read")],
    ),
    (Policy(link={"bages": public}), [("policy.unknown_link", "Hero.bages")]),
    (Policy(link={"team": public}), [("policy.unknown_link", "Hero.team")]),
    (
        Policy(link={"badges": owner("owner_id")}),
        [("policy.owner_of_another", "Hero.link['badges']")],
    ),
    (Policy(link={"badges": Hero.name == "x"}), [("policy.stray_table", "Hero.link['badges']")]),
    (Policy(link={"badges": not_a_rule(1)}), [("policy.not_a_rule", "Hero.link['badges']")]),
    (Policy(fields={"name": Team.lead == "x"}), [("policy.stray_table", "Hero.fields['name']")]),
    (
        Policy(read=owner("x"), hidden=("y", "id"), delete=not_a_rule(0)),
        [
            ("policy.unknown_field", "Hero.y"),
            ("policy.hidden_key", "Hero.id"),
            ("policy.unknown_field", "Hero.x"),
            ("policy.not_a_rule", "Hero.delete"),
        ],
    ),
]


@pytest.mark.parametrize(("policy", "mistakes"), MISTAKES)
def test_mistakes(policy: Policy | None, mistakes: list[tuple[str, str]]) -> None:
    assert found(policy) == mistakes


FINE = [
    Policy(read=public, write=role("admin")),
    Policy(read=owner("owner_id") | (Hero.name == "x") | Hero.name.in_(me.roles)),
    Policy(read=Hero.team.has(Team.lead == me.id)),
    Policy(read=Hero.team_id.in_(select(Team.id).where(Team.lead == me.id))),
    Policy(read=public, hidden=("name",), fields={"owner_id": owner("owner_id")}),
    Policy(create=public, preset={"owner_id": me.id}, read_only=("owner_id",)),
]


@pytest.mark.parametrize("policy", FINE)
def test_policy_without_mistakes(policy: Policy) -> None:
    assert found(policy) == []


def test_close_name_is_suggested() -> None:
    [finding] = policy_findings(SCHEMA["heroes"], Policy(read=public, hidden=("nmae",)))

    assert finding.remedy == "Did you mean 'name'?"


def test_model_without_a_policy_is_a_mistake() -> None:
    finding = missing_policy(Hero, "app.py:7")

    assert (finding.code, finding.subject, finding.where) == ("policy.missing", "Hero", "app.py:7")


def test_column_with_a_mistake_of_its_own_is_no_unknown_field() -> None:
    policy = Policy(read=owner("tags"), hidden=("tags", "nmae"))

    findings = policy_findings(SCHEMA["heroes"], policy, faulty={"tags"})

    assert [finding.subject for finding in findings] == ["Hero.nmae"]


def test_rule_over_the_other_side_says_who_may_be_linked() -> None:
    assert found(Policy(link={"badges": Badge.owner_id == me.id})) == []


def test_row_that_nobody_can_complete_is_a_warning() -> None:
    closed = Policy(create=public, hidden=("name",), read_only=("owner_id",), preset={})

    warnings = [f.subject for f in policy_findings(SCHEMA["heroes"], closed) if f.level != "error"]

    assert warnings == ["Hero.name", "Hero.owner_id"]


def test_policy_that_allows_nothing_is_a_warning() -> None:
    [finding] = policy_findings(SCHEMA["heroes"], Policy(hidden=("name",)))

    assert (finding.code, finding.level) == ("policy.nothing_allowed", "warning")
