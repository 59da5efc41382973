"""Whatever a body holds: it is refused with a 4xx, nothing is written, and the server goes on."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import (
    JSON,
    REAL,
    BigInteger,
    DateTime,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Time,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import ExactDecimal, Policy, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    red = "red"
    one = 1
    half = 0.5


class Thing(Base):
    """A column of every kind."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None] = mapped_column(unique=True)
    small: Mapped[int | None] = mapped_column(SmallInteger)
    plain: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(BigInteger)
    ratio: Mapped[float | None]
    short: Mapped[float | None] = mapped_column(REAL)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    exact: Mapped[Decimal | None] = mapped_column(ExactDecimal(38, 10))
    loose: Mapped[float | None] = mapped_column(Numeric(6, 1, asdecimal=False))
    flag: Mapped[bool | None]
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    day: Mapped[date | None]
    clock: Mapped[time | None] = mapped_column(Time)
    local: Mapped[datetime | None]
    instant: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    span: Mapped[timedelta | None] = mapped_column(Interval)
    code: Mapped[UUID | None]
    colour: Mapped[Colour | None]
    extra: Mapped[Any] = mapped_column(JSON, nullable=True)


TEXTS = ("name", "note")
FIELDS = [column.key for column in Thing.__table__.columns if column.key != "id"]


@pytest.fixture(scope="module")
def ask(
    module_url: str, fill: Callable[..., None], serve_for_module: Callable[[Tilth], Ask]
) -> Ask:
    fill(module_url, Base.metadata, [Thing(name="kept", plain=1)])
    app = Tilth(module_url)
    app.expose(Thing, Policy(read=public, write=public))
    return serve_for_module(app)


@pytest.fixture(autouse=True)
def _nothing_is_written(ask: Ask) -> Iterator[None]:
    """Not by any test of this module that is refused."""
    before = ask("/api/things?limit=200").content
    yield
    assert ask("/api/things?limit=200").content == before


def sent(ask: Ask, body: bytes | str | dict[str, Any], method: str = "POST") -> Response:
    content = json.dumps(body) if isinstance(body, dict) else body
    path = "/api/things" if method == "POST" else "/api/things/1"
    headers = {"content-type": "application/json"}
    return ask(path, method=method, content=content, headers=headers)


UNREADABLE: dict[str, tuple[bytes, int]] = {
    "truncated": (b'{"name": "x', 400),
    "two values": (b'{"name": "x"} {}', 400),
    "nothing": (b"", 400),
    "white space": (b" \n ", 400),
    "NaN": (b'{"ratio": NaN}', 400),
    "Infinity": (b'{"ratio": -Infinity}', 400),
    "more than a float holds": (b'{"ratio": 1e999}', 400),
    "more than any number": (b'{"plain": ' + b"9" * 5000 + b"}", 400),
    "single quotes": (b"{'name': 'x'}", 400),
    "a byte order mark": (b'\xef\xbb\xbf{"name": "x"}', 400),
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), 400),
    "no UTF-8": (b'{"name": "\xff\xfe"}', 400),
    "half a character": (b'{"name": "\xe2\x82"}', 400),
    "a lone surrogate": (rb'{"name": "\ud800"}', 400),
    "a lone surrogate in a name": (rb'{"\udfff": 1}', 400),
    "a control character": (b'{"name": "\x01"}', 400),
    "the same name twice": (b'{"name": "x", "name": "y"}', 400),
    "depth": (b'{"extra": ' + b"[" * 100 + b"]" * 100 + b"}", 400),
    "depth without end": (b"[" * 100_000, 400),
    "too large": (b'{"note": "' + b"x" * 2**20 + b'"}', 413),
    "a list without end": (b"[" + b"0," * 400_000, 400),
    "text": (b'"name"', 422),
    "null": (b"null", 422),
    "NUL in text": (rb'{"name": "a\u0000b"}', 422),
    "NUL in JSON": (rb'{"extra": {"a": ["b\u0000"]}}', 422),
    "NUL in a name in JSON": (rb'{"extra": {"a\u0000": 1}}', 422),
    "NUL in a name": (rb'{"name\u0000": 1}', 422),
}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("case", UNREADABLE)
def test_body_that_is_none(ask: Ask, case: str, method: str) -> None:
    body, status = UNREADABLE[case]

    answer = sent(ask, body, method)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


