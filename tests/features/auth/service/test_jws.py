"""Signatures: the examples of the RFCs hold, and whatever differs from them does not."""

import base64
import hmac
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.jws import MOST_CHARACTERS, sign, verify
from tilth.features.auth.service.jose.keys import (
    ALGORITHMS,
    Algorithm,
    TokenKey,
    jwk_from_key,
    key_from_jwk,
    new_token_key,
    shared_key,
)

HS256_JWK = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
RSA_JWK = {
    "kty": "RSA",
    "e": "AQAB",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
        "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
        "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
        "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    ),
}
EC_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
OKP_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

CLAIMS = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
# RFC 7515 appendix A.1, A.2 and A.3; RFC 8037 appendix A.4.
HS256_TOKEN = (
    f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RS256_TOKEN = (
    f"eyJhbGciOiJSUzI1NiJ9.{CLAIMS}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG"
    "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
ES256_TOKEN = (
    f"eyJhbGciOiJFUzI1NiJ9.{CLAIMS}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
EDDSA_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
UNSECURED = f"eyJhbGciOiJub25lIn0.{CLAIMS}."

EXAMPLES: tuple[tuple[str, dict[str, str], Algorithm], ...] = (
    (HS256_TOKEN, HS256_JWK, "HS256"),
    (RS256_TOKEN, RSA_JWK, "RS256"),
    (ES256_TOKEN, EC_JWK, "ES256"),
    (EDDSA_TOKEN, OKP_JWK, "EdDSA"),
)

SHARED = shared_key(bytes(range(32)), kid="one")
FORGED = new_token_key(kid="forged")


def b64(content: bytes | str) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by_hand(header: str, payload: str = "foo", key: TokenKey = SHARED) -> str:
    """Correctly signed, whatever the header says."""
    content = f"{b64(header)}.{b64(payload)}"
    return f"{content}.{b64(key.model.sign(content.encode(), key.material))}"


def reason_for(text: str, *keys: TokenKey) -> str:
    with pytest.raises(BadCredential) as raised:
        verify(text, keys or [SHARED])
    return raised.value.reason


@pytest.mark.parametrize(("text", "jwk", "algorithm"), EXAMPLES, ids=lambda value: str(value)[:8])
def test_the_examples_of_the_rfcs_hold(
    text: str, jwk: dict[str, str], algorithm: Algorithm
) -> None:
    key = key_from_jwk(jwk, algorithm)

    signed = verify(text, [key])

    assert b64(signed.payload) == text.split(".")[1]


@pytest.mark.parametrize(("text", "jwk", "algorithm"), EXAMPLES, ids=lambda value: str(value)[:8])
def test_no_example_holds_with_one_bit_changed(
    text: str, jwk: dict[str, str], algorithm: Algorithm
) -> None:
    key = key_from_jwk(jwk, algorithm)
    first, second, third = text.split(".")
    signature = base64.urlsafe_b64decode(third + "==")

    for bit in range(0, len(signature) * 8, 7):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert reason_for(f"{first}.{second}.{b64(bytes(changed))}", key) == "bad_signature"
    assert reason_for(f"{first}.{b64('other')}.{third}", key) == "bad_signature"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_reads_what_it_signs(algorithm: Algorithm) -> None:
    key = new_token_key(algorithm)

    signed = verify(sign(b"content", key, header={"typ": "x"}), [key])

    assert signed.payload == b"content"
    assert signed.header == {"alg": algorithm, "kid": key.kid, "typ": "x"}


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    assert key_from_jwk(OKP_JWK).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "NONE", "", "hs256", "HS512", "RS256"])
def test_01_an_algorithm_of_the_senders_choice_is_refused(name: str) -> None:
    header = json.dumps({"alg": name, "kid": "one"})

    assert reason_for(signed_by_hand(header)) == "wrong_algorithm"
    assert reason_for(f"{b64(header)}.{b64('foo')}.") == "wrong_algorithm"
    assert reason_for(UNSECURED) == "wrong_algorithm"


@pytest.mark.parametrize("jwk", [RSA_JWK, EC_JWK, OKP_JWK], ids=lambda jwk: jwk["kty"])
def test_02_a_public_key_is_no_shared_secret(jwk: dict[str, str]) -> None:
    key = key_from_jwk({**jwk, "kid": "one"}, "RS256" if jwk["kty"] == "RSA" else None)
    der = key.material.as_der(private=False)  # type: ignore[union-attr]
    pem = key.material.as_pem(private=False)  # type: ignore[union-attr]

    header = '"alg":"HS256","kid":"one"'
    for secret in (der, pem, pem.strip(), json.dumps(jwk).encode()):
        content = f"{b64('{' + header + '}')}.Zm9v"
        forged = f"{content}.{b64(hmac.digest(secret, content.encode(), 'sha256'))}"
        assert reason_for(forged, key) == "wrong_algorithm"
        with pytest.raises(BadCredential) as raised:
            shared_key(secret)
        assert raised.value.reason in {"weak_key", "bad_key"}


def test_03_a_key_serves_its_own_algorithm_only() -> None:
    rsa = new_token_key("PS256", kid="one")
    other = key_from_jwk({**jwk_from_key(rsa, private=True), "alg": "RS256"})

    assert reason_for(sign(b"foo", other), rsa) == "wrong_algorithm"


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": jwk_from_key(FORGED)},
        *({"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example"}, {"x5c": ["MIIB"]}),
    ],
    ids=lambda member: next(iter(member)),
)
def test_04_a_key_that_comes_with_the_token_is_refused(member: dict[str, object]) -> None:
    header = json.dumps({"alg": "Ed25519", "kid": "forged", **member})

    assert reason_for(signed_by_hand(header, key=FORGED)) == "malformed"
    assert reason_for(signed_by_hand(header, key=FORGED), FORGED) == "malformed"


