import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
import pytest

from tilth.errors import Unavailable
from tilth.features.api.service.media import begun, csv_lines, ndjson_lines

Rows = Sequence[Mapping[str, Any]]


async def chunks_of(*chunks: Rows) -> AsyncIterator[Rows]:
    for chunk in chunks:
        yield chunk


def collected(lines: AsyncIterator[bytes]) -> bytes:
    async def collect() -> list[bytes]:
        return [line async for line in lines]

    return b"".join(asyncio.run(collect()))


def csv_of(rows: Rows, *columns: str) -> bytes:
    return collected(csv_lines(chunks_of(rows), [tuple(c.split(".")) for c in columns]))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", '""'),
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("two\r\nlines", '"two\r\nlines"'),
        (" spaces ", " spaces "),
        ("größe 😀", "größe 😀"),
        (True, "true"),
        (-7, "-7"),
        (0.1, "0.1"),
        ("1.10", "1.10"),
        ([], "[]"),
        ([{"id": 1}, {"id": 2}], '"[{""id"":1},{""id"":2}]"'),
        ({"a": None}, '"{""a"":null}"'),
        (orjson.Fragment(b'{"a": 1}'), '"{""a"": 1}"'),
        (orjson.Fragment(b"null"), "null"),
    ],
)
def test_a_cell_is_text_or_json_text(value: object, cell: str) -> None:
    written = csv_of([{"id": 1, "value": value}], "id", "value")

    assert written.decode() == f"id,value\r\n1,{cell}\r\n"


def test_no_rows_still_have_a_header() -> None:
    assert csv_of([], "id", "team.name") == b"id,team.name\r\n"


def test_a_null_alone_in_its_line_is_not_an_empty_line() -> None:
    assert csv_of([{"a": None}, {"a": "x"}], "a") == b'a\r\n""\r\nx\r\n'


def test_a_to_one_expansion_has_columns_of_its_own() -> None:
    rows: Rows = [
        {"id": 1, "team": {"name": "A", "city": {"name": "X"}}},
        {"id": 2, "team": {"name": "B", "city": None}},
        {"id": 3, "team": None},
    ]

    written = csv_of(rows, "id", "team.name", "team.city.name")

    assert written == b"id,team.name,team.city.name\r\n1,A,X\r\n2,B,\r\n3,,\r\n"


def test_names_are_quoted_like_values() -> None:
    assert csv_of([{"a,b": 1, "c": 2}], "a,b", "c") == b'"a,b",c\r\n1,2\r\n'


def test_csv_readers_see_what_was_written() -> None:
    texts = ["a", "", " ", "\t", '"', '""', ",", "\r", "\n", "\r\n", "=1+1", "'", "\\", "é", "\x00"]
    rows = [{"x": text, "y": text * 2} for text in texts]

    written = csv_of(rows, "x", "y").decode()

    read = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert read == [["x", "y"], *([text, text * 2] for text in texts)]


def test_ndjson_has_an_object_per_line() -> None:
    rows: Rows = [{"id": 1, "j": orjson.Fragment(b"[1]")}, {"id": 2, "j": None}]

    written = collected(ndjson_lines(chunks_of(rows[:1], rows[1:])))

    assert written == b'{"id":1,"j":[1]}\n{"id":2,"j":null}\n'


def test_writers_ask_for_a_chunk_only_when_the_last_is_written() -> None:
    asked: list[int] = []

    async def counted() -> AsyncIterator[Rows]:
        for number in range(3):
            asked.append(number)
            yield [{"id": number}]

    async def first_two() -> list[bytes]:
        lines = csv_lines(counted(), [("id",)])
        return [await anext(lines), await anext(lines)]

    assert asyncio.run(first_two()) == [b"id\r\n", b"0\r\n"]
    assert asked == [0]


def test_begun_keeps_every_chunk() -> None:
    async def all_of(*chunks: Rows) -> list[Rows]:
        return [chunk async for chunk in await begun(chunks_of(*chunks))]

    assert asyncio.run(all_of([{"id": 1}], [{"id": 2}])) == [[{"id": 1}], [{"id": 2}]]
    assert asyncio.run(all_of()) == []


def test_begun_fails_before_the_first_byte() -> None:
    async def failing() -> AsyncIterator[Rows]:
        raise Unavailable("The database is down.")
        yield []

    with pytest.raises(Unavailable):
        asyncio.run(begun(failing()))
