"""What the questions of queries.py and the deletions of cascades.py do, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from tilth import Actor, Policy, SyncScope, Tilth, public
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import max_queries

from . import cascades, queries
from .app import heroes
from .cascades import Album, Archive, Article, File, Newspaper, Photograph
from .data import seed
from .models import Base, Hero, HeroMission, Mission, Part, Power, Team

LEAGUE = Actor("user-1", roles=frozenset({"league", "admin"}))


@pytest.fixture
def scope(database_url: str) -> Iterator[SyncScope]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    seed(engine)
    engine.dispose()
    with heroes(database_url).scope(LEAGUE) as scope:
        yield scope


def test_a_query_set_asks_once_and_only_when_rows_are_needed(scope: SyncScope) -> None:
    with max_queries(0):
        found = queries.flying_heroes(scope, "Vell")
    with max_queries(1):
        names = [hero.name for hero in found]
        assert names == sorted(hero.name for hero in found)
    assert names


def test_expressions_and_lookups_go_together(scope: SyncScope) -> None:
    assert 0 < queries.young_or_lost(scope) < scope.objects(Hero).count()


def test_an_inner_join_has_fewer_rows_than_an_outer_one(scope: SyncScope) -> None:
    alone = scope.objects(Hero).filter(team__isnull=True).count()

    assert alone > 0
    assert queries.heroes_with_teams(scope) == 800 - alone
    assert queries.heroes_with_or_without_teams(scope) == 800
    rows = queries.names_and_cities(scope)
    assert (len(rows), sum(row["team__city"] is None for row in rows)) == (800, alone)


def test_both_ends_of_a_relation_agree_before_anything_is_stored() -> None:
    team, hero = Team(name="New"), Hero(name="Newer")

    queries.joining(team, hero)

    assert (hero.team, team.heroes) == (team, [hero])


def test_a_link_has_columns_of_its_own_or_none(scope: SyncScope) -> None:
    hero = scope.objects(Hero).create(name="Newer", joined_at="2026-01-01T00:00:00Z")
    mission = scope.objects(Mission).first()
    flight = scope.objects(Power).get(name="Flight")
    assert mission is not None

    link = queries.send(scope, hero, mission, Part.lookout)
    queries.learn(scope, hero, flight)

    assert (link.hero, link.mission, link.part) == (hero, mission, Part.lookout)
    assert scope.objects(HeroMission).filter(hero=hero).count() == 1
    assert scope.objects(Hero).filter(powers=flight, name="Newer").exists()


def test_heroes_of_all_teams_take_two_statements(scope: SyncScope) -> None:
    with max_queries(2):
        sizes = queries.team_sizes(scope)

    assert len(sizes) == 40
    assert sum(sizes.values()) == queries.heroes_with_teams(scope)


def test_a_name_is_found_by_its_index(scope: SyncScope) -> None:
    plan = queries.plan_of_a_name(scope, "Copper Lantern")

    assert "ix_hero_name" in plan


FAMILIES: list[tuple[Any, Any, str]] = [
    (Album, Photograph, "album_id"),
    (Newspaper, Article, "newspaper_id"),
    (Archive, File, "archive_id"),
]


@pytest.mark.parametrize(("parent", "child", "key"), FAMILIES)
def test_children_go_with_their_parent(
    database_url: str, parent: Any, child: Any, key: str
) -> None:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [cascades.Base.metadata, OWN])
    engine.dispose()
    app = Tilth(database_url)
    app.expose(parent, Policy(read=public, write=public))
    app.expose(child, Policy(read=public, write=public))

    with app.scope(LEAGUE) as scope:
        scope.session.add_all([parent(id=1), parent(id=2)])
        scope.session.flush()
        scope.session.add_all(child(**{key: place}) for place in (1, 1, 1, 2))
        scope.session.flush()
        scope.session.expunge_all()
        with max_queries(100) as watch:
            scope.objects(parent).filter(id=1).delete()

        assert scope.session.scalar(select(func.count()).select_from(child)) == 1
        by_orm = [each for each in watch.asked if f"DELETE FROM {child.__tablename__}" in each.sql]
        assert bool(by_orm) is (parent is Album)
