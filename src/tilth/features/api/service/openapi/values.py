"""Kind and lookup → JSON Schema of the text of a query parameter."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tilth.kernel.plan.lookups import LOOKUPS, join_values
from tilth.kernel.schema.kinds import TEXT, Kind

Value = Mapping[str, Any]

_SYNTAX = re.compile(r"([\\^$.*+?()\[\]{}|/])")

COMPARISONS = frozenset({"exact", "ne", "lt", "lte", "gt", "gte"})

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29"
_DATE = f"(?:{_YEAR}-{_DAY}|{_LEAP})"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_DECIMAL = r"[-+]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})"
_HEX = "[0-9a-fA-F]"
_BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

_TEXTS: Mapping[str, str] = {
    "boolean": "(?:true|false)",
    "integer": "-?[0-9]{1,18}",
    "float": _DECIMAL,
    "decimal": _DECIMAL,
    "text": r'(?:[^\u0000",]*|"(?:[^\u0000"]|"")*")',
    "bytes": _BASE64,
    "datetime": f"{_DATE}T{_CLOCK}Z?",
    "date": _DATE,
    "time": _CLOCK,
    "interval": r"-?P(?:[0-9]{1,5}D|(?:[0-9]{1,5}D)?T[0-9]{1,6}S)",
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
}
"""One value of a list, by kind."""

_WHOLE: Mapping[str, Value] = {
    "text": {"type": "string", "pattern": r"^[^\u0000]*$"},
    "decimal": {"type": "string", "pattern": f"^{_DECIMAL}$"},
    "bytes": {"type": "string", "pattern": f"^{_BASE64}$"},
    "time": {"type": "string", "pattern": f"^{_CLOCK}$"},
    "interval": {"type": "string", "pattern": f"^{_TEXTS['interval']}$"},
}
"""One value alone, where a parameter takes more or less than JSON shows."""


def value_schema(kind: Kind) -> Value:
    """One value, as in `?age=18`."""
    if kind.digits is not None:
        return {"type": "string", "pattern": f"^{_decimal_text(*kind.digits)}$"}
    return _WHOLE.get(kind.name, kind.json_schema)


def lookup_values(kind: Kind) -> Iterator[tuple[tuple[str, ...], Value]]:
    """(lookups, the schema of their value), for every lookup the kind has."""
    for names, schema in _FORMS:
        usable = tuple(lookup for lookup in LOOKUPS if lookup in names & kind.lookups)
        if usable:
            yield usable, schema(kind)


def escaped(text: str) -> str:
    """A regular expression for exactly this text; ECMA-262 allows no escape that is not needed."""
    return _SYNTAX.sub(r"\\\1", text)


def _list_schema(kind: Kind) -> Value:
    """At most 500 values; one with a comma, quote or outer space stands in quotes."""
    one = _one_of_list(kind)
    return {"type": "string", "pattern": f"^(?:{one}(?:,{one})*)?$"}


def _range_schema(kind: Kind) -> Value:
    one = _one_of_list(kind)
    return {"type": "string", "pattern": f"^{one},{one}$"}


def _one_of_list(kind: Kind) -> str:
    if kind.digits is not None:
        return _decimal_text(*kind.digits)
    if kind.name in _TEXTS:
        return _TEXTS[kind.name]
    texts = map(_text_of, kind.json_schema.get("enum", ()))
    return f"(?:{'|'.join(escaped(join_values([text])) for text in texts)})"


def _decimal_text(before: int, after: int) -> str:
    """Digits on at least one side of the point; a single 0 where there is no room for any."""
    whole = f"[0-9]{{1,{before}}}" if before else "0"
    fraction = rf"|\.[0-9]{{1,{after}}}" if after else ""
    return rf"[-+]?(?:{whole}(?:\.[0-9]{{0,{after}}})?{fraction})"


def _text_of(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_FORMS: Sequence[tuple[frozenset[str], Callable[[Kind], Value]]] = (
    (COMPARISONS, value_schema),
    (TEXT, lambda kind: _WHOLE["text"]),
    (frozenset({"in"}), _list_schema),
    (frozenset({"range"}), _range_schema),
    (frozenset({"isnull"}), lambda kind: {"type": "boolean"}),
)
