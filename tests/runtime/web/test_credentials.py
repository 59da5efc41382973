"""A credential gives an Actor, none gives nobody, and a bad one never passes for none."""

import asyncio

import pytest
from starlette.requests import HTTPConnection

from tilth.errors import Unauthenticated
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.runtime.web.actor import actor_of, bearer_reader

ALDER = Actor(id="alder", method="bearer", assurance=1)
BIRCH = Actor(id="birch", method="bearer", assurance=1)
READERS = (bearer_reader({"token-of-alder": ALDER, "token-of-birch": BIRCH}),)


def connection_with(*authorizations):
    headers = [(b"authorization", value.encode("latin-1")) for value in authorizations]
    return HTTPConnection({"type": "http", "headers": headers})


ACTORS = {
    "nothing sent": ((), ANONYMOUS),
    "first token": (("Bearer token-of-alder",), ALDER),
    "second token": (("Bearer token-of-birch",), BIRCH),
    "scheme in any case": (("bEARER  token-of-birch ",), BIRCH),
}


@pytest.mark.parametrize("name", ACTORS)
def test_a_request_is_its_actors(name):
    authorizations, actor = ACTORS[name]

    assert asyncio.run(actor_of(connection_with(*authorizations), READERS)) == actor


BAD = {
    "unknown token": ("Bearer token-of-nobody",),
    "no token": ("Bearer",),
    "two words": ("Bearer token-of-alder x",),
    "not ASCII": ("Bearer tökén",),
    "unknown scheme": ("Basic YTpi",),
    "no scheme": ("token-of-alder",),
    "empty": ("",),
    "one good, one bad": ("Bearer token-of-alder", "Bearer token-of-nobody"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_credentials_are_never_anonymous(name):
    with pytest.raises(Unauthenticated) as caught:
        asyncio.run(actor_of(connection_with(*BAD[name]), READERS))

    challenge = 'Bearer realm="tilth", error="invalid_token"'
    assert caught.value.headers == {"WWW-Authenticate": challenge}
    assert "token-of" not in caught.value.detail


def test_credentials_without_any_reader_are_refused():
    with pytest.raises(Unauthenticated):
        asyncio.run(actor_of(connection_with("Bearer token-of-alder"), ()))


def test_the_first_reader_with_an_answer_decides():
    async def everybody_is_birch(connection):
        return BIRCH

    connection = connection_with("Bearer token-of-alder")

    assert asyncio.run(actor_of(connection, (*READERS, everybody_is_birch))) is ALDER


def test_a_request_is_read_once():
    asked = []

    async def counting(connection):
        asked.append(connection)
        return ALDER

    async def twice(connection, readers):
        await actor_of(connection, readers)
        return await actor_of(connection, readers)

    assert asyncio.run(twice(connection_with(), (counting,))) is ALDER
    assert len(asked) == 1


def test_a_mounted_application_with_its_own_readers_asks_them():
    async def everybody_is_birch(connection):
        return BIRCH

    async def both(connection):
        outer = await actor_of(connection, READERS)
        return outer, await actor_of(connection, (everybody_is_birch,))

    assert asyncio.run(both(connection_with())) == (ANONYMOUS, BIRCH)
