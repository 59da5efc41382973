"""The floor: ASGI written by hand over the driver. What any framework's answer costs at least.

It answers the scenarios and nothing else: no validation, no negotiation, no errors. Every line of
it is there because the bytes have to be.
"""

import os
import sqlite3
from collections.abc import Callable
from urllib.parse import parse_qs

import asyncpg
import orjson

URL = os.environ["TILTH_DATABASE"]
TOKEN = b"Bearer bench-token"
OWNER = "user-1"
HERO = [
    "id",
    "name",
    "city",
    "age",
    "score",
    "rating",
    "is_active",
    "joined",
    "owner_id",
    "team_id",
]
TEAM = ["id", "name", "city"]
IS_SQLITE = URL.startswith("sqlite")
MARK = "?" if IS_SQLITE else "$"


def columns(table: str, names: list[str]) -> str:
    cast = "" if IS_SQLITE else "::text"
    return ", ".join(f"{table}.{n}{cast if n == 'joined' else ''}" for n in names)


H, T = columns("hero", HERO), columns("team", TEAM)
OBJECT = "json_object" if IS_SQLITE else "json_build_object"
LIST = "json_group_array" if IS_SQLITE else "json_agg"
ACTIVE = "json(iif({0}, 'true', 'false'))" if IS_SQLITE else "{0}"
PAIRS = ", ".join(
    f"'{n}', " + (ACTIVE.format(f"hero.{n}") if n == "is_active" else f"hero.{n}") for n in HERO
)


def mine(owner: str | None, place: int, word: str = "WHERE") -> str:
    return f" {word} hero.owner_id = {mark(place)}" if owner else ""


def mark(place: int) -> str:
    return "?" if IS_SQLITE else f"${place}"


class Sqlite:
    def __init__(self) -> None:
        path = URL.removeprefix("sqlite:///")
        self.connection = sqlite3.connect(path, isolation_level=None, cached_statements=512)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self.connection.execute(f"PRAGMA {pragma}")

    async def fetch(self, sql: str, *values: object) -> list[tuple]:
        return self.connection.execute(sql, values).fetchall()

    async def many(self, sql: str, rows: list[tuple]) -> list[int]:
        self.connection.execute("BEGIN IMMEDIATE")
        made = [self.connection.execute(sql, row).fetchone()[0] for row in rows]
        self.connection.execute("COMMIT")
        return made


class Postgres:
    def __init__(self) -> None:
        self.idle: list[asyncpg.Connection] = []

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        connection = self.idle.pop() if self.idle else await self.connect()
        try:
            return await connection.fetch(sql, *values)
        finally:
            self.idle.append(connection)

    async def many(self, sql: str, rows: list[tuple]) -> list[int]:
        connection = self.idle.pop() if self.idle else await self.connect()
        try:
            async with connection.transaction():
                return [row[0] for row in await connection.fetchmany(sql, rows)]
        finally:
            self.idle.append(connection)

    async def connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(URL)
        for name in ("date",):
            await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str)
        return connection


database = Sqlite() if IS_SQLITE else Postgres()


def hero(row: tuple) -> dict:
    made = dict(zip(HERO, row, strict=False))
    made["is_active"] = bool(row[6])
    return made


async def one(owner: str | None, key: str) -> tuple[bytes, int]:
    sql = f"SELECT {H} FROM hero WHERE hero.id = {mark(1)}" + mine(owner, 2, "AND")
    [row] = await database.fetch(sql, int(key), *([owner] if owner else []))
    return orjson.dumps(hero(row)), row[4]


async def listed(owner: str | None, query: dict) -> bytes:
    sql = f"SELECT {H} FROM hero{mine(owner, 1)} ORDER BY hero.id LIMIT {mark(2 if owner else 1)}"
    return page(await database.fetch(sql, *([owner] if owner else []), 51), hero)


async def with_team(owner: str | None, query: dict) -> bytes:
    sql = (
        f"SELECT {H}, {T} FROM hero JOIN team ON team.id = hero.team_id{mine(owner, 1)}"
        f" ORDER BY hero.id LIMIT {mark(2 if owner else 1)}"
    )

    def both(row: tuple) -> dict:
        return {**hero(row), "team": dict(zip(TEAM, row[10:], strict=False))}

    return page(await database.fetch(sql, *([owner] if owner else []), 51), both)


async def with_heroes(owner: str | None, query: dict) -> bytes:
    heroes = f"SELECT * FROM hero WHERE hero.team_id = page.id{mine(owner, 1, 'AND')} ORDER BY id"
    sql = (
        f"SELECT page.id, page.name, page.city, (SELECT {LIST}({OBJECT}({PAIRS})) FROM ({heroes})"
        f" AS hero) FROM (SELECT {T} FROM team ORDER BY id LIMIT {mark(2 if owner else 1)}) AS page"
        " ORDER BY page.id"
    )

    def both(row: tuple) -> dict:
        heroes = orjson.loads(row[3] or "[]")
        return {"id": row[0], "name": row[1], "city": row[2], "heroes": heroes}

    return page(await database.fetch(sql, *([owner] if owner else []), 21), both, 20)


