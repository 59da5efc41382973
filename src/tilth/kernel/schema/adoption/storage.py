"""What a SQLite column declares and what it holds → the column type that fits.

SQLite keeps any value in any column; only values that were seen can tell how to read it.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

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
from tilth.kernel.schema.types import MixedText

Value = TypeVar("Value", int, float, str)

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


@dataclass(frozen=True, slots=True)
class Sample:
    """The different values seen in one column; texts cut at SAMPLED_CHARACTERS."""

    integers: frozenset[int] = frozenset()
    reals: frozenset[float] = frozenset()
    texts: frozenset[str] = frozenset()
    blobs: bool = False

    @property
    def only_texts(self) -> bool:
        return not (self.integers or self.reals or self.blobs)

    @property
    def only_numbers(self) -> bool:
        return not (self.texts or self.blobs)


def sample_of(values: Sequence[float | str | bytes | None]) -> Sample:
    # By type before by value: to a set, 1 and 1.0 are one.
    types = set(map(type, values)) - {type(None)}
    return Sample(
        _of_type(int, values, types),
        _of_type(float, values, types),
        _of_type(str, values, types),
        bytes in types,
    )


def _of_type(
    type_: type[Value], values: Sequence[Any], types: Collection[type]
) -> frozenset[Value]:
    if types == {type_}:
        return frozenset(values) - {None}
    return frozenset(v for v in values if type(v) is type_) if type_ in types else frozenset()


def may_be_long(declared: TypeEngine[Any]) -> bool:
    """Values of such a column may be too large to be read whole for a look at them."""
    match declared:
        case String():
            return declared.length is None or declared.length > SAMPLED_CHARACTERS
        case LargeBinary() | NullType() | JSON():
            return True
    return False


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
    if sample.integers or sample.reals:
        return MixedText()
    return Text() if sample.texts else LargeBinary()


def _all_truths(sample: Sample) -> bool:
    others = sample.reals or sample.texts or sample.blobs
    return not others and sample.integers <= {0, 1}


def _fitting_decimal(declared: Numeric[Any], sample: Sample) -> Numeric[Any]:
    """SQLite does not round to the declared digits, so more of them may be there."""
    if declared.precision is None and declared.scale is None:
        return declared
    most = max(map(_decimal_digits, sample.reals), default=0)
    return declared if most <= (declared.scale or 0) else Numeric()


def _decimal_digits(value: float) -> float:
    """After the point; infinitely many when it is not finite."""
    # As the store reads it: a float has 15 digits that were meant.
    text = f"{value:.15g}"
    if text.lstrip("-").replace(".", "", 1).isdigit():
        return len(text.partition(".")[2])
    return max(-int(Decimal(text).as_tuple().exponent), 0) if math.isfinite(value) else math.inf


def _fitting_text(declared: String, sample: Sample) -> TypeEngine[Any]:
    longest = max(map(len, sample.texts))
    return declared if declared.length is None or longest <= declared.length else Text()
