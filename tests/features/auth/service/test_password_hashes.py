"""Hashes of every form that imports bring are verified, bounded, and replaced at the next sign-in."""

import hashlib
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilth.errors import BadCredential
from tilth.features.auth.service.passwords.argon2id import (
    FLOOR,
    LADDER,
    Cost,
    calibrated,
    hash_of,
)
from tilth.features.auth.service.passwords.hashes import (
    importable,
    needs_rehash,
    shape_of,
    verify,
)

CHEAP = Cost(64, 1)
PASSWORD = "correct horse é battery"

# Written by Django 5.2, passlib 1.7.4, Werkzeug 3.1 and PHP's form of bcrypt, at low costs.
FOREIGN = {
    "Django PBKDF2": "pbkdf2_sha256$1000$wlKUJ4NOU8ZZ6nr427EjcK$KfFLXqkDfd5JHTsNWzp3Mqa677vsMVhJUUbEbKImAtA=",
    "Django PBKDF2 with SHA-1": "pbkdf2_sha1$1000$iEZ7oIMFekzsOxTxofxxPT$EhzOyNhFPXouWeM8VY/3zWasEtU=",
    "Django scrypt": (
        "scrypt$1024$wMHso4AxqJ07ervbQ59jQF$8$5$aYakqbV9FXWvQUGuSccc4nS+pjqTio6wD/tRtq69y2vl4GYXk679"
        "x3l66URoXJ+nxj2bvy/BiLlBttQyeZwmkQ=="
    ),
    "Django argon2": (
        "argon2$argon2id$v=19$m=102400,t=2,p=8$YU1aV1dHSlFmVjZxTmJqQ2dldHBjQg"
        "$4Aaa8dpbU2eN0JAts9kxCK5J4i/yj3UAh1hSGlm4bbc"
    ),
    "Django bcrypt": "bcrypt$$2b$04$V3fp2CAk6mHnENMECez0z.in9Xszk3gK2zL9mh8dlmL/KJrBsPVOG",
    "Django bcrypt of SHA-256": (
        "bcrypt_sha256$$2b$04$sfdZbA.DpEGyDOVTYj7atOOfNYzI9XFr3xeBpUGwq0Xx9o52pWxFC"
    ),
    "passlib PBKDF2": (
        "$pbkdf2-sha256$1000$rRViTKkVwpiz9h6D8D6nFA$fPYq5Pom8nFI/EafUuxBsUEtOvgLei57vIQIT3/bcT8"
    ),
    "passlib PBKDF2 with SHA-512": (
        "$pbkdf2-sha512$1000$dg6BsDaG0Nr7XwvBOIfwPg$LmqTpmMpVRBjfZc/fcPtWO5kqPwelYKsNFSHRMsuK90H2ypq"
        "CKcVgwT.3stXRVxDYnP1nAvXpCiSRPPCVQoGrg"
    ),
    "passlib PBKDF2 with SHA-1": "$pbkdf2$1000$PYcQIgTAeI9Rak1Jydlbyw$dQmlJePYyeScnNKWzfBL14pe5CU",
    "passlib scrypt": (
        "$scrypt$ln=10,r=8,p=1$k5LSGoNwzvm/d875f2+NsQ$O88URJKmoFzYS2+7wtGINPWNmVoTcSHlHbcQKsTArNk"
    ),
    "passlib bcrypt": "$2b$04$Z1ifYgmiI6qIdNR2YK9uKux9Isoyc5o33oRubpm0pAX2AqNnMw6hu",
    "passlib bcrypt of HMAC": (
        "$bcrypt-sha256$v=2,t=2b,r=4$k5/XV6dW9u8K/rl1U1708O$SrSGftjZpo2ULpFv3DyNq48hhidYwjK"
    ),
    "passlib bcrypt of SHA-256": (
        "$bcrypt-sha256$2b,4$RXOm1M7yCNLB0TGTXZThqO$OF.pxpkwK6cDZipHfrMJR7jX6kOULy."
    ),
    "passlib argon2": (
        "$argon2id$v=19$m=64,t=1,p=1$/59TqlVK6T3HuDeG0JpTig$OnzvvIfW1k+KCpIlFGF8e0JO81D1gFN+Gwle1uqLiAE"
    ),
    "PHP bcrypt": "$2y$04$bCDtCBr4iNRuKfphMTBRHuQfDRITmTwqYCof9p/FsIRzLZp6k99d6",
    "Werkzeug scrypt": (
        "scrypt:1024:8:1$SCMFyjMi6Ph8vC9k$72fca7ef376600e1cff9c4fad8b7db47473bda0c61223dadb68efca3d56"
        "ad09f11534c1a23a8d1bd235758a578b93928007044de438ce310fa99b9424158f125"
    ),
    "Werkzeug PBKDF2": (
        "pbkdf2:sha256:1000$ThqE931sPLod1AN3"
        "$12374f4d679a1fdb36f7c6ea24bcb716b1c03019646658907f2b63b047aaaa4d"
    ),
}

