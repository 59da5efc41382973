"""Keys of others: of a known kind and size, each for one algorithm, in sets that can be trusted."""

import base64
import json
from math import prod

import pytest

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.jws import sign, verify
from tilth.features.auth.service.jose.keys import (
    Algorithm,
    jwk_from_key,
    key_from_jwk,
    new_token_key,
    shared_key,
)
from tilth.features.auth.service.jose.sets import jwks_from_keys, keys_from_jwks

PRIMES = [p for p in range(3, 168) if all(p % d for d in range(2, p))]


def number(value: int) -> str:
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def rsa(modulus: int, exponent: int = 65537) -> dict[str, object]:
    return {"kty": "RSA", "alg": "RS256", "n": number(modulus), "e": number(exponent)}


def reason_for(jwk: dict[str, object], algorithm: Algorithm | None = None) -> str:
    with pytest.raises(BadCredential) as raised:
        key_from_jwk(jwk, algorithm)
    return raised.value.reason


ED = jwk_from_key(new_token_key(kid="ed"))
EC = jwk_from_key(new_token_key("ES256", kid="ec"))
RSA = jwk_from_key(new_token_key("RS256", kid="rsa"))
OCT = {"kty": "oct", "alg": "HS256", "kid": "oct", "k": number(2**255)}
MODULUS = int.from_bytes(base64.urlsafe_b64decode(RSA["n"] + "=="), "big")
# Of the form that the Infineon generator made: a power of 65537 modulo the product of small primes.
SPOILT = (2**2047 // prod(PRIMES) + 1) * prod(PRIMES) + pow(65537, 12345, prod(PRIMES))


@pytest.mark.parametrize(
    "algorithm", ["Ed25519", "EdDSA", "ES256", "ES384", "ES512", "RS256", "HS256"]
)
def test_a_key_is_read_back_as_it_was_written(algorithm: Algorithm) -> None:
    key = new_token_key(algorithm)

    read = key_from_jwk(jwk_from_key(key, private=True))

    assert read == key
    assert verify(sign(b"x", read), [key]).payload == b"x"


def test_a_public_key_has_no_private_member_and_repr_shows_no_secret() -> None:
    key = new_token_key("RS256")
    shared = shared_key(b"0123456789abcdef0123456789abcdef")

    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk_from_key(key).keys()
    assert "0123456789abcdef" not in repr(shared)
    with pytest.raises(ValueError, match="cannot be published"):
        jwk_from_key(shared)


@pytest.mark.parametrize(
    ("algorithm", "size", "is_enough"),
    [
        *(("HS256", 0, False), ("HS256", 1, False), ("HS256", 31, False), ("HS256", 32, True)),
        *(("HS384", 47, False), ("HS384", 48, True), ("HS512", 63, False), ("HS512", 64, True)),
        *(("HS256", 1025, False), ("RS256", 64, False)),
    ],
)
def test_15_a_shared_secret_is_as_long_as_its_hash(
    algorithm: Algorithm, size: int, is_enough: bool
) -> None:
    if is_enough:
        assert shared_key(bytes(size), algorithm=algorithm).algorithm == algorithm
    else:
        with pytest.raises(BadCredential, match="secret"):
            shared_key(bytes(size), algorithm=algorithm)


@pytest.mark.parametrize(
    "jwk",
    [
        *(rsa(MODULUS >> 2048 | 1), rsa(MODULUS, 1), rsa(MODULUS, 3), rsa(MODULUS, 65538)),
        *(rsa(MODULUS << 6000 | 1), rsa(SPOILT)),
        {"kty": "oct", "alg": "HS256", "k": ""},
    ],
    ids=["1024 bits", "e 1", "e 3", "even e", "9072 bits", "roca", "empty"],
)
def test_15_weak_keys_are_refused(jwk: dict[str, object]) -> None:
    assert reason_for(jwk) in {"weak_key", "bad_key"}


def test_15_what_is_wrong_with_a_weak_key_is_said() -> None:
    with pytest.raises(BadCredential, match="ROCA"):
        key_from_jwk(rsa(SPOILT))
    with pytest.raises(BadCredential, match="2,048"):
        key_from_jwk(rsa(MODULUS >> 2048 | 1))


@pytest.mark.parametrize(
    "jwk",
    [
        *(
            {},
            {"kty": "oct"},
            {"kty": "RSA", "alg": "RS256"},
            {**ED, "kty": "EC"},
            {**EC, "kty": "RSA"},
        ),
        *(
            {**EC, "y": ED["x"]},
            {**EC, "crv": "P-384"},
            {**EC, "alg": "ES384"},
            {**EC, "alg": "ES224"},
        ),
        *(
            {**ED, "alg": "none"},
            {**ED, "alg": "HS256"},
            {**ED, "use": "enc"},
            {**RSA, "alg": "RSA1_5"},
        ),
        *(
            {**ED, "key_ops": ["encrypt"]},
            {**ED, "key_ops": "verify"},
            {**ED, "x": 1},
            {**ED, "x": "é"},
        ),
        *({**ED, "x": ED["x"] + "="}, {**ED, "crv": "Ed448"}, {**ED, "kid": ""}, {**ED, "kid": 1}),
        *(
            {**ED, "kid": "x" * 201},
            {**OCT, "k": None},
            {**OCT, "kty": ["oct"]},
            {**ED, "kty": None},
        ),
    ],
    # No ids: keys are made anew in each process.
)
def test_keys_that_do_not_hold_together_are_refused(jwk: dict[str, object]) -> None:
    assert reason_for(jwk) in {"bad_key", "malformed", "weak_key"}


def test_a_key_without_algorithm_needs_one_from_its_reader() -> None:
    nameless = {name: value for name, value in RSA.items() if name != "alg"}

    assert reason_for(nameless) == "bad_key"
    assert key_from_jwk(nameless, "RS256").algorithm == "RS256"
    assert reason_for(RSA, "PS256") == "bad_key"


def keys_of(*jwks: object, algorithm: Algorithm | None = None) -> list[str]:
    return [key.kid for key in keys_from_jwks(json.dumps({"keys": jwks}).encode(), algorithm)]


def test_16_a_published_set_has_public_keys_only() -> None:
    keys = [new_token_key(kid="a"), new_token_key("ES256", kid="b"), shared_key(bytes(32))]

    document = jwks_from_keys(keys)

    assert keys_from_jwks(document.encode()) == [key_from_jwk(jwk_from_key(k)) for k in keys[:2]]
    assert '"d"' not in document
    assert '"k"' not in document


@pytest.mark.parametrize(
    "jwks",
    [
        [OCT, EC],
        [ED, {**EC, "kid": "ed"}],
        [ED, ED],
        [ED, {name: value for name, value in EC.items() if name != "kid"}],
        [ED, jwk_from_key(new_token_key(kid="private"), private=True)],
        [OCT, jwk_from_key(new_token_key(kid="private"), private=True)],
    ],
    ids=[
        "mixed",
        "one kid twice",
        "one key twice",
        "no kid",
        "private among public",
        "shared among private",
    ],
)
def test_16_sets_that_nobody_should_trust_are_refused(jwks: list[object]) -> None:
    with pytest.raises(BadCredential) as raised:
        keys_of(*jwks)

    assert raised.value.reason == "mixed_keys"


def test_16_keys_for_other_things_are_passed_over() -> None:
    others = [
        {**RSA, "kid": "enc", "use": "enc"},
        {**EC, "kid": "x", "alg": "ES224"},
        {"kty": "PQ"},
        1,
    ]

    assert keys_of(ED, *others, RSA) == ["ed", "rsa"]
    assert keys_of({**RSA, "kid": "az", "alg": "RS256"}, EC, algorithm="RS256") == ["az", "ec"]
    assert keys_of() == []


@pytest.mark.parametrize(
    "document",
    [
        *(
            b"",
            b"[]",
            b"{}",
            b'{"keys":{}}',
            b'{"keys":[],"keys":[]}',
            b"\xff",
            b'{"keys":[' + b"1," * 101 + b"1]}",
        ),
        b'{"keys":[],"x":"' + b"a" * 140_000 + b'"}',
    ],
    ids=lambda document: repr(document[:20]),
)
def test_16_other_documents_are_malformed(document: bytes) -> None:
    with pytest.raises(BadCredential) as raised:
        keys_from_jwks(document)

    assert raised.value.reason == "malformed"


def test_16_one_weak_key_spoils_the_set() -> None:
    with pytest.raises(BadCredential) as raised:
        keys_of(ED, {**rsa(SPOILT), "kid": "roca"})

    assert raised.value.reason == "weak_key"
