"""Bytes of PostgreSQL's protocol → messages, and the parts of each with the bytes they stand in.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Sender = Literal["client", "server"]

HEADER_BYTES = 5
"""One for the kind of message, four for the length of what follows the first."""

NULL_LENGTH = -1
BLACK = b"*"
"""Stands for every byte that is not shown."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message: raw[start:stop]. column: of the result, counted from 0."""

    name: str
    value: str
    start: int
    stop: int
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """raw: with its header. code: the first byte."""

    sender: Sender
    code: str
    name: str
    raw: bytes
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """A column as RowDescription tells it. format: 0 text, 1 binary."""

    name: str
    table: int
    type: int
    modifier: int
    format: int


def messages_from(sender: Sender, sent: bytes) -> Iterator[Message]:
    """sent: whole messages, one after another, as they are once a session has begun."""
    at = 0
    while at < len(sent):
        (length,) = struct.unpack_from("!i", sent, at + 1)
        raw = sent[at : at + 1 + length]
        yield _message(sender, raw)
        at += 1 + length


def blackened(message: Message, columns: Collection[int]) -> Message:
    """The values of these columns of the result are gone from it, bytes and all."""
    if message.name != "DataRow":
        return message
    raw, parts = bytearray(message.raw), []
    for part in message.parts:
        if part.column in columns and part.start < part.stop:
            raw[part.start : part.stop] = BLACK * (part.stop - part.start)
            part = replace(part, value=f"redacted, {part.stop - part.start} bytes")
        parts.append(part)
    return replace(message, raw=bytes(raw), parts=tuple(parts))


def described(message: Message) -> list[Described]:
    """The columns of a RowDescription."""
    reader = _Reader(message.raw)
    return [_described(reader) for _ in range(reader.int16())]