@pytest.mark.parametrize(
    "kid", ["", "../../dev/null", "' OR 1=1", "one\x00", "x" * 1000, "ONE", 1, None, ["one"], {}]
)
def test_05_a_kid_is_looked_up_exactly(kid: object) -> None:
    header = json.dumps({"alg": "HS256", "kid": kid})

    assert reason_for(signed_by_hand(header)) == "unknown_key"


def test_05_without_kid_a_token_is_for_the_only_key() -> None:
    text = signed_by_hand('{"alg":"HS256"}')

    assert verify(text, [SHARED]).payload == b"foo"
    assert reason_for(text, SHARED, FORGED) == "unknown_key"
    with pytest.raises(BadCredential):
        verify(text, [])


@pytest.mark.parametrize(
    "extra",
    [
        '"crit":["exp"],"exp":1',
        '"crit":[]',
        '"b64":false,"crit":["b64"]',
        '"b64":true',
        '"zip":"DEF"',
    ],
)
def test_06_extensions_are_refused(extra: str) -> None:
    assert reason_for(signed_by_hand(f'{{"alg":"HS256","kid":"one",{extra}}}')) == "malformed"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "..",
            "...",
            "a.b",
            "a.b.c.d",
            "a.b.c.d.e",
            HS256_TOKEN + ".",
            "." + HS256_TOKEN,
        ),
        json.dumps({"payload": "Zm9v", "signatures": []}),
        json.dumps({"payload": "Zm9v", "protected": b64("{}"), "signature": "x"}),
    ],
)
def test_07_only_compact_serialization_of_three_parts_is_read(text: str) -> None:
    assert reason_for(text, key_from_jwk(HS256_JWK, "HS256")) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        *(
            '{"alg":"none","alg":"HS256"}',
            '{"alg":"HS256","alg":"HS256"}',
            "[]",
            '"HS256"',
            "1",
            "",
        ),
        *("{", '{"alg":"HS256"}x', '{"alg":NaN}', '{"alg":"HS256","n":1e400}', "\ufeff{}"),
        *('{"a":' * 400 + "1" + "}" * 400, '{"alg":"\\ud800"}'),
    ],
    ids=lambda header: header[:20],
)
def test_08_headers_that_readers_may_understand_differently_are_refused(header: str) -> None:
    assert reason_for(signed_by_hand(header)) in {"malformed", "wrong_algorithm"}


def test_08_a_header_that_is_not_utf8_is_refused() -> None:
    header = b64(b'{"alg":"\xff"}')

    assert reason_for(f"{header}.Zm9v.Zm9v") == "malformed"


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize(
    "change", ["{}=", "{} ", " {}", "{}\n", "{}A", "{}+", "{}/", "{}?", "?{}", "{}é"]
)
def test_09_base64url_has_one_spelling(part: int, change: str) -> None:
    parts = HS256_TOKEN.split(".")
    parts[part] = change.format(parts[part])

    key = key_from_jwk(HS256_JWK, "HS256")

    assert reason_for(".".join(parts), key) in {"malformed", "bad_signature"}


def test_09_spare_bits_are_zero() -> None:
    content = b64('{"alg":"HS256"}') + ".AB"
    text = f"{content}.{b64(SHARED.model.sign(content.encode(), SHARED.material))}"

    assert reason_for(text) == "malformed"
    assert reason_for(HS256_TOKEN[:-1] + "l", key_from_jwk(HS256_JWK, "HS256")) == "malformed"


@pytest.mark.parametrize(
    "text",
    ["a" * 10**6, "." * 10**6, f"{'a' * 10**6}.b.c", "[" * 7000 + "..", b64("[" * 1500) + ".a.a"],
)
def test_14_a_huge_token_costs_nothing(text: str) -> None:
    started = time.perf_counter()

    assert reason_for(text) == "malformed"
    assert time.perf_counter() - started < 0.5


def test_a_token_of_the_greatest_size_is_read() -> None:
    text = sign(b"x" * 6000, SHARED)

    assert len(text) <= MOST_CHARACTERS
    assert len(verify(text, [SHARED]).payload) == 6000


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_any_other_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(BadCredential):
        verify(text, [SHARED])


def test_a_public_key_does_not_sign() -> None:
    with pytest.raises(ValueError, match="cannot sign"):
        sign(b"foo", key_from_jwk(OKP_JWK))
