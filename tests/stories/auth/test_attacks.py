"""What attackers try, and what they get. Numbers are those of the list in docs/reference/accounts.md."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tilth.features.auth.models.tables import AUDIT, SESSIONS, USERS
from tilth.features.auth.settings import Limits
from tilth.settings import Settings, WebSettings

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"
Site = Any
SiteOf = Callable[..., Any]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def basic(text: bytes) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(text).decode()}"}


def part(text: str, number: int) -> dict[str, Any]:
    piece = text.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    return found


def sealed(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def header(token: str, **changes: Any) -> str:
    return ".".join([sealed({**part(token, 0), **changes}), *token.split(".")[1:]])


FORGERIES: dict[str, Callable[[str], str]] = {
    "01 alg none": lambda t: header(t, alg="none").rpartition(".")[0] + ".",
    "01 alg nOnE": lambda t: header(t, alg="nOnE"),
    "01 no signature": lambda t: t.rpartition(".")[0] + ".",
    "02 other algorithm": lambda t: header(t, alg="HS256"),
    "04 own key in the header": lambda t: header(
        t, jwk={"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
    ),
    "04 address of a key": lambda t: header(t, jku="https://evil.example/jwks"),
    "05 kid of elsewhere": lambda t: header(t, kid="../../dev/null"),
    "05 kid of SQL": lambda t: header(t, kid="' OR 1=1 --"),
    "06 crit": lambda t: header(t, crit=["x"]),
    "06 b64": lambda t: header(t, b64=False, crit=["b64"]),
    "07 JSON form": lambda t: json.dumps({"payload": t.split(".")[1], "signatures": []}),
    "07 five parts": lambda t: t + ".AA.AA",
    "09 padding": lambda t: t + "=",
    "09 other bits": lambda t: t[:-1] + chr(ord(t[-1]) ^ 1),
    "11 other subject": lambda t: ".".join(
        [t.split(".")[0], sealed({**part(t, 1), "sub": "0" * 32}), t.split(".")[2]]
    ),
    "12 not an access token": lambda t: header(t, typ="JWT"),
    "14 long": lambda t: t + "A" * 7000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_01_to_14_forged_tokens_are_refused(site: Site, forge: Callable[[str], str]) -> None:
    site.account()
    token = site.browser().tokens()["access_token"]

    good = site.browser().get("/auth/me", headers=bearer(token))
    answer = site.browser().get("/auth/me", headers=bearer(forge(token)))

    assert (good.status_code, answer.status_code) == (200, 401)
    assert "bearer" in answer.headers["www-authenticate"].lower()


def test_10_a_token_ends_with_its_time(site: Site) -> None:
    site.account()
    token = site.browser().tokens()["access_token"]

    site.clock.pass_(minutes=16)

    assert site.browser().get("/auth/me", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("how", ["password", "deleted", "disabled"])
def test_13_a_token_ends_with_what_it_rests_on(site: Site, how: str) -> None:
    user_id = site.account()
    bob = site.browser()
    token = bob.tokens()["access_token"]
    bob.sign_in()

    if how == "password":
        bob.post("/auth/password", {"current_password": PASSWORD, "new_password": OTHER})
    elif how == "deleted":
        bob.post("/auth/delete-account", {"current_password": PASSWORD})
    else:
        site.sql(
            USERS.update().where(USERS.c.username_key == "bob").values(disabled_at=site.clock())
        )

    assert user_id
    assert site.browser().get("/auth/me", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "known", "unknown"),
    [
        (
            "POST",
            "/auth/sign-in",
            {"identifier": "bob", "password": OTHER},
            {"identifier": "nobody", "password": OTHER},
        ),
        (
            "POST",
            "/auth/token",
            {"identifier": "bob", "password": OTHER},
            {"identifier": "nobody", "password": OTHER},
        ),
        ("POST", "/auth/forgot", {"identifier": "bob"}, {"identifier": "nobody"}),
        ("POST", "/auth/magic-link", {"identifier": "bob"}, {"identifier": "nobody"}),
        (
            "POST",
            "/auth/sign-up",
            {"email": "bob@example.org", "password": OTHER},
            {"email": "new@example.org", "password": OTHER},
        ),
    ],
    ids=["sign-in", "token", "forgot", "magic link", "sign-up"],
)
def test_17_known_and_unknown_are_answered_alike(
    site: Site, method: str, path: str, known: dict[str, str], unknown: dict[str, str]
) -> None:
    site.account(email="bob@example.org")

    answers = [
        site.browser(address=f"192.0.2.{n}").post(path, b) for n, b in enumerate((known, unknown))
    ]

    told = [
        (a.status_code, sorted(a.headers), a.headers.get("set-cookie"), sorted(a.json()))
        for a in answers
    ]
    details = [a.json().get("detail") for a in answers]
    assert told[0] == told[1]
    assert details[0] == details[1]


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("💚🌱🚜🌾🥕🌽🍅🥔🧅🧄🥬🫘🌻🐝🦋", 201),
        ("with a \0 in the middle", 201),
        ("seventeen quiet otters were reading the evening paper by the lake", 201),
        ("short", 422),
        ("password123456789", 422),
        ("bob bob bob bob bob", 422),
        ("x" * 100_000, 422),
    ],
    ids=["emoji", "nul", "64", "short", "common", "own name", "huge"],
)
def test_20_and_35_passwords(site: Site, password: str, status: int) -> None:
    made = site.browser().post("/auth/sign-up", {"username": "bob", "password": password})

    assert made.status_code == status, made.text
    assert len(password) < 10 or password not in made.text
    if status == 201:
        assert site.browser().sign_in("bob", password).status_code == 200
        assert site.browser().sign_in("bob", password[:-1]).status_code == 401


def test_20_composed_and_decomposed_are_one_password(site: Site) -> None:
    site.browser().post("/auth/sign-up", {"username": "bob", "password": "crème brûlée à la carte"})

    import unicodedata

    typed = unicodedata.normalize("NFD", "crème brûlée à la carte")
    assert site.browser().sign_in("bob", typed).status_code == 200


def test_23_and_24_links_lead_to_the_configured_address(site_of: SiteOf, https: Settings) -> None:
    site = site_of(settings=https)
    site.account(email="bob@example.org")
    evil = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "forwarded": "host=evil.example",
    }

    asked = site.browser().post("/auth/forgot", {"identifier": "bob"}, headers=evil)
    site.delivered()
    poisoned = site.browser().post(
        "/auth/forgot", {"identifier": "bob"}, headers={"host": "evil.example"}
    )

    assert asked.status_code == 202
    assert "https://notes.test/" in site.mail.messages[-1].text
    assert "evil.example" not in site.mail.messages[-1].text
    assert poisoned.status_code == 400


def test_25_a_reset_link_is_good_once_and_for_nothing_else(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.post("/auth/forgot", {"identifier": "bob"})
    token = site.token("reset")

    elsewhere = bob.post("/auth/verify/confirm", {"token": token})
    first = bob.post("/auth/reset", {"token": token, "password": OTHER})
    again = bob.post("/auth/reset", {"token": token, "password": OTHER + "!"})

    assert (elsewhere.status_code, first.status_code, again.status_code) == (400, 204, 400)
    assert site.browser().sign_in(password=OTHER).status_code == 200


@pytest.mark.parametrize("meanwhile", ["password", "email", "time"])
def test_25_a_reset_link_ends_when_the_account_changes(site: Site, meanwhile: str) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.post("/auth/forgot", {"identifier": "bob"})
    token = site.token("reset")
    bob.sign_in()

    if meanwhile == "password":
        bob.post("/auth/password", {"current_password": PASSWORD, "new_password": OTHER})
    elif meanwhile == "email":
        bob.post("/auth/email", {"email": "new@example.org", "current_password": PASSWORD})
        site.delivered()
        link = next(m for m in reversed(site.mail.messages) if m.kind == "change_email").text
        bob.post("/auth/email/confirm", {"token": link.partition("token=")[2].split()[0]})
    else:
        site.clock.pass_(hours=25)

    assert bob.post("/auth/reset", {"token": token, "password": OTHER + "!"}).status_code == 400


def test_26_no_step_of_a_flow_can_be_left_out(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    fresh = site.browser()

    steps = [
        fresh.post("/auth/sign-in/second-factor", {"flow": "x" * 43, "code": "123456"}),
        fresh.post("/auth/reset", {"token": "x" * 43, "password": OTHER}),
        fresh.post("/auth/magic-link/sign-in", {"flow": "x" * 43, "code": "AAAA-BBBB"}),
        fresh.post("/auth/token/second-factor", {"flow": "", "code": ""}),
    ]

    assert {each.status_code for each in steps} <= {400, 401, 422}
    assert fresh.get("/auth/me").status_code == 401


def test_27_a_reset_signs_nobody_in_and_leaves_the_second_factor(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    fresh = site.browser()
    fresh.post("/auth/forgot", {"identifier": "bob"})

    done = fresh.post("/auth/reset", {"token": site.token("reset"), "password": OTHER})

    assert (done.status_code, fresh.get("/auth/me").status_code) == (204, 401)
    assert bob.get("/auth/me").status_code == 401
    assert fresh.sign_in(password=OTHER).status_code == 202


def test_28_a_link_confirms_the_address_it_was_sent_to(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    links = []
    for address in ("mine@example.org", "victim@example.org"):
        bob.post("/auth/email", {"email": address, "current_password": PASSWORD})
        site.delivered()
        link = next(m for m in reversed(site.mail.messages) if m.kind == "change_email")
        links.append(link.text.partition("token=")[2].split()[0])

    bob.post("/auth/email/confirm", {"token": links[0]})

    assert bob.get("/auth/me").json()["email"] in ("mine@example.org", "bob@example.org")


@pytest.mark.parametrize(
    "email",
    ["BOB@Example.org", " bob@example.org ", "bob@EXAMPLE.ORG"],
    ids=["case", "space", "domain"],
)
def test_29_an_address_is_one_whatever_its_form(site: Site, email: str) -> None:
    site.account(email="bob@example.org")

    again = site.browser().post("/auth/sign-up", {"email": email, "password": OTHER})

    # As for an address that is new; who owns it is told by mail.
    assert again.status_code == 202
    assert site.delivered()[-1] == "sign_up_again"
    assert len(site.sql(select(USERS.c.id))) == 1


@pytest.mark.parametrize(
    "email", ["a@b.c\r\nBcc: x@y.z", "a\0@b.example", "@", "a@", "x" * 400 + "@a.example"]
)
def test_29_what_is_no_address_is_refused(site: Site, email: str) -> None:
    answer = site.browser().post("/auth/sign-up", {"email": email, "password": PASSWORD})

    assert answer.status_code == 422
    assert site.delivered() == []


@pytest.mark.parametrize(
    "more",
    [
        {"is_superuser": True},
        {"roles": ["superuser"]},
        {"email_verified": True},
        {"id": "x"},
        {"tenant_id": 1},
    ],
    ids=lambda more: next(iter(more)),
)
def test_33_nothing_else_is_taken_at_sign_up(site: Site, more: dict[str, Any]) -> None:
    wish = {"username": "bob", "password": PASSWORD, **more}

    assert site.browser().post("/auth/sign-up", wish).status_code == 422


def test_34_keys_are_made_by_their_owner_only(site: Site) -> None:
    other = site.account("ann")
    site.account()
    bob = site.browser()

    nobody = bob.post("/auth/keys", {"name": "x"})
    bob.sign_in()
    for_another = bob.post("/auth/keys", {"name": "x", "user_id": other})

    assert (nobody.status_code, for_another.status_code) == (401, 422)


EVASIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "forwarded": lambda n: {
        "headers": {"x-forwarded-for": f"203.0.113.{n}", "forwarded": f"for=203.0.113.{n}"}
    },
    "plain": lambda n: {},
}


@pytest.mark.parametrize("evade", EVASIONS.values(), ids=EVASIONS)
def test_36_attempts_of_one_neighbourhood_are_counted_together(
    site_of: SiteOf, evade: Callable[[int], dict[str, Any]]
) -> None:
    site = site_of(limits=Limits(per_address=10, overall=100_000))
    paths = ("/auth/sign-in", "/auth/token", "/auth/forgot")

    codes = []
    for n in range(15):
        browser = site.browser(address=f"2001:db8:0:1::{n:x}")
        body = {"identifier": f"nobody{n}"}
        path = paths[n % 3]
        codes.append(
            browser.post(
                path, body if n % 3 == 2 else {**body, "password": OTHER}, **evade(n)
            ).status_code
        )
    late = site.browser(address="2001:db8:0:1::ffff").post(
        "/auth/sign-in", {"identifier": "x", "password": OTHER}
    )

    assert codes[-5:] == [429] * 5
    assert int(late.headers["retry-after"]) > 0
    assert late.headers["ratelimit"]


def test_36_basic_is_counted_with_the_others(site_of: SiteOf) -> None:
    site = site_of(limits=Limits(per_address=5, overall=100_000))
    site.account()
    browser = site.browser()

    codes = [
        browser.get("/auth/me", headers=basic(f"bob:{n}".encode())).status_code for n in range(8)
    ]

    assert codes[:5] == [401] * 5
    assert set(codes[5:]) == {429}


def test_37_and_38_and_39_guesses_are_delayed_and_the_owner_is_not(site: Site) -> None:
    site.account()
    known = site.browser()
    known.sign_in()
    stranger = site.browser(address="198.51.100.1")

    wishes = [
        ("POST", "/auth/sign-in", {"identifier": "bob", "password": f"{OTHER}{n}"})
        for n in range(40)
    ]
    codes = [each.status_code for each in stranger.together(wishes)]
    # Somebody else's success from there changes nothing.
    site.account("ann")
    stranger.sign_in("ann")
    after = stranger.sign_in("bob", OTHER).status_code

    assert codes.count(401) <= 6
    assert codes.count(429) >= 34
    assert after == 429
    assert known.sign_in().status_code == 200


def test_40_a_session_that_was_planted_is_worth_nothing(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.client.cookies.set("tilth", "x" * 43)
    bob.sign_in()
    planted = site.browser()
    planted.client.cookies.set("tilth", "x" * 43)

    assert bob.get("/auth/me").status_code == 200
    assert planted.get("/auth/me").status_code == 401
    assert planted.get("/auth/me?session=" + "x" * 43).status_code == 401


@pytest.mark.parametrize("act", ["sign-out", "password", "factor", "delete"])
def test_41_an_old_session_is_over(site: Site, act: str) -> None:
    site.account()
    bob, thief = site.browser(), site.browser()
    bob.sign_in()
    thief.client.cookies.update(bob.client.cookies)
    assert thief.get("/auth/me").status_code == 200

    if act == "sign-out":
        bob.post("/auth/sign-out")
    elif act == "password":
        bob.post("/auth/password", {"current_password": PASSWORD, "new_password": OTHER})
    elif act == "factor":
        site.totp(bob)
    else:
        bob.post("/auth/delete-account", {"current_password": PASSWORD})

    assert thief.get("/auth/me").status_code == 401


def test_42_a_sealed_session_ends_with_all_of_its_user(site_of: SiteOf) -> None:
    site = site_of(sessions="cookie")
    site.account()
    bob, thief = site.browser(), site.browser()
    bob.sign_in()
    thief.client.cookies.update(bob.client.cookies)
    before = thief.get("/auth/me").status_code

    bob.post("/auth/sign-out")

    assert (before, thief.get("/auth/me").status_code) == (200, 401)


CROSSING: dict[str, dict[str, Any]] = {
    "44 other origin": {"headers": {"origin": "https://evil.example"}},
    "44 null origin": {"headers": {"origin": "null"}},
    "44 said by the browser": {"headers": {"sec-fetch-site": "cross-site"}},
    "44 same site": {"headers": {"sec-fetch-site": "same-site", "origin": "https://x.notes.test"}},
    "44 form without headers": {"headers": {"content-type": "text/plain"}},
    "44 override": {"headers": {"origin": "https://evil.example", "x-http-method-override": "GET"}},
}


@pytest.mark.parametrize("crossing", CROSSING.values(), ids=CROSSING)
def test_44_and_45_other_sites_change_nothing(site: Site, crossing: dict[str, Any]) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    note = bob.post("/api/notes", {"text": "theirs"}, **crossing)
    out = bob.post("/auth/sign-out", **crossing)
    forced = site.browser().post(
        "/auth/sign-in", {"identifier": "bob", "password": PASSWORD}, **crossing
    )

    assert {note.status_code, out.status_code, forced.status_code} <= {403, 415}
    assert bob.get("/api/notes").json()["items"] == []
    assert bob.get("/auth/me").status_code == 200


def test_47_other_origins_are_told_nothing(site: Site) -> None:
    for origin in ("https://notes.test.evil", "https://evilnotes.test", "null"):
        answer = site.browser().get("/auth/me", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


def test_48_sessions_of_others_are_not_there(site: Site) -> None:
    site.account("ann")
    site.account()
    ann, bob = site.browser(), site.browser()
    ann.sign_in("ann")
    bob.sign_in()
    hers = ann.get("/auth/sessions").json()["items"][0]["id"]

    assert [each["id"] for each in bob.get("/auth/sessions").json()["items"]] != [hers]
    assert bob.ask("DELETE", f"/auth/sessions/{hers}").status_code == 404
    assert ann.get("/auth/me").status_code == 200


def test_50_nothing_of_a_caller_is_kept_on_the_way(site: Site) -> None:
    site.account()
    bob = site.browser()
    signed = bob.sign_in()
    me, notes = bob.get("/auth/me"), bob.get("/api/notes")

    assert (signed.headers["cache-control"], me.headers["cache-control"]) == (
        "no-store",
        "no-store",
    )
    assert "cookie" in notes.headers["vary"].lower()
    assert "authorization" in notes.headers["vary"].lower()


def test_58_a_refresh_token_that_comes_back_ends_its_family(site: Site) -> None:
    site.account()
    bob = site.browser()
    first = bob.tokens()
    second = bob.post("/auth/token/refresh", {"refresh_token": first["refresh_token"]}).json()
    lost = bob.post("/auth/token/refresh", {"refresh_token": first["refresh_token"]}).json()
    third = bob.post("/auth/token/refresh", {"refresh_token": second["refresh_token"]})

    thief = site.browser(address="198.51.100.1", agent="other")
    stolen = thief.post("/auth/token/refresh", {"refresh_token": first["refresh_token"]})
    after = bob.post("/auth/token/refresh", {"refresh_token": third.json()["refresh_token"]})

    # Asked again by the same client at once, the same successor is given.
    assert lost["refresh_token"] == second["refresh_token"]
    assert (third.status_code, stolen.status_code, after.status_code) == (200, 401, 401)
    kinds = [row["type"] for row in site.sql(select(AUDIT.c.type))]
    assert "refresh.reused" in kinds


def test_59_scopes_do_not_grow(site: Site) -> None:
    site.account()
    bob = site.browser()
    wish = {"identifier": "bob", "password": PASSWORD, "scopes": ["notes:read"]}
    limited = bob.post("/auth/token", wish).json()

    more = bob.post(
        "/auth/token/refresh",
        {"refresh_token": limited["refresh_token"], "scopes": ["notes:write"]},
    )
    writing = bob.post("/api/notes", {"text": "x"}, headers=bearer(limited["access_token"]))
    reading = bob.get("/api/notes", headers=bearer(limited["access_token"]))
    own = bob.get("/auth/export", headers=bearer(limited["access_token"]))

    assert (more.status_code, more.json()["code"]) == (400, "invalid_scope")
    assert (writing.status_code, reading.status_code, own.status_code) == (403, 200, 403)


def test_83_a_code_is_good_once(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    secret, _ = site.totp(bob)
    code = site.code(secret)

    def enter(typed: str) -> int:
        fresh = site.browser()
        flow = fresh.sign_in().json()["flow"]
        status: int = fresh.post(
            "/auth/sign-in/second-factor", {"flow": flow, "code": typed}
        ).status_code
        return status

    first, again = enter(code), enter(code)
    old = enter(site.code(secret, steps=-2))
    wide = enter("".join(chr(ord(c) + 0xFEE0) for c in site.code(secret, steps=1)))

    assert (first, again, old, wide) == (200, 401, 401, 401)


def test_83_codes_cannot_be_tried_for_long(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    flow = site.browser().sign_in().json()["flow"]
    thief = site.browser()

    codes = [
        thief.post("/auth/sign-in/second-factor", {"flow": flow, "code": f"{n:06}"}).status_code
        for n in range(20)
    ]

    assert 200 not in codes
    assert set(codes[6:]) <= {401, 429}
    kinds = [row["type"] for row in site.sql(select(AUDIT.c.type))]
    assert 1 <= kinds.count("factor.failed") <= 6


def test_84_half_a_sign_in_opens_nothing(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    half = site.browser()
    waits = half.sign_in()

    paths = ("/auth/me", "/auth/keys", "/auth/factors", "/whoami")

    assert waits.status_code == 202
    assert [half.get(path).status_code for path in paths] == [401] * 4
    assert half.post("/api/notes", {"text": "x"}).status_code == 401
    assert half.get("/auth/me", headers=bearer(waits.json()["flow"])).status_code == 401
    assert half.get("/auth/me", headers=basic(f"bob:{PASSWORD}".encode())).status_code == 401


def test_85_a_recovery_code_is_good_once(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    _, codes = site.totp(bob)

    def enter(code: str) -> int:
        fresh = site.browser()
        flow = fresh.sign_in().json()["flow"]
        status: int = fresh.post(
            "/auth/sign-in/second-factor", {"flow": flow, "code": code}
        ).status_code
        return status

    assert (enter(codes[0]), enter(codes[0]), enter(codes[1])) == (200, 401, 200)
    assert "recovery_used" in site.delivered()


def test_85_and_87_factors_change_only_after_a_fresh_proof(site: Site) -> None:
    site.clock.pass_(minutes=-40)
    site.account()
    bob = site.browser()
    bob.sign_in()
    site.clock.pass_(minutes=40)

    old = [
        bob.post("/auth/factors/totp", {}),
        bob.post("/auth/factors/recovery-codes"),
        bob.post("/auth/keys", {"name": "x"}),
        bob.get("/vault"),
    ]
    stepped = bob.post("/auth/step-up", {"password": PASSWORD})
    fresh = bob.post("/auth/factors/totp", {})

    assert [each.status_code for each in old] == [401] * 4
    assert "insufficient_user_authentication" in old[0].headers["www-authenticate"]
    assert (stepped.status_code, fresh.status_code) == (204, 201)


BASIC: dict[str, tuple[dict[str, str], int]] = {
    "colon in the password": (basic(b"col:a:b:c horse battery"), 200),
    "UTF-8": (basic("utf:crème horse battery".encode()), 200),
    "lower case": (
        {
            "authorization": basic(b"col:a:b:c horse battery")["authorization"].replace(
                "Basic", "basic"
            )
        },
        200,
    ),
    "no user": (basic(b":a:b:c horse battery"), 401),
    "no colon": (basic(b"col"), 401),
    "NUL": (basic(b"col\0:x"), 401),
    "no base64": ({"authorization": "Basic ???"}, 401),
    "no UTF-8": (basic(b"\xff\xfe:x"), 401),
    "nothing": ({"authorization": "Basic"}, 401),
    "long": (basic(b"col:" + b"x" * 5000), 401),
}


@pytest.mark.parametrize(("headers", "status"), BASIC.values(), ids=BASIC)
def test_88_basic(site: Site, headers: dict[str, str], status: int) -> None:
    site.account("col", "a:b:c horse battery")
    site.account("utf", "crème horse battery")

    answer = site.browser().get("/auth/me", headers=headers)

    assert answer.status_code == status
    assert status == 200 or "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer  ",
        "Bearer a b",
        "Bearer \xff",
        "Digest x",
        "Basic",
        "bearer " + "." * 50,
        "Negotiate AAAA",
    ],
)
def test_89_malformed_credentials_are_never_an_error_of_the_server(site: Site, value: str) -> None:
    answer = site.browser().get("/auth/me", headers={"authorization": value.encode("latin-1")})

    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


def test_90_keys(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    made = bob.post("/auth/keys", {"name": "all"}).json()
    reading = bob.post("/auth/keys", {"name": "few", "scopes": ["notes:read"]}).json()
    near = bob.post("/auth/keys", {"name": "near", "addresses": ["10.0.0.0/8"]}).json()
    ending = bob.post(
        "/auth/keys",
        {
            "name": "ending",
            "expires_at": site.clock().replace(year=site.clock().year + 1).isoformat(),
        },
    ).json()
    program = site.browser()

    def ask(key: str, method: str = "GET", body: Any = None, **headers: str) -> int:
        status: int = program.ask(
            method, "/api/notes", body, headers={"x-api-key": key, **headers}
        ).status_code
        return status

    wrong = made["key"][:-8] + "AAAAAAAA"
    assert (ask(made["key"]), ask(wrong), ask("x"), ask("")) == (200, 401, 401, 401)
    assert program.get("/api/notes", headers=bearer(made["key"])).status_code == 200
    assert program.get(f"/api/notes?api_key={made['key']}").status_code in (400, 401)
    assert (ask(reading["key"]), ask(reading["key"], "POST", {"text": "x"})) == (200, 403)
    assert ask(near["key"]) == 401
    assert ask(made["key"], authorization="Bearer x") == 401
    assert program.get("/auth/keys", headers={"x-api-key": made["key"]}).status_code == 403
    assert made["key"] not in bob.get("/auth/keys").text
    assert bob.ask("DELETE", f"/auth/keys/{made['id']}").status_code == 204
    assert ask(made["key"]) == 401
    site.clock.pass_(days=400)
    assert ask(ending["key"]) == 401


def test_90_secrets_are_in_no_log_and_no_document(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        site.account(email="bob@example.org")
        bob = site.browser()
        bob.sign_in()
        tokens = bob.tokens()
        key = bob.post("/auth/keys", {"name": "x"}).json()["key"]
        bob.get("/auth/me", headers=bearer(tokens["access_token"] + "x"))
        bob.post("/auth/token/refresh", {"refresh_token": tokens["refresh_token"]})

    document = bob.get("/openapi.json").text
    cookie = next(iter(bob.client.cookies.values()))
    secrets = [PASSWORD, tokens["access_token"], tokens["refresh_token"], key, cookie, SECRET]
    assert [each for each in secrets if each in caplog.text or each in document] == []
    stored = json.dumps(site.sql(select(SESSIONS)), default=str) + json.dumps(
        site.sql(select(AUDIT)), default=str
    )
    assert [each for each in secrets if each in stored] == []


def test_97_a_role_that_is_taken_is_gone_with_the_next_request(site: Site) -> None:
    from uuid import UUID

    from tilth.features.auth.models.roles import withdraw

    id_ = site.account()
    bob = site.browser()
    bob.sign_in()
    token = bob.tokens()["access_token"]
    site.grant(id_, "editor")
    before = bob.get("/editors").status_code
    accounts: Any = site.app.freeze().states["auth"]

    site.run(accounts.changed(lambda s, now: withdraw(s, UUID(id_), "editor")))

    assert before == 200
    assert bob.get("/editors").status_code == 403
    assert bob.get("/editors", headers=bearer(token)).status_code == 403


def test_98_support_acts_for_a_reason_and_never_upwards(site: Site) -> None:
    ids = {name: site.account(name) for name in ("support", "editor", "root", "bob", "other")}
    site.grant(ids["support"], "support")
    site.grant(ids["editor"], "editor")
    site.grant(ids["root"], "superuser")
    site.grant(ids["other"], "support")
    helper = site.browser()
    helper.sign_in("support")

    def act(name: str, **more: Any) -> int:
        fresh = site.browser()
        fresh.sign_in("support")
        body = {"user_id": ids[name], "reason": "ticket 7", **more}
        status: int = fresh.post("/auth/impersonate", body).status_code
        return status

    assert (act("editor"), act("root"), act("other"), act("support")) == (403, 403, 403, 403)
    assert (act("bob", reason=""), act("bob", minutes=61)) == (422, 422)
    assert (
        helper.post("/auth/impersonate", {"user_id": ids["bob"], "reason": "ticket 7"}).status_code
        == 200
    )
    me = helper.get("/auth/me").json()
    assert (me["username"], me["impersonator"]) == ("bob", ids["support"])
    assert helper.post("/auth/keys", {"name": "x"}).status_code == 403
    assert (
        helper.post(
            "/auth/email", {"email": "x@y.example", "current_password": PASSWORD}
        ).status_code
        == 403
    )
    begun = [row for row in site.sql(select(AUDIT)) if row["type"] == "impersonation.begun"]
    assert [(str(row["user_id"]), str(row["actor_id"])) for row in begun] == [
        (ids["bob"], ids["support"])
    ]
    site.clock.pass_(minutes=61)
    assert helper.get("/auth/me").status_code == 401


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(web=WebSettings(public_url="https://notes.test")), "TILTH_SECRET_KEY"),
        (Settings(secret_key=SECRET), "TILTH_PUBLIC_URL"),
        (Settings(secret_key=SECRET, web=WebSettings(public_url="http://notes.test")), "not https"),
        (
            Settings(secret_key="a" * 40, web=WebSettings(public_url="https://notes.test")),
            "guessed",
        ),
        (
            Settings(
                secret_key=SECRET,
                web=WebSettings(public_url="https://notes.test", proxies=("0.0.0.0/0",)),
            ),
            "TILTH_PROXIES",
        ),
    ],
    ids=["no secret", "no address", "http", "weak secret", "any proxy"],
)
def test_101_production_refuses_what_is_not_safe(
    site_of: SiteOf, settings: Settings, told: str
) -> None:
    from tilth import SetupError

    with pytest.raises(SetupError) as raised:
        site_of(settings=settings)

    assert told in str(raised.value)
