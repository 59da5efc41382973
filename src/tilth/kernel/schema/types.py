"""Column types of Tilth's own: decimals that SQLite keeps exactly."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.schema.decoders import Carrier, Json, decimal_decoder
from tilth.kernel.schema.parsers import parse_decimal

_COMPLEMENT = str.maketrans("0123456789", "9876543210")


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
            return dialect.type_descriptor(String(self.precision + 2))
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        exact = self._fitted(Decimal(value) if not isinstance(value, Decimal) else value)
        return self._stored(exact) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or dialect.name != "sqlite":
            return value
        return Decimal(_plain(value))

    def parse(self, text: str) -> Decimal:
        """Text from a URL; ValueError when the column could not hold the number."""
        return self._fitted(parse_decimal(text))

    def decode_stored(self, value: Carrier) -> Json:
        """The text SQLite keeps → plain digits, or what is stored when it is no such text."""
        if isinstance(value, str) and value[:1] in ("p", "n"):
            value = _plain(value)
        return decimal_decoder(self.scale)(value)

    def _fitted(self, value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError(f"{value} is not a finite number.")
        _, digits, exponent = value.normalize().as_tuple()
        assert isinstance(exponent, int)
        if -exponent > self.scale or (value and value.adjusted() >= self.precision - self.scale):
            raise ValueError(
                f"{value} does not fit: {self.precision - self.scale} digits before "
                f"and {self.scale} after the point."
            )
        return value

    def _stored(self, value: Decimal) -> str:
        width = self.precision + (1 if self.scale else 0)
        digits = f"{abs(value):.{self.scale}f}".zfill(width)[-width:]
        return f"n{digits.translate(_COMPLEMENT)}" if value < 0 else f"p{digits}"


def _plain(stored: str) -> str:
    """The number in a stored text, with its padding."""
    if stored.startswith("n"):
        return "-" + stored[1:].translate(_COMPLEMENT)
    return stored[1:]
