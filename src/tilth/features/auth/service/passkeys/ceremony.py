"""What a browser sent of a passkey → what an authenticator made or signed, all of it verified.

The library reads and compares; what it leaves to its user is here: pages framed by others, flags that
contradict each other, keys that are no keys, whose passkey it is.
Source: WebAuthn Level 3 sections 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from struct import error as StructError
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.exceptions import UnsupportedAlgorithm as UnknownToCryptography
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationConveyancePreference,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tilth.errors import BadCredential
from tilth.features.auth.models.passkeys import NewPasskey, Passkey
from tilth.features.auth.service.passkeys.party import Party
from tilth.kit.secrets import is_same

ES256, EDDSA, RS256 = -7, -8, -257
ALGORITHMS = (ES256, EDDSA, RS256)
"""Of COSE. What every platform's authenticator can do, and nothing else."""

TIMEOUT_MILLISECONDS = 600_000
LEAST_ID_BYTES, MOST_ID_BYTES = 16, 1023
LEAST_RSA_BYTES = 256
MOST_TRANSPORTS = 8

_REQUIRED = UserVerificationRequirement.REQUIRED
# What the library's readers of CBOR, COSE and JSON raise for what is none.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    StructError,
    AssertionError,
    NotImplementedError,
    UnknownToCryptography,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """An assertion that holds. count: of the authenticator's signatures, 0 when it does not count."""

    count: int
    is_backed_up: bool


class Ceremonies:
    """title: what the application is called, as people see it when they choose a passkey."""

    def __init__(self, party: Party, title: str) -> None:
        self.party = party
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=party.id, name=title),
            attestation=AttestationConveyancePreference.NONE,
            verify_origin=party.is_own,
        )
        self._server.timeout = TIMEOUT_MILLISECONDS  # type: ignore[assignment]
        self._server.allowed_algorithms = [
            PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=each)
            for each in ALGORITHMS
        ]

    def creation(
        self, challenge: bytes, handle: bytes, label: str, known: Sequence[Passkey]
    ) -> dict[str, Any]:
        """`publicKey` of navigator.credentials.create(). known: not to be made twice."""
        options, _ = self._server.register_begin(
            PublicKeyCredentialUserEntity(id=handle, name=label, display_name=label),
            _descriptors(known),
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=_REQUIRED,
            challenge=challenge,
        )
        return _plain(options.public_key)

    def request(self, challenge: bytes, known: Sequence[Passkey] = ()) -> dict[str, Any]:
        """`publicKey` of navigator.credentials.get(). known: one of these; any passkey without."""
        options, _ = self._server.authenticate_begin(
            _descriptors(known) if known else None,
            user_verification=_REQUIRED,
            challenge=challenge,
        )
        return _plain(options.public_key)

    def enrolled(self, challenge: bytes, handle: bytes, given: Mapping[str, Any]) -> NewPasskey:
        """Raises BadCredential."""
        with _told():
            _check_page(given)
            sent = AttestationObject(websafe_decode(given["response"]["attestationObject"]))
            made = _made(sent.auth_data)
            if not is_same(made.credential_id, websafe_decode(given["rawId"])):
                raise BadCredential("another_id", "The passkey is called something else.")
            data = self._server.register_complete(_state(challenge), _without_extensions(given))
        _check_key(made)
        _check_flags(data)
        return NewPasskey(
            made.credential_id,
            cbor.encode(made.public_key),
            handle,
            data.counter,
            _transports(given),
            data.is_backup_eligible(),
            data.is_backed_up(),
        )

    def asserted(
        self, challenge: bytes, kept: Passkey, given: Mapping[str, Any], *, is_alone: bool
    ) -> Signed:
        """By this passkey. Its count is still to be compared. Raises BadCredential.

        is_alone: nobody was named before, so the authenticator has to say whose passkey it is.
        """
        with _told():
            _check_page(given)
            key = CoseKey.parse(cbor.decode(kept.public_key))  # type: ignore[arg-type]
            known = AttestedCredentialData.create(Aaguid.NONE, kept.credential_id, key)
            self._server.authenticate_complete(
                _state(challenge), [known], _without_extensions(given)
            )
            data = AuthenticatorData(websafe_decode(given["response"]["authenticatorData"]))
            handle = given["response"].get("userHandle")
            sent = None if handle is None else websafe_decode(handle)
        if (is_alone or sent is not None) and not is_same(sent or b"", kept.user_handle):
            raise BadCredential("another_user", "The passkey says it is somebody else's.")
        _check_flags(data)
        if data.is_backup_eligible() != kept.is_backup_eligible:
            raise BadCredential("changed", "What never changes of a passkey has changed.")
        return Signed(data.counter, data.is_backed_up())


def credential_id_of(given: Mapping[str, Any]) -> bytes:
    """Raises BadCredential."""
    with _told():
        found: bytes = websafe_decode(given["rawId"])
    return found


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BadCredential:
        raise
    except _UNREADABLE as exc:
        raise BadCredential("not_verified", str(exc) or type(exc).__name__) from exc


def _check_page(given: Mapping[str, Any]) -> None:
    """A page within another's frame may be dressed up as something else."""
    told = orjson.loads(websafe_decode(given["response"]["clientDataJSON"]))
    if told.get("crossOrigin", False) is not False or "topOrigin" in told:
        raise BadCredential("framed", "A page of another site framed the one that asked.")


def _made(data: AuthenticatorData) -> AttestedCredentialData:
    made = data.credential_data
    if made is None:
        raise BadCredential("no_key", "No passkey was made.")
    if not LEAST_ID_BYTES <= len(made.credential_id) <= MOST_ID_BYTES:
        raise BadCredential("bad_id", "What the passkey is called is too short or too long.")
    return made


def _check_key(made: AttestedCredentialData) -> None:
    """With attestation left out nothing is signed yet: a key that is none would show too late."""
    key = made.public_key
    if key.get(3) not in ALGORITHMS:
        raise BadCredential(
            "algorithm", "The passkey signs by an algorithm that was not asked for."
        )
    with _told():
        if key[3] == RS256 and len(key[-1].lstrip(b"\0")) < LEAST_RSA_BYTES:
            raise BadCredential("short_key", "The passkey's RSA key has less than 2048 bits.")
        try:
            key.verify(b"", b"")
        except InvalidSignature:
            return
    raise BadCredential("no_signature", "The key takes anything for a signature.")


def _check_flags(data: AuthenticatorData) -> None:
    if data.is_backed_up() and not data.is_backup_eligible():
        raise BadCredential("flags", "A passkey that cannot be copied says that it was.")


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor.from_dict(
            {
                "type": "public-key",
                "id": websafe_encode(each.credential_id),
                "transports": each.transports.split() or None,
            }
        )
        for each in known
    ]


def _transports(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Only a hint for browsers, so words that nobody knows are left out, not refused."""
    named = {"usb", "nfc", "ble", "hybrid", "internal", "smart-card"}
    sent = given["response"].get("transports") or ()
    return tuple(each for each in dict.fromkeys(sent) if each in named)[:MOST_TRANSPORTS]


def _state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(challenge), "user_verification": _REQUIRED}


def _without_extensions(given: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing is asked of extensions, so nothing is read of them."""
    response = {k: v for k, v in given["response"].items() if k != "transports" and v is not None}
    return {"id": given["id"], "rawId": given["rawId"], "response": response, "type": given["type"]}


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's types only, and nothing that is None."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(dict(options), default=_as_json))
    return found


def _as_json(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return websafe_encode(value)
    raise TypeError(type(value).__name__)
