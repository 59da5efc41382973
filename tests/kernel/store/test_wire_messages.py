"""Messages of PostgreSQL's protocol are taken apart, and what is secret is blackened."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from tilth.kernel.store.wire.messages import blackened, messages_from

VALUES = st.lists(st.none() | st.binary(max_size=20), max_size=8)


def row_from(values: list[bytes | None]) -> bytes:
    """A DataRow as a server sends it."""
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return b"D" + struct.pack("!i", len(body) + 4) + body


@given(st.lists(VALUES, max_size=4))
def test_rows_are_parted_where_their_values_are(rows: list[list[bytes | None]]) -> None:
    sent = b"".join(map(row_from, rows))

    messages = list(messages_from("server", sent))

    assert b"".join(message.raw for message in messages) == sent
    found = [[m.raw[p.start : p.stop] for p in m.parts if p.column is not None] for m in messages]
    assert found == [[value or b"" for value in row] for row in rows]


@given(VALUES, st.sets(st.integers(0, 7)))
def test_nothing_is_left_of_a_secret_but_its_length(
    values: list[bytes | None], secret: set[int]
) -> None:
    raw = row_from(values)
    [message] = messages_from("server", raw)

    shown = blackened(message, secret)

    hidden = [b"*" * len(v) if v and n in secret else v for n, v in enumerate(values)]
    assert shown.raw == row_from(hidden)
    told = {part.column: part.value for part in shown.parts}
    assert all("redacted" in told[n] for n, v in enumerate(values) if v and n in secret)
