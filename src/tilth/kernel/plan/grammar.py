"""`filter=(age >= 18 and team.name = "Avengers") or any(powers, name = "flight")` ⇄ its tree.

    either     = both {"or" both}
    both       = one {"and" one}
    one        = "not" one | "(" either ")" | "any" "(" path ["," either] ")" | comparison
    comparison = path ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | path ("contains" | "icontains" | "startswith" | …) value
               | path "in" "(" [value {"," value}] ")"
               | path "range" "(" value "," value ")"
               | path "is" ["not"] "null"
    path       = name {"." name}
    value      = "text" | 'text' | 12 | -1.5e3 | true | false

Words of the language may be in any case. A name is letters, digits and underscores of any script,
or anything in backquotes: `Order Details`.`from`. Texts and backquoted names have backslash escapes.
"""

import re

from tilth.errors import BadRequest, bad_parameter
from tilth.kernel.plan.lookups import MOST_VALUES
from tilth.kernel.plan.syntax import And, AnyOf, Compare, Expr, Negate, Or, Path, Value
from tilth.kernel.plan.tokens import (
    NUMBER,
    RESERVED,
    Token,
    bad_filter,
    is_bare_name,
    shown,
    tokens_of,
)
from tilth.kernel.schema.kinds import TEXT

MOST_CHARACTERS = 4000
MOST_COMPARISONS = 200
DEEPEST = 20

