"""The bytes of a JSON body become a value, or a 400 that says where and why not."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from tilth.errors import BadRequest, Fault

CONTAINERS = (list, dict)


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """depth: arrays and objects inside each other. digits: of one integer, without its sign."""

    depth: int = 64
    digits: int = 40


def parse_json(body: bytes, limits: JsonLimits) -> Any:
    """The value of a JSON text (RFC 8259), with integers exact.

    Parsed twice, because no parser at hand does all of it. orjson refuses what Python's own
    accepts: NaN, 1e999, lone surrogates, UTF-16, a byte order mark; and stops at 1,024 levels
    without recursion. Python's own keeps integers beyond 64 bits and shows repeated keys.
    Together they cost about three times json.loads alone.
    Raises BadRequest.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _refused_by_parser(body, error, limits) from error
    # Nesting needs that many brackets to begin with; most bodies have too few to look further.
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > limits.depth and is_deeper(value, limits.depth):
        raise _too_deep(limits)
    return _exact(body.decode(), limits)


def _exact(text: str, limits: JsonLimits) -> Any:
    def integer(digits: str) -> int:
        if len(digits) - digits.startswith("-") > limits.digits:
            raise _refused(
                "number_too_long",
                f"An integer has more than {limits.digits} digits, starting with {digits[:12]}.",
            )
        return int(digits)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _refused(
            "duplicate_key",
            f"An object has the key {repeated[:80]!r} twice. Which one counts would be a guess.",
        )

    return json.loads(text, parse_int=integer, object_pairs_hook=members)


def is_deeper(value: Any, depth: int) -> bool:
    """Whether more arrays and objects than that are inside each other."""
    level: list[Any] = [[value]]
    for _ in range(depth + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in CONTAINERS
        ]
        if not level:
            return False
    return True


def _refused_by_parser(
    body: bytes, error: orjson.JSONDecodeError, limits: JsonLimits
) -> BadRequest:
    if not body.strip():
        return _refused("json_empty", "The body is empty. Send a JSON value.")
    if "depth" in error.msg:
        return _too_deep(limits)
    place = f"line {error.lineno}, column {error.colno}"
    return _refused("json_invalid", f"The body is not JSON (RFC 8259): {error.msg} at {place}.")


def _too_deep(limits: JsonLimits) -> BadRequest:
    return _refused(
        "json_too_deep", f"The body nests deeper than {limits.depth} levels, the most accepted."
    )


def _refused(code: str, detail: str) -> BadRequest:
    return BadRequest(detail, code=code, faults=(Fault("", code, detail),))
