from urllib.parse import urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from tilth.features.api.service.links import item_path, parse_key

tricky = st.text(alphabet="~.,/%2C7e \\", max_size=4)
keys = st.lists(st.text() | tricky, min_size=1, max_size=4).map(tuple)


@given(keys)
def test_parsing_an_address_gives_the_key_it_was_printed_from(key: tuple[str, ...]) -> None:
    segment = item_path("", "x", key).removeprefix("/x/")

    assert parse_key(segment) == key
    assert parse_key(segment, len(key)) == key


@given(keys)
def test_an_address_means_the_same_after_normalising(key: tuple[str, ...]) -> None:
    path = item_path("/api", "x", key)

    assert urlsplit(urljoin("http://host/other", path)).path == path
    assert path.count("/") == 3
