"""Entity tags: what a row is to this caller, and what its representation is (RFC 9110 §8.8.3)."""

import hashlib
from collections.abc import Iterable, Iterator


def body_tag(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def strong(*parts: str) -> str:
    return f'"{".".join(parts)}"'


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this representation; compared weakly (RFC 9110 §13.1.2)."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag in given


def row_parts(if_match: Iterable[str]) -> tuple[str, ...]:
    """The versions of the row that a client says it has; "*" for any.

    Every representation of a row carries the row's own tag first, so a client may have read it with
    whatever fields. A weak tag names no version for certain and never matches (RFC 9110 §13.1.1).
    """
    return tuple(_row_parts(if_match))


def _row_parts(if_match: Iterable[str]) -> Iterator[str]:
    for tag in (tag.strip() for field in if_match for tag in field.split(",")):
        if tag == "*":
            yield tag
        elif len(tag) > 2 and tag.startswith('"') and tag.endswith('"'):
            yield tag[1:-1].partition(".")[0]
