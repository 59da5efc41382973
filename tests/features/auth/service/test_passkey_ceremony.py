"""What an authenticator made or signed is taken only if every part of it holds."""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stories.auth.authenticator import (
    ATTESTED,
    CAN_BE_COPIED,
    COPIED,
    PRESENT,
    VERIFIED,
    Authenticator,
    Said,
    cbor,
    data,
    text,
)

from tilth.errors import BadCredential
from tilth.features.auth.models.passkeys import NewPasskey, Passkey
from tilth.features.auth.service.passkeys.ceremony import Ceremonies, credential_id_of
from tilth.features.auth.service.passkeys.party import party_from

CHALLENGE, HANDLE = b"c" * 32, b"h" * 32
BACKED_UP = PRESENT | VERIFIED | CAN_BE_COPIED | COPIED
NOTES = Ceremonies(party_from("https://notes.test", is_configured=True), "Notes")
OPTIONS: dict[str, Any] = {"user": {"id": text(HANDLE)}, "challenge": text(CHALLENGE)}


def made(said: Said | None = None) -> tuple[Authenticator, NewPasskey]:
    device = Authenticator()
    return device, NOTES.enrolled(CHALLENGE, HANDLE, device.make(OPTIONS, said or Said()))


def kept(new: NewPasskey, **changes: Any) -> Passkey:
    passkey = Passkey(
        UUID(int=1),
        UUID(int=2),
        new.credential_id,
        new.public_key,
        new.user_handle,
        new.sign_count,
        "",
        new.is_backup_eligible,
        new.is_backed_up,
        True,
        "Key",
        datetime(2026, 1, 1, tzinfo=UTC),
        None,
    )
    return replace(passkey, **changes)


def test_what_was_made_is_kept() -> None:
    device, new = made(Said(flags=BACKED_UP))

    assert (new.credential_id, new.user_handle, new.sign_count) == (device.made[0].id, HANDLE, 1)
    assert (new.is_backup_eligible, new.is_backed_up) == (True, True)


def test_only_ways_to_be_reached_that_browsers_know_are_kept() -> None:
    sent = Authenticator().make(OPTIONS)
    sent["response"]["transports"] = ["usb", "carrier pigeon", "usb", "internal"]

    assert NOTES.enrolled(CHALLENGE, HANDLE, sent).transports == ("usb", "internal")


def test_what_was_signed_is_read() -> None:
    device, new = made()

    signed = NOTES.asserted(CHALLENGE, kept(new), device.sign(OPTIONS), is_alone=True)

    assert (signed.count, signed.is_backed_up) == (2, False)


def test_a_second_factor_need_not_say_whose_it_is_but_may_not_lie() -> None:
    device, new = made()
    silent, lying = device.sign(OPTIONS, Said(handle=None)), device.sign(OPTIONS, Said(handle=b"x"))

    assert NOTES.asserted(CHALLENGE, kept(new), silent, is_alone=False).count == 2
    for sent, is_alone in ((silent, True), (lying, False), (lying, True)):
        with pytest.raises(BadCredential) as caught:
            NOTES.asserted(CHALLENGE, kept(new), sent, is_alone=is_alone)
        assert caught.value.reason == "another_user"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(origin="https://evil.test"), "not_verified"),
        (Said(rp="evil.test"), "not_verified"),
        (Said(flags=PRESENT), "not_verified"),
        (Said(flags=VERIFIED), "not_verified"),
        (Said(type="webauthn.create"), "not_verified"),
        (Said(challenge=b"d" * 32), "not_verified"),
        (Said(more={"crossOrigin": True}), "framed"),
        (Said(more={"crossOrigin": "false"}), "framed"),
        (Said(more={"topOrigin": "https://notes.test"}), "framed"),
        (Said(flags=PRESENT | VERIFIED | COPIED), "flags"),
        (Said(flags=PRESENT | VERIFIED | CAN_BE_COPIED), "changed"),
    ],
)
def test_an_assertion_with_one_part_wrong_is_refused(said: Said, reason: str) -> None:
    device, new = made()

    with pytest.raises(BadCredential) as caught:
        NOTES.asserted(CHALLENGE, kept(new), device.sign(OPTIONS, said), is_alone=True)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(algorithm=-8), "not_verified"),
        (Said(algorithm=-47), "algorithm"),
        (Said(algorithm=-257), "not_verified"),
        (Said(id=b"x" * 15), "bad_id"),
        (Said(id=b"x" * 1024), "bad_id"),
        (Said(flags=PRESENT), "not_verified"),
        (Said(more={"crossOrigin": True}), "framed"),
        (Said(flags=PRESENT | VERIFIED | COPIED), "flags"),
    ],
)
def test_an_attestation_with_one_part_wrong_is_refused(said: Said, reason: str) -> None:
    with pytest.raises(BadCredential) as caught:
        made(said)

    assert caught.value.reason == reason


