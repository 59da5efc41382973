"""Path and query of a request → Intent."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import cast, get_args
from urllib.parse import parse_qsl

from tilth.errors import BadRequest, bad_parameter
from tilth.features.api.service.links import BROKEN_ESCAPE, is_well_escaped
from tilth.kernel.plan.intent import Counting, Intent
from tilth.kit.text import suggest

PARAMETERS = 100

COLLECTION = frozenset(
    {"fields", "expand", "sort", "limit", "offset", "cursor", "count", "filter", "q"}
)
ONCE = MappingProxyType(
    {
        **dict.fromkeys(("fields", "expand", "sort"), "; separate names by commas"),
        "filter": "; join conditions by and",
        "q": "; separate words by spaces",
    }
)
"""How to say several things in one parameter."""

ITEM = frozenset({"fields", "expand"})


def intent_from(
    resource: str, key: tuple[str, ...] | None, relation: str | None, query: bytes
) -> Intent:
    """Raises BadRequest for a query that cannot be read, naming the parameter."""
    pairs = _pairs(query)
    known = ITEM if key is not None and relation is None else COLLECTION
    options = {name: text for name, text in pairs if name in known}
    for name in options:
        if sum(name == other for other, _ in pairs) > 1:
            raise bad_parameter(name, "repeated", f"Give {name} once{ONCE.get(name, '')}.")
    lookups = tuple(pair for pair in pairs if pair[0] not in known)
    if known is ITEM and lookups:
        raise _unknown_parameter(lookups[0][0])
    return Intent(
        resource,
        key,
        relation,
        lookups,
        filter=options.get("filter"),
        q=options.get("q"),
        sort=_names("sort", options.get("sort")) or (),
        fields=_names("fields", options.get("fields")),
        expand=_names("expand", options.get("expand")) or (),
        limit=_number("limit", options.get("limit")),
        offset=_number("offset", options.get("offset")),
        cursor=options.get("cursor"),
        count=_counting(options.get("count")),
    )


def _pairs(query: bytes) -> Sequence[tuple[str, str]]:
    if not is_well_escaped(query):
        raise BadRequest(BROKEN_ESCAPE, code="bad_query")
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS,
        )
    except UnicodeDecodeError as exc:
        raise BadRequest("The query is not percent-encoded UTF-8.", code="bad_query") from exc
    except ValueError as exc:
        detail = f"The query has more than {PARAMETERS} parameters."
        raise BadRequest(detail, code="bad_query") from exc


def _unknown_parameter(name: str) -> BadRequest:
    close = suggest(name, ITEM)
    hint = f" Did you mean {close!r}?" if close else ""
    detail = f"One row takes the parameters fields and expand, not {name!r}.{hint}"
    return bad_parameter(name, "unknown_parameter", detail)


def _names(parameter: str, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        detail = f"{parameter} takes names separated by commas, and one of them is empty."
        raise bad_parameter(parameter, "bad_value", detail)
    return names


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad_parameter(name, "bad_value", f"{name} is a whole number, not {text[:40]!r}.")
    return int(text)


def _counting(text: str | None) -> Counting:
    if text is None:
        return "none"
    if text not in get_args(Counting):
        detail = f"count is one of {', '.join(get_args(Counting))}, not {text[:40]!r}."
        raise bad_parameter("count", "bad_value", detail)
    return cast(Counting, text)
