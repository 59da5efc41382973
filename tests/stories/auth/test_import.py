"""Accounts from elsewhere, with the hashes they had there."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import bcrypt
import pytest

from tilth.errors import CommandError
from tilth.features.auth.models.tables import PASSWORDS, USERS
from tilth.features.auth.service.import_lines import lines_of_csv, lines_of_json
from tilth.features.auth.service.importing import import_accounts
from tilth.features.auth.service.passwords.argon2id import Cost, hash_of

PASSWORD = "correct horse battery"
CHEAP = Cost(64, 1)
SECRET = PASSWORD.encode()
Site = Any


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


HASHES = {
    "argon2": hash_of(PASSWORD, CHEAP),
    "bcrypt": bcrypt.hashpw(SECRET, bcrypt.gensalt(4)).decode(),
    "scrypt": f"scrypt:1024:8:1$salt${hashlib.scrypt(SECRET, salt=b'salt', n=1024, r=8, p=1).hex()}",
    "pbkdf2": (
        "pbkdf2_sha256$1000$salt$" + base64_of(hashlib.pbkdf2_hmac("sha256", SECRET, b"salt", 1000))
    ),
    "md5": hashlib.md5(SECRET).hexdigest(),
    "salted sha256": f"{hashlib.sha256(b'salt' + SECRET).hexdigest()}:salt",
}


def csv_of(*lines: str, header: str = "username,email,hash") -> list[str]:
    return [f"{each}\n" for each in (header, *lines)]


def imported(site: Site, lines: list[str], *, salt_last: bool = False) -> Any:
    return site.run(import_accounts(site.accounts, lines_of_csv(lines, CHEAP, salt_last=salt_last)))


def refusals(found: Any) -> list[tuple[int, str]]:
    return [(each.number, each.reason) for each in found.refused]


def test_accounts_sign_in_with_what_they_had_and_are_hashed_anew(site: Site) -> None:
    lines = [f'user{n},,"{hash_}"' for n, hash_ in enumerate(HASHES.values())]

    found = imported(site, csv_of(*lines))
    signed = [site.browser().sign_in(f"user{n}").status_code for n in range(len(HASHES))]
    wrong = [site.browser().sign_in(f"user{n}", "x" * 20).status_code for n in range(len(HASHES))]

    assert (found.made, signed, wrong) == (len(HASHES), [200] * len(HASHES), [401] * len(HASHES))
    stored = [row["hash"] for row in site.sql(PASSWORDS.select())]
    assert all(hash_.startswith("$argon2id$") for hash_ in stored)


def test_digests_that_are_easily_reversed_are_not_stored(site: Site) -> None:
    digest = hashlib.sha1(SECRET + b"salt").hexdigest()

    imported(site, csv_of(f"bob,,{digest}:salt"), salt_last=True)

    assert digest not in site.sql(PASSWORDS.select())[0]["hash"]
    assert site.browser().sign_in().status_code == 200


def test_lines_of_json_bring_roles_and_confirmed_addresses(site: Site) -> None:
    bob = {"email": "Bob@example.org", "email_verified": True, "roles": ["editor"]}
    ann = {"username": "ann", "email": "ann@example.org", "hash": None}
    lines = [json.dumps(bob | {"hash": HASHES["md5"]}), "", json.dumps(ann)]

    found = site.run(import_accounts(site.accounts, lines_of_json(lines, CHEAP)))
    browser = site.browser()
    browser.sign_in("bob@example.org")
    me = browser.get("/auth/me").json()

    assert found.made == 2
    assert (me["email_verified"], me["roles"]) == (True, ["editor"])
    assert site.browser().sign_in("ann", "").status_code == 401, "without a hash nothing opens it"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a b,,", "A username has letters"),
        (",no address,", "e-mail address"),
        (",,", "it has no username"),
        ("bob,,secret", "not a password hash"),
        ("bob,,$2b$31$" + "a" * 53, "Its owner needs a new password."),
        ("bob", "as many cells"),
        ("bob,,,x", "as many cells"),
        ("TAKEN,,", "already"),
        ("ann,,", "line 2, too"),
    ],
)
def test_22_a_line_that_is_wrong_is_told_and_nothing_is_kept(
    site: Site, line: str, reason: str
) -> None:
    site.account("taken")

    found = imported(site, csv_of("Ann,,", line, "eve,,"))

    assert [number for number, _ in refusals(found)] == [3]
    assert reason in refusals(found)[0][1]
    assert (found.made, len(site.sql(USERS.select()))) == (0, 1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON."),
        ("[]", "no JSON object"),
        ('{"username": 7}', "another type"),
        ('{"username": "bob", "roles": [7]}', "another type"),
        ('{"username": "bob", "email_verified": "perhaps"}', "true or false"),
    ],
)
def test_what_is_no_account_is_told(line: str, reason: str) -> None:
    (found,) = lines_of_json([line], CHEAP)

    assert reason in getattr(found, "reason", "")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("username,password", "no column 'password'"),
        ("user,hash", "no column 'user'"),
        ("username,username", "twice"),
        ("username,is_superuser", "no column 'is_superuser'"),
    ],
)
def test_33_a_column_that_is_not_known_is_no_column(site: Site, header: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        imported(site, csv_of("bob,x", header=header))

    assert site.sql(USERS.select()) == []


def test_a_role_that_there_is_not_stops_the_import(site: Site) -> None:
    with pytest.raises(CommandError, match="no role edtor"):
        imported(site, csv_of("bob,edtor", header="username,roles"))

    assert site.sql(USERS.select()) == []


def test_90_no_hash_is_quoted(site: Site) -> None:
    found = imported(site, csv_of("bob,,sekret", "a b,,sekret"))

    assert "sekret" not in str(found)
