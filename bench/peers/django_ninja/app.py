"""django-ninja: schemas, functions, an authenticator; as its tutorial writes it."""

import hashlib
import json

from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path

app = get_wsgi_application()

from datetime import date  # noqa: E402

from league.models import Hero, Team  # noqa: E402
from ninja import NinjaAPI, Schema  # noqa: E402
from ninja.errors import HttpError  # noqa: E402

api = NinjaAPI()


class HeroIn(Schema):
    name: str
    city: str
    age: int | None = None
    score: int
    rating: float
    is_active: bool = True
    joined: date
    team_id: int


class HeroPatch(Schema):
    score: int


class HeroOut(Schema):
    id: int
    name: str
    city: str
    age: int | None
    score: int
    rating: float
    is_active: bool
    joined: date
    owner_id: str | None
    team_id: int


class TeamOut(Schema):
    id: int
    name: str
    city: str


class HeroWithTeam(HeroOut):
    team: TeamOut


class TeamWithHeroes(TeamOut):
    heroes: list[HeroOut]


class Heroes(Schema):
    items: list[HeroOut]
    next: str | None = None


class HeroesWithTeam(Schema):
    items: list[HeroWithTeam]


class TeamsWithHeroes(Schema):
    items: list[TeamWithHeroes]


class HeroesCounted(Schema):
    items: list[HeroOut]
    total: int


def owner_of(request: HttpRequest) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    if header != "Bearer bench-token":
        raise HttpError(401, "Unauthorized")
    return "user-1"


def visible(request: HttpRequest):
    owner = owner_of(request)
    return Hero.objects.all() if owner is None else Hero.objects.filter(owner_id=owner)


@api.get("/heroes", response=Heroes)
def read_heroes(request, limit: int = 50):
    return {"items": list(visible(request).order_by("id")[:limit])}


@api.get("/heroes-with-team", response=HeroesWithTeam)
def read_heroes_with_team(request, limit: int = 50):
    return {"items": list(visible(request).select_related("team").order_by("id")[:limit])}


@api.get("/teams-with-heroes", response=TeamsWithHeroes)
def read_teams_with_heroes(request, limit: int = 20):
    loaded = Prefetch("heroes", visible(request).order_by("id"))
    return {"items": list(Team.objects.prefetch_related(loaded).order_by("id")[:limit])}


@api.get("/heroes-by-score", response=Heroes)
def read_heroes_by_score(request, min_age: int, limit: int = 50, after: str | None = None):
    found = visible(request).filter(age__gte=min_age)
    if after is not None:
        score, key = map(int, after.split(","))
        found = found.filter(Q(score__lt=score) | Q(score=score, id__lt=key))
    heroes = list(found.order_by("-score", "-id")[:limit])
    last = f"{heroes[-1].score},{heroes[-1].id}"
    address = f"/api/heroes-by-score?min_age={min_age}&limit={limit}&after={last}"
    return {"items": heroes, "next": address}


@api.get("/heroes-counted", response=HeroesCounted)
def read_heroes_counted(request, limit: int = 1):
    found = visible(request).order_by("id")
    return {"items": list(found[:limit]), "total": found.count()}


@api.post("/heroes", response={201: HeroOut})
def create_hero(request, new: HeroIn):
    return 201, Hero.objects.create(**new.dict(), owner_id=owner_of(request))


@api.post("/heroes/batch", response={201: Heroes})
def create_heroes(request, new: list[HeroIn]):
    owner = owner_of(request)
    made = [Hero(**each.dict(), owner_id=owner) for each in new]
    return 201, {"items": Hero.objects.bulk_create(made)}


@api.get("/heroes/{hero_id}", response=HeroOut)
def read_hero(request, hero_id: int, response: HttpResponse):
    hero = get_object_or_404(visible(request), id=hero_id)
    response["ETag"] = etag(hero)
    return hero


@api.patch("/heroes/{hero_id}", response=HeroOut)
@transaction.atomic
def update_hero(request, hero_id: int, change: HeroPatch, response: HttpResponse):
    hero = get_object_or_404(visible(request), id=hero_id)
    sent = request.headers.get("if-match")
    if sent is not None and sent != etag(hero):
        raise HttpError(412, "Precondition Failed")
    hero.score = change.score
    hero.save(update_fields=["score"])
    response["ETag"] = etag(hero)
    return hero


def etag(hero: Hero) -> str:
    shown = HeroOut.from_orm(hero).model_dump_json()
    return f'"{hashlib.blake2b(json.dumps(shown).encode(), digest_size=12).hexdigest()}"'


urlpatterns = [path("api/", api.urls)]
