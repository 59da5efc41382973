"""SQL text of SQLite → tokens, and a normal form in which spelling does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["word", "name", "string", "number", "sign"]
KINDS: Mapping[str, Kind] = {
    "word": "word",
    "name": "name",
    "string": "string",
    "number": "number",
    "sign": "sign",
}

_TOKEN = re.compile(
    r"""
      (?P<gap>\s+ | --[^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<string>[xX]?'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
    | (?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)? | \.\d\w*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<sign><>|<=|>=|==|!=|\|\||<<|>>|->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Token:
    """text: as it is written. is_apart: there is white space before it.

    word: upper case of a bare word, which is what keywords are; else empty.
    """

    kind: Kind
    text: str
    is_apart: bool = field(default=False, compare=False)

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def tokens_of(sql: str) -> tuple[Token, ...]:
    """Without white space and comments."""
    return tuple(_tokens(sql))


def _tokens(sql: str) -> Iterator[Token]:
    is_apart = False
    for found in _TOKEN.finditer(sql):
        kind = KINDS.get(found.lastgroup or "")
        if kind is not None:
            yield Token(kind, found[0], is_apart)
        is_apart = kind is None


def unquoted(token: Token) -> str:
    """The identifier that a token names. SQLite also takes a string for one."""
    text = token.text
    if token.kind == "name" and text[0] == "[":
        return text[1:-1]
    if token.kind in ("name", "string") and text[0] in "\"`'":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def is_name(token: Token) -> bool:
    return token.kind in ("word", "name", "string")


def spelled(tokens: Sequence[Token]) -> str:
    """SQL again: as it was, with single spaces and no comments."""
    return "".join((" " if token.is_apart else "") + token.text for token in tokens).strip()


def normal(tokens: Sequence[Token]) -> str:
    """Equal for texts that differ only in case, quotes, space and outer parentheses."""
    return " ".join(map(_normal, without_parentheses(tokens)))


def _normal(token: Token) -> str:
    if token.kind == "string" or token.kind == "sign":
        return token.text
    plain = unquoted(token)
    return plain.lower() if _PLAIN.fullmatch(plain) or token.kind != "name" else quoted(plain)


def without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    """Without those that are around everything."""
    while len(tokens) > 1 and tokens[0].text == "(" and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def closing(tokens: Sequence[Token], opening: int) -> int:
    """Where the parenthesis that opens at a position is closed; past the end if it is not."""
    depth = 0
    for position in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position].text, 0)
        if depth == 0:
            return position
    return len(tokens)


def parts(tokens: Sequence[Token], separator: str = ",") -> list[Sequence[Token]]:
    """Split where the separator stands outside of parentheses."""
    found: list[Sequence[Token]] = []
    depth, start = 0, 0
    for position, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == separator and depth == 0:
            found.append(tokens[start:position])
            start = position + 1
    return [*found, tokens[start:]]
