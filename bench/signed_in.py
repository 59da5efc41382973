"""What a credential adds to a request: the same read by nobody, and by somebody who is signed in.

    python bench/signed_in.py [--database sqlite:///file.db] [--publish]

Everything runs in this process, without a socket; `GET` of one row that anybody may see. Times are the
best of many rounds, of the processor; statements are those of one request, the row's own among them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvloop
from sqlalchemy import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from stages import PAGE, best, receive, send
from starlette.types import Scope
from versus.report import published

from tilth import Auth, Policy, Tilth, public
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings
from tilth.testing.queries import watching

PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuv"
HOST = "http://bench.test"
PATH = "/api/notes/1"


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@dataclass(frozen=True, slots=True)
class Cost:
    """microseconds: of the processor, for one request."""

    name: str
    microseconds: float
    statements: int


class Counting:
    """A database that counts what it was asked."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Any:
        self.asked += 1
        return await self._database.fetch(sql, arguments)


def application(url: str, auth: Auth) -> Tilth:
    app = Tilth(url, auth=auth, settings=Settings(environment="development", secret_key=SECRET))
    app.expose(Note, Policy(read=public))
    return app


def ways(mail: DevelopmentMail) -> Mapping[str, tuple[Auth, Sequence[str]]]:
    """By what is said of them: options, and the credentials that are measured with these."""
    plain: dict[str, Any] = {"mail": mail, "verify_email": False}
    every = ("nobody", "session cookie", "bearer token", "API key", "Basic")
    return {
        "": (Auth(**plain), every),
        ", signed": (Auth(**plain, sessions="cookie"), ("session cookie",)),
        ", believed": (Auth(**plain, cache_seconds=60), ("session cookie", "bearer token")),
    }


async def credentials(app: Tilth, name: str) -> dict[str, tuple[str, str]]:
    """Headers of an account that is made for it."""
    who = {"identifier": name, "password": PASSWORD}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
        await client.post("/auth/sign-up", json={"username": name, "password": PASSWORD})
        token = (await client.post("/auth/token", json=who)).json()["access_token"]
        (await client.post("/auth/sign-in", json=who)).raise_for_status()
        key = (await client.post("/auth/keys", json={"name": "bench"})).json()["key"]
        cookie = "; ".join(f"{each}={value}" for each, value in client.cookies.items())
    pair = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {
        "nobody": ("accept", "*/*"),
        "session cookie": ("cookie", cookie),
        "bearer token": ("authorization", f"Bearer {token}"),
        "API key": ("x-api-key", key),
        "Basic": ("authorization", f"Basic {pair}"),
    }


def scope_of(header: tuple[str, str]) -> Scope:
    name, value = header
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"bench.test"), (name.encode(), value.encode())],
        "server": ("bench.test", 80),
        "client": ("127.0.0.1", 1),
        "state": {},
    }


async def cost(app: Tilth, name: str, header: tuple[str, str]) -> Cost:
    async def ask() -> None:
        await app(scope_of(header), receive, send)

    # The first time a password is computed, a key is noted as used, and the read is planned.
    await ask()
    store = app.freeze().store
    plain = store.database
    store.database = counting = Counting(plain)
    with watching(None) as watch:
        await ask()
    store.database = plain
    return Cost(name, await best(ask), counting.asked + len(watch.asked))


async def measured(url: str) -> list[Cost]:
    engine, found = sync_engine(url), list[Cost]()
    mail = DevelopmentMail()
    for number, (told, (auth, names)) in enumerate(ways(mail).items()):
        app = application(url, auth)
        if not number:
            create_missing_tables(engine, [*app.freeze().own, Base.metadata])
            with engine.begin() as connection:
                connection.execute(insert(Note), [{"id": 1, "text": "x"}])
        async with app.router.lifespan_context(app):
            sent = await credentials(app, f"bench{number}")
            for name in names:
                found.append(await cost(app, f"{name}{told}", sent[name]))
    engine.dispose()
    return found


def table(costs: Sequence[Cost]) -> str:
    nobody = costs[0].microseconds
    lines = ["| by | µs | more than by nobody | statements |", "|---|---:|---:|---:|"]
    for each in costs:
        more = each.microseconds - nobody
        lines.append(f"| {each.name} | {each.microseconds:.0f} | {more:.0f} | {each.statements} |")
    return "\n".join(lines)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("--database", help="an empty one; a SQLite file by default")
    reader.add_argument("--publish", action="store_true", help="write the table into the docs")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            shown = table(runner.run(measured(url)))
    print(shown)
    if given.publish:
        published(PAGE, "signed-in", shown)


if __name__ == "__main__":
    main()
