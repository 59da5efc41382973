"""`?team__name__in=a,b` → the path, the lookup and the values it compares with."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

from tilth.kernel.schema.kinds import TEXT, Kind
from tilth.kit.text import sentence_list

LOOKUPS = (
    "exact", "ne", "lt", "lte", "gt", "gte", "in", "range", "isnull", "iexact", "contains",
    "icontains", "startswith", "istartswith", "endswith", "iendswith",
)  # fmt: skip

MOST_VALUES = 500

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def parse_lookup(
    parameter: str, fields: Container[str] = frozenset()
) -> tuple[tuple[str, ...], str]:
    """`age__gte` → ("age",), "gte"; `team__name` → ("team", "name"), "exact".

    fields: names at the start of the path, which win over every other reading, whatever they
    contain. Elsewhere a field named like a lookup needs the lookup spelled out: `team__in__exact`.
    """
    if parameter in fields:
        return (parameter,), "exact"
    name, _, last = parameter.rpartition("__")
    if not name or last not in LOOKUPS:
        return tuple(parameter.split("__")), "exact"
    return ((name,) if name in fields else tuple(name.split("__"))), last


def parse_texts(
    kind: Kind, lookup: str, texts: Sequence[str], most: int = MOST_VALUES
) -> tuple[Any, ...]:
    """The values a lookup compares with, in the column's Python type.

    texts: as many as most for in, two for range, one for every other lookup; isnull gives a bool, the
    lookups on pieces of text give the text itself.
    Raises ValueError with a sentence that says what was expected.
    """
    if lookup not in kind.lookups:
        allowed = sentence_list(name for name in LOOKUPS if name in kind.lookups)
        raise ValueError(
            f"Lookup {lookup!r} does not work on {kind.name} values. These do: {allowed}."
        )
    for text in texts:
        _check_characters(text)
    _check_number_of(texts, lookup, most)
    if lookup == "isnull":
        return (_truth(texts[0]),)
    return tuple(texts) if lookup in TEXT else tuple(map(kind.parse, texts))


def split_values(text: str) -> tuple[str, ...]:
    """`a, "b, c",d` → a · b, c · d.

    Spaces around a value do not count. Quotes keep commas and spaces; a quote inside quotes is
    doubled. Empty text holds no value. Raises ValueError when a quote is not closed.
    """
    if not text.strip():
        return ()
    values: list[str] = []
    start = 0
    while start <= len(text):
        value, end = _value_from(text, start)
        values.append(value)
        start = end + 1
    return tuple(values)


def join_values(values: Iterable[str]) -> str:
    """The text that splits into these very values."""
    return ",".join(map(_quoted_if_needed, values))


def parse_truth(texts: Sequence[str]) -> bool:
    """The value of isnull on a relation. Raises ValueError like parse_texts."""
    _check_number_of(texts, "isnull", 1)
    return _truth(texts[0])


def _check_characters(text: str) -> None:
    """Neither database stores these in text, and JSON cannot carry a lone surrogate back."""
    if "\0" in text:
        raise ValueError("Expected text without the character U+0000.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("Expected valid Unicode text, without lone surrogates.")


def _check_number_of(texts: Sequence[str], lookup: str, most: int) -> None:
    if lookup == "range" and len(texts) != 2:
        raise ValueError(f"Expected two values, as in 1,9, not {len(texts)}.")
    if lookup == "in" and len(texts) > most:
        raise ValueError(f"Expected at most {most} values, not {len(texts)}.")


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError(f"Expected true or false, not {text!r}.")
    return _TRUTH[text.lower()]


def _value_from(text: str, start: int) -> tuple[str, int]:
    """The value that begins at start, and where its comma is, or the end."""
    while start < len(text) and text[start].isspace():
        start += 1
    if text.startswith('"', start):
        return _quoted_from(text, start + 1)
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    return text[start:end].strip(), end


def _quoted_from(text: str, start: int) -> tuple[str, int]:
    close = text.find('"', start)
    while close >= 0 and text.startswith('""', close):
        close = text.find('"', close + 2)
    if close < 0:
        raise ValueError('Expected a closing quote: "a, b",c.')
    comma = text.find(",", close)
    end = len(text) if comma < 0 else comma
    if text[close + 1 : end].strip():
        raise ValueError('Expected a comma after a closing quote; a quote inside is doubled: "".')
    return text[start:close].replace('""', '"'), end


def _quoted_if_needed(value: str) -> str:
    if value and value == value.strip() and "," not in value and '"' not in value:
        return value
    return '"' + value.replace('"', '""') + '"'
