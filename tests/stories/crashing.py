"""A small application whose changes are told; run as a script, it writes one row and is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import httpx
from sqlalchemy import Column, ForeignKey, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Event, Policy, Tilth, public
from tilth.settings import RelaySettings, Settings

# What a test waits for comes at once; what it must not wait for never comes.
QUICK = RelaySettings(poll_seconds=0.05, call_seconds=0.3, retry_seconds=0.01, attempts=3)


class Base(DeclarativeBase):
    pass


hero_power = Table(
    "hero_power",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("power_id", ForeignKey("power.id"), primary_key=True),
)


class Power(Base):
    __tablename__ = "power"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    powers: Mapped[list[Power]] = relationship(secondary=hero_power)
    gadgets: Mapped[list[Gadget]] = relationship(cascade="all, delete-orphan")


class Gadget(Base):
    __tablename__ = "gadget"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"))


def application(url: str, relay: RelaySettings = QUICK) -> Tilth:
    app = Tilth(url, settings=Settings(relay=relay))
    for model in (Power, Hero, Gadget):
        app.expose(model, Policy(read=public, write=public))
    return app


async def main(url: str, moment: str) -> None:
    """Dies before the event is taken, or in the middle of telling it."""
    app = application(url)

    @app.on("hero.created", name="mail")
    async def die(event: Event) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        if moment == "before it is taken":
            await client.post("/api/heroes", json={"name": "Storm"})
            os.kill(os.getpid(), signal.SIGKILL)
        async with app.router.lifespan_context(app):
            await client.post("/api/heroes", json={"name": "Storm"})
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
