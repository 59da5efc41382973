"""Entity tags: what a row is to this caller, and what its representation is (RFC 9110 §8.8.3)."""

import hashlib
import re
from collections.abc import Iterable, Iterator

from tilth.errors import BadRequest, Fault

# RFC 9110 §8.8.3, one member of a list: a tag may hold commas.
_MEMBER = re.compile(r'[ \t]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(,|$)')


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


def row_parts(name: str, fields: Iterable[str]) -> tuple[str, ...]:
    """The versions of the row that a client says it has; "*" for any.

    Every representation of a row carries the row's own tag first, so a client may have read it with
    whatever fields. A weak tag names no version for certain and never matches (RFC 9110 §13.1.1).
    name: of the header. Raises BadRequest: a condition that is not understood must not be taken for
    one that was met, nor for one that was not.
    """
    listed = ",".join(fields)
    if listed.strip() == "*":
        return ("*",)
    tags = list(_tags(listed))
    if not tags or None in tags:
        detail = f'{name} is * or a list of entity tags as they were received, such as "5f2c…".'
        raise BadRequest(
            detail, code="bad_entity_tag", faults=[Fault("", "bad_entity_tag", detail)]
        )
    return tuple(tag[1:-1].partition(".")[0] for tag in tags if tag and tag.startswith('"'))


def _tags(listed: str) -> Iterator[str | None]:
    """In turn, and None where the list is none. Empty members do not count (RFC 9110 §5.6.1)."""
    at = 0
    while at <= len(listed):
        found = _MEMBER.match(listed, at)
        if found is None:
            yield None
            return
        if found[1]:
            yield found[1]
        at = found.end() + (not found[2])
