"""`{"$ref": "hero.id"}` in a body and `{$ref:hero.id}` in a path → values of earlier results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tilth.errors import Fault, PayloadTooLarge, invalid
from tilth.features.api.service.links import encoded_part
from tilth.kernel.plan.body import member
from tilth.runtime.web.json import is_deeper

Row = Mapping[str, Any]

_IN_PATH = re.compile(r"\{\$ref:([^{}]*)\}")
_TARGET = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*|0|[1-9][0-9]{0,2})\.(.+)", re.DOTALL | re.ASCII)
_REF = "$ref"


@dataclass(frozen=True, slots=True)
class Place:
    """A reference, and where in its operation it is. text: as sent, which may be no text at all."""

    pointer: str
    text: Any


@dataclass(frozen=True, slots=True)
class Target:
    operation: str
    field: str


@dataclass(slots=True)
class Results:
    """What later operations may refer to, and how much of it they may still be made of.

    rows: name or number of an operation that is done → its row as the caller may read it, if there
        is one.
    depth: arrays and objects inside each other in one body. bytes_left: of JSON, for all references
        of the batch together. A reference is short, and what it stands for need not be: without a
        bound each operation could store many times what was sent.
    """

    depth: int
    bytes_left: int
    rows: dict[str, Row | None] = field(default_factory=dict)

    def value(self, text: Any, pointer: str) -> Any:
        """Raises Invalid, and PayloadTooLarge when there is no room for it."""
        target = target_of(text)
        row = self.rows.get(target.operation) if target is not None else None
        if target is None or row is None or target.field not in row:
            raise _bad(pointer, f"The result of that operation has no {text!r} that you may read.")
        value = row[target.field]
        self.bytes_left -= len(orjson.dumps(value))
        if self.bytes_left < 0:
            detail = (
                "What the references of a batch stand for is together larger than a body may be."
            )
            raise PayloadTooLarge(detail, code="references_too_large")
        # One step of the pointer is "/body" itself.
        if is_deeper(value, self.depth - pointer.count("/") + 1):
            raise _bad(pointer, f"With this value the body nests deeper than {self.depth} levels.")
        return value


def target_of(text: Any) -> Target | None:
    """None for what is no reference."""
    found = _TARGET.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else Target(found[1], found[2])


def is_reference_in(path: str) -> bool:
    return _IN_PATH.search(path) is not None


def places_in(path: str, body: Any) -> Iterator[Place]:
    yield from (Place("/path", text) for text in _IN_PATH.findall(path))
    yield from _places_in_body(body, "/body")


def _places_in_body(value: Any, pointer: str) -> Iterator[Place]:
    if isinstance(value, list):
        for place, each in enumerate(value):
            yield from _places_in_body(each, f"{pointer}/{place}")
    elif isinstance(value, dict):
        if value.keys() == {_REF}:
            yield Place(pointer, value[_REF])
            return
        for name, each in value.items():
            yield from _places_in_body(each, pointer + member(name))


def body_with(results: Results, body: Any, pointer: str) -> Any:
    """Raises Invalid, PayloadTooLarge. `{"$$ref": x}` stands for the object `{"$ref": x}` itself."""
    if isinstance(body, list):
        return [body_with(results, each, f"{pointer}/{at}") for at, each in enumerate(body)]
    if not isinstance(body, dict):
        return body
    if body.keys() == {_REF}:
        return results.value(body[_REF], pointer)
    is_escaped = body.keys() == {f"${_REF}"}
    return {
        _REF if is_escaped else name: body_with(results, each, pointer + member(name))
        for name, each in body.items()
    }


def path_with(results: Results, path: str, pointer: str) -> str:
    """A value is encoded as the part of a key: it cannot lead elsewhere. Raises Invalid."""

    def part(found: re.Match[str]) -> str:
        value = results.value(found[1], pointer)
        if value is None or isinstance(value, list | dict):
            raise _bad(pointer, f"{found[1]!r} is null or a list, and no part of an address.")
        return encoded_part(value if isinstance(value, str) else orjson.dumps(value).decode())

    return _IN_PATH.sub(part, path)


def _bad(pointer: str, detail: str) -> Exception:
    return invalid([Fault(pointer, "bad_reference", detail)])
