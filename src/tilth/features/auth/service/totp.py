"""Secret and clock → the six digits an authenticator app shows (RFC 6238)."""

import base64
import hmac
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote, urlencode

from tilth.kit.secrets import is_same, new_bytes

SECRET_BYTES = 20
"""160 bits, as RFC 4226 requirement R6 recommends."""


@dataclass(frozen=True, slots=True)
class TotpKind:
    """What both sides have agreed on; the defaults are what every authenticator app can do."""

    digits: int = 6
    period_seconds: int = 30
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha1"


STANDARD = TotpKind()


def new_totp_secret() -> bytes:
    """To be kept sealed: whoever reads it makes every code there will ever be."""
    return new_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int, kind: TotpKind = STANDARD) -> str:
    """The code of one step, with its leading zeros. Source: RFC 4226 section 5.3."""
    digest = hmac.digest(secret, struct.pack(">Q", step), kind.algorithm)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**kind.digits).zfill(kind.digits)


def step_at(moment: datetime, kind: TotpKind = STANDARD) -> int:
    """How many periods had passed since 1970."""
    return int(moment.timestamp()) // kind.period_seconds


def matched_step(
    secret: bytes, code: str, now: datetime, *, window: int = 1, kind: TotpKind = STANDARD
) -> int | None:
    """The latest step within window of now whose code this is; None when it is none of them.

    A code is good once: the caller must store the step by `UPDATE … WHERE last_step < step` and
    accept the code only if that changed a row. ASCII digits only, spaces ignored. The time taken
    does not depend on which step matches.
    """
    digits = code.replace(" ", "")
    if len(digits) != kind.digits or not (digits.isascii() and digits.isdigit()):
        return None
    present = step_at(now, kind)
    steps = range(max(present - window, 0), present + window + 1)
    matches = [step for step in steps if is_same(code_at(secret, step, kind), digits)]
    return max(matches, default=None)


def totp_uri(secret: bytes, *, account: str, issuer: str, kind: TotpKind = STANDARD) -> str:
    """The `otpauth:` address that an authenticator app reads, most often from a QR code.

    It holds the secret: show it once, never log it. Source: the Key URI format that the apps share.
    """
    label = quote(f"{issuer}:{account}", safe="")
    values = {
        "secret": totp_secret_text(secret),
        "issuer": issuer,
        "algorithm": kind.algorithm.upper(),
        "digits": kind.digits,
        "period": kind.period_seconds,
    }
    return f"otpauth://totp/{label}?{urlencode(values, quote_via=quote)}"


def totp_secret_text(secret: bytes) -> str:
    """For typing into an app that cannot read the QR code: base32 without padding."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")
