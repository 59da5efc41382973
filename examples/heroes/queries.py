"""Questions about the league, asked in Python: each function is one thing that a query set does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, or_, select

from tilth import SyncScope

from .models import Hero, HeroMission, Mission, Part, Power, Status, Team


def flying_heroes(scope: SyncScope, city: str) -> Iterable[Hero]:
    """Lazy: nothing is asked until the rows are needed. Cached: a second loop asks nothing."""
    return scope.objects(Hero).filter(team__city=city, powers__name="Flight").order_by("name")


def young_or_lost(scope: SyncScope) -> int:
    """SQLAlchemy's expressions beside the lookups of the API, in one query."""
    young = Hero.born_on.is_not(None) & (func.extract("year", Hero.born_on) >= 1985)
    return scope.objects(Hero).filter(or_(young, Hero.status == Status.missing)).count()


def heroes_with_teams(scope: SyncScope) -> int:
    """An inner join leaves out heroes without a team."""
    found = scope.session.execute(select(Hero.id, Team.name).join(Hero.team))
    return len(found.all())


def heroes_with_or_without_teams(scope: SyncScope) -> int:
    """A left outer join keeps them, with None for the team."""
    found = scope.session.execute(select(Hero.id, Team.name).join(Hero.team, isouter=True))
    return len(found.all())


def names_and_cities(scope: SyncScope) -> list[dict[str, Any]]:
    """Fields of a to-one relation come by a left outer join: nobody is left out."""
    return scope.objects(Hero).order_by("id").values("name", "team__city")


def joining(team: Team, hero: Hero) -> None:
    """back_populates: both ends know of each other at once, before anything is stored."""
    hero.team = team
    assert hero in team.heroes


def send(scope: SyncScope, hero: Hero, mission: Mission, part: Part) -> HeroMission:
    """Many-to-many with columns of its own: the link is a model like any other."""
    return scope.objects(HeroMission).create(hero=hero, mission=mission, part=part)


def learn(scope: SyncScope, hero: Hero, power: Power) -> None:
    """Many-to-many with a bare table: a list of objects."""
    hero.powers.append(power)
    scope.session.flush()


def team_sizes(scope: SyncScope) -> dict[str, int]:
    """Two statements however many teams there are: the heroes of all come with the second."""
    return {team.name: len(team.heroes) for team in scope.objects(Team).prefetch("heroes")}


def plan_of_a_name(scope: SyncScope, name: str) -> str:
    """What the database intends to do: the index on the name serves it."""
    return scope.objects(Hero).filter(name=name).explain()
