"""Lists as CSV and NDJSON: all of their rows, in bounded pieces, each value as it is."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import JSON, Column, ForeignKey, Integer, MetaData, Numeric, String, Table, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship

from tilth import Actor, Policy, Tilth, me, public
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]

CSV, NDJSON = {"accept": "text/csv"}, {"accept": "application/x-ndjson"}
ROWS = 1203


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    items: Mapped[list[Item]] = relationship(back_populates="shop")


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    sold: Mapped[bool | None]
    data: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    takes: Mapped[timedelta | None]
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id"))
    shop: Mapped[Shop | None] = relationship(back_populates="items")


class Entry(Base):
    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int | None]
    owner: Mapped[str]


log_tables = MetaData()
lines = Table(
    "log_line",
    log_tables,
    Column("at", Integer),
    Column("text", String),
    info={"tilth_no_key": True},
)


class LogLine:
    pass


registry(metadata=log_tables).map_imperatively(LogLine, lines, primary_key=[lines.c.at])

ITEMS: list[dict[str, Any]] = [
    {"id": 1, "name": "", "price": Decimal("1.50"), "sold": True, "data": {"a": [1, "é"]}},
    {"id": 2, "name": None, "takes": timedelta(minutes=90)},
    {"id": 3, "name": 'say "hi", you\r\nthere', "shop_id": 1, "sold": False, "data": "null"},
    {"id": 4, "name": "😀=1+1", "shop_id": 2},
]


@pytest.fixture(scope="module")
def ask(module_url: str, serve_for_module: Any) -> Ask:
    engine = sync_engine(module_url)
    create_missing_tables(engine, [Base.metadata, log_tables])
    with engine.begin() as connection:
        connection.execute(insert(Shop), [{"id": 1, "name": "Corner"}, {"id": 2, "name": None}])
        for item in ITEMS:
            connection.execute(insert(Item), item)
        entries = [
            {"id": n, "rank": None if n % 7 == 0 else n % 10, "owner": "bob" if n % 3 else "eve"}
            for n in range(ROWS)
        ]
        connection.execute(insert(Entry), entries)
        connection.execute(insert(lines), [{"at": n // 5, "text": str(n)} for n in range(ROWS)])
    engine.dispose()
    app = Tilth(module_url, readers=[actor_reader])
    app.expose(Shop, Policy(read=public))
    app.expose(Item, Policy(read=public))
    app.expose(Entry, Policy(read=Entry.owner == me.id))
    app.expose(LogLine, Policy(read=public))
    served: Ask = serve_for_module(app)
    return served


CSV_ANSWERS = {
    "/api/items": (
        "id,name,price,sold,data,takes,shop_id\r\n"
        '1,"",1.50,true,"{""a"":[1,""é""]}",,\r\n'
        "2,,,,,PT1H30M,\r\n"
        '3,"say ""hi"", you\r\nthere",,false,null,,1\r\n'
        "4,😀=1+1,,,,,2\r\n"
    ),
    "/api/items?fields=name,id&sort=-id&limit=2": (
        'name,id\r\n😀=1+1,4\r\n"say ""hi"", you\r\nthere",3\r\n'
    ),
    "/api/items?fields=id&expand=shop&id__gte=2": (
        "id,shop.id,shop.name\r\n2,,\r\n3,1,Corner\r\n4,2,\r\n"
    ),
    "/api/shops?expand=items&fields=id,items.id": (
        'id,items\r\n1,"[{""id"":3}]"\r\n2,"[{""id"":4}]"\r\n'
    ),
    "/api/items?fields=name&id__in=1,2": 'name\r\n""\r\n""\r\n',
    "/api/items?id=99&fields=id,name": "id,name\r\n",
    "/api/shops/1/items?fields=id,sold": "id,sold\r\n3,false\r\n",
}


@pytest.mark.parametrize("path", CSV_ANSWERS)
def test_csv(ask: Ask, path: str) -> None:
    answer = ask(path, headers=CSV)

    assert answer.content.decode() == CSV_ANSWERS[path]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


def test_csv_is_a_file_to_download(ask: Ask) -> None:
    disposition = ask("/api/items", headers=CSV).headers["content-disposition"]

    assert disposition == "attachment; filename*=UTF-8''items.csv"


def test_ndjson_has_the_rows_of_the_list(ask: Ask) -> None:
    path = "/api/items?expand=shop&sort=-name"
    answer = ask(path, headers=NDJSON)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("}\n")
    assert [json.loads(line) for line in answer.text.splitlines()] == ask(path).json()["items"]


BOB = Actor("bob")


@pytest.mark.parametrize("sort", ["id", "-rank", "rank,-id"])
def test_export_has_every_row_once_in_order(ask: Ask, sort: str) -> None:
    text = ask(f"/api/entries?sort={sort}", by=BOB, headers=CSV).text
    rows = [(int(r["id"]), r["rank"]) for r in csv.DictReader(io.StringIO(text, newline=""))]

    wanted = [(n, "" if n % 7 == 0 else str(n % 10)) for n in range(ROWS) if n % 3]
    if sort == "-rank":
        wanted.sort(key=lambda row: (row[1] != "", -int(row[1] or 0), row[0]))
    if sort == "rank,-id":
        wanted.sort(key=lambda row: (row[1] == "", int(row[1] or 0), -row[0]))
    assert rows == wanted


def test_export_of_rows_without_a_key_has_every_row(ask: Ask) -> None:
    found = ask("/api/log-lines?sort=at", headers=NDJSON).text.splitlines()

    assert sorted(int(json.loads(line)["text"]) for line in found) == list(range(ROWS))


def test_export_with_a_limit_is_one_page_and_with_a_cursor_the_rest(ask: Ask) -> None:
    first = ask("/api/entries?limit=100", by=BOB).json()
    page = ask("/api/entries?limit=100", by=BOB, headers=NDJSON).text.splitlines()
    rest = ask(first["next"].replace("limit=100&", ""), by=BOB, headers=NDJSON).text.splitlines()

    assert [json.loads(line) for line in page] == first["items"]
    assert len(rest) == len([n for n in range(ROWS) if n % 3]) - 100


def test_export_from_an_offset_goes_on_to_the_end(ask: Ask) -> None:
    text = ask("/api/entries?offset=700", by=BOB, headers=NDJSON).text

    ids = [json.loads(line)["id"] for line in text.splitlines()]
    assert ids == [n for n in range(ROWS) if n % 3][700:]


def test_export_comes_in_pieces_of_500_rows(module_url: str) -> None:
    """Asked without a client: httpx collects what it is sent."""
    app = Tilth(module_url, readers=[])
    app.expose(LogLine, Policy(read=public))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask_and_close() -> None:
        await app(
            {
                "type": "http",
                "method": "GET",
                "path": "/api/log-lines",
                "raw_path": b"/api/log-lines",
                "query_string": b"",
                "headers": [(b"accept", b"application/x-ndjson")],
                "http_version": "1.1",
                "scheme": "http",
                "server": ("test", 80),
                "client": ("test", 1),
                "root_path": "",
            },
            receive,
            send,
        )
        await app.freeze().store.database.close()

    asyncio.run(ask_and_close())

    rows = [message["body"].count(b"\n") for message in sent if message.get("body")]
    assert rows == [500, 500, 203]


REFUSED = {
    "/api/items?sort=nam": 400,
    "/api/nothing": 404,
    "/api/shops/9/items": 404,
    "/api/items?limit=0": 400,
}


@pytest.mark.parametrize("path", REFUSED)
def test_mistake_is_a_problem_also_in_an_export(ask: Ask, path: str) -> None:
    answer = ask(path, headers=CSV)

    assert answer.status_code == REFUSED[path], answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == ask(path).json()["detail"]