class _Reader:
    """Goes through one message, and knows where each piece of it was."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.start, self.at = raw, HEADER_BYTES, HEADER_BYTES

    def part(self, name: str, value: object, column: int | None = None) -> Part:
        """What was read since the last one."""
        start, self.start = self.start, self.at
        return Part(name, str(value), start, self.at, column)

    def is_at_end(self) -> bool:
        return self.at >= len(self.raw)

    def int16(self) -> int:
        return self._number("!h", 2)

    def int32(self) -> int:
        return self._number("!i", 4)

    def oid(self) -> int:
        return self._number("!I", 4)

    def text(self) -> str:
        stop = self.raw.index(0, self.at)
        found = self.raw[self.at : stop].decode("utf-8", "replace")
        self.at = stop + 1
        return found

    def letter(self) -> str:
        self.at += 1
        return chr(self.raw[self.at - 1])

    def value(self, name: str, column: int | None = None) -> Part:
        """A length, and as many bytes; the part is of the bytes alone."""
        length = self.int32()
        self.start = self.at
        if length == NULL_LENGTH:
            return self.part(name, "NULL", column)
        self.at += length
        return self.part(name, _shown(self.raw[self.start : self.at]), column)

    def _number(self, form: str, size: int) -> int:
        (found,) = struct.unpack_from(form, self.raw, self.at)
        self.at += size
        return int(found)


def _shown(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if text.isprintable() else f"0x{value.hex()}"


def _parse(reader: _Reader) -> Iterator[Part]:
    yield reader.part("statement", reader.text() or "(unnamed)")
    yield reader.part("query", reader.text())
    yield reader.part("parameter types", [reader.oid() for _ in range(reader.int16())])


def _bind(reader: _Reader) -> Iterator[Part]:
    yield reader.part("portal", reader.text() or "(unnamed)")
    yield reader.part("statement", reader.text() or "(unnamed)")
    yield reader.part("parameter formats", [reader.int16() for _ in range(reader.int16())])
    count = reader.int16()
    for number in range(1, count + 1):
        yield reader.value(f"parameter ${number}")
    yield reader.part("result formats", [reader.int16() for _ in range(reader.int16())])


def _described_or_closed(reader: _Reader) -> Iterator[Part]:
    kind = {"S": "statement", "P": "portal"}.get(reader.letter(), "name")
    yield reader.part(kind, reader.text() or "(unnamed)")


def _execute(reader: _Reader) -> Iterator[Part]:
    yield reader.part("portal", reader.text() or "(unnamed)")
    yield reader.part("most rows", reader.int32() or "all")


def _query(reader: _Reader) -> Iterator[Part]:
    yield reader.part("query", reader.text())


def _parameter_description(reader: _Reader) -> Iterator[Part]:
    yield reader.part("types", [reader.oid() for _ in range(reader.int16())])


def _described(reader: _Reader) -> Described:
    name, table, _ = reader.text(), reader.oid(), reader.int16()
    kind, _ = reader.oid(), reader.int16()
    return Described(name, table, kind, reader.int32(), reader.int16())


def _row_description(reader: _Reader) -> Iterator[Part]:
    count = reader.int16()
    yield reader.part("columns", count)
    for column in range(count):
        found = _described(reader)
        told = f"table {found.table}, type {found.type}, {('text', 'binary')[found.format]}"
        yield reader.part(found.name, told, column)


def _data_row(reader: _Reader) -> Iterator[Part]:
    count = reader.int16()
    yield reader.part("columns", count)
    for column in range(count):
        yield reader.value(str(column + 1), column)


def _command_complete(reader: _Reader) -> Iterator[Part]:
    yield reader.part("command", reader.text())


def _ready(reader: _Reader) -> Iterator[Part]:
    states = {"I": "no transaction", "T": "in a transaction", "E": "in a failed transaction"}
    letter = reader.letter()
    yield reader.part("state", states.get(letter, letter))


def _told(reader: _Reader) -> Iterator[Part]:
    while (letter := reader.letter()) != "\0":
        yield reader.part(_TOLD.get(letter, letter), reader.text())


def _setting(reader: _Reader) -> Iterator[Part]:
    yield reader.part("name", reader.text())
    yield reader.part("value", reader.text())


def _nothing(reader: _Reader) -> Iterator[Part]:
    return iter(())


_TOLD = MappingProxyType({"S": "severity", "C": "SQLSTATE", "M": "message", "D": "detail"})

Parts = Callable[[_Reader], Iterator[Part]]

_KINDS: Mapping[tuple[Sender, str], tuple[str, Parts]] = MappingProxyType(
    {
        ("client", "P"): ("Parse", _parse),
        ("client", "B"): ("Bind", _bind),
        ("client", "D"): ("Describe", _described_or_closed),
        ("client", "E"): ("Execute", _execute),
        ("client", "C"): ("Close", _described_or_closed),
        ("client", "Q"): ("Query", _query),
        ("client", "S"): ("Sync", _nothing),
        ("client", "H"): ("Flush", _nothing),
        ("server", "1"): ("ParseComplete", _nothing),
        ("server", "2"): ("BindComplete", _nothing),
        ("server", "3"): ("CloseComplete", _nothing),
        ("server", "t"): ("ParameterDescription", _parameter_description),
        ("server", "T"): ("RowDescription", _row_description),
        ("server", "D"): ("DataRow", _data_row),
        ("server", "n"): ("NoData", _nothing),
        ("server", "C"): ("CommandComplete", _command_complete),
        ("server", "Z"): ("ReadyForQuery", _ready),
        ("server", "E"): ("ErrorResponse", _told),
        ("server", "N"): ("NoticeResponse", _told),
        ("server", "S"): ("ParameterStatus", _setting),
    }
)


def _message(sender: Sender, raw: bytes) -> Message:
    code = chr(raw[0])
    name, parts = _KINDS.get((sender, code), (f"message {code!r}", _nothing))
    return Message(sender, code, name, raw, tuple(parts(_Reader(raw))))
