"""The body of a batch → its operations, or every fault that can be seen before the first is done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.errors import Fault, invalid
from tilth.features.api.service.batch.references import Place, places_in, target_of
from tilth.kernel.plan.body import member
from tilth.kit.text import sentence_list

MOST_OPERATIONS = 100

METHODS = ("POST", "PUT", "PATCH", "DELETE")
MEMBERS = ("method", "path", "body", "if_match", "name")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Operation:
    """index: its place in the batch. path: below the API, still encoded, with its references.

    has_body: a body was sent, which may be null.
    """

    index: int
    method: str
    path: str
    body: Any = None
    has_body: bool = False
    if_match: str | None = None
    name: str | None = None

    @property
    def pointer(self) -> str:
        return f"/operations/{self.index}"


def operations_from(body: Any, base: str) -> list[Operation]:
    """base: what every path begins with. Raises Invalid."""
    sent = body.get("operations") if isinstance(body, dict) else None
    if not isinstance(sent, list) or not 1 <= len(sent) <= MOST_OPERATIONS:
        detail = f'Expected {{"operations": […]}} with 1 to {MOST_OPERATIONS} operations.'
        raise invalid([Fault("/operations", "bad_value", detail)])
    faults = [_unknown("", name, ("operations",)) for name in body if name != "operations"]
    for index, each in enumerate(sent):
        faults += _faults(f"/operations/{index}", each, base)
    if not faults:
        faults += _names_and_references(sent)
    if faults:
        raise invalid(faults)
    return [_operation(index, each, base) for index, each in enumerate(sent)]


def _operation(index: int, sent: Mapping[str, Any], base: str) -> Operation:
    return Operation(
        index,
        sent["method"],
        sent["path"].removeprefix(base),
        sent.get("body"),
        "body" in sent,
        sent.get("if_match"),
        sent.get("name"),
    )


def _faults(pointer: str, sent: Any, base: str) -> Iterator[Fault]:
    if not isinstance(sent, dict):
        yield Fault(pointer, "bad_value", "Expected an object.")
        return
    yield from (_unknown(pointer, name, MEMBERS) for name in sent if name not in MEMBERS)
    method = sent.get("method")
    if method not in METHODS:
        detail = f"Expected one of {sentence_list(METHODS)}."
        yield Fault(f"{pointer}/method", "bad_value", detail)
    if why := _why_no_path(sent.get("path"), base):
        yield Fault(f"{pointer}/path", "bad_value", why)
    if "if_match" in sent and (method == "POST" or not isinstance(sent["if_match"], str)):
        detail = "Expected an ETag as text, for PUT, PATCH or DELETE."
        yield Fault(f"{pointer}/if_match", "bad_value", detail)
    if "body" in sent and method == "DELETE":
        yield Fault(f"{pointer}/body", "bad_value", "DELETE takes no body.")


def _unknown(pointer: str, name: str, known: Sequence[str]) -> Fault:
    detail = f"Unknown member {name[:80]!r}. Members: {sentence_list(known)}."
    return Fault(pointer + member(name), "unknown_field", detail)


def _why_no_path(path: Any, base: str) -> str | None:
    if not isinstance(path, str) or not path.startswith(f"{base}/"):
        return f"Expected an address below {base}/, such as {base}/heroes/1."
    if "?" in path or "#" in path:
        return "A path in a batch has no query and no fragment."
    if path.removeprefix(base).rstrip("/") == "/batch":
        return "A batch cannot hold another."
    return None


def _names_and_references(sent: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """What is referred to must come earlier."""
    names: dict[str, int] = {}
    for index, each in enumerate(sent):
        pointer = f"/operations/{index}"
        for place in places_in(each["path"], each.get("body")):
            if why := _why_not_earlier(place, names, index):
                yield Fault(f"{pointer}{place.pointer}", "bad_reference", why)
        name = each.get("name")
        if name is None:
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in names:
            detail = "Expected letters, digits, _ and -, not first a digit, and no name twice."
            yield Fault(f"{pointer}/name", "bad_value", detail)
        else:
            names[name] = index


def _why_not_earlier(place: Place, names: Mapping[str, int], index: int) -> str | None:
    target = target_of(place.text)
    if target is None:
        return 'Expected the name or number of an earlier operation and a field, as in "hero.id".'
    number = int(target.operation) if target.operation.isdecimal() else names.get(target.operation)
    if number is None or number >= index:
        return f"No earlier operation is called {target.operation!r}."
    return None
