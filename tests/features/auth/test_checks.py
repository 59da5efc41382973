"""What production would refuse, one by one; `tilth doctor --auth` tells the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tilth import Auth
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.features.auth.checks import findings, refusals
from tilth.settings import MailSettings, Settings, WebSettings

SAFE = Settings(
    secret_key="0123456789abcdef-ghijklmnopqrstuvwxyz",
    mail=MailSettings("smtp://mail.example", "notes@notes.example"),
    web=WebSettings(public_url="https://notes.example", proxies=("10.0.0.0/24",)),
)


def web(**changes: object) -> Settings:
    return replace(SAFE, web=replace(SAFE.web, **changes))


def codes(settings: Settings, auth: Auth | None = None) -> list[str]:
    return [each.code for each in findings(auth or Auth(), settings)]


def test_nothing_is_refused_when_all_is_set() -> None:
    assert codes(SAFE) == []


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (replace(SAFE, secret_key=None), "auth.secret_key"),
        (replace(SAFE, secret_key="secret" * 8), "auth.weak_secret"),
        (replace(SAFE, previous_secret_keys=("a" * 40,)), "auth.weak_secret"),
        (web(public_url=None), "auth.public_url"),
        (web(public_url="http://notes.example"), "auth.http"),
        (replace(SAFE, mail=MailSettings()), "auth.mail"),
        (replace(SAFE, mail=MailSettings("smtp://mail.example", None)), "auth.mail"),
        (web(proxies=("0.0.0.0/0",)), "auth.proxies"),
        (web(proxies=("::/0", "10.0.0.1")), "auth.proxies"),
    ],
    ids=["none", "repeats", "old", "no address", "http", "no mail", "no sender", "all", "all IPv6"],
)
def test_each_weakness_is_told_alone(settings: Settings, code: str) -> None:
    assert codes(settings) == [code]


def test_mail_of_the_applications_own_is_enough() -> None:
    assert codes(replace(SAFE, mail=MailSettings()), Auth(mail=DevelopmentMail())) == []


@pytest.mark.parametrize(("environment", "count"), [("production", 3), ("development", 0)])
def test_only_production_refuses(environment: str, count: int) -> None:
    assert len(refusals(Auth(), Settings(environment=environment))) == count


def test_no_secret_is_quoted() -> None:
    told = str(list(findings(Auth(), replace(SAFE, secret_key="hunter2" * 6))))

    assert "hunter2" not in told
