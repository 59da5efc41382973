"""What a SQLite column declares and what it holds → the column type that fits.

SQLite keeps any value in any column; only values that were seen can tell how to read it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
)
from sqlalchemy.types import NullType, TypeEngine

from tilth.kernel.schema.adoption.moments import moment_type

_DECLARED = re.compile(r"\s*([^(]*?)\s*(?:\(([^)]*)\).*)?", re.DOTALL)
_MOMENTS = frozenset(
    ["DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME2", "SMALLDATETIME", "DATETIMEOFFSET"]
)
_DECIMALS = frozenset(
    ["DECIMAL", "NUMERIC", "NUMBER", "DEC", "MONEY", "SMALLMONEY", "CURRENCY", "FIXED"]
)
_NAMED: Mapping[str, Callable[[], TypeEngine[Any]]] = {
    "BOOL": Boolean,
    "BOOLEAN": Boolean,
    "DATE": Date,
    "TIME": Time,
    "JSON": JSON,
    "JSONB": JSON,
}

# Longer texts are cut when they are sampled.
SAMPLED_CHARACTERS = 300


@dataclass(slots=True)
class Sample:
    """Values seen in one column; texts cut at SAMPLED_CHARACTERS, blobs only counted."""

    integers: list[int] = field(default_factory=list)
    reals: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    blobs: int = 0

    def add(self, value: float | bytes | str | None) -> None:
        """bytes: the bytes of a text. str: any text stands for a blob."""
        match value:
            case int():
                self.integers.append(value)
            case float():
                self.reals.append(value)
            case bytes():
                self.texts.append(value.decode(errors="replace"))
            case str():
                self.blobs += 1

    @property
    def only_texts(self) -> bool:
        return not (self.integers or self.reals or self.blobs)

    @property
    def only_numbers(self) -> bool:
        return not (self.texts or self.blobs)


def declared_type(declaration: str) -> TypeEngine[Any]:
    """ "NVARCHAR(160)" → String(160). NullType when the name says nothing about the values."""
    found = _DECLARED.fullmatch(declaration.upper())
    name, arguments = (found[1], found[2] or "") if found else ("", "")
    sizes = [int(size) for size in re.findall(r"\d{1,9}", arguments)]
    first_word = name.partition(" ")[0]
    if name in _NAMED:
        return _NAMED[name]()
    if first_word in _MOMENTS:
        return DateTime()
    if first_word in _DECIMALS:
        precision, scale = (*sizes, None, None)[:2]
        return Numeric(precision, scale)
    return _by_affinity(name, sizes)


def _by_affinity(name: str, sizes: list[int]) -> TypeEngine[Any]:
    """Source: https://www.sqlite.org/datatype3.html section 3.1."""
    if "INT" in name:
        return Integer()
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return String(sizes[0]) if sizes and "CHAR" in name else Text()
    if "BLOB" in name or "BINARY" in name:
        return LargeBinary()
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return Float()
    return NullType()


def fitting_type(declared: TypeEngine[Any], sample: Sample) -> TypeEngine[Any]:
    """The declared type if every value seen is one of it, else one that fits those values."""
    if not (sample.integers or sample.reals or sample.texts or sample.blobs):
        return declared
    match declared:
        case Boolean() if _all_truths(sample):
            return declared
        case Integer() if sample.only_numbers and not sample.reals:
            return BigInteger()
        case Float() if sample.only_numbers:
            return declared
        case Numeric() if sample.only_numbers and not isinstance(declared, Float):
            return _fitting_decimal(declared, sample)
        case String() if sample.only_texts:
            return _fitting_text(declared, sample)
        case DateTime() | Date() | Time() if sample.only_texts:
            return moment_type(sample.texts, declared=declared)
        case JSON() if not sample.blobs:
            return declared
        case LargeBinary() if sample.blobs:
            return declared
    return _by_storage(sample)


def _by_storage(sample: Sample) -> TypeEngine[Any]:
    if sample.only_numbers:
        return Float() if sample.reals else BigInteger()
    holds_other = sample.integers or sample.reals or sample.texts
    return Text() if holds_other else LargeBinary()


def _all_truths(sample: Sample) -> bool:
    others = sample.reals or sample.texts or sample.blobs
    return not others and set(sample.integers) <= {0, 1}


def _fitting_decimal(declared: Numeric[Any], sample: Sample) -> Numeric[Any]:
    """SQLite does not round to the declared digits, so more of them may be there."""
    # As the store reads them: a float has 15 digits that were meant.
    values = [Decimal(f"{value:.15g}") for value in sample.reals]
    if declared.precision is None and declared.scale is None:
        return declared
    if not all(value.is_finite() for value in values):
        return Numeric()
    most = max((-int(value.as_tuple().exponent) for value in values), default=0)
    return declared if most <= (declared.scale or 0) else Numeric()


def _fitting_text(declared: String, sample: Sample) -> TypeEngine[Any]:
    longest = max(map(len, sample.texts))
    return declared if declared.length is None or longest <= declared.length else Text()