WEAK = {
    "MD5": "b720df59984c3b5d7aacbc0dc2701017",
    "MD5 in capitals": "B720DF59984C3B5D7AACBC0DC2701017",
    "SHA-256": "fd99c05b7bf47a84ea58b1a82db9bae494ca73b1be3f21ddbd2d6b29ae1b177c",
    "Django MD5": "md5$R1evPhUVzlH0rXbQEwbQvB$383be942df1c40267f84b64c1ebd2d49",
    "Django SHA-1": "sha1$MKuTctD3Oymw$d3a8e3091fa5bd8bbfd9aee0e0d840552114b020",
}

HOSTILE = {
    "argon2 of 4 GiB": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
    "argon2 of 10,000 passes": "$argon2id$v=19$m=19456,t=10000,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
    + "A" * 43,
    "argon2 of 1,000 lanes": "$argon2id$v=19$m=19456,t=2,p=1000$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
    "bcrypt of 31": "$2b$31$V3fp2CAk6mHnENMECez0z.in9Xszk3gK2zL9mh8dlmL/KJrBsPVOG",
    "scrypt of 2^30": "$scrypt$ln=30,r=8,p=1$c2FsdA$" + "A" * 43,
    "scrypt of 2^999": "$scrypt$ln=999999999,r=8,p=1$c2FsdA$" + "A" * 43,
    "scrypt of many p": "$scrypt$ln=14,r=8,p=999999$c2FsdA$" + "A" * 43,
    "scrypt of Django": "scrypt$1073741824$salt$8$1$" + "A" * 88,
    "scrypt of Werkzeug": "scrypt:1048576:8:1$salt$" + "a" * 128,
    "PBKDF2 of 10^9": "pbkdf2_sha256$999999999$salt$" + "A" * 43 + "=",
    "wrapped argon2 of 4 GiB": (
        "$wrapped$h=md5,o=first$$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43
    ),
}

UNKNOWN = (
    *(
        "",
        "x",
        "!",
        "*",
        "plain:password",
        "$argon2id$",
        "$argon2id$v=19$m=1,t=1,p=1$$",
        "$1$salt$hash",
    ),
    *("$2x$04$V3fp2CAk6mHnENMECez0z.in9Xszk3gK2zL9mh8dlmL/KJrBsPVOG", "$5$salt$hash", "{SSHA}abcd"),
    *(
        "pbkdf2_sha256$0$salt$" + "A" * 44,
        "pbkdf2_sha256$" + "9" * 500 + "$s$" + "A" * 44,
        "sha1$salt$zz",
    ),
    *(
        "scrypt$1000$salt$8$1$" + "A" * 88,
        "$scrypt$ln=10,r=8,p=1$c2FsdA$AAAA",
        "md5$salt$d3a8e3091fa5bd8bbfd9aee0e0d840552114b020",
        "é" * 32,
    ),
    *("A" * 31, "A" * 100_000, "$pbkdf2-md5$1000$c2FsdA$" + "A" * 43, "$2b$04$" + "V" * 52 + "\n"),
    "$pbkdf2-sha256$١٠$c2FsdA$" + "A" * 43,
)


@pytest.mark.parametrize("stored", FOREIGN.values(), ids=FOREIGN)
def test_hashes_of_others_are_verified_and_then_replaced(stored: str) -> None:
    kept = importable(stored, CHEAP)

    assert kept == stored
    assert verify(kept, PASSWORD)
    assert not verify(kept, PASSWORD + " ")
    assert needs_rehash(kept, FLOOR)


@pytest.mark.parametrize("stored", WEAK.values(), ids=WEAK)
def test_weak_digests_are_wrapped_at_once_and_then_replaced(stored: str) -> None:
    kept = importable(stored, CHEAP)

    assert stored.lower().rpartition("$")[2] not in kept
    assert verify(kept, PASSWORD)
    assert not verify(kept, PASSWORD + " ")
    assert needs_rehash(kept, CHEAP)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("salt_last", [False, True])
def test_salted_digests_are_wrapped_in_either_order(algorithm: str, salt_last: bool) -> None:
    salted = "pässword" + "s:$alt" if salt_last else "s:$alt" + "pässword"
    digest = hashlib.new(algorithm, salted.encode()).hexdigest()

    kept = importable(f"{digest}:s:$alt", CHEAP, salt_last=salt_last)

    assert verify(kept, "pässword")
    assert not verify(kept, "password")
    assert not verify(importable(f"{digest}:s:$alt", CHEAP, salt_last=not salt_last), "pässword")


