"""Who may see what of the league, and one plain FastAPI route beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Path
from starlette.concurrency import run_in_threadpool

from tilth import Actor, Policy, Tilth, me, public, role
from tilth.kernel.store.sync import sync_engine
from tilth.runtime.web.actor import bearer_reader

from .data import seed
from .models import Hero, HeroMission, Mission, Power, Status, Team

# Everybody knows these: they show what a policy does, and protect nothing.
TOKENS = {
    "league": Actor("user-1", roles=frozenset({"league"}), method="bearer", assurance=1),
    "user-2": Actor("user-2", method="bearer", assurance=1),
    "admin": Actor("user-3", roles=frozenset({"league", "admin"}), method="bearer", assurance=1),
}


def heroes(database: str = "sqlite:///heroes.db") -> Tilth:
    """The application over one database; tests make one for each of theirs."""

    @asynccontextmanager
    async def with_sample_data(_: FastAPI) -> AsyncIterator[None]:
        engine = sync_engine(app.database_url)
        await run_in_threadpool(seed, engine)
        engine.dispose()
        yield

    app = Tilth(
        database,
        readers=[bearer_reader(TOKENS)],
        schemes={"bearer": {"type": "http", "scheme": "bearer"}},
        title="League of Heroes",
        lifespan=with_sample_data,
    )

    app.expose(Team, Policy(read=public, write=role("admin")), search=["name", "city"])
    app.expose(Power, Policy(read=public, write=role("admin")), search=["name", "description"])
    app.expose(
        Hero,
        Policy(
            # Nobody learns from the API who is missing, but the league and the hero's own account.
            read=(Hero.status != Status.missing) | (Hero.owner_id == me.id) | role("league"),
            update=Hero.owner_id == me.id,
            create=role("league"),
            delete=role("admin"),
            hidden=("emergency_phone",),
            fields={
                "real_name": (Hero.owner_id == me.id) | role("league"),
                "daily_fee": role("league"),
            },
            preset={"owner_id": me.id},
            # A hero learns new powers without changing what others know of the power itself.
            link={"powers": public},
        ),
        search=["name"],
    )
    app.expose(
        Mission,
        Policy(read=Mission.is_secret.is_(False) | role("league"), write=role("league")),
        search=["codename", "brief"],
    )
    app.expose(
        HeroMission,
        # Who took part must not tell that a secret mission exists.
        Policy(
            read=HeroMission.mission.has(Mission.is_secret.is_(False)) | role("league"),
            write=role("league"),
        ),
    )

    @app.get("/call-sign/{name}")
    async def call_sign(name: Annotated[str, Path(min_length=2, max_length=80)]) -> dict[str, str]:
        """What to call a hero on the radio: the consonants of the name."""
        letters = [letter for letter in name.upper() if letter.isalpha() and letter not in "AEIOU"]
        return {"name": name, "call_sign": "".join(letters[:6]) or name.upper()[:6]}

    return app


app = heroes()
