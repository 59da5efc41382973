"""Column types of Tilth's own: exact decimals, texts among numbers; and what others hold."""

import re
from decimal import Decimal
from typing import Any

from sqlalchemy import REAL, Dialect, Double, Float, Numeric, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.schema.decoders import Carrier, Json, decimal_decoder
from tilth.kernel.schema.parsers import parse_decimal

_STORED = re.compile(r"[pn]\d+(?:\.\d+)?", re.ASCII)
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


class MixedText(Text):
    """A column of SQLite with texts and numbers side by side: each is answered as it is stored."""


class ExactDecimal(TypeDecorator[Decimal]):
    """NUMERIC(precision, scale); on SQLite, which has no decimals, a text that sorts as the number.

    The text has a sign (p, or n for negative), then all digits, zero-padded, each taken from nine
    when negative: 12.3 as (5, 2) is "p012.30", -12.3 is "n987.69". Comparing and sorting are right
    in SQL; adding up on SQLite is not. Values that do not fit raise ValueError, none is rounded.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int = 0) -> None:
        if not 0 <= scale <= precision or precision < 1:
            raise ValueError(f"ExactDecimal({precision}, {scale}): 0 <= scale <= precision needed.")
        super().__init__(precision, scale)
        self.precision, self.scale = precision, scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(self.precision + 3))
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        exact = self.fitted(value if isinstance(value, Decimal) else Decimal(str(value)))
        return self._stored(exact) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return Decimal(_padded(value) if dialect.name == "sqlite" else value)

    def parse(self, text: str) -> Decimal:
        """Text from a URL; ValueError when the column could not hold the number."""
        return self.fitted(parse_decimal(text))

    def decode_stored(self, value: Carrier) -> Json:
        """The text SQLite keeps → plain digits, or what is stored when it is no such text."""
        if isinstance(value, str) and _STORED.fullmatch(value):
            value = _padded(value)
        return decimal_decoder(self.scale)(value)

    def fitted(self, value: Decimal) -> Decimal:
        """The value as it is; ValueError when the column could not hold it exactly."""
        if not value.is_finite():
            raise ValueError(f"{value} is not a finite number.")
        # Not by rounding and comparing: both work within the context's 28 digits.
        _, digits, exponent = value.as_tuple()
        excess = -int(exponent) - self.scale
        whole = self.precision - self.scale
        if (value and value.adjusted() >= whole) or (excess > 0 and any(digits[-excess:])):
            raise ValueError(
                f"{value} does not fit: {whole} digits before the point, {self.scale} after it."
            )
        return value

    def _stored(self, value: Decimal) -> str:
        width = self.precision + (1 if self.scale else 0)
        digits = f"{value.copy_abs():.{self.scale}f}".zfill(width)
        return f"n{digits.translate(_COMPLEMENT)}" if value < 0 else f"p{digits}"


def _padded(stored: str) -> str:
    """The number in a stored text, still with its leading zeros."""
    if stored.startswith("n"):
        return "-" + stored[1:].translate(_COMPLEMENT)
    return stored[1:]


def is_short_float(type_: TypeEngine[Any]) -> bool:
    """PostgreSQL keeps it in 4 bytes."""
    return isinstance(type_, REAL) or (
        isinstance(type_, Float) and not isinstance(type_, Double) and (type_.precision or 53) < 25
    )