@pytest.fixture
def unmoved() -> Iterator[None]:
    """Fails when what is between takes anything like what the hash asks for: minutes."""
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < 1.0


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("stored", HOSTILE.values(), ids=HOSTILE)
def test_22_a_hash_that_asks_for_too_much_is_refused_unspent(stored: str) -> None:
    assert not verify(stored, PASSWORD)
    with pytest.raises(BadCredential) as raised:
        importable(stored, CHEAP)

    assert raised.value.reason == "costly_hash"
    assert "new password" in str(raised.value)


@pytest.mark.parametrize("stored", UNKNOWN, ids=lambda stored: stored[:30])
def test_text_that_is_no_hash_matches_nothing(stored: str) -> None:
    assert not verify(stored, PASSWORD)
    assert not verify(stored, "")
    assert needs_rehash(stored, FLOOR)
    with pytest.raises(BadCredential) as raised:
        importable(stored, CHEAP)
    assert raised.value.reason == "unknown_hash"


@given(st.text(max_size=100), st.text(max_size=30))
@settings(max_examples=200)
def test_no_stored_text_raises(stored: str, password: str) -> None:
    assert not verify(stored, password)


@pytest.mark.parametrize("password", ["a", "nul\0nul", "🦀" * 300, "x" * 1024, "\ud800", " "])
def test_20_a_password_of_any_characters_is_its_own(password: str) -> None:
    stored = hash_of(password, CHEAP)

    assert verify(stored, password)
    assert not verify(stored, password + "x")
    assert not verify(stored, password[:-1])


def test_20_a_password_is_the_same_on_every_keyboard() -> None:
    composed, decomposed = (unicodedata.normalize(form, PASSWORD) for form in ("NFC", "NFD"))

    assert composed != decomposed
    assert verify(hash_of(decomposed, CHEAP), composed)
    assert verify(hash_of(composed, CHEAP), decomposed)
    assert not verify(hash_of("ﬁ", CHEAP), "fi")


@pytest.mark.usefixtures("unmoved")
def test_20_a_megabyte_is_refused_unread() -> None:
    assert not verify(hash_of("x" * 1024, CHEAP), "x" * 2**20)


def test_18_bcrypt_does_not_match_by_the_first_72_bytes() -> None:
    bcrypt = pytest.importorskip("bcrypt")
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()

    assert verify(stored, "x" * 72)
    assert not verify(stored, "x" * 73)
    assert not verify(stored, "x" * 72 + "\0")
    assert not verify(stored, "too long")


@pytest.mark.parametrize(
    ("made", "wanted", "expected"),
    [
        *((Cost(64, 1), Cost(64, 2), True), (Cost(64, 1), Cost(128, 1), True)),
        *((Cost(64, 2), Cost(64, 2), False), (Cost(128, 2), Cost(64, 2), False)),
    ],
)
def test_a_cheaper_hash_is_replaced_and_a_costlier_one_stays(
    made: Cost, wanted: Cost, expected: bool
) -> None:
    assert needs_rehash(hash_of("x", made), wanted) is expected


def test_hashes_are_argon2id_at_the_floor_with_salts_of_their_own() -> None:
    one, other = hash_of("x"), hash_of("x")

    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other


def test_equal_shapes_are_told_without_salt_and_digest() -> None:
    assert shape_of(hash_of("x", CHEAP)) == shape_of(hash_of("y", CHEAP)) == "argon2id m=64,t=1,p=1"
    assert shape_of(FOREIGN["PHP bcrypt"]) == shape_of(FOREIGN["passlib bcrypt"]) == "bcrypt 4"
    assert shape_of(importable(WEAK["MD5"], CHEAP)) == "argon2id m=64,t=1,p=1"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        *(([9.0], FLOOR), ([0.15, 0.2], LADDER[0]), ([0.02, 0.04, 0.2], LADDER[1])),
        ([0.0] * len(LADDER), LADDER[-1]),
    ],
)
def test_the_cost_is_the_greatest_that_keeps_the_target(
    seconds: list[float], expected: Cost
) -> None:
    times = iter(seconds)

    assert calibrated(0.15, measure=lambda cost: next(times)) == expected


def test_the_floor_is_what_a_machine_gets_that_is_slower_than_the_target() -> None:
    assert calibrated(0.0) == FLOOR


def test_no_step_is_cheaper_than_the_one_before() -> None:
    works = [cost.work for cost in LADDER]

    assert works == sorted(works)
    assert LADDER[0] == FLOOR