async def by_score(owner: str | None, query: dict) -> bytes:
    values: list = [int(query["min_age"][0])]
    terms = f"hero.age >= {mark(1)}"
    if owner:
        values.append(owner)
        terms += f" AND hero.owner_id = {mark(2)}"
    if "after" in query:
        score, key = map(int, query["after"][0].split(","))
        at = len(values)
        terms += f" AND (hero.score, hero.id) < ({mark(at + 1)}, {mark(at + 2)})"
        values += [score, key]
    sql = (
        f"SELECT {H} FROM hero WHERE {terms} ORDER BY hero.score DESC, hero.id DESC"
        f" LIMIT {mark(len(values) + 1)}"
    )
    rows = await database.fetch(sql, *values, 51)
    after = f"{rows[49][4]},{rows[49][0]}"
    address = f"/api/heroes-by-score?min_age={values[0]}&limit=50&after={after}"
    return page(rows, hero, address=address)


async def counted(owner: str | None, query: dict) -> bytes:
    where = mine(owner, 1)
    values = [owner] if owner else []
    sql = (
        f"SELECT (SELECT count(*) FROM hero{where}), {H} FROM hero{where} ORDER BY hero.id LIMIT 1"
    )
    [row] = await database.fetch(sql, *(values * 2 if IS_SQLITE else values))
    return orjson.dumps({"items": [hero(row[1:])], "next": NEXT, "prev": None, "total": row[0]})


# As long as the address of a next page that Tilth writes.
NEXT = "/api/heroes?limit=50&cursor=" + "x" * 30


def page(rows: list, each: Callable, limit: int = 50, address: str = NEXT) -> bytes:
    more = address if len(rows) > limit else None
    return orjson.dumps({"items": [each(row) for row in rows[:limit]], "next": more, "prev": None})


INSERT = (
    f"INSERT INTO hero ({', '.join(HERO[1:])})"
    f" VALUES ({', '.join(mark(place) for place in range(1, 10))}) RETURNING id"
)


def values_of(body: dict, owner: str | None) -> tuple:
    return (*(body.get(name) for name in HERO[1:8]), owner, body["team_id"])


async def create(owner: str | None, body: bytes) -> bytes:
    values = values_of(orjson.loads(body), owner)
    [row] = await database.fetch(INSERT, *values)
    return orjson.dumps(dict(zip(HERO, (row[0], *values), strict=True)))


async def create_many(owner: str | None, body: bytes) -> bytes:
    rows = [values_of(each, owner) for each in orjson.loads(body)]
    keys = await database.many(INSERT, rows)
    made = [dict(zip(HERO, (k, *v), strict=True)) for k, v in zip(keys, rows, strict=True)]
    return orjson.dumps({"items": made})


async def change(owner: str | None, key: str, body: bytes, etag: bytes) -> tuple[bytes, int]:
    """The tag is the score, which every change of the scenario changes."""
    sql = (
        f"UPDATE hero SET score = {mark(1)} WHERE hero.id = {mark(2)} AND hero.score = {mark(3)}"
        f"{mine(owner, 4, 'AND')} RETURNING {H.replace('hero.', '')}"
    )
    values = [orjson.loads(body)["score"], int(key), int(etag[1:-1])]
    [row] = await database.fetch(sql, *values, *([owner] if owner else []))
    return orjson.dumps(hero(row)), row[4]


LISTS = {
    "/api/heroes": listed,
    "/api/heroes-with-team": with_team,
    "/api/teams-with-heroes": with_heroes,
    "/api/heroes-by-score": by_score,
    "/api/heroes-counted": counted,
}


async def app(scope: dict, receive: Callable, send: Callable) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    owner, etag = None, b""
    for name, value in scope["headers"]:
        if name == b"authorization" and value == TOKEN:
            owner = OWNER
        elif name == b"if-match":
            etag = value
    path, status = scope["path"], 200
    headers = [(b"content-type", b"application/json")]
    if scope["method"] == "GET":
        if answer := LISTS.get(path):
            body = await answer(owner, parse_qs(scope["query_string"].decode()))
        else:
            body, score = await one(owner, path.rpartition("/")[2])
            headers.append((b"etag", b'"%d"' % score))
    else:
        sent = await read(receive)
        if scope["method"] == "PATCH":
            body, score = await change(owner, path.rpartition("/")[2], sent, etag)
            headers.append((b"etag", b'"%d"' % score))
        else:
            status = 201
            body = await (create_many if path.endswith("/batch") else create)(owner, sent)
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Callable) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