UNFIT: dict[str, list[Any]] = {
    "name": ["x" * 21, "😀" * 21, 5, True, ["x"], {}],
    "note": [1.5, [], {"a": 1}],
    "small": [2**15, -(2**15) - 1, 0.5, 1e30, "1", True, 10**39],
    "plain": [2**31, -(2**31) - 1, 1e-7, "", False, [1]],
    "big": [2**63, -(2**63) - 1, 1e19, "9", 10**39],
    "ratio": ["1.5", True, [], "NaN"],
    "short": [1e39, -1e300, "1"],
    "price": ["1.234", "100000000", 1e10, 0.001, "1e2", "NaN", "Infinity", "", "+", ".", "1,5", True],
    "exact": ["1" * 29, "0." + "0" * 10 + "1", 10**39, "9" * 2000, 1e-300],
    "loose": [100000, 0.25, -1e300, "1.5"],
    "flag": [0, 1, "true", "on", []],
    "data": ["x", "QQ", "QQ=", "ÄÖÜ=", "QQ==QQ==", 5],
    "day": ["2026-02-29", "10000-01-01", "0000-01-01", "-001-01-01", "20260101", "2026-01-01T00:00:00Z", 5],
    "clock": ["24:00:00", "23:60", "23:59:60", "12", "12:00:00Z", 5],
    "local": ["2026-01-01", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00"],
    "instant": [
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:60Z", "2026-01-01 00:00", 1767225600,
    ],
    "span": ["P", "PT", "P1M", "P1000000000D", "P99999999999999999999Y", "PT1e9S", "1 day", 5],
    "code": ["x", "0" * 32, "{00000000-0000-0000-0000-000000000000}", "g" * 36, 5],
    "colour": ["Red", "", "1", True, 2, 1.5, "half", []],
}  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("name", UNFIT)
def test_value_that_does_not_fit_its_column(ask: Ask, name: str, method: str) -> None:
    answers = [sent(ask, {name: value}, method) for value in UNFIT[name]]

    assert [answer.status_code for answer in answers] == [422] * len(answers)
    assert {fault["pointer"] for each in answers for fault in each.json()["errors"]} == {f"/{name}"}


def test_interval_that_the_database_cannot_hold(ask: Ask) -> None:
    """PostgreSQL holds it, SQLite does not: 422 or a row, which is taken away again."""
    for span in ("P999999999D", "-P999999999D", "P20000Y"):
        answer = sent(ask, {"span": span})

        assert answer.status_code in (201, 422)
        if answer.status_code == 201:
            assert ask(answer.headers["location"], method="DELETE").status_code == 204


def test_long_text_that_an_index_cannot_hold(ask: Ask) -> None:
    """PostgreSQL keeps at most 2704 bytes of it in an index, SQLite any."""
    text = "".join(Random(1).choices([chr(each) for each in range(0x4E00, 0x9E00)], k=20_000))

    answer = sent(ask, {"note": text})

    assert answer.status_code in (201, 422)
    if answer.status_code == 201:
        assert ask(answer.headers["location"], method="DELETE").status_code == 204


INJECTIONS = (
    "'; DROP TABLE thing; --", '"; DELETE FROM thing; --', "' OR '1'='1", "\\'; SELECT 1; --", "%s",
    "%(name)s", ":name", "?", "$1", "{0}", "{{7*7}}", "${jndi:x}", "$$", "\\x00", "/*", "a\nb",
    "NULL--", "DEFAULT", "x' || (SELECT 1) || '",
)  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_sql_in_text_is_text(ask: Ask, name: str) -> None:
    for text in (each[:20] for each in INJECTIONS):
        created = sent(ask, {name: text})

        assert (created.status_code, created.json()[name]) == (201, text)
        assert ask(created.headers["location"], method="DELETE").status_code == 204


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in (*TEXTS, "extra")])
def test_sql_in_any_other_value_is_refused(ask: Ask, name: str) -> None:
    for text in INJECTIONS:
        assert sent(ask, {name: text}).status_code == 422


def test_sql_in_names_is_refused(ask: Ask) -> None:
    for text in INJECTIONS:
        assert sent(ask, {text: 1}).status_code == 422
        assert sent(ask, {"extra": 1, f"name{text}": "x"}, "PATCH").status_code == 422


@pytest.mark.parametrize(("method", "status"), [("POST", 413), ("PUT", 422), ("PATCH", 422)])
def test_huge_list(ask: Ask, method: str, status: int) -> None:
    assert sent(ask, b"[" + b"0," * 400_000 + b"0]", method).status_code == status


def test_many_unknown_names_are_refused_without_much_ado(ask: Ask) -> None:
    """As many faults are told as somebody might read."""
    answer = sent(ask, {f"x{number}": 1 for number in range(60_000)})

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100
    assert len(answer.content) < 50_000


def test_json_of_any_size_comes_back(ask: Ask) -> None:
    for value in (
        [2**63 - 1, 1e39, -1e39],
        {"a": 1e308, "b": 1e-320},
        {f"k{n}": n for n in range(40_000)},
    ):
        created = sent(ask, {"extra": value})

        assert (created.status_code, created.json()["extra"]) == (201, value)
        assert ask(created.headers["location"], method="DELETE").status_code == 204
