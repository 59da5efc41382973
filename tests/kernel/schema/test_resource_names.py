import pytest

from tilth.kernel.schema.naming import resource_name

NAMES = {
    "Hero": "heroes",
    "Team": "teams",
    "InvoiceLine": "invoice-lines",
    "MediaType": "media-types",
    "Category": "categories",
    "Day": "days",
    "Key": "keys",
    "Address": "addresses",
    "Status": "statuses",
    "Box": "boxes",
    "Branch": "branches",
    "Analysis": "analyses",
    "Basis": "bases",
    "Alias": "aliases",
    "Person": "people",
    "SalesPerson": "sales-people",
    "Grandchild": "grandchildren",
    "Human": "humans",
    "News": "news",
    "TimeSeries": "time-series",
    "HTTPServer": "http-servers",
    "OAuth2Token": "o-auth2-tokens",
    "User2FA": "user2fas",
    "playlist_track": "playlist-tracks",
    "Details": "details",
    "Order Details": "order-details",
    "order__line": "order-lines",
    "people": "people",
    "categories": "categories",
    "addresses": "addresses",
    "statuses": "statuses",
    "analyses": "analyses",
    "criteria": "criteria",
    "Straße": "straßes",
    "Ärztin": "ärztins",
    "注文": "注文",
    "a/b?c": "a-b-cs",
    "  ": "items",
    "y": "ys",
}


@pytest.mark.parametrize(("class_name", "name"), NAMES.items())
def test_name_is_plural_lower_case_and_hyphenated(class_name: str, name: str) -> None:
    assert resource_name(class_name) == name
