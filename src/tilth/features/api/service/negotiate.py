"""`Accept` → the media type to answer with (RFC 9110 section 12.5.1)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilth.errors import NotAcceptable
from tilth.kit.text import sentence_list

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*({_TOKEN}|"(?:[^"\\]|\\.)*")\s*')
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)
# A quote that is never closed takes the rest, and nothing is given back: time is linear.
_QUOTED = r'"(?:[^"\\]|\\.?)*+"?'
_MEMBERS = re.compile(rf'(?:[^,"]|{_QUOTED})++', re.DOTALL)
_PIECES = re.compile(rf'(?:[^;"]|{_QUOTED})++', re.DOTALL)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept field. type, subtype: lower case, "*" for any. weight: 0 to 1."""

    type: str
    subtype: str
    parameters: Mapping[str, str]
    weight: float

    @property
    def precision(self) -> int:
        """The higher, the more exactly it names a type."""
        return (self.type != "*") + (self.subtype != "*")


def negotiate(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type the client likes best.

    Of equally liked ones the one it names most exactly, then the first offered. A member that
    cannot be read is passed over; no readable member at all means anything will do.
    Raises NotAcceptable listing what exists.
    """
    if not accept or accept == "*/*":
        return offered[0]
    if accept in offered:
        return accept
    ranges = list(_ranges_from(accept))
    if not ranges:
        return offered[0]
    liked = max(offered, key=lambda media_type: _liking(media_type, ranges))
    if _liking(liked, ranges)[0] == 0:
        raise NotAcceptable(
            f"Accept names nothing that exists here. Available: {sentence_list(offered)}."
        )
    return liked


def _ranges_from(accept: str) -> Iterator[MediaRange]:
    for member in _MEMBERS.findall(accept):
        found = _range_from(member)
        if found is not None:
            yield found


def _range_from(member: str) -> MediaRange | None:
    pieces = _PIECES.findall(member)
    named = _RANGE.fullmatch(pieces[0].strip()) if pieces else None
    parameters = _parameters_from(pieces[1:])
    if named is None or parameters is None:
        return None
    main, sub = named[1].lower(), named[2].lower()
    weight = parameters.pop("q", "1")
    if not _WEIGHT.fullmatch(weight) or (main == "*" and sub != "*"):
        return None
    return MediaRange(main, sub, parameters, float(weight))


def _parameters_from(pieces: Sequence[str]) -> dict[str, str] | None:
    """Lower-case name → value. Everything Tilth writes is UTF-8, so a charset says nothing new."""
    parameters: dict[str, str] = {}
    for piece in pieces:
        matched = _PARAMETER.fullmatch(piece)
        if matched is None:
            return None
        parameters.setdefault(matched[1].lower(), matched[2].strip('"'))
    parameters.pop("charset", None)
    return parameters


def _liking(media_type: str, ranges: Sequence[MediaRange]) -> tuple[float, int]:
    """(weight, precision) of the most precise range that covers the type; (0, 0) for none."""
    main, sub = media_type.split("/")
    covering = [
        r for r in ranges if r.type in ("*", main) and r.subtype in ("*", sub) and not r.parameters
    ]
    if not covering:
        return 0.0, 0
    best = max(covering, key=lambda r: (r.precision, r.weight))
    return best.weight, best.precision
