from urllib.parse import parse_qsl, urlsplit

import pytest

from tilth.errors import NotFound
from tilth.features.api.service.links import (
    item_path,
    key_of,
    link_header,
    parse_key,
    related_path,
    with_parameters,
)


@pytest.mark.parametrize(
    ("key", "segment"),
    [
        (("7",), "7"),
        (("7", "2"), "7,2"),
        (("a,b", "c/d"), "a%2Cb,c%2Fd"),
        (("50% off",), "50%25%20off"),
        (("größe",), "gr%C3%B6%C3%9Fe"),
        (("",), "~"),
        (("", ""), "~,~"),
        ((".",), "~."),
        (("..",), "~.."),
        (("~",), "~~"),
        (("~..",), "~~.."),
        (("~jane", "...", ".env"), "~jane,...,.env"),
    ],
)
def test_every_key_has_one_address_that_survives_normalising(
    key: tuple[str, ...], segment: str
) -> None:
    assert item_path("/api", "things", key) == f"/api/things/{segment}"
    assert parse_key(segment) == key
    assert parse_key(segment.encode(), len(key)) == key


@pytest.mark.parametrize(
    ("segment", "parts", "key"),
    [
        ("7%2C2", 2, ("7", "2")),
        ("7%2c%2541", 2, ("7", "%41")),
        ("a,b", 1, ("a,b",)),
        ("%7E", 1, ("",)),
        (",2", 2, ("", "2")),
        ("1,2,3", 2, ("1", "2", "3")),
    ],
)
def test_other_spellings_of_a_key_are_understood(
    segment: str, parts: int, key: tuple[str, ...]
) -> None:
    assert parse_key(segment, parts) == key


def test_a_key_that_is_not_utf_8_is_not_found() -> None:
    with pytest.raises(NotFound):
        parse_key(b"%ff")


def test_key_texts_are_what_the_address_of_a_row_needs() -> None:
    row = {"id": 7, "code": "x", "flag": True, "name": "n"}

    assert key_of(row, ("id", "code", "flag")) == ("7", "x", "true")


def test_names_in_addresses_are_percent_encoded() -> None:
    path = related_path(item_path("/mounted/api", "größen", ("1",)), "a/b")

    assert path == "/mounted/api/gr%C3%B6%C3%9Fen/1/a%2Fb"


@pytest.mark.parametrize(
    ("query", "changes", "address"),
    [
        ("", {}, "/x"),
        ("", {"cursor": "a+b="}, "/x?cursor=a%2Bb%3D"),
        ("a=1&cursor=old&b=%20c&a=2", {"cursor": "new"}, "/x?a=1&b=%20c&a=2&cursor=new"),
        ("limit=5&offset=50", {"offset": None, "cursor": "c"}, "/x?limit=5&cursor=c"),
        ("%63ursor=old&cursor", {"cursor": None}, "/x"),
        ("name=a>b\"&q='x,y'", {}, "/x?name=a%3Eb%22&q='x,y'"),
        (b"name=\xc3\xa9", {}, "/x?name=%C3%A9"),
        ("a+b=c+d&&e", {}, "/x?a+b=c+d&e"),
    ],
)
def test_other_parameters_stay_as_the_client_sent_them(
    query: str | bytes, changes: dict[str, str | None], address: str
) -> None:
    assert with_parameters("/x", query, changes) == address


def test_values_set_are_read_back() -> None:
    address = with_parameters("/x", "a=1", {"filter": 'name = "a&b" or x > 1'})

    assert parse_qsl(urlsplit(address).query) == [("a", "1"), ("filter", 'name = "a&b" or x > 1')]


def test_link_header_joins_addresses_and_relations() -> None:
    header = link_header([("/api/heroes?cursor=x", "next"), ("/openapi.json", "service-desc")])

    assert header == '</api/heroes?cursor=x>; rel="next", </openapi.json>; rel="service-desc"'
