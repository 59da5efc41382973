"""Rows of somebody else, asked for with every credential. Numbers are those of docs/reference/accounts.md.

Hidden fields, relations and keys (94, 96) need other models: tests/stories/test_read_policies.py,
test_write_policies.py and tests/properties have them, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.stories.auth.test_costs import credential

Site = Any
Ask = Callable[..., Any]
KINDS = ["session", "bearer", "key", "basic"]
# Nobody deletes without a permission, whoever's it is.
CHANGES = [("PATCH", {"text": "mine"}, 404), ("DELETE", None, 403)]


@pytest.fixture(params=KINDS)
def ask(site: Site, request: pytest.FixtureRequest) -> Ask:
    """As bob, by each credential there is. The note with id 1 is ann's, 2 is his."""
    ids = [site.account(name) for name in ("ann", "bob")]
    for name in ("ann", "bob"):
        browser = site.browser()
        browser.sign_in(name)
        made = browser.post("/api/notes", {"text": f"of {name}"})
        assert made.status_code == 201, made.text
    sent, program = credential(site, request.param), site.browser()

    def asked(method: str, path: str, body: Any = None, **headers: str) -> Any:
        merged = {**sent["headers"], **headers}
        return program.ask(method, path, body, headers=merged)

    asked.ann = ids[0]  # type: ignore[attr-defined]
    return asked


def of_ann(site: Site) -> dict[str, Any]:
    ann = site.browser()
    ann.sign_in("ann")
    found: dict[str, Any] = ann.get("/api/notes/1").json()
    return found


def test_93_nothing_of_another_is_read(ask: Ask) -> None:
    lists = [
        "/api/notes?count=exact",
        "/api/notes?id=1&count=exact",
        "/api/notes?text=of%20ann&count=exact",
        "/api/notes?text__contains=ann&count=exact",
        "/api/notes?sort=-text,id&limit=1",
        "/api/notes?fields=text",
    ]

    found = [ask("GET", path) for path in lists]

    assert ask("GET", "/api/notes/1").status_code == 404
    assert ask("GET", "/api/notes/2").status_code == 200
    assert [each.status_code for each in found] == [200] * len(lists)
    assert [each.text for each in found if "of ann" in each.text or '"id":1' in each.text] == []
    assert {each.json().get("total") for each in found[1:4]} == {0}


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_93_nothing_of_another_is_exported(ask: Ask, accept: str) -> None:
    found = ask("GET", "/api/notes", accept=accept)

    assert (found.status_code, "of bob" in found.text, "of ann" in found.text) == (200, True, False)


@pytest.mark.parametrize(("method", "body", "status"), CHANGES)
def test_93_nothing_of_another_is_changed(
    site: Site, ask: Ask, method: str, body: Any, status: int
) -> None:
    before = of_ann(site)

    answer, absent = ask(method, "/api/notes/1", body), ask(method, "/api/notes/99", body)

    assert (answer.status_code, absent.status_code) == (status, status)
    assert answer.json()["code"] == absent.json()["code"]
    assert of_ann(site) == before


def test_95_no_row_is_given_to_another_or_taken(site: Site, ask: Ask) -> None:
    before, ann = of_ann(site), ask.ann  # type: ignore[attr-defined]

    made = ask("POST", "/api/notes", {"text": "x", "owner_id": ann})
    given = ask("PATCH", "/api/notes/2", {"owner_id": ann})
    both = ask("POST", "/api/notes", {"id": 1, "text": "mine"})

    assert made.status_code in (403, 422), made.text
    assert given.status_code in (403, 422), given.text
    assert both.status_code in (409, 422), both.text
    assert "of ann" not in both.text
    assert ask("GET", "/api/notes/2").json()["text"] == "of bob"
    assert of_ann(site) == before
