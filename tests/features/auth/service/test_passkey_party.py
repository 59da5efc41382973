"""Passkeys belong to the configured address, and only its own pages may ask for them."""

from __future__ import annotations

import pytest

from tilth.features.auth.checks import findings
from tilth.features.auth.service.passkeys.party import party_from
from tilth.features.auth.settings import Auth
from tilth.settings import MailSettings, Settings, WebSettings


@pytest.mark.parametrize(
    ("public", "id_", "origin"),
    [
        ("https://shop.example", "shop.example", "https://shop.example"),
        ("https://shop.example:443", "shop.example", "https://shop.example"),
        ("https://shop.example:8443", "shop.example", "https://shop.example:8443"),
        ("https://www.shop.example", "www.shop.example", "https://www.shop.example"),
        ("http://localhost:5000", "localhost", "http://localhost:5000"),
        ("http://127.0.0.1:5000", "localhost", "http://localhost:5000"),
        ("http://127.8.9.1:80", "localhost", "http://localhost"),
        ("http://[::1]:5000", "localhost", "http://localhost:5000"),
        ("https://faß.example", "xn--fa-hia.example", "https://xn--fa-hia.example"),
    ],
)
def test_the_party_is_the_public_address(public: str, id_: str, origin: str) -> None:
    party = party_from(public, is_configured=True)

    assert (party.id, party.origin) == (id_, origin)
    assert party.is_own(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.evil.test",
        "https://evil.test",
        "https://a.shop.example",
        "https://shop.example:8443",
        "http://shop.example",
        "https://SHOP.example",
        "https://shop.example/",
        "https://shop.example\n",
        "http://localhost:8000",
        "null",
        "",
    ],
)
def test_origins_of_others_are_not_its_own(origin: str) -> None:
    assert not party_from("https://shop.example", is_configured=True).is_own(origin)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:8001", True),
        ("http://localhost", True),
        ("https://localhost:8001", False),
        ("http://localhost.evil.test", False),
        ("http://localhost:8001.evil.test", False),
        ("http://127.0.0.1:8000", False),
        ("http://a.localhost:8000", False),
        ("http://localhost:8001\n", False),
    ],
)
def test_where_nothing_is_configured_any_port_of_localhost_will_do(
    origin: str, is_own: bool
) -> None:
    assert party_from("http://127.0.0.1:8000", is_configured=False).is_own(origin) is is_own


@pytest.mark.parametrize(
    ("public", "codes"),
    [
        ("https://192.0.2.7", ["auth.passkeys"]),
        ("https://[2001:db8::7]:8443", ["auth.passkeys"]),
        ("https://shop.example", []),
    ],
)
def test_production_does_not_start_where_no_passkey_can_be_made(
    public: str, codes: list[str]
) -> None:
    settings = Settings(
        secret_key="0123456789abcdef-ghijklmnopqrstuvwxyz",
        web=WebSettings(public_url=public),
        mail=MailSettings("smtp://mail.example", "a@shop.example"),
    )

    assert [each.code for each in findings(Auth(passkeys=True), settings)] == codes
    assert [each.code for each in findings(Auth(), settings)] == []
