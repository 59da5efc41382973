"""Rows and pages → the addresses they are found at, and `Link` header fields (RFC 8288).

A row's address ends in its key: one part per key field, joined by commas, each percent-encoded
(RFC 3986), so a comma or slash inside a part is `%2C` or `%2F`. Three texts would not survive as
they are, because clients and proxies rewrite them even when percent-encoded: an empty part, `.`
and `..` (RFC 3986 section 5.2.4; the URL Standard treats `%2e` alike). They are written `~`, `~.`
and `~..`; to keep this reversible a part of only tildes, then up to two dots, gets one more tilde.
No other text is affected: `~jane` is `~jane`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import orjson

from tilth.errors import BadRequest, NotFound

BROKEN_ESCAPE = "A % stands for nothing: two hexadecimal digits follow it, as in %25 for itself."

_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")
_MARKED = re.compile(r"~*\.{0,2}")

# RFC 3986 sections 3.3 and 3.4, and "%" since what the client sent is already encoded.
_QUERY_SAFE = "!$&'()*+,;=:@/?%"
_PATH_SAFE = _QUERY_SAFE.replace("?", "")


def item_path(base: str, resource: str, key: Sequence[str]) -> str:
    """`/api/order-lines/7,2`. base: "/api", with any root path in front."""
    return member_path(collection_path(base, resource), key)


def member_path(collection: str, key: Sequence[str]) -> str:
    """`/api/heroes/1/powers/3`. collection: the address of one, as it is."""
    return f"{collection}/{','.join(map(encoded_part, key))}"


def collection_path(base: str, resource: str) -> str:
    return f"{base}/{quote(resource, safe='')}"


def related_path(item: str, relation: str) -> str:
    """`/api/teams/1/heroes`. item: as `item_path` makes it."""
    return f"{item}/{quote(relation, safe='')}"


def key_of(row: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """The texts of a row's key, from its JSON values."""
    return tuple(_text_of(row[name]) for name in names)


def parse_key(segment: bytes | str, parts: int | None = None) -> tuple[str, ...]:
    """The parts of a key, from one segment of the path as it was sent, still percent-encoded.

    parts: how many the resource's key has. Then a client that encodes the commas between parts,
    or leaves one bare inside the only part, is understood too: neither reading is ambiguous.
    Raises NotFound when it is not UTF-8: no row has such a key. Raises BadRequest for a lone %.
    """
    raw = segment.encode() if isinstance(segment, str) else segment
    if parts == 1 and raw.isalnum():
        return (raw.decode(),)  # nothing in it to look for
    if not is_well_escaped(raw):
        raise BadRequest(BROKEN_ESCAPE, code="bad_path")
    pieces = [unquote_to_bytes(piece) for piece in raw.split(b",")]
    if parts is not None and parts != len(pieces) and 1 in (parts, len(pieces)):
        whole = unquote_to_bytes(raw)
        pieces = [whole] if parts == 1 else whole.split(b",")
    try:
        return tuple(_unmarked(piece.decode()) for piece in pieces)
    except UnicodeDecodeError as exc:
        raise NotFound("There is nothing at this address: it is not UTF-8.") from exc


def is_well_escaped(sent: bytes) -> bool:
    """Every % begins an octet (RFC 3986 section 2.1)."""
    return _ESCAPE.search(sent) is None


def sent_path(scope: Mapping[str, Any]) -> str:
    """The path of a request as it was sent, so that an encoded slash stays one. scope: of ASGI."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return quote_from_bytes(raw, safe=_PATH_SAFE)


def with_parameters(path: str, query: bytes | str, changes: Mapping[str, str | None]) -> str:
    """The address with some query parameters set, or with None left out; the others stay as sent.

    query: of the request, still encoded. What RFC 3986 does not allow in it is percent-encoded,
    so that the result can stand in a header.
    """
    raw = query.encode() if isinstance(query, str) else query
    kept = [piece for piece in raw.split(b"&") if piece and _name_of(piece) not in changes]
    pieces = [quote_from_bytes(piece, safe=_QUERY_SAFE) for piece in kept]
    pieces += [
        f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in changes.items() if v is not None
    ]
    return f"{path}?{'&'.join(pieces)}" if pieces else path


def link_header(links: Iterable[tuple[str, str]]) -> str:
    """(address, relation) pairs → `</api/heroes?cursor=x>; rel="next", …`."""
    return ", ".join(f'<{address}>; rel="{relation}"' for address, relation in links)


def encoded_part(part: str) -> str:
    """One part of a key, as it is written in an address."""
    return quote(f"~{part}" if _MARKED.fullmatch(part) else part, safe="")


def _unmarked(part: str) -> str:
    return part[1:] if part.startswith("~") and _MARKED.fullmatch(part) else part


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _name_of(piece: bytes) -> str:
    name = piece.partition(b"=")[0].replace(b"+", b" ")
    return unquote_to_bytes(name).decode(errors="replace")