def attestation(key: dict[int, Any] | None) -> dict[str, Any]:
    """Of a passkey with this key, as COSE has it; without one, as no authenticator would answer."""
    flags = PRESENT | VERIFIED | (ATTESTED if key else 0)
    told = hashlib.sha256(b"notes.test").digest() + struct.pack(">BI", flags, 0)
    if key:
        told += bytes(16) + struct.pack(">H", 32) + b"i" * 32 + cbor(key)
    sent = Authenticator().make(OPTIONS, Said(id=b"i" * 32))
    made = cbor({"fmt": "none", "attStmt": {}, "authData": told})
    sent["response"]["attestationObject"] = text(made)
    return sent


def rsa_key(bits: int) -> dict[int, Any]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    modulus = numbers.n.to_bytes(bits // 8, "big")
    return {1: 3, 3: -257, -1: modulus, -2: numbers.e.to_bytes(3, "big")}


def test_keys_of_every_platform_are_taken() -> None:
    point = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    for key in (rsa_key(2048), {1: 1, 3: -8, -1: 6, -2: point}):
        assert NOTES.enrolled(CHALLENGE, HANDLE, attestation(key)).public_key == cbor(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "no_key"),
        (rsa_key(1024), "short_key"),
        ({1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}, "not_verified"),
        ({1: 1, 3: -8, -1: 6, -2: b""}, "not_verified"),
        ({1: 2, 3: -47, -1: 8, -2: b"x" * 32, -3: b"y" * 32}, "algorithm"),
    ],
    ids=["no key", "RSA of 1024 bits", "not on the curve", "an empty key", "another curve"],
)
def test_a_key_that_is_none_or_too_weak_is_refused(key: dict[int, Any] | None, reason: str) -> None:
    with pytest.raises(BadCredential) as caught:
        NOTES.enrolled(CHALLENGE, HANDLE, attestation(key))

    assert caught.value.reason == reason


def test_what_it_is_called_is_what_was_signed() -> None:
    sent = Authenticator().make(OPTIONS)
    sent["id"] = sent["rawId"] = text(b"y" * 32)

    with pytest.raises(BadCredential) as caught:
        NOTES.enrolled(CHALLENGE, HANDLE, sent)

    assert caught.value.reason == "another_id"


@given(st.binary(max_size=400), st.sampled_from(["clientDataJSON", "attestationObject"]))
def test_noise_is_refused_whatever_it_is(noise: bytes, where: str) -> None:
    sent = Authenticator().make(OPTIONS)
    sent["response"][where] = text(noise)

    with pytest.raises(BadCredential):
        NOTES.enrolled(CHALLENGE, HANDLE, sent)


@given(st.data())
def test_a_changed_byte_is_refused_wherever_it_is(drawn: st.DataObject) -> None:
    device, new = made()
    sent = device.sign(OPTIONS)
    name = drawn.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
    raw = bytearray(data(sent["response"][name]))
    raw[drawn.draw(st.integers(0, 10_000)) % len(raw)] ^= drawn.draw(st.integers(1, 255))
    sent["response"][name] = text(bytes(raw))

    with pytest.raises(BadCredential):
        NOTES.asserted(CHALLENGE, kept(new), sent, is_alone=True)


@given(st.text(max_size=20).filter(lambda each: not each.isascii()))
def test_an_id_that_is_no_base64_is_refused(sent: str) -> None:
    with pytest.raises(BadCredential):
        credential_id_of({"rawId": sent})


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 30))
def test_a_changed_attestation_is_refused_or_another_passkey(
    place: int, change: int, lost: int
) -> None:
    sent = Authenticator().make(OPTIONS)
    raw = bytearray(data(sent["response"]["attestationObject"]))
    raw[place % len(raw)] ^= change
    sent["response"]["attestationObject"] = text(bytes(raw[: len(raw) - lost]))

    # Nothing is signed here: what counts is that no change ends in an unforeseen error.
    with suppress(BadCredential):
        assert NOTES.enrolled(CHALLENGE, HANDLE, sent).user_handle == HANDLE