_SIGN_LOOKUPS = {"=": "exact", "!=": "ne", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_LOOKUP_SIGNS = {lookup: sign for sign, lookup in _SIGN_LOOKUPS.items()}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_HINTS = {
    **{lookup: f"Write {sign}." for sign, lookup in _SIGN_LOOKUPS.items()},
    "eq": "Write =.",
    "like": 'Write contains "x", startswith "x" or endswith "x".',
    "ilike": 'Write icontains "x", istartswith "x" or iendswith "x".',
    "between": "Write range (1, 9); both ends belong to it.",
    "isnull": "Write is null or is not null.",
    "not": 'Put not in front of the condition: not name in ("a", "b").',
}


def parse_filter(text: str) -> Expr:
    """The tree of a filter, nothing looked up.

    At most 4,000 characters, 200 conditions, 500 values in a list, 20 levels of parentheses and not.
    Raises BadRequest that says where it went wrong and what was expected there.
    """
    if len(text) > MOST_CHARACTERS:
        raise _too_large(f"is {len(text):,} characters long; at most {MOST_CHARACTERS:,}")
    if not text.isascii() and _SURROGATE.search(text):
        raise bad_parameter("filter", "bad_filter", "The filter is not valid Unicode text.")
    reader = _Reader(text)
    expr = _either(reader, 0)
    if reader.token.kind != "end":
        raise reader.unexpected("'and', 'or' or the end")
    return expr


def print_filter(expr: Expr) -> str:
    """The text that parses to this very tree, with no more parentheses than it needs."""
    match expr:
        case Or(parts):
            return " or ".join(_enclosed(part, (Or,)) for part in parts)
        case And(parts):
            return " and ".join(_enclosed(part, (And, Or)) for part in parts)
        case Negate(part):
            return f"not {_enclosed(part, (And, Or))}"
        case AnyOf(path, inner):
            condition = "" if inner is None else f", {print_filter(inner)}"
            return f"any({_printed_path(path)}{condition})"
        case Compare(path, lookup, value):
            return f"{_printed_path(path)} {_printed_test(lookup, value)}"


class _Reader:
    """The tokens of one filter, read once from left to right."""

    def __init__(self, text: str) -> None:
        self._rest = tokens_of(text)
        self.token = next(self._rest)
        self.conditions = 0

    def take(self) -> Token:
        """The present token; the next one becomes present. Never called at the end."""
        taken, self.token = self.token, next(self._rest)
        return taken

    def took_word(self, word: str) -> bool:
        found = self.token.is_word(word)
        if found:
            self.take()
        return found

    def took_sign(self, sign: str) -> bool:
        found = self.token.is_sign(sign)
        if found:
            self.take()
        return found

    def require_sign(self, sign: str, expected: str) -> None:
        if not self.took_sign(sign):
            raise self.unexpected(expected)

    def unexpected(self, expected: str, hint: str = "") -> BadRequest:
        found = repr(shown(self.token.source)) if self.token.kind != "end" else "the end"
        return bad_filter(self.token.at, f"expected {expected}, found {found}", hint)


def _either(reader: _Reader, depth: int) -> Expr:
    parts = [_both(reader, depth)]
    while reader.took_word("or"):
        parts.append(_both(reader, depth))
    return Or(tuple(parts)) if len(parts) > 1 else parts[0]


def _both(reader: _Reader, depth: int) -> Expr:
    parts = [_one(reader, depth)]
    while reader.took_word("and"):
        parts.append(_one(reader, depth))
    return And(tuple(parts)) if len(parts) > 1 else parts[0]


def _one(reader: _Reader, depth: int) -> Expr:
    if depth > DEEPEST:
        raise _too_large(f"is nested more than {DEEPEST} levels deep")
    if reader.took_word("not"):
        return Negate(_one(reader, depth + 1))
    if reader.took_sign("("):
        inner = _either(reader, depth + 1)
        reader.require_sign(")", "'and', 'or' or ')'")
        return inner
    reader.conditions += 1
    if reader.conditions > MOST_COMPARISONS:
        raise _too_large(f"has more than {MOST_COMPARISONS} conditions")
    return _any_of(reader, depth) if reader.took_word("any") else _comparison(reader)


def _any_of(reader: _Reader, depth: int) -> Expr:
    reader.require_sign("(", "'(' after any")
    path = _path(reader, "the name of a relation")
    inner = _either(reader, depth + 1) if reader.took_sign(",") else None
    reader.require_sign(")", "',' or ')'" if inner is None else "'and', 'or' or ')'")
    return AnyOf(path, inner)


def _comparison(reader: _Reader) -> Expr:
    path = _path(reader, "a condition")
    token = reader.token
    word = token.text.lower() if token.kind == "word" else ""
    if token.kind == "sign" and token.text in _SIGN_LOOKUPS:
        reader.take()
        return Compare(path, _SIGN_LOOKUPS[token.text], _value(reader, _null_hint(token.text)))
    if word in TEXT:
        reader.take()
        return Compare(path, word, _value(reader))
    if word in {"in", "range"}:
        reader.take()
        return Compare(path, word, _values(reader, word))
    if reader.took_word("is"):
        return Compare(path, "isnull", _nullness(reader))
    raise reader.unexpected("an operator such as '=' or 'contains'", _HINTS.get(word, ""))


def _path(reader: _Reader, expected: str) -> Path:
    names = [_name(reader, expected)]
    while reader.took_sign("."):
        names.append(_name(reader, "a name after the dot"))
    return tuple(names)


def _name(reader: _Reader, expected: str) -> str:
    token = reader.token
    if token.kind == "name" or (token.kind == "word" and is_bare_name(token.text)):
        return reader.take().text
    hint = ""
    if token.kind == "word":
        hint = f"A field of that name goes in backquotes: `{token.text}`."
    elif token.kind in {"text", "number"}:
        hint = "A condition begins with the name of a field."
    raise reader.unexpected(expected, hint)


def _value(reader: _Reader, null_hint: str = "") -> str:
    token = reader.token
    if token.kind in {"text", "number"}:
        return reader.take().text
    if token.is_word("true") or token.is_word("false"):
        return reader.take().text.lower()
    hint = ""
    if token.is_word("null"):
        hint = null_hint
    elif token.kind == "word" and token.text.lower() not in RESERVED:
        hint = f'Text goes in quotes: "{shown(token.text)}".'
    raise reader.unexpected("a value", hint)


def _null_hint(sign: str) -> str:
    return {"=": "Write is null.", "!=": "Write is not null."}.get(sign, "")


def _values(reader: _Reader, lookup: str) -> tuple[str, ...]:
    reader.require_sign("(", f"'(' after {lookup}")
    values: list[str] = []
    if lookup == "range":
        values.append(_value(reader))
        reader.require_sign(",", "',' and the other end of the range")
        values.append(_value(reader))
    elif not reader.token.is_sign(")"):
        values.append(_value(reader))
        while reader.took_sign(","):
            values.append(_value(reader))
    reader.require_sign(")", "')'" if lookup == "range" else "',' or ')'")
    if len(values) > MOST_VALUES:
        raise _too_large(f"has a list of {len(values)} values; at most {MOST_VALUES}")
    return tuple(values)


def _nullness(reader: _Reader) -> str:
    answer = "false" if reader.took_word("not") else "true"
    if not reader.took_word("null"):
        expected = "'null'" if answer == "false" else "'null' or 'not null'"
        raise reader.unexpected(expected, "Other values are compared with =.")
    return answer


def _too_large(problem: str) -> BadRequest:
    return bad_parameter("filter", "filter_too_large", f"The filter {problem}.")


def _enclosed(part: Expr, loose: tuple[type, ...]) -> str:
    printed = print_filter(part)
    return f"({printed})" if isinstance(part, loose) else printed


def _printed_path(path: Path) -> str:
    return ".".join(name if is_bare_name(name) else _quoted(name, "`") for name in path)


def _printed_test(lookup: str, value: Value) -> str:
    if isinstance(value, tuple):
        return f"{lookup} ({', '.join(map(_printed_value, value))})"
    if lookup == "isnull":
        return "is null" if value == "true" else "is not null"
    return f"{_LOOKUP_SIGNS.get(lookup, lookup)} {_printed_value(value)}"


def _printed_value(text: str) -> str:
    is_bare = text in {"true", "false"} or NUMBER.fullmatch(text)
    return text if is_bare else _quoted(text, '"')


def _quoted(text: str, quote: str) -> str:
    body = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + _CONTROL.sub(_escape_from, body) + quote


def _escape_from(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"
