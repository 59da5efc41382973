"""Hostile JSON is a 400 wherever it arrives, and sound JSON arrives as it was sent."""

import gzip
from decimal import Decimal
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI

from tilth.errors import BadRequest
from tilth.runtime.web.json import JsonLimits, parse_json
from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.settings import Settings

ATTACKS = {
    "not a number": (b"NaN", "json_invalid"),
    "infinity": (b"[-Infinity]", "json_invalid"),
    "float beyond range": (b"1e999", "json_invalid"),
    "100,000 open brackets": (b"[" * 100_000, "json_too_deep"),
    "65 levels": (b"[" * 65 + b"]" * 65, "json_too_deep"),
    "65 levels of objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "json_too_deep"),
    "depth hidden by strings": (b'["]",' * 65 + b"1" + b',"["]' * 65, "json_too_deep"),
    "41 digits": (b'{"n":-' + b"1" * 41 + b"}", "number_too_long"),
    "5,000 digits": (b"1" * 5000, "json_invalid"),
    "lone high surrogate": (b'"\\ud800"', "json_invalid"),
    "lone low surrogate": (b'"\\udc00x"', "json_invalid"),
    "surrogate in UTF-8": (b'"\xed\xa0\x80"', "json_invalid"),
    "not UTF-8": (b'"\xff"', "json_invalid"),
    "UTF-16": ("{}".encode("utf-16"), "json_invalid"),
    "byte order mark": (b"\xef\xbb\xbf{}", "json_invalid"),
    "duplicate key": (b'{"a":1,"b":{"c":1,"c":2}}', "duplicate_key"),
    "duplicate key by escape": (b'{"a":1,"\\u0061":2}', "duplicate_key"),
    "trailing garbage": (b"{} x", "json_invalid"),
    "two values": (b"1 2", "json_invalid"),
    "control character": (b'"\x01"', "json_invalid"),
    "nothing but space": (b" \n", "json_empty"),
}
# 100,000 different keys and the last one twice: finding it must not be quadratic.
MANY_KEYS = b"{" + b"".join(b'"%d":0,' % n for n in range(100_000)) + b'"99999":0}'

SOUND = {
    "64 levels": (b"[" * 64 + b"]" * 64, None),
    "brackets in strings": (b'["' + b"[" * 1000 + b'"]', ["[" * 1000]),
    "40 digits": (b"-" + b"9" * 40, -(10**40 - 1)),
    "beyond 64 bits": (b"18446744073709551617", 2**64 + 1),
    "surrogate pair": (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
    "same key in two objects": (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
    "space around": (b" \n{} ", {}),
}


@pytest.fixture
def app():
    application = FastAPI()

    @application.post("/things")
    async def create(thing: Annotated[Any, Body()]) -> dict[str, str]:
        return {"seen": str(thing)}

    @application.post("/maybe")
    async def maybe(thing: Annotated[Any, Body()] = None) -> dict[str, str]:
        return {"seen": str(thing)}

    return wrapped(application, web_stack(Settings()))


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_json_is_refused_with_a_reason(name):
    body, code = ATTACKS[name]

    with pytest.raises(BadRequest) as caught:
        parse_json(body, JsonLimits())

    assert caught.value.code == code
    assert [fault.detail for fault in caught.value.faults] == [caught.value.detail]


def test_a_repeated_key_among_very_many_is_found():
    with pytest.raises(BadRequest) as caught:
        parse_json(MANY_KEYS, JsonLimits())

    assert "'99999'" in caught.value.detail


@pytest.mark.parametrize("name", SOUND)
def test_sound_json_is_kept_exactly(name):
    body, value = SOUND[name]

    parsed = parse_json(body, JsonLimits())

    assert value is None or parsed == value


def test_a_number_keeps_its_value():
    assert Decimal(str(parse_json(b"0.1", JsonLimits()))) == Decimal("0.1")


MEDIA_TYPES = ("application/json", "Application/JSON; charset=utf-8", "application/hal+json")


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_plain_fastapi_route_never_sees_hostile_json(app, ask, name, media_type):
    body, code = ATTACKS[name]

    answer = ask(app, "POST", "/things", content=body, headers={"content-type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_plain_fastapi_route_gets_sound_json(app, ask):
    answer = ask(app, "POST", "/things", json={"name": "Alder"})

    assert answer.json() == {"seen": "{'name': 'Alder'}"}


def test_an_empty_body_is_left_to_the_route(app, ask):
    answer = ask(app, "POST", "/maybe", headers={"content-type": "application/json"})

    assert answer.json() == {"seen": "None"}


def test_a_compressed_body_is_refused(app, ask):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    answer = ask(app, "POST", "/things", content=gzip.compress(b"{}"), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["detail"] == (
        "The body is encoded as 'gzip'. Send JSON without Content-Encoding."
    )


def test_gzip_without_saying_so_is_no_json(app, ask):
    headers = {"content-type": "application/json"}

    answer = ask(app, "POST", "/things", content=gzip.compress(b"{}"), headers=headers)

    assert answer.json()["code"] == "json_invalid"
