"""Entity tags: what a row is to this caller, and what its representation is (RFC 9110 §8.8.3)."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson


def row_tag(row: Mapping[str, Any], fields: Iterable[str]) -> str:
    """Of the stored row as this caller may read it, whatever part of it is answered."""
    return _digest(orjson.dumps([row[name] for name in fields]))


def body_tag(body: bytes) -> str:
    return _digest(body)


def strong(*parts: str) -> str:
    return f'"{".".join(parts)}"'


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this representation; compared weakly (RFC 9110 §13.1.2)."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag in given


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
