"""Names of one person are equal however written; names that deceive are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import Invalid
from tilth.features.auth.service.names import Name, email, name_from, phone, username


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *(("Bob", "bob"), ("bob", "bob"), ("ＢＯＢ", "bob"), (" Bob ", "bob"), ("a", "a")),
        *(
            ("ada.lovelace-1815_x", "ada.lovelace-1815_x"),
            ("Straße", "strasse"),
            ("élise", "élise"),
        ),
        *(
            ("Юрий", "юрий"),
            ("山田太郎", "山田太郎"),
            ("yamadaタロー", "yamadaタロー"),
            ("김철수", "김철수"),
        ),
    ],
)
def test_usernames_have_one_key(text: str, key: str) -> None:
    assert username(text) == Name("username", text.strip(), key)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", "a@b", "+49", ".bob", "-bob", "bob.", "bob\n1", "bob\x00", "a" * 65),
        *("bо" + "b", "раypal", "αdmin", "bob\u200b", "bob\u202e", "b\u00adob", "bob\ufeff"),
        *("b٣", "a\u0301\u0302\u0303", "bob!", "😀", "\ud800", "x" * 1_000_000, "㎏" * 40),
    ],
)
def test_usernames_that_deceive_or_break_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        username(text, "/name")

    fault = raised.value.faults[0]
    assert (fault.pointer, fault.code) == ("/name", "bad_username")
    assert text.strip()[:50] not in fault.detail or len(text) < 3


@pytest.mark.parametrize(
    ("text", "shown", "key"),
    [
        ("Ada@Example.ORG", "Ada@example.org", "ada@example.org"),
        (" ada@example.org ", "ada@example.org", "ada@example.org"),
        ("ada+tea@example.org", "ada+tea@example.org", "ada+tea@example.org"),
        ("o'neil@example.org", "o'neil@example.org", "o'neil@example.org"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@faß.example", "ada@xn--fa-hia.example", "ada@xn--fa-hia.example"),
        ("JÖRG@example.org", "JÖRG@example.org", "jörg@example.org"),
        ("JO\u0308RG@example.org", "JÖRG@example.org", "jörg@example.org"),
    ],
)
def test_addresses_have_one_key(text: str, shown: str, key: str) -> None:
    assert email(text) == Name("email", shown, key)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@localhost",
            "a@b@example.org",
            "ada＠example.org",
        ),
        *("ada@example.org\r\nBcc: eve@example.org", "ada @example.org", "ada@exa mple.org"),
        *("ada@[127.0.0.1]", "ada@127.0.0.1", '"a b"@example.org', ".ada@example.org"),
        *("ada..x@example.org", "ada.@example.org", "ada@-example.org", "ada@example..org"),
        *("ada@example.org.", "a\u200bda@example.org", "a\x00@example.org", "аda@example.org"),
        *("a" * 65 + "@example.org", "ada@" + "a." * 130 + "org", "ada@" + "a" * 64 + ".org"),
        *(
            "ﬁ@example.org",
            "\ud800@example.org",
            "x" * 1_000_000 + "@example.org",
            "ada@ex_ample.org",
        ),
    ],
)
def test_addresses_that_deceive_or_break_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        email(text)

    assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [
        ("/email", "bad_email")
    ]


@pytest.mark.parametrize(
    "text", ["+4930901820", "+49 30 901820", "+49 (30) 90-18-20", "+49.30.901820", "+49/30/901820"]
)
def test_telephone_numbers_have_one_form(text: str) -> None:
    assert phone(text) == Name("phone", "+4930901820", "+4930901820")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "030901820",
        "4930901820",
        "+0930901820",
        "+49",
        "+" + "1" * 16,
        "+49a",
        "+٤٩٣٠٩٠١٨٢٠",
        "+4930901820" + " " * 400 + "1",
    ],
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        phone(text)

    assert raised.value.faults[0].code == "bad_phone"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bob", ("username", "bob")),
        ("Ada@Example.org", ("email", "ada@example.org")),
        ("+49 30 901820", ("phone", "+4930901820")),
        *(("a@b", None), ("+49", None), ("a b", None), ("", None), ("x" * 10_000, None)),
    ],
)
def test_what_somebody_signs_in_with_is_told_by_its_form(
    text: str, expected: tuple[str, str] | None
) -> None:
    name = name_from(text)

    assert (name and (name.kind, name.key)) == expected


@given(st.text(max_size=70))
def test_a_key_is_its_own_key(text: str) -> None:
    name = name_from(text)

    if name is not None:
        again = name_from(name.key)
        assert again is not None
        assert (again.kind, again.key) == (name.kind, name.key)
        assert name_from(name.shown) == name
