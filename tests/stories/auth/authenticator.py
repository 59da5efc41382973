"""An authenticator in software, and a browser's part of WebAuthn; it lies where it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, CAN_BE_COPIED, COPIED, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def data(text_: str) -> bytes:
    return base64.urlsafe_b64decode(text_ + "=" * (-len(text_) % 4))


def cbor(value: Any) -> bytes:
    """As much of RFC 8949 as is needed here."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, form in ((24, ">B"), (25, ">H"), (26, ">I")):
        if number < 1 << 8 * struct.calcsize(form):
            return bytes([major << 5 | code]) + struct.pack(form, number)
    raise AssertionError(number)


@dataclass
class Made:
    """A passkey as its authenticator keeps it."""

    id: bytes
    handle: bytes
    key: ec.EllipticCurvePrivateKey
    count: int = 0


@dataclass(frozen=True)
class Said:
    """What browser and authenticator say; each part may be made a lie."""

    origin: str = "https://notes.test"
    rp: str = "notes.test"
    flags: int = PRESENT | VERIFIED
    type: str | None = None
    challenge: bytes | None = None
    handle: bytes | None = b""
    more: dict[str, Any] = field(default_factory=dict)
    count: int | None = None
    algorithm: int = -7
    id: bytes | None = None


TRUTH = Said()


@dataclass
class Authenticator:
    """is_counting: a synced passkey says 0 each time."""

    is_counting: bool = True
    made: list[Made] = field(default_factory=list)

    def make(self, options: dict[str, Any], said: Said = TRUTH) -> dict[str, Any]:
        """What navigator.credentials.create() would answer."""
        new = Made(
            said.id or os.urandom(32),
            data(options["user"]["id"]),
            ec.generate_private_key(ec.SECP256R1()),
        )
        self.made.append(new)
        public = new.key.public_key().public_numbers()
        key = {1: 2, 3: said.algorithm, -1: 1}
        key |= {-2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        attested = bytes(16) + struct.pack(">H", len(new.id)) + new.id + cbor(key)
        told = self._data(new, replace(said, flags=said.flags | ATTESTED)) + attested
        made = cbor({"fmt": "none", "attStmt": {}, "authData": told})
        client = _client_data(options, "webauthn.create", said)
        return _answer(new, clientDataJSON=client, attestationObject=made)

    def sign(
        self, options: dict[str, Any], said: Said = TRUTH, passkey: Made | None = None
    ) -> dict[str, Any]:
        """What navigator.credentials.get() would answer, by the passkey made last."""
        used = passkey or self.made[-1]
        told = self._data(used, said)
        client = _client_data(options, "webauthn.get", said)
        signed = told + hashlib.sha256(client).digest()
        signature = used.key.sign(signed, ec.ECDSA(SHA256()))
        handle = used.handle if said.handle == b"" else said.handle
        return _answer(
            used,
            clientDataJSON=client,
            authenticatorData=told,
            signature=signature,
            userHandle=handle,
        )

    def _data(self, passkey: Made, said: Said) -> bytes:
        if self.is_counting:
            passkey.count += 1
        count = passkey.count if said.count is None else said.count
        rp = hashlib.sha256(said.rp.encode()).digest()
        return rp + struct.pack(">BI", said.flags, count)


def _client_data(options: dict[str, Any], type_: str, said: Said) -> bytes:
    told = {
        "type": said.type or type_,
        "challenge": text(said.challenge) if said.challenge else options["challenge"],
        "origin": said.origin,
        "crossOrigin": False,
        **said.more,
    }
    return json.dumps(told).encode()


def _answer(passkey: Made, **response: bytes | None) -> dict[str, Any]:
    shown = {name: None if value is None else text(value) for name, value in response.items()}
    id_ = text(passkey.id)
    extra = {"clientExtensionResults": {}, "authenticatorAttachment": "platform"}
    return {"id": id_, "rawId": id_, "type": "public-key", "response": shown, **extra}
