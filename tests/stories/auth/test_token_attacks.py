"""Forged access tokens whose signature is right: what is refused is refused for what it says.

Numbers are those of the list in docs/reference/accounts.md.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from time import process_time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.stories.auth.test_attacks import bearer, part

from tilth import SetupError
from tilth.errors import BadCredential
from tilth.features.auth.service.bearer import token_keys
from tilth.features.auth.service.jose.encoding import encoded
from tilth.features.auth.service.jose.keys import new_token_key
from tilth.features.auth.service.jose.sets import jwks_from_keys, keys_from_jwks
from tilth.settings import Settings, WebSettings, load_settings

PASSWORD = "correct horse battery"
Site = Any
SiteOf = Callable[..., Any]
Change = Callable[[dict[str, Any]], object]


def signed(key: Any, header: str, payload: str) -> str:
    content = f"{encoded(header.encode())}.{encoded(payload.encode())}"
    return f"{content}.{encoded(key.model.sign(content.encode(), key.material))}"


def key_of(site: Site) -> Any:
    """What the application itself signs with."""
    return site.accounts.tokens.keys[0]


def texts(token: str) -> tuple[str, str]:
    return json.dumps(part(token, 0)), json.dumps(part(token, 1))


def with_claim(name: str, value: str) -> Callable[[str], str]:
    """value: as JSON. Another of that name goes."""

    def changed(payload: str) -> str:
        rest = {each: kept for each, kept in json.loads(payload).items() if each != name}
        return f'{json.dumps(rest)[:-1]}, "{name}": {value}}}'

    return changed


def without(name: str) -> Callable[[str], str]:
    return lambda payload: json.dumps({k: v for k, v in json.loads(payload).items() if k != name})


def moved(name: str, seconds: int) -> Callable[[str], str]:
    def changed(payload: str) -> str:
        claims = json.loads(payload)
        return json.dumps({**claims, name: claims["iat"] + seconds})

    return changed


def twice(text: str) -> str:
    """Its first member again, with another value."""
    return f'{text[:-1]}, "{next(iter(json.loads(text)))}": "x"}}'


def of_audience(change: Callable[[str], object]) -> Callable[[str], str]:
    def changed(payload: str) -> str:
        claims = json.loads(payload)
        return json.dumps({**claims, "aud": change(claims["aud"])})

    return changed


def of_issuer(change: Callable[[str], object]) -> Callable[[str], str]:
    def changed(payload: str) -> str:
        claims = json.loads(payload)
        return json.dumps({**claims, "iss": change(claims["iss"])})

    return changed


DEEP = "[" * 2_000 + "]" * 2_000
HEADERS: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "03 another algorithm": {
        "EdDSA": with_claim("alg", '"EdDSA"'),
        "none": with_claim("alg", '"none"'),
        "a list": with_claim("alg", '["Ed25519"]'),
        "missing": without("alg"),
    },
    "04 a key that comes along": {
        name: with_claim(name, '"https://evil.example/key"') for name in ("jku", "x5u", "x5c")
    }
    | {"jwk": with_claim("jwk", '{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}')},
    "05 another kid": {
        "path": with_claim("kid", '"../../../dev/null"'),
        "SQL": with_claim("kid", '"x\' OR 1=1 --"'),
        "NUL": with_claim("kid", '"\\u0000"'),
        "10 kB": with_claim("kid", f'"{"x" * 10_000}"'),
        "a list": with_claim("kid", '["x"]'),
        "of another application": with_claim("kid", f'"{new_token_key().kid}"'),
    },
    "06 extensions": {
        "crit": with_claim("crit", '["exp"]'),
        "b64": with_claim("b64", "false"),
        "zip": with_claim("zip", '"DEF"'),
        "enc": with_claim("enc", '"A256GCM"'),
    },
    "08 a member twice": {"header": twice},
    "12 another kind": {
        "JWT": with_claim("typ", '"JWT"'),
        "logout": with_claim("typ", '"logout+jwt"'),
        "proof": with_claim("typ", '"dpop+jwt"'),
        "missing": without("typ"),
    },
    "14 deep": {"header": with_claim("x", DEEP)},
}
CLAIMS: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "08 a member twice": {"claims": twice},
    "10 another time": {
        **{f"exp {each}": with_claim("exp", each) for each in ("NaN", "Infinity", "1e400", "-1")},
        **{f"exp {each}": with_claim("exp", each) for each in ("true", '"9999999999"', "null")},
        "exp missing": without("exp"),
        "over": moved("exp", -60),
        "years": moved("exp", 10**8),
        "nbf later": moved("nbf", 600),
        "iat later": lambda payload: moved("exp", 900)(moved("iat", 600)(payload)),
        "iat missing": without("iat"),
    },
    "11 another audience or issuer": {
        "aud missing": without("aud"),
        "aud other": of_audience(lambda _: "https://evil.example"),
        "aud of others too": of_audience(lambda aud: [aud, "https://evil.example"]),
        "aud begins alike": of_audience(lambda aud: f"{aud}.evil.example"),
        "iss missing": without("iss"),
        "iss other": of_issuer(lambda _: "https://evil.example"),
        "iss begins alike": of_issuer(lambda iss: f"{iss}.evil.example"),
        "iss shorter": of_issuer(lambda iss: iss[:-1]),
        "iss a list": of_issuer(lambda iss: [iss]),
    },
    "11 another subject": {
        "missing": without("sub"),
        "empty": with_claim("sub", '""'),
        "nobody": with_claim("sub", '"00000000-0000-7000-8000-000000000000"'),
        "no id": with_claim("sub", '"bob"'),
        "a list": with_claim("sub", "[]"),
    },
    "13 another state of the account": {
        "epoch before": with_claim("epoch", "-1"),
        "epoch to come": with_claim("epoch", "1"),
        "epoch missing": without("epoch"),
        "session of nobody": with_claim("sid", '"00000000-0000-7000-8000-000000000000"'),
    },
    "14 deep": {"claims": with_claim("x", DEEP)},
}


def accepted(site: Site, forged: Mapping[str, str]) -> list[str]:
    """Those that were not refused as a bearer token is."""
    asking = site.browser()
    answers = {name: asking.get("/auth/me", headers=bearer(each)) for name, each in forged.items()}
    return [
        f"{name}: {answer.status_code}"
        for name, answer in answers.items()
        if answer.status_code != 401 or "Bearer" not in answer.headers["www-authenticate"]
    ]


@pytest.fixture
def token(site: Site) -> str:
    site.account()
    found: str = site.browser().tokens()["access_token"]
    return found


def test_what_is_forged_here_is_accepted_as_it_is(site: Site, token: str) -> None:
    """So that no forgery below is refused for how it was made."""
    again = signed(key_of(site), *texts(token))

    assert site.browser().get("/auth/me", headers=bearer(again)).status_code == 200


@pytest.mark.parametrize("case", HEADERS)
def test_03_to_14_a_header_that_says_something_else(site: Site, token: str, case: str) -> None:
    header, claims = texts(token)

    forged = {
        name: signed(key_of(site), change(header), claims) for name, change in HEADERS[case].items()
    }

    assert accepted(site, forged) == []


@pytest.mark.parametrize("case", CLAIMS)
def test_08_to_14_claims_that_say_something_else(site: Site, token: str, case: str) -> None:
    header, claims = texts(token)

    forged = {
        name: signed(key_of(site), header, change(claims)) for name, change in CLAIMS[case].items()
    }

    assert accepted(site, forged) == []


def test_02_what_everybody_knows_of_a_key_is_no_secret(site: Site, token: str) -> None:
    key, (header, claims) = key_of(site), texts(token)
    document = site.browser().get("/.well-known/jwks.json")
    public = key.material.public_key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    [jwk] = document.json()["keys"]
    secrets = [pem, pem.strip(), der, raw, json.dumps(jwk).encode(), document.content, b""]

    forged = {}
    for number, secret in enumerate(secrets):
        named = with_claim("alg", '"HS256"')(header)
        content = f"{encoded(named.encode())}.{encoded(claims.encode())}"
        forged[str(number)] = (
            f"{content}.{encoded(hmac.digest(secret, content.encode(), 'sha256'))}"
        )

    assert accepted(site, forged) == []


def test_05_a_key_of_another_application_signs_nothing_here(site: Site, token: str) -> None:
    header, claims = texts(token)
    [other] = token_keys(["another secret of another application"], "Ed25519")

    forged = {
        "by its name": signed(other, with_claim("kid", f'"{other.kid}"')(header), claims),
        "by ours": signed(other, header, claims),
    }

    assert accepted(site, forged) == []


def test_12_other_secrets_are_no_access_tokens(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    refresh = bob.tokens()["refresh_token"]
    bob.post("/auth/forgot", {"identifier": "bob"})
    reset = site.token("reset")
    flow = bob.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    magic = site.token("magic_link")
    bob.sign_in()
    [cookie] = [value for name, value in bob.client.cookies.items() if name.endswith("development")]

    others = {"refresh": refresh, "reset": reset, "flow": flow, "magic": magic, "cookie": cookie}

    assert accepted(site, others) == []


def test_14_what_is_huge_is_refused_at_once(site: Site, token: str) -> None:
    header, claims = texts(token)
    megabyte = signed(key_of(site), header, with_claim("x", f'"{"x" * 750_000}"')(claims))
    parts = "." * 1_000_000

    begun = process_time()
    wrong = accepted(site, {"megabyte": megabyte, "parts": parts, "deep": "e30." + DEEP})
    spent = process_time() - begun

    assert wrong == []
    assert spent < 1, "seconds of the processor, whatever else the machine does"


@pytest.mark.parametrize("secret", ["", "x" * 40, "abab" * 12])
def test_15_a_secret_that_can_be_guessed_signs_nothing(site_of: SiteOf, secret: str) -> None:
    settings = Settings(secret_key=secret, web=WebSettings(public_url="https://notes.test"))

    with pytest.raises(SetupError, match="TILTH_SECRET_KEY"):
        site_of(settings=settings, algorithm="HS256")


def test_15_a_secret_that_is_short_is_not_read() -> None:
    """From the environment, before there is an application."""
    with pytest.raises(SetupError, match="TILTH_SECRET_KEY"):
        load_settings({"TILTH_SECRET_KEY": "0123456789abcde"})


def test_16_sets_of_keys_that_nobody_should_trust() -> None:
    """No route takes a set of keys, so nothing is asked over HTTP."""
    first, second = (json.loads(jwks_from_keys([new_token_key()]))["keys"][0] for _ in range(2))
    secret = {"kty": "oct", "alg": "HS256", "kid": "s", "k": "A" * 43}

    for keys in (
        [first, {**second, "kid": first["kid"]}],
        [first, {k: v for k, v in second.items() if k != "kid"}],
        [first, secret],
    ):
        with pytest.raises(BadCredential) as raised:
            keys_from_jwks(json.dumps({"keys": keys}).encode())
        assert raised.value.reason == "mixed_keys"
