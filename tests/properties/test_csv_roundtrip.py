import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from tilth.features.api.service.media import csv_lines

Rows = Sequence[Mapping[str, str | None]]

names = st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True)
cells = st.none() | st.text() | st.text(alphabet='",\r\n ', max_size=3)


@given(st.data(), names)
def test_csv_readers_see_what_was_written(data: st.DataObject, header: list[str]) -> None:
    row = st.fixed_dictionaries(dict.fromkeys(header, cells))
    chunks: list[Rows] = data.draw(st.lists(st.lists(row, max_size=3), max_size=3))

    written = asyncio.run(_written(chunks, header)).decode()

    read = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    rows = [row for chunk in chunks for row in chunk]
    assert read == [header, *([row[name] or "" for name in header] for row in rows)]


async def _written(chunks: Sequence[Rows], header: Sequence[str]) -> bytes:
    async def source() -> AsyncIterator[Rows]:
        for chunk in chunks:
            yield chunk

    lines = csv_lines(source(), [(name,) for name in header])
    return b"".join([line async for line in lines])
