"""The text of a filter → its words, numbers, texts and signs, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tilth.errors import BadRequest, bad_parameter

TokenKind = Literal["word", "name", "text", "number", "sign", "end"]

SIGNS = frozenset({"=", "!=", "<", "<=", ">", ">=", "(", ")", ",", "."})

RESERVED = frozenset({"and", "or", "not", "any", "in", "is", "null", "true", "false"})

ESCAPES = {"n": "\n", "r": "\r", "t": "\t"} | {sign: sign for sign in "\"'`\\"}

NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

# A word takes in every non-ASCII character: combining marks belong to names in many scripts,
# and `\w` leaves them out. str.isidentifier has the last say.
_PIECE = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<number>-?[0-9][0-9A-Za-z_.:+-]*)
    | (?P<word>(?:[0-9A-Za-z_]|[^\x00-\x7f\s])+)
    | (?P<name>`[^`\\]*(?:\\.[^`\\]*)*`)
    | (?P<text>"[^"\\]*(?:\\.[^"\\]*)*" | '[^'\\]*(?:\\.[^'\\]*)*')
    | (?P<sign>[=<>!&|~]+ | [(),.])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(
    r"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<code>[0-9a-fA-F]{4})|(?P<sign>.))",
    re.DOTALL,
)

_HINTS = {
    "==": "Write = to compare.",
    "===": "Write = to compare.",
    "<>": "Write != for not equal.",
    "!==": "Write != for not equal.",
    "=<": "Write <= for at most.",
    "=>": "Write >= for at least.",
    "&": "Write and between conditions.",
    "&&": "Write and between conditions.",
    "|": "Write or between conditions.",
    "||": "Write or between conditions.",
    "!": "Write not in front of a condition.",
    "~": 'Write contains, as in name contains "x".',
    "~~": 'Write contains, as in name contains "x".',
    "[": "A list goes in parentheses: (1, 2).",
    "`": "This name has no closing backquote.",
    '"': "This text has no closing quote.",
    "'": "This text has no closing quote.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """text: the meaning, with quotes and escapes resolved; source: as written; at: from 0."""

    kind: TokenKind
    text: str
    source: str
    at: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.text == sign


def tokens_of(text: str) -> Iterator[Token]:
    """Every token in order, then one of kind "end". Raises BadRequest at the first that is none."""
    for piece in _PIECE.finditer(text):
        if piece.lastgroup != "space":
            yield _token(piece.lastgroup or "other", piece[0], piece.start())
    yield Token("end", "", "", len(text))


def is_bare_name(name: str) -> bool:
    """The name needs no backquotes."""
    return name.isidentifier() and name.lower() not in RESERVED


def bad_filter(at: int, problem: str, hint: str = "") -> BadRequest:
    """The 400 for a filter that cannot be read. at: from 0, shown from 1."""
    sentence = f"The filter is wrong at character {at + 1}: {problem}."
    return bad_parameter("filter", "bad_filter", f"{sentence} {hint}".rstrip())


def shown(source: str) -> str:
    """Source short enough for a sentence."""
    return source if len(source) <= 40 else f"{source[:39]}…"


def _token(kind: str, source: str, at: int) -> Token:
    match kind:
        case "number" if NUMBER.fullmatch(source):
            return Token("number", source, source, at)
        case "word" if source.isidentifier():
            return Token("word", source, source, at)
        case "sign" if source in SIGNS:
            return Token("sign", source, source, at)
        case "text":
            return Token("text", _unescaped(source[1:-1], at + 1), source, at)
        case "name" if source != "``":
            return Token("name", _unescaped(source[1:-1], at + 1), source, at)
    raise bad_filter(at, f"{shown(source)!r} means nothing here", _hint(kind, source))


def _hint(kind: str, source: str) -> str:
    if source in _HINTS:
        return _HINTS[source]
    if kind == "number":
        return f'Text goes in quotes: "{shown(source)}".'
    if set(source) & set("“”„‘’«»"):
        return 'Quotes are straight: "text".'
    if kind in {"word", "other"}:
        return "A name with such characters goes in backquotes, a text in quotes."
    return ""


def _unescaped(body: str, at: int) -> str:
    if "\\" not in body:
        return body
    return _ESCAPE.sub(lambda escape: _meaning(escape, at), body)


def _meaning(escape: re.Match[str], at: int) -> str:
    if escape["pair"]:
        high, low = int(escape["pair"][1:5], 16), int(escape["pair"][7:11], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    if escape["code"]:
        code = int(escape["code"], 16)
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code)
    elif escape["sign"] in ESCAPES:
        return ESCAPES[escape["sign"]]
    raise bad_filter(
        at + escape.start(),
        f"{escape[0]} is not an escape",
        r"""Escapes: \" \' \` \\ \n \r \t \u0041. A backslash itself is \\.""",
    )
