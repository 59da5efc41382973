import pytest

from tilth.errors import NotAcceptable
from tilth.features.api.service.negotiate import negotiate

OFFERED = ("application/json", "text/csv", "application/x-ndjson")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("text/csv, */*", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/csv;q=0.5, */*;q=0.6", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("application/*;q=0.9, application/json;q=0.1", "application/x-ndjson"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/csv; Q=0.3 , application/json ;q=0.200", "text/csv"),
        ('text/html;note="a, b;c", text/csv', "text/csv"),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str | None, chosen: str) -> None:
    assert negotiate(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept",
    ["json", "text/csv;q=2", "text/csv;q=-1", "*/csv", ";;,,", "text/csv;q", '"";', "a/b/c"],
)
def test_members_that_cannot_be_read_are_passed_over(accept: str) -> None:
    assert negotiate(f"{accept}, application/x-ndjson", OFFERED) == "application/x-ndjson"
    assert negotiate(accept, OFFERED) == "application/json"


@pytest.mark.parametrize(
    "accept",
    ["text/html", "*/*;q=0", "text/*;q=0, text/html", "application/json;version=2", "image/*"],
)
def test_refusal_lists_what_exists(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json, text/csv and application/x-ndjson"):
        negotiate(accept, OFFERED)


def test_quotes_that_never_close_are_read_once() -> None:
    assert negotiate('"\\' * 100_000 + '"', OFFERED) == "application/json"
